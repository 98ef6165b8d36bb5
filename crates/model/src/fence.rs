//! The fence: until when this replica may act, shared by the one who decides and those who send.
//!
//! A process can be paused between a decision and what comes of it, so whoever sends asks again
//! at the last moment. The clock is given from outside; it must go on while the machine sleeps.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Until when, and as which incarnation.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    epoch: u64,
    until: Duration,
}

/// The fence of one process. Clones are handles of the same.
#[derive(Clone)]
pub struct Fence {
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Fence {
    /// One that is shut until it is set, on this clock.
    pub fn new(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), state: Arc::default() }
    }

    /// One that is always open: where there is a single replica.
    pub fn open() -> Self {
        let fence = Self::new(|| Duration::ZERO);
        fence.set(0, Duration::MAX);
        fence
    }

    /// From now on it is open until then, for what is decided in this epoch.
    pub fn set(&self, epoch: u64, until: Duration) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State { epoch, until };
    }

    /// What is decided now may be sent with this.
    pub fn pass(&self) -> Pass {
        Pass { epoch: Some(self.read().epoch), fence: self.clone() }
    }

    /// What belongs to no VNode may be sent with this, whatever the epoch.
    pub fn standing_pass(&self) -> Pass {
        Pass { epoch: None, fence: self.clone() }
    }

    fn read(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to send one thing, if the fence is still open when it is sent.
#[derive(Debug, Clone)]
pub struct Pass {
    epoch: Option<u64>,
    fence: Fence,
}

impl Pass {
    /// How much longer it may be sent; none where it may not.
    pub fn left(&self) -> Option<Duration> {
        let State { epoch, until } = self.fence.read();
        let left = until.checked_sub((self.fence.clock)()).filter(|left| !left.is_zero())?;
        self.epoch.is_none_or(|mine| mine == epoch).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_was_decided_before_a_pause_or_as_another_is_not_sent_after_it() {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let fence = Fence::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        assert_eq!(fence.pass().left(), None, "shut until it is set");
        fence.set(1, Duration::from_secs(7));
        let pass = fence.pass();
        assert_eq!(pass.left(), Some(Duration::from_secs(7)));
        seconds.store(7, Ordering::Relaxed);
        assert_eq!(pass.left(), None);
        fence.set(1, Duration::from_secs(14));
        assert!(pass.left().is_some(), "nobody killed us: it goes on");
        fence.set(2, Duration::from_secs(14));
        assert_eq!(pass.left(), None, "decided by an incarnation that is dead");
        assert!(fence.standing_pass().left().is_some());
    }

    #[test]
    fn a_single_replica_has_no_fence() {
        assert_eq!(Fence::open().pass().left(), Some(Duration::MAX));
    }
}
