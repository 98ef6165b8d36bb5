//! How much of what bases say waits for the controller: messages are counted by the broker, but not what they weigh.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Bytes that may wait for the controller: ten seconds of what 5,000 bases say, many times over. What comes
/// while so much waits is dropped.
const MOST: usize = 32 * 1024 * 1024;

/// The largest message at QoS 0, in bytes, of which the broker does not tell whether it was delivered: a heartbeat. Times
/// the messages that may wait it is 40 MiB.
const MOST_AT_ONCE: usize = 4 * 1024;

/// After so long without any message it is the count that is wrong: a broker gives up on a message too.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What waits, as far as it is known. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lag(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The beginning of the topics that the controller is subscribed to; none while it is not.
    prefix: Option<String>,
    waiting: usize,
    read_at: Option<Instant>,
}

impl State {
    /// It is one of `<prefix>/+/base/+`.
    fn is_heard(&self, topic: &str) -> bool {
        let rest = self.prefix.as_ref().and_then(|prefix| topic.strip_prefix(&**prefix)?.strip_prefix('/'));
        let mut parts = rest.unwrap_or_default().split('/');
        let (_, base, last, more) = (parts.next(), parts.next(), parts.next(), parts.next());
        base == Some("base") && last.is_some() && more.is_none()
    }
}

impl Lag {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The controller is subscribed to this.
    pub(super) fn subscribed(&self, filter: &str, now: Instant) {
        if let Some(prefix) = filter.strip_suffix("/+/base/+") {
            *self.state() = State { prefix: Some(prefix.to_owned()), waiting: 0, read_at: Some(now) };
        }
    }

    /// The controller is gone, and with it what waited.
    pub(super) fn gone(&self) {
        *self.state() = State::default();
    }

    /// Whether there is room for one more message.
    pub(super) fn takes(&self, topic: &str, bytes: usize, is_at_most_once: bool, now: Instant) -> bool {
        let mut state = self.state();
        if !state.is_heard(topic) {
            return true;
        }
        if is_at_most_once {
            return bytes <= MOST_AT_ONCE;
        }
        if state.read_at.is_some_and(|at| now.saturating_duration_since(at) >= FORGOTTEN) {
            (state.waiting, state.read_at) = (0, Some(now));
        }
        let fits = state.waiting.saturating_add(bytes) <= MOST;
        if fits {
            state.waiting += bytes;
        }
        fits
    }

    /// A message for which there was room was dropped all the same.
    pub(super) fn dropped(&self, topic: &str, bytes: usize) {
        let mut state = self.state();
        if state.is_heard(topic) {
            state.waiting = state.waiting.saturating_sub(bytes);
        }
    }

    /// The controller has read a message that is delivered at least once.
    pub(crate) fn read(&self, bytes: usize, now: Instant) {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(bytes);
        state.read_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEART: &str = "koupleless_dev/b1/base/heart";
    const MIB: usize = 1024 * 1024;

    #[test]
    fn so_much_waits_for_the_controller_and_no_more() {
        let (lag, start) = (Lag::default(), Instant::now());
        let taken = |now: Instant| (0..100).filter(|_| lag.takes(HEART, MIB, false, now)).count();
        assert_eq!(taken(start), 100, "nobody is subscribed, so nothing waits");
        lag.subscribed("koupleless_dev/+/base/+", start);
        assert_eq!((taken(start), taken(start)), (32, 0));
        assert!(lag.takes("koupleless_dev/b1/installBiz", MIB, false, start), "that is for the base");
        assert!(lag.takes("koupleless_prod/b1/base/heart", MIB, false, start), "that is for another");
        (0..3).for_each(|_| lag.read(MIB, start));
        assert_eq!(taken(start), 3);
        lag.gone();
        lag.subscribed("koupleless_dev/+/base/+", start);
        assert_eq!(taken(start), 32, "what waited went with its connection");
        let later = start + FORGOTTEN;
        assert_eq!(taken(later), 32, "nothing that waits is read for so long");
    }

    #[test]
    fn what_may_get_lost_is_small() {
        let (lag, start) = (Lag::default(), Instant::now());
        lag.subscribed("koupleless_dev/+/base/+", start);
        assert!(
            lag.takes(HEART, MOST_AT_ONCE, true, start) && !lag.takes(HEART, MOST_AT_ONCE + 1, true, start)
        );
    }
}
