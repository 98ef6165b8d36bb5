//! What a module printed last: so many bytes, and the oldest lines give way.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

/// What a line takes beside its text.
const LINE_BYTES: usize = 64;

/// A line that a module printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 0 on: where one is left out, lines have given way.
    pub number: u64,
    /// When it came.
    pub at: SystemTime,
    /// Without its end.
    pub text: Arc<str>,
}

/// The last lines of one module.
#[derive(Debug)]
pub struct Log {
    kept: Mutex<Kept>,
    limit: usize,
    /// The number of the next line; whoever follows waits for it to change.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    next: u64,
    is_closed: bool,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), limit, next: watch::channel(0).0 })
    }

    /// Keeps a line. One that is longer than all that is kept takes nothing of the others.
    pub(crate) fn push(&self, text: &str) {
        let mut kept = self.kept();
        let size = LINE_BYTES + text.len();
        if kept.is_closed || size > self.limit {
            return;
        }
        while kept.bytes + size > self.limit {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= LINE_BYTES + oldest.text.len();
        }
        let line = Line { number: kept.next, at: SystemTime::now(), text: text.into() };
        kept.bytes += size;
        kept.next += 1;
        kept.lines.push_back(line);
        self.next.send_replace(kept.next);
    }

    /// The lines from a number on, at most so many bytes of them, oldest first; and whether more may come.
    pub fn from(&self, number: u64, bytes: usize) -> (Vec<Line>, bool) {
        let kept = self.kept();
        let mut left = bytes;
        let first = kept.lines.partition_point(|line| line.number < number);
        let some = kept.lines.range(first..).take_while(|line| {
            let fits = left > 0;
            left = left.saturating_sub(LINE_BYTES + line.text.len());
            fits
        });
        (some.cloned().collect(), !kept.is_closed)
    }

    /// The number of the first of the last `lines` lines that came at `since` or later.
    pub fn start(&self, lines: Option<usize>, since: Option<SystemTime>) -> u64 {
        let kept = self.kept();
        let last = lines.map_or(0, |lines| kept.lines.len().saturating_sub(lines));
        // A clock that was set back does not sort the lines otherwise.
        let late = since.map_or(0, |since| {
            kept.lines.iter().position(|line| line.at >= since).unwrap_or(kept.lines.len())
        });
        kept.lines.get(last.max(late)).map_or(kept.next, |line| line.number)
    }

    /// Waits until there is a line of this number or a later one, or none comes any more.
    pub async fn wait(&self, number: u64) {
        let mut next = self.next.subscribe();
        // It fails where the sender is gone, which is this.
        let _ = next.wait_for(|next| *next > number).await;
    }

    /// No line comes any more: whoever follows ends.
    pub(crate) fn close(&self) {
        self.kept().is_closed = true;
        self.next.send_replace(u64::MAX);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn the_last_lines_are_kept_within_the_limit_and_the_oldest_give_way() {
        let log = Log::new(10 * (LINE_BYTES + 4));
        for number in 0..1_000 {
            log.push(&format!("{number:04}"));
        }
        let (lines, is_open) = log.from(0, usize::MAX);
        assert_eq!((lines.len(), lines[0].number, is_open), (10, 990, true));
        assert!(log.kept().bytes <= log.limit);
        log.push(&"x".repeat(10_000));
        assert_eq!(texts(&log.from(998, usize::MAX).0), ["0998", "0999"]);
        // A piece of it, and there is always some.
        assert_eq!(texts(&log.from(990, LINE_BYTES + 5).0), ["0990", "0991"]);
        assert_eq!(texts(&log.from(990, 1).0), ["0990"]);
    }

    #[test]
    fn it_begins_with_the_last_lines_or_with_those_that_are_young_enough() {
        let log = Log::new(10_000);
        for text in ["a", "b", "c"] {
            log.push(text);
        }
        assert_eq!(log.start(None, None), 0);
        assert_eq!(log.start(Some(2), None), 1);
        assert_eq!(log.start(Some(0), None), 3);
        assert_eq!(log.start(Some(9), Some(SystemTime::UNIX_EPOCH)), 0);
        assert_eq!(log.start(None, Some(SystemTime::now() + Duration::from_secs(60))), 3);
    }

    #[tokio::test]
    async fn whoever_follows_is_told_of_a_line_and_of_the_end() {
        let log = Log::new(10_000);
        let (waiting, wake) = (log.clone(), log.clone());
        let follower = tokio::spawn(async move {
            waiting.wait(0).await;
            let first = waiting.from(0, usize::MAX);
            waiting.wait(1).await;
            (first, waiting.from(1, usize::MAX))
        });
        wake.push("a");
        // It is closed only once the line was seen or may be: either way both are told.
        wake.close();
        wake.push("after the end");
        let (first, end) = follower.await.unwrap();
        assert_eq!(texts(&first.0), ["a"]);
        assert_eq!((end.0.len(), end.1), (0, false));
    }
}
