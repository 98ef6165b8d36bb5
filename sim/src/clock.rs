//! The clocks of one process: one that goes on at a rate of its own, and one on the wall that jumps.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A rate of one second in a second, in thousandths.
pub const TRUE_RATE: u32 = 1_000;

/// What time a process takes it for.
#[derive(Debug, Clone)]
pub struct Clock {
    /// True time when the rate was changed last, and what the clock said then.
    since: (Duration, Duration),
    rate: u32,
    /// How far the wall clock is off.
    off: SignedDuration,
}

impl Clock {
    /// One that begins at zero now.
    pub fn new(now: Duration, rate: u32) -> Self {
        Self { since: (now, Duration::ZERO), rate, off: SignedDuration::ZERO }
    }

    /// Time since its beginning, by itself.
    pub fn elapsed(&self, now: Duration) -> Duration {
        self.since.1 + now.saturating_sub(self.since.0) * self.rate / TRUE_RATE
    }

    /// The true time at which it will say this much, or more.
    pub fn when(&self, elapsed: Duration) -> Duration {
        let wait = elapsed.saturating_sub(self.since.1);
        let wait = wait.checked_mul(TRUE_RATE).unwrap_or(Duration::MAX) / self.rate.max(1);
        let at = self.since.0.saturating_add(wait);
        // Both divisions round down.
        if self.elapsed(at) < elapsed { at.saturating_add(Duration::from_nanos(2)) } else { at }
    }

    /// From now on it goes at another rate.
    pub fn change_rate(&mut self, now: Duration, rate: u32) {
        self.since = (now, self.elapsed(now));
        self.rate = rate;
    }

    /// The wall clock is this far off from now on.
    pub fn jump(&mut self, off: SignedDuration) {
        self.off = off;
    }

    /// Wall clock.
    pub fn wall(&self, now: Duration) -> Timestamp {
        true_wall(now).checked_add(self.off).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// What a wall clock says that is right.
pub fn true_wall(now: Duration) -> Timestamp {
    let since = SignedDuration::try_from(now).unwrap_or_default();
    Timestamp::constant(1_800_000_000, 0).checked_add(since).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_will_say_then_it_says_then_at_every_rate() {
        let ms = Duration::from_millis;
        for rate in [900, 1_000, 1_033, 1_100] {
            let mut clock = Clock::new(ms(123), rate);
            clock.change_rate(ms(7_001), 1_900 - rate.min(1_000));
            for elapsed in [7_500, 8_001, 99_999] {
                assert!(clock.elapsed(clock.when(ms(elapsed))) >= ms(elapsed), "{rate} {elapsed}");
            }
        }
    }
}
