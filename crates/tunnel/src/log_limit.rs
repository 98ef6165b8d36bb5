//! Limits what the log says of each base: anybody can make up identities without end, and a log has an end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a base that was spoken of is not spoken of again: someone who looks for the cause
/// finds it in the log of the last minutes.
const QUIET: Duration = Duration::from_secs(600);

/// Who is spoken of within [`QUIET`]; more are only counted. Each takes some hundred bytes
/// and is a line in the log.
const MAX_TOLD: usize = 200;

/// The longest name that is kept of anybody, in characters.
const MAX_NAME_CHARS: usize = 253;

/// When who was last spoken of. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogLimit(Arc<Mutex<HashMap<String, Instant>>>);

impl LogLimit {
    /// Whether this one, a base or whoever pretends to be one, is to be spoken of now.
    pub(crate) fn is_news(&self, whom: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let whom: String = whom.chars().take(MAX_NAME_CHARS).collect();
        let quiet = |at: &Instant| now.saturating_duration_since(*at) < QUIET;
        if told.get(&whom).is_some_and(quiet) {
            return false;
        }
        if told.len() >= MAX_TOLD {
            told.retain(|_, at| quiet(at));
        }
        let room = told.len() < MAX_TOLD;
        if room {
            told.insert(whom, now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_base_is_spoken_of_once_in_ten_minutes_and_not_more_than_two_hundred() {
        let (told, start) = (LogLimit::default(), Instant::now());
        let base = |n: usize| format!("b{n}");
        assert!(told.is_news(&base(0), start));
        assert!(!told.is_news(&base(0), start + QUIET - Duration::from_secs(1)));
        let said = (1..10_000).filter(|n| told.is_news(&base(*n), start)).count();
        assert_eq!(said, MAX_TOLD - 1);
        assert!(told.is_news(&base(0), start + QUIET) && told.is_news(&base(20_000), start + QUIET));
    }
}
