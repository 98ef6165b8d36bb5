//! The clock that deadlines are held against.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since the controller started. It goes on while the machine sleeps (`CLOCK_BOOTTIME`): a
/// replica that slept must know that its time is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Duration);

impl Clock {
    /// One that begins now.
    pub(crate) fn start() -> Self {
        Self(boot_time())
    }

    /// The time since then.
    pub(crate) fn elapsed(self) -> Duration {
        boot_time().saturating_sub(self.0)
    }
}

fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
