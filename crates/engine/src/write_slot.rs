//! One object's writes: one at a time, and later again when one failed.

use std::time::Duration;

use crate::{backoff, request::WriteError};

/// Whether an object may be written now. A write that is under way is waited for, so that writes
/// of one object keep their order and what is decided next is decided on what came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteSlot {
    busy: bool,
    failures: u32,
    is_refused: bool,
    not_before: Duration,
}

impl WriteSlot {
    /// A write may be sent now.
    pub(crate) fn is_free(&self, now: Duration) -> bool {
        !self.busy && now >= self.not_before
    }

    /// A write is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// The last write failed, or may have.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The last write was refused: the next one will be too, for all that is known.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// A write was sent.
    pub(crate) fn sent(&mut self) {
        self.busy = true;
    }

    /// The write ended.
    pub(crate) fn ended(&mut self, now: Duration, result: &Result<(), WriteError>) {
        self.busy = false;
        self.is_refused = matches!(result, Err(WriteError::Refused(_)));
        let Err(error) = result else {
            self.failures = 0;
            self.not_before = Duration::ZERO;
            return;
        };
        self.failures = self.failures.saturating_add(1);
        let seconds = Duration::from_secs;
        let wait = match error {
            // The watch tells what it is now; a second covers a watch that lags.
            WriteError::Conflict(_) | WriteError::NotFound(_) => seconds(1),
            WriteError::Refused(_) => backoff::exponential(seconds(5), seconds(300), self.failures),
            WriteError::Unavailable { retry_after, .. } => {
                let own = backoff::exponential(Duration::from_millis(500), seconds(30), self.failures);
                retry_after.unwrap_or_default().max(own)
            }
        };
        self.not_before = now + wait;
    }

    /// The write was the last of its object, whose end the watch will tell: nothing more is sent,
    /// unless that has not come after a while.
    pub(crate) fn was_the_last(&mut self, now: Duration) {
        self.was_the_last_again(now, 1);
    }

    /// As [`Self::was_the_last`], where it was sent so many times by now: each time it is waited for longer.
    pub(crate) fn was_the_last_again(&mut self, now: Duration, times: u32) {
        self.not_before = now + backoff::restart(times);
    }

    /// What the last write came to is known: no need to wait for it any more. What failed is waited for all the same.
    pub(crate) fn last_is_told(&mut self) {
        if !self.is_failing() {
            self.not_before = Duration::ZERO;
        }
    }

    /// When a write that is wanted may be sent, if it has to wait for time only.
    pub(crate) fn wake(&self) -> Option<Duration> {
        (!self.busy).then_some(self.not_before)
    }

    /// This failure is the first of a row, so it is worth telling.
    pub(crate) fn is_first_failure(&self) -> bool {
        self.failures == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_waits_and_a_good_one_clears_the_wait() {
        let mut slot = WriteSlot::default();
        let at = Duration::from_secs(100);
        slot.sent();
        assert!(!slot.is_free(at));
        slot.ended(at, &Err(WriteError::Unavailable { reason: "500".into(), retry_after: None }));
        assert!(!slot.is_free(at));
        assert_eq!(slot.wake(), Some(at + Duration::from_millis(500)));
        assert!(slot.is_free(at + Duration::from_millis(500)));
        slot.sent();
        slot.ended(at, &Ok(()));
        assert!(slot.is_free(at));
    }

    #[test]
    fn the_last_write_is_waited_for_until_it_is_told_and_a_failure_all_the_same() {
        let mut slot = WriteSlot::default();
        let at = Duration::from_secs(100);
        slot.was_the_last(at);
        assert!(!slot.is_free(at + Duration::from_secs(9)));
        slot.last_is_told();
        assert!(slot.is_free(at));
        slot.sent();
        slot.ended(at, &Err(WriteError::Conflict("another".into())));
        slot.last_is_told();
        assert!(!slot.is_free(at));
    }

    #[test]
    fn the_server_may_ask_for_more_patience() {
        let mut slot = WriteSlot::default();
        slot.sent();
        let retry_after = Some(Duration::from_secs(7));
        slot.ended(Duration::ZERO, &Err(WriteError::Unavailable { reason: "429".into(), retry_after }));
        assert_eq!(slot.wake(), Some(Duration::from_secs(7)));
    }
}
