//! Waiting longer each time.

use std::time::Duration;

/// `first · 2^(failures − 1)`, at most `most`; nothing before the first failure.
pub(crate) fn exponential(first: Duration, most: Duration, failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => first.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(most),
    }
}

/// After so many failures in a row [`restart`] is as long as it gets.
pub(crate) const STEPS: u32 = 6;

/// The kubelet's back-off for a container that does not start: 10 s doubling to 5 min.
pub(crate) fn restart(failures: u32) -> Duration {
    exponential(Duration::from_secs(10), Duration::from_secs(300), failures)
}

/// For a base that cannot be reached at the moment: liveness will soon say more.
pub(crate) fn reach(failures: u32) -> Duration {
    exponential(Duration::from_millis(500), Duration::from_secs(10), failures)
}

/// For a base whose answer cannot be read, or is too large: another of that kind is likely, and as much work.
pub(crate) fn unreadable(failures: u32) -> Duration {
    exponential(Duration::from_secs(10), Duration::from_secs(120), failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_steps() {
        let steps: Vec<u64> = (0..8).map(|n| restart(n).as_secs()).collect();
        assert_eq!(steps, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert!(restart(STEPS - 1) < restart(STEPS) && restart(STEPS) == restart(STEPS + 1));
        assert_eq!(restart(u32::MAX).as_secs(), 300);
    }
}
