//! A question that is asked again and again: `queryAllBiz`, `health`. One at a time.

use std::time::Duration;

use crate::{backoff, beat::on_beat};

/// The state of one question.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    sent: Option<Duration>,
    due: Duration,
    failures: u32,
}

impl Query {
    /// It is to be sent now.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.sent.is_none() && now >= self.due
    }

    /// It was sent.
    pub(crate) fn sent(&mut self, now: Duration) {
        self.sent = Some(now);
    }

    /// It is wanted at `at` at the latest.
    pub(crate) fn want(&mut self, at: Duration) {
        self.due = self.due.min(at);
    }

    /// An answer came: when it had been asked for, and ask again after `period`, with others. None where
    /// nothing was asked: an answer that came long after its deadline.
    pub(crate) fn answered(&mut self, now: Duration, period: Duration) -> Option<Duration> {
        let sent = self.sent.take()?;
        self.failures = 0;
        self.due = on_beat(now.saturating_add(period));
        Some(sent)
    }

    /// No answer came: ask again soon. Gives when it had been asked.
    pub(crate) fn failed(&mut self, now: Duration) -> Option<Duration> {
        let sent = self.sent.take()?;
        self.failures = self.failures.saturating_add(1);
        self.due = now + backoff::reach(self.failures);
        Some(sent)
    }

    /// How often in a row it stayed without answer.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The tunnel said nothing about it, not even that the deadline passed.
    pub(crate) fn is_lost(&self, now: Duration, limit: Duration) -> bool {
        self.sent.is_some_and(|sent| now >= sent + limit)
    }

    /// When [`Self::is_lost`] becomes true.
    pub(crate) fn lost_at(&self, limit: Duration) -> Option<Duration> {
        self.sent.map(|sent| sent + limit)
    }

    /// When it is to be sent; none while it is under way.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.sent.is_none().then_some(self.due)
    }
}
