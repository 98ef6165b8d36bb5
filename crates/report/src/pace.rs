//! No more messages than a robot takes.

use std::time::Duration;

/// One message per so long, on average.
const INTERVAL: Duration = Duration::from_secs(4);
/// So many at once after a silence. A robot that gets more than 20 messages in a minute is shut for
/// ten: 5 at once and then one each 4 s are 20 in the worst minute, both its ends included.
const BURST: u32 = 5;

/// When the next message may go. Times are since any fixed moment.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When all that was taken is paid back.
    even: Duration,
}

impl Pace {
    /// Takes a turn where there is one; else says how long to wait for it.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let from = self.even.saturating_sub(INTERVAL * (BURST - 1));
        if now < from {
            return Err(from - now);
        }
        self.even = self.even.max(now) + INTERVAL;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_each_four_seconds() {
        let mut pace = Pace::default();
        for _ in 0..BURST {
            assert_eq!(pace.take(Duration::ZERO), Ok(()));
        }
        assert_eq!(pace.take(Duration::ZERO), Err(INTERVAL));
        assert_eq!(pace.take(Duration::from_secs(3)), Err(Duration::from_secs(1)));
        assert_eq!(pace.take(INTERVAL), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_twenty_and_whoever_waits_as_told_gets_a_turn(
            pauses in prop::collection::vec(0_u64..6_000, 1..200),
        ) {
            let (mut pace, mut now, mut taken) = (Pace::default(), Duration::ZERO, Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                if let Err(wait) = pace.take(now) {
                    now += wait;
                    prop_assert_eq!(pace.take(now), Ok(()));
                }
                taken.push(now);
            }
            for first in &taken {
                let minute = *first..=*first + Duration::from_secs(60);
                prop_assert!(taken.iter().filter(|at| minute.contains(at)).count() <= 20);
            }
        }
    }
}
