//! What the MQTT tunnel counts.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use crate::counts::{Counts, reasons};

reasons!(
    /// Why the MQTT tunnel dropped or refused something.
    Dropped {
        /// A heartbeat, because the event channel was full.
        Heartbeat = "heartbeat_overload",
        /// A retained message: it may be older than everything we know.
        Retained = "retained",
        /// A command or a baseline that another controller left retained, which a base would carry out whenever it comes
        /// back: it was taken away.
        RetainedCommand = "retained_command",
        /// A message of a base that has not answered well yet, or of nobody, that is larger than theirs may be.
        TooLarge = "too_large",
        /// A heartbeat that names an address where no base may be.
        Address = "address",
        /// A base that calls itself another application than its user is.
        Application = "application",
        /// A message that cannot be understood.
        Malformed = "malformed",
        /// A message on a topic that says nothing to us.
        Foreign = "foreign",
        /// A command that was refused: no connection, or a full queue or table.
        CallRefused = "call_refused",
        /// A baseline that could not be answered: no connection, or a full queue.
        Baseline = "baseline",
    }
);

/// What the tunnel has counted since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttStats {
    /// Whether the broker is connected and the subscription stands.
    pub up: bool,
    /// Why not, in one line; none while it is.
    pub down: Option<String>,
    /// Heartbeats passed on.
    pub heartbeats: u64,
    /// Baseline queries passed on.
    pub baseline_queries: u64,
    /// Commands published.
    pub calls: u64,
    /// Commands that wait for their answer now.
    pub calls_open: usize,
    /// Answers of bases passed on.
    pub answers: u64,
    /// Of these, the ones that no command waited for.
    pub answers_unsolicited: u64,
    /// Commands that were not answered by their deadline.
    pub timeouts: u64,
    /// Connections that came up.
    pub connections: u64,
    /// Connections that broke, or did not come up.
    pub failures: u64,
    /// What was dropped or refused.
    pub dropped: Vec<(Dropped, u64)>,
}

impl MqttStats {
    /// How often something was dropped for this reason.
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped.iter().find(|(r, _)| *r == reason).map_or(0, |(_, count)| *count)
    }
}

/// The counters behind [`MqttStats`].
#[derive(Debug, Default)]
pub(super) struct MqttCounts {
    pub(super) up: AtomicBool,
    down: Mutex<Option<String>>,
    pub(super) heartbeats: AtomicU64,
    pub(super) baseline_queries: AtomicU64,
    pub(super) calls: AtomicU64,
    pub(super) calls_open: AtomicUsize,
    pub(super) answers: AtomicU64,
    pub(super) answers_unsolicited: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) failures: AtomicU64,
    dropped: Counts<{ Dropped::ALL.len() }>,
}

/// Counts one more. Relaxed: nothing is ordered by a counter.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl MqttCounts {
    pub(super) fn dropped(&self, reason: Dropped) {
        self.dropped.add(reason as usize);
    }

    /// There is no connection, for this reason; none where there is one.
    pub(super) fn down(&self, reason: Option<String>) {
        self.up.store(reason.is_none(), Ordering::Relaxed);
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    pub(super) fn snapshot(&self) -> MqttStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MqttStats {
            up: self.up.load(Ordering::Relaxed),
            down: self.down.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            heartbeats: read(&self.heartbeats),
            baseline_queries: read(&self.baseline_queries),
            calls: read(&self.calls),
            calls_open: self.calls_open.load(Ordering::Relaxed),
            answers: read(&self.answers),
            answers_unsolicited: read(&self.answers_unsolicited),
            timeouts: read(&self.timeouts),
            connections: read(&self.connections),
            failures: read(&self.failures),
            dropped: Dropped::ALL.iter().copied().zip(self.dropped.read()).collect(),
        }
    }
}
