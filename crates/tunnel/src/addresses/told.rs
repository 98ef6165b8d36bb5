//! What was said of whom: a liar can make up identities without end, and a log has one.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use model::BaseIdentity;

/// How long a base that was spoken of is not spoken of again: someone who looks for the cause
/// finds it in the log of the last minutes.
const QUIET: Duration = Duration::from_secs(600);

/// Bases that are spoken of within [`QUIET`]; more are only counted. Each takes some hundred bytes
/// and is a line in the log.
const MAX_TOLD: usize = 200;

/// When which base was last spoken of.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<BaseIdentity, Instant>);

impl Told {
    /// Whether this base is to be spoken of now.
    pub(super) fn is_news(&mut self, base: &BaseIdentity, now: Instant) -> bool {
        let quiet = |at: &Instant| now.saturating_duration_since(*at) < QUIET;
        if self.0.get(base).is_some_and(quiet) {
            return false;
        }
        if self.0.len() >= MAX_TOLD {
            self.0.retain(|_, at| quiet(at));
        }
        let room = self.0.len() < MAX_TOLD;
        if room {
            self.0.insert(base.clone(), now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_base_is_spoken_of_once_in_ten_minutes_and_not_more_than_two_hundred() {
        let (mut told, start) = (Told::default(), Instant::now());
        let base = |n: usize| format!("b{n}").parse::<BaseIdentity>().unwrap();
        assert!(told.is_news(&base(0), start));
        assert!(!told.is_news(&base(0), start + QUIET - Duration::from_secs(1)));
        let said = (1..10_000).filter(|n| told.is_news(&base(*n), start)).count();
        assert_eq!(said, MAX_TOLD - 1);
        assert!(told.is_news(&base(0), start + QUIET) && told.is_news(&base(20_000), start + QUIET));
    }
}
