//! The fence: until when this replica may act, shared by the one who decides and those who send.
//!
//! A process can be paused between a decision and what comes of it, so whoever sends asks again
//! at the last moment. The clock is given from outside; it must go on while the machine sleeps.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[derive(Debug, Clone, Copy)]
enum State {
    /// What was decided in this epoch may be sent until then.
    Open { epoch: u64, until: Duration },
    /// Nothing may be sent. What is decided from now on is of this epoch.
    Shut { epoch: u64 },
    /// Nothing may be sent any more.
    Closed,
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
        Self { clock: Arc::new(clock), state: Arc::new(Mutex::new(State::Shut { epoch: 0 })) }
    }

    /// One that is always open: where there is a single replica.
    pub fn open() -> Self {
        let fence = Self::new(|| Duration::ZERO);
        fence.open_until(0, Duration::MAX);
        fence
    }

    /// From now on it is open until then, for what is decided in this epoch.
    pub fn open_until(&self, epoch: u64, until: Duration) {
        self.write(State::Open { epoch, until });
    }

    /// From now on it is shut, until it is opened in this epoch.
    pub fn shut(&self, epoch: u64) {
        self.write(State::Shut { epoch });
    }

    /// From now on it is shut for good: the process ends.
    pub fn close(&self) {
        self.write(State::Closed);
    }

    /// What is decided now may be sent with this.
    pub fn pass(&self) -> Pass {
        let epoch = match self.read() {
            State::Open { epoch, .. } | State::Shut { epoch } => Some(epoch),
            // It is never open again.
            State::Closed => None,
        };
        Pass { epoch, fence: self.clone() }
    }

    /// What belongs to no VNode may be sent with this, whatever the epoch.
    pub fn standing_pass(&self) -> Pass {
        Pass { epoch: None, fence: self.clone() }
    }

    fn write(&self, state: State) {
        let mut now = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, State::Closed) {
            *now = state;
        }
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
        let State::Open { epoch, until } = self.fence.read() else { return None };
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
        assert_eq!(fence.pass().left(), None, "shut until it is opened");
        fence.open_until(1, Duration::from_secs(7));
        let pass = fence.pass();
        assert_eq!(pass.left(), Some(Duration::from_secs(7)));
        seconds.store(7, Ordering::Relaxed);
        assert_eq!(pass.left(), None);
        fence.open_until(1, Duration::from_secs(14));
        assert!(pass.left().is_some(), "nobody killed us: it goes on");
        fence.open_until(2, Duration::from_secs(14));
        assert_eq!(pass.left(), None, "decided by an incarnation that is dead");
        assert!(fence.standing_pass().left().is_some());
        fence.shut(3);
        let between = fence.pass();
        assert_eq!(fence.standing_pass().left(), None);
        fence.open_until(3, Duration::from_secs(21));
        assert!(between.left().is_some(), "decided by the incarnation that it is open for");
        fence.close();
        fence.open_until(4, Duration::from_secs(21));
        assert_eq!(
            [fence.pass(), fence.standing_pass(), between].map(|pass| pass.left()),
            [None; 3],
            "closed for good"
        );
    }

    #[test]
    fn a_single_replica_has_no_fence() {
        assert_eq!(Fence::open().pass().left(), Some(Duration::MAX));
    }
}
