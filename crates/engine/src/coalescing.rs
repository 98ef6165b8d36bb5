//! Timer coalescing: what is due again and again falls on a common tick of all bases.
//!
//! A question or a renewal that is due alone costs twice as much as one among others: its code has left the processor's caches, a
//! thread wakes for it, and a packet is sent for it.

use std::time::Duration;

/// Short, so that one tick has a small part of all: of 1,000 Leases that are renewed every 12 s some 20.
const TICK: Duration = Duration::from_millis(250);

/// The last tick at `at` or before it.
pub(crate) fn coalesced(at: Duration) -> Duration {
    let ticks = u32::try_from(at.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
    TICK * ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_late_and_never_early_by_a_whole_tick() {
        let ms = |at| coalesced(Duration::from_millis(at)).as_millis();
        assert_eq!([ms(0), ms(249), ms(250), ms(12_100), ms(86_400_001)], [0, 0, 250, 12_000, 86_400_000]);
        assert!(coalesced(Duration::MAX) > Duration::from_secs(30 * 365 * 86_400));
    }
}
