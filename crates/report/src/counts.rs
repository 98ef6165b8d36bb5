//! What became of the reports, hook by hook.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Numbers since the start. Every report that a hook should have told is in one of them, or waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookCounts {
    /// The robot took them.
    pub sent: u64,
    /// The robot refused them, or could not be reached, and they were given up.
    pub failed: u64,
    /// They found no place in the queue.
    pub dropped: u64,
    /// The same fault had been reported within the window.
    pub suppressed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) suppressed: AtomicU64,
    /// Put into the hook's queue.
    pub(crate) queued: AtomicU64,
    /// Failed or dropped since the last message that arrived: the next one says so.
    pub(crate) missing: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> HookCounts {
        HookCounts {
            sent: self.sent.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            suppressed: self.suppressed.load(Relaxed),
        }
    }

    pub(crate) fn drop_one(&self) {
        self.dropped.fetch_add(1, Relaxed);
        self.missing.fetch_add(1, Relaxed);
    }

    pub(crate) fn fail(&self, reports: u64) {
        self.failed.fetch_add(reports, Relaxed);
        self.missing.fetch_add(reports, Relaxed);
    }

    /// What was queued and did not come to an end.
    pub(crate) fn waiting(&self) -> u64 {
        let ended = self.sent.load(Relaxed) + self.failed.load(Relaxed);
        self.queued.load(Relaxed).saturating_sub(ended)
    }
}
