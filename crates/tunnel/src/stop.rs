//! How the tasks of a tunnel are told to end.

use std::time::Duration;

use tokio::sync::watch;

/// How far a tunnel's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// At work.
    Running,
    /// Nothing new is taken; what is under way may end.
    Draining,
    /// Whatever is left ends now.
    Stopped,
}

/// The side that is told. Its sender's end counts as [`Phase::Stopped`].
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// The sender and its first listener.
    pub(crate) fn new() -> (watch::Sender<Phase>, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (sender, Self(receiver))
    }

    /// Waits until the phase is reached.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // An error means that the sender is gone, which is the end too.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }

    /// The phase now.
    pub(crate) fn phase(&self) -> Phase {
        if self.0.has_changed().is_err() { Phase::Stopped } else { *self.0.borrow() }
    }
}

/// How long a shutdown waits for what is under way. A pod has 30 s by default, and the tunnels
/// end before the leases are given back.
pub const SHUTDOWN_BOUND: Duration = Duration::from_secs(5);
