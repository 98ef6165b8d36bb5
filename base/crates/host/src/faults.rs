//! What went wrong with a module lately.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::error::CallError;

/// What is older says nothing of a module's health.
const WINDOW: Duration = Duration::from_secs(30);

/// The most that are kept: as many are enough to say that it is not well.
const MAX_KEPT: usize = 64;

/// The requests of the last 30 s, as far as they are kept: the last 64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Those that were answered.
    pub answered: usize,
    /// Those that ended in a trap, or without an answer.
    pub trapped: usize,
    /// Those that took longer than they may.
    pub late: usize,
}

impl Recent {
    /// At least three failed, and they are more than half.
    pub fn is_failing(&self) -> bool {
        let failed = self.trapped + self.late;
        failed >= 3 && failed > self.answered
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Trapped,
    Late,
}

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<VecDeque<(Instant, End)>>);

impl Faults {
    /// Takes note of how a request ended. What the module has no part in says nothing of it.
    pub(crate) fn note(&self, end: Result<(), &CallError>) {
        let end = match end {
            Ok(()) => End::Answered,
            Err(CallError::Trap(_) | CallError::NoAnswer(_)) => End::Trapped,
            Err(CallError::Deadline(_)) => End::Late,
            Err(CallError::NoRoom(_) | CallError::Ended) => return,
        };
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() == MAX_KEPT {
            ends.pop_front();
        }
        ends.push_back((Instant::now(), end));
    }

    pub(crate) fn recent(&self) -> Recent {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut recent = Recent::default();
        for (_, end) in ends.iter().filter(|(at, _)| at.elapsed() <= WINDOW) {
            match end {
                End::Answered => recent.answered += 1,
                End::Trapped => recent.trapped += 1,
                End::Late => recent.late += 1,
            }
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_mostly_fails_is_failing() {
        let faults = Faults::default();
        let trap = CallError::Trap("unreachable".to_owned());
        faults.note(Err(&trap));
        faults.note(Err(&CallError::Deadline(WINDOW)));
        assert!(!faults.recent().is_failing());
        faults.note(Err(&trap));
        assert_eq!(faults.recent(), Recent { answered: 0, trapped: 2, late: 1 });
        assert!(faults.recent().is_failing());
        for _ in 0..3 {
            faults.note(Ok(()));
        }
        assert!(!faults.recent().is_failing());
    }

    #[test]
    fn few_are_kept_and_the_hosts_own_faults_are_not() {
        let faults = Faults::default();
        for _ in 0..2 * MAX_KEPT {
            faults.note(Ok(()));
            faults.note(Err(&CallError::Ended));
        }
        assert_eq!(faults.recent(), Recent { answered: MAX_KEPT, trapped: 0, late: 0 });
    }
}
