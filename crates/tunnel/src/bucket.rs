//! How much one may do in a time: so much at once, and so much a second after that.

use std::time::{Duration, Instant};

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What comes back in a second.
    pub a_second: u32,
    /// What may be taken at once.
    pub at_once: u32,
}

/// What one has left of a [`Rate`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    left: f64,
    since: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self { left: f64::from(rate.at_once), since: now }
    }

    /// Takes so much, where there is as much.
    pub(crate) fn take(&mut self, rate: Rate, amount: u32, now: Instant) -> bool {
        self.fill(rate, now);
        let enough = self.left >= f64::from(amount);
        if enough {
            self.left -= f64::from(amount);
        }
        enough
    }

    /// Whether nothing is missing, so that nobody need remember it.
    pub(crate) fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        self.left >= f64::from(rate.at_once)
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let passed = now.checked_duration_since(self.since).unwrap_or(Duration::ZERO);
        self.left = (self.left + passed.as_secs_f64() * f64::from(rate.a_second)).min(rate.at_once.into());
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_at_once_and_so_much_a_second_after_that() {
        let (rate, start) = (Rate { a_second: 2, at_once: 3 }, Instant::now());
        let mut bucket = Bucket::full(rate, start);
        assert!(bucket.is_full(rate, start));
        assert!(bucket.take(rate, 2, start) && !bucket.take(rate, 2, start) && bucket.take(rate, 1, start));
        let later = start + Duration::from_millis(600);
        assert!(bucket.take(rate, 1, later) && !bucket.take(rate, 1, later));
        let much_later = later + Duration::from_secs(60);
        assert!(bucket.is_full(rate, much_later) && !bucket.take(rate, 4, much_later), "and never more");
    }
}
