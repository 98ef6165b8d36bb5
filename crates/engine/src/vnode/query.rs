//! A question that is asked again and again: `queryAllBiz`, `health`. One at a time.

use std::time::Duration;

use model::TunnelKind;

use crate::{backoff, coalescing::coalesced};

/// Between two questions that are asked because somebody said something, at least: whoever may speak in a base's name
/// must not be able to have it asked without end.
const HINTS_EVERY: Duration = Duration::from_secs(1);

/// The state of one question.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    sent: Option<(Duration, TunnelKind)>,
    due: Duration,
    /// Not to be sent before, whoever wants it: an answer could not be read.
    not_before: Duration,
    /// When it was sent last.
    last: Option<Duration>,
    failures: u32,
}

impl Query {
    /// It is to be sent now.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.due().is_some_and(|due| now >= due)
    }

    /// It was sent this way.
    pub(crate) fn sent(&mut self, now: Duration, tunnel: TunnelKind) {
        (self.sent, self.last) = (Some((now, tunnel)), Some(now));
    }

    /// Which way it was sent; none where it is not under way.
    pub(crate) fn way(&self) -> Option<TunnelKind> {
        self.sent.map(|(_, tunnel)| tunnel)
    }

    /// It is wanted at `at` at the latest.
    pub(crate) fn want(&mut self, at: Duration) {
        self.due = self.due.min(at);
    }

    /// Somebody said what makes it wanted.
    pub(crate) fn hint(&mut self, now: Duration) {
        self.want(self.last.map_or(now, |last| now.max(last + HINTS_EVERY)));
    }

    /// An answer came: when it had been asked for, and ask again after `period`, with others. None where
    /// nothing was asked: an answer that came long after its deadline.
    pub(crate) fn answered(&mut self, now: Duration, period: Duration) -> Option<Duration> {
        let (sent, _) = self.sent.take()?;
        (self.failures, self.not_before) = (0, Duration::ZERO);
        self.due = coalesced(now.saturating_add(period));
        Some(sent)
    }

    /// No answer came: ask again soon. Gives when it had been asked.
    pub(crate) fn failed(&mut self, now: Duration) -> Option<Duration> {
        let (sent, _) = self.sent.take()?;
        self.failures = self.failures.saturating_add(1);
        self.due = now + backoff::reach(self.failures);
        Some(sent)
    }

    /// An answer came that cannot be read, or is too large to be: what it costs to ask again is paid seldom. True where
    /// it was asked for, and is the first in a row.
    pub(crate) fn unreadable(&mut self, now: Duration) -> bool {
        if self.sent.take().is_none() {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.due = now + backoff::unreadable(self.failures);
        let first = self.not_before.is_zero();
        self.not_before = self.due;
        first
    }

    /// Its last answer could not be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        !self.not_before.is_zero()
    }

    /// How often in a row it stayed without answer.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The tunnel said nothing about it, not even that the deadline passed.
    pub(crate) fn is_lost(&self, now: Duration, limit: Duration) -> bool {
        self.lost_at(limit).is_some_and(|at| now >= at)
    }

    /// When [`Self::is_lost`] becomes true.
    pub(crate) fn lost_at(&self, limit: Duration) -> Option<Duration> {
        self.sent.map(|(sent, _)| sent + limit)
    }

    /// When it is to be sent; none while it is under way.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.sent.is_none().then_some(self.due.max(self.not_before))
    }
}
