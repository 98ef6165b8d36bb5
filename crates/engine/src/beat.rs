//! What is due again and again falls on a beat, for all bases the same.
//!
//! A question or a renewal that is alone costs twice what one among others does: its code has left the processor's caches, a
//! thread is woken for it and a packet is sent for it.

use std::time::Duration;

/// Short, so that what falls on one beat is a small part of all: of 1,000 Leases that are renewed every 12 s some 20.
const BEAT: Duration = Duration::from_millis(250);

/// The last beat at `at` or before it.
pub(crate) fn on_beat(at: Duration) -> Duration {
    let beats = u32::try_from(at.as_millis() / BEAT.as_millis()).unwrap_or(u32::MAX);
    BEAT * beats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_late_and_never_early_by_a_whole_beat() {
        let ms = |at| on_beat(Duration::from_millis(at)).as_millis();
        assert_eq!([ms(0), ms(249), ms(250), ms(12_100), ms(86_400_001)], [0, 0, 250, 12_000, 86_400_000]);
        assert!(on_beat(Duration::MAX) > Duration::from_secs(30 * 365 * 86_400));
    }
}
