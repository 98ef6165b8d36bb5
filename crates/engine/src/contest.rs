//! Two writers who do not agree about a field: whoever corrects at once, each time, has both write as fast as the API
//! server answers. So the first correction is made at once, and the next ones of a row wait.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::{backoff, request::WriteError};

/// What the second correction of a row waits for after the first; each one after it waits twice as long.
const FIRST: Duration = Duration::from_secs(10);
/// As long as a kubelet's longest back-off: somebody who changes a field for ever costs a write in this time.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);
/// A row is over when what was corrected has stood for so long beyond the wait.
const CALM: Duration = Duration::from_secs(60);

/// A row of corrections.
#[derive(Debug, Clone, Copy)]
struct Row {
    corrections: u32,
    last: Duration,
}

impl Row {
    fn wait(self) -> Duration {
        backoff::exponential(FIRST, LONGEST, self.corrections)
    }

    fn is_over(self, now: Duration) -> bool {
        now >= self.last + self.wait() + CALM
    }
}

/// What we wrote into some part of one object, and how often others have changed it since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contest {
    /// The [`mark`] of what was written last, as far as the server has it; 0 where it may not.
    taken: u64,
    // In a box: hardly any object has one.
    row: Option<Box<Row>>,
}

impl Contest {
    /// When this may be written: at once where it is something new, later where it was written before and somebody else
    /// has changed it again and again. Never later than `longest` after the last time.
    pub(crate) fn due(&self, wanted: u64, longest: Duration, now: Duration) -> Duration {
        match self.row.as_deref() {
            Some(row) if self.taken == wanted && !row.is_over(now) => row.last + row.wait().min(longest),
            _ => Duration::ZERO,
        }
    }

    /// This is being written. True where it is the second correction of a row, which is worth telling: once.
    pub(crate) fn sent(&mut self, wanted: u64, now: Duration) -> bool {
        if std::mem::replace(&mut self.taken, wanted) != wanted {
            return false;
        }
        let before = self.row.as_deref().filter(|row| !row.is_over(now));
        let corrections = before.map_or(0, |row| row.corrections).saturating_add(1);
        self.row = Some(Box::new(Row { corrections, last: now }));
        corrections == 2
    }

    /// The write ended. One that met another's write counts, or two who write all the time would never wait.
    pub(crate) fn ended(&mut self, result: &Result<(), WriteError>) {
        if !matches!(result, Ok(()) | Err(WriteError::Conflict(_))) {
            self.taken = 0;
        }
    }

    /// When a correction that waits may be written.
    pub(crate) fn wake(&self, longest: Duration) -> Option<Duration> {
        self.row.as_deref().map(|row| row.last + row.wait().min(longest))
    }
}

/// By what a value is known again; never 0.
pub(crate) fn mark(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Somebody who changes everything back within a second.
    fn times(contest: &mut Contest, longest: Duration, seconds: u64) -> Vec<u64> {
        let mut sent = Vec::new();
        for now in 0..seconds {
            if s(now) >= contest.due(7, longest, s(now)) {
                contest.sent(7, s(now));
                contest.ended(&Ok(()));
                sent.push(now);
            }
        }
        sent
    }

    #[test]
    fn who_changes_it_back_for_ever_is_corrected_ever_more_rarely() {
        let sent = times(&mut Contest::default(), LONGEST, 1_300);
        assert_eq!(sent, [0, 1, 11, 31, 71, 151, 311, 611, 911, 1_211]);
        let sent = times(&mut Contest::default(), s(10), 62);
        assert_eq!(sent, [0, 1, 11, 21, 31, 41, 51, 61], "where waiting is worse");
    }

    #[test]
    fn one_change_is_corrected_at_once_and_so_is_the_next_one_a_while_later() {
        let mut contest = Contest::default();
        for now in [0, 100, 200, 300] {
            assert!(contest.due(7, LONGEST, s(now)) <= s(now), "{now}");
            assert!(!contest.sent(7, s(now)));
            contest.ended(&Ok(()));
        }
        assert_eq!(contest.due(7, LONGEST, s(301)), s(310), "and one right after that is not");
    }

    #[test]
    fn what_is_new_is_written_at_once_whatever_is_contested() {
        let mut contest = Contest::default();
        times(&mut contest, LONGEST, 100);
        assert!(contest.due(7, LONGEST, s(100)) > s(100));
        assert_eq!(contest.due(8, LONGEST, s(100)), Duration::ZERO);
    }

    #[test]
    fn the_second_correction_is_told_and_what_failed_is_none() {
        let mut contest = Contest::default();
        let mut send = |now, result| {
            let told = contest.sent(7, s(now));
            contest.ended(&result);
            told
        };
        let failed = || Err(WriteError::Unavailable { reason: "500".into(), retry_after: None });
        assert!(!send(0, failed()) && !send(1, failed()) && !send(2, failed()), "never taken");
        assert!(!send(3, Ok(())), "taken");
        assert!(!send(4, Err(WriteError::Conflict("another wrote".into()))), "the first correction");
        assert!(send(14, Ok(())) && !send(34, Ok(())), "the second, and the third");
    }
}
