//! How a watch does, for readiness and metrics.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use engine::Watched;

/// How many unreadable objects are remembered as reported; more are counted and not told apart.
const REPORTED: usize = 1024;

/// An error says nothing of now when it is older than this. While the API server cannot be reached
/// there is one at least every 7 s: a back-off of 2 s, and 5 s to connect.
const STALE: Duration = Duration::from_secs(15);

/// What went wrong last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchFault {
    /// How long ago.
    pub ago: Duration,
    /// What.
    pub reason: String,
}

/// How one watch does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchHealth {
    /// Which.
    pub kind: Watched,
    /// Everything that existed at the start has been told.
    pub synced: bool,
    /// It fails now: the last thing that happened is an error, not long ago. A watch that fails
    /// goes on trying, and what was told stays told.
    pub failing: bool,
    /// It ended, which it does only when nobody receives any more, or by a fault of ours.
    pub ended: bool,
    /// How long ago it last told something; none where it never has. A quiet cluster is quiet.
    pub last_event: Option<Duration>,
    /// What went wrong last; none where nothing has.
    pub last_error: Option<WatchFault>,
    /// How many objects it was told of.
    pub events: u64,
    /// How many errors there were.
    pub errors: u64,
    /// How often everything was listed again after the first time.
    pub restarts: u64,
    /// How many objects could not be read, each counted every time.
    pub unreadable: u64,
}

/// What is written down of one watch.
#[derive(Debug)]
pub(super) struct Record {
    kind: Watched,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    synced: bool,
    lists: u64,
    events: u64,
    errors: u64,
    unreadable: u64,
    last_event: Option<Instant>,
    last_error: Option<(Instant, String)>,
    reported: HashSet<Box<str>>,
    given_up: bool,
}

impl Record {
    pub(super) fn new(kind: Watched) -> Self {
        Self { kind, state: Mutex::default() }
    }

    pub(super) fn kind(&self) -> Watched {
        self.kind
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something came.
    pub(super) fn saw(&self) {
        let mut state = self.state();
        state.events += 1;
        state.last_event = Some(Instant::now());
    }

    /// An error came. Breaks are part of a watch's life, so only a row of them is worth a warning.
    /// True where the kind is one that is done without, and it is forbidden for the first time.
    pub(super) fn failed(&self, error: &(dyn std::error::Error + 'static)) -> bool {
        let mut reason = model::causes(error);
        let forbidden = is_forbidden(error);
        if forbidden {
            // Nothing but somebody's doing cures it, so it is said what to do.
            reason.push_str("; give the controller's role the verbs list and watch for it");
        }
        let mut state = self.state();
        let again = state.last_error.as_ref().is_some_and(|(when, _)| when.elapsed() < STALE);
        state.errors += 1;
        state.last_error = Some((Instant::now(), reason.clone()));
        drop(state);
        if forbidden {
            tracing::error!(kind = ?self.kind, %reason, "the watch is forbidden");
        } else if again {
            tracing::warn!(kind = ?self.kind, %reason, "the watch fails; it is tried again");
        } else {
            tracing::info!(kind = ?self.kind, %reason, "the watch broke; it is taken up again");
        }
        // The roles of the Go controller allow neither of these.
        let dispensable =
            matches!(self.kind, Watched::ReplicaSets | Watched::UpstreamReplicaSets | Watched::Services);
        forbidden && dispensable && !std::mem::replace(&mut self.state().given_up, true)
    }

    /// The kind does not exist here, and nobody waits for it.
    pub(super) fn give_up(&self) {
        self.state().given_up = true;
    }

    /// See [`Self::give_up`].
    pub(super) fn is_given_up(&self) -> bool {
        self.state().given_up
    }

    /// A list begins.
    pub(super) fn listing(&self) {
        self.state().lists += 1;
    }

    /// All is listed anew, as if for the first time.
    pub(super) fn anew(&self) {
        let mut state = self.state();
        (state.synced, state.given_up) = (false, false);
    }

    /// A list is complete; true for the first one, and for the first one after [`Self::anew`].
    pub(super) fn listed(&self) -> bool {
        let mut state = self.state();
        state.given_up = false;
        !std::mem::replace(&mut state.synced, true)
    }

    /// An object cannot be read; true where that has not been said before.
    pub(super) fn unreadable(&self, uid: &str) -> bool {
        let mut state = self.state();
        state.unreadable += 1;
        state.reported.len() < REPORTED && state.reported.insert(uid.into())
    }

    pub(super) fn health(&self, ended: bool) -> WatchHealth {
        let state = self.state();
        let fault =
            |(when, reason): &(Instant, String)| WatchFault { ago: when.elapsed(), reason: reason.clone() };
        let last_error = state.last_error.as_ref().map(fault);
        let last_event = state.last_event.map(|when| when.elapsed());
        let failing = last_error
            .as_ref()
            .is_some_and(|error| error.ago < STALE && last_event.is_none_or(|event| error.ago < event));
        WatchHealth {
            kind: self.kind,
            synced: state.synced,
            failing,
            ended,
            last_event,
            last_error,
            events: state.events,
            errors: state.errors,
            restarts: state.lists.saturating_sub(1),
            unreadable: state.unreadable,
        }
    }
}

/// 403, by whichever request of the watch.
fn is_forbidden(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        let request = error.downcast_ref::<kube::Error>();
        matches!(request, Some(kube::Error::Api(status)) if status.code == 403)
    })
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher;

    use super::*;

    #[test]
    fn a_record_tells_first_lists_and_first_unreadable_objects_only_once() {
        let record = Record::new(Watched::Pods);
        record.listing();
        assert!(!record.health(false).synced);
        assert!(record.listed());
        record.listing();
        assert!(!record.listed());
        assert!(record.unreadable("a"));
        assert!(!record.unreadable("a"));
        assert!(record.unreadable("b"));
        let health = record.health(false);
        assert!(health.synced);
        assert_eq!((health.restarts, health.unreadable), (1, 3));
    }

    #[test]
    fn a_forbidden_watch_says_what_to_do() {
        let status = kube::core::Status::failure("deployments.apps is forbidden", "Forbidden").with_code(403);
        let record = Record::new(Watched::Deployments);
        record.failed(&watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status))));
        let reason = record.health(false).last_error.unwrap().reason;
        assert!(reason.contains("deployments.apps is forbidden"), "{reason}");
        assert!(reason.ends_with("give the controller's role the verbs list and watch for it"), "{reason}");
    }

    #[test]
    fn a_watch_fails_until_something_comes_again() {
        let record = Record::new(Watched::Nodes);
        record.saw();
        assert!(!record.health(false).failing);
        record.failed(&watcher::Error::NoResourceVersion);
        let health = record.health(false);
        assert!(health.failing);
        assert_eq!(health.last_error.unwrap().reason, watcher::Error::NoResourceVersion.to_string());
        std::thread::sleep(Duration::from_millis(2));
        record.saw();
        assert!(!record.health(false).failing);
    }
}
