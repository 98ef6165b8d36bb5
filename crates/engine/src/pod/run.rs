//! What became of one container so far: attempts, failures, when to try again.

use std::time::Duration;

use jiff::Timestamp;
use model::Fault;

use crate::{
    backoff,
    view::{ContainerState, ContainerStatus},
};

/// After this long without a failure the back-off starts anew, as the kubelet's does.
const STABLE_AFTER: Duration = Duration::from_secs(600);

/// The history of one container, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// How often it was installed again: `restartCount`.
    restarts: u32,
    /// It was installed, or tried, at least once.
    begun: bool,
    /// Failures in a row.
    failures: u32,
    /// Attempts in a row that did not even reach the base.
    unreached: u32,
    /// The last failure; none once it runs.
    fault: Option<Box<Fault>>,
    /// Not to be installed before.
    next_try: Duration,
    /// Since when this process has known it activated.
    running_since: Option<Duration>,
    /// When it was activated; what the status shows.
    started: Option<Timestamp>,
    /// It failed as a replacement here: it may not displace what serves (rule O9).
    barred: bool,
    /// It failed as a replacement here, and has not run since.
    failed_over: bool,
    /// The base refused to hold it beside the version that serves (rule O6).
    must_replace: bool,
    /// This process installed it, so what an older status says of the start is no longer true.
    installed_here: bool,
}

impl Run {
    /// Goes on from what a status of before says.
    pub(crate) fn resume(seen: Option<&ContainerStatus>) -> Self {
        let Some(seen) = seen else { return Self::default() };
        let started = match seen.state {
            ContainerState::Running { started } => started,
            _ => None,
        };
        // What waits may have waited for a base that was never reached.
        let begun = seen.restart_count > 0 || !matches!(seen.state, ContainerState::Waiting { .. });
        Self { restarts: seen.restart_count, begun, started, ..Self::default() }
    }

    /// It may be installed now.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.next_try
    }

    /// When it may be installed.
    pub(crate) fn next_try(&self) -> Duration {
        self.next_try
    }

    /// `restartCount`.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The last failure, while it is not running.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_deref()
    }

    /// When it was activated.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// It was installed, or a base tried to, at least once.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// It may not displace what serves.
    pub(crate) fn is_barred(&self) -> bool {
        self.barred
    }

    /// It may not displace what serves from now on, or is known not to be allowed from before.
    pub(crate) fn bar(&mut self) {
        self.barred = true;
        self.failed_over = true;
        self.must_replace = false;
    }

    /// It failed in the place of what served and has not run since, whether it may try again or not:
    /// others like it wait for what becomes of it.
    pub(crate) fn has_failed_over(&self) -> bool {
        self.failed_over
    }

    /// Nothing is left to be displaced, or it may be tried once more.
    pub(crate) fn lift_bar(&mut self) {
        self.barred = false;
    }

    /// The base holds one version only: the other one goes first.
    pub(crate) fn replace(&mut self) {
        self.must_replace = true;
    }

    /// The other one goes now, and then this one is installed. What failed before is no reason to give way once more to what
    /// was just uninstalled.
    pub(crate) fn makes_room(&mut self) {
        self.must_replace = true;
        self.fault = None;
    }

    /// See [`Self::replace`].
    pub(crate) fn must_replace(&self) -> bool {
        self.must_replace
    }

    /// The base carried an install out, well or badly.
    fn attempted(&mut self) {
        if self.begun {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.begun = true;
        self.unreached = 0;
    }

    /// Our install succeeded.
    pub(crate) fn installed(&mut self) {
        self.attempted();
        self.installed_here = true;
        self.started = None;
    }

    /// The base says that it is activated, since `changed` by the base's own account.
    pub(crate) fn activated(&mut self, now: Duration, wall: Timestamp, changed: Option<Timestamp>) {
        self.fault = None;
        self.barred = false;
        self.failed_over = false;
        self.must_replace = false;
        self.begun = true;
        self.unreached = 0;
        if self.running_since.is_none() {
            self.running_since = Some(now);
            // A start that an older status told of is kept: a base may not tell it again.
            if self.started.is_none() || self.installed_here {
                self.started = Some(changed.unwrap_or(wall));
            }
        }
    }

    /// It was there and is not any more, with nobody here having removed it: install it again, at
    /// once the first time, later when it happens again.
    pub(crate) fn disappeared(&mut self, now: Duration) {
        let Some(since) = self.running_since.take() else {
            self.started = None;
            return;
        };
        if now.saturating_sub(since) >= STABLE_AFTER {
            self.failures = 0;
        }
        self.started = None;
        self.next_try = now + backoff::restart(self.failures);
        self.failures = self.failures.saturating_add(1);
    }

    /// The base tried and failed.
    pub(crate) fn failed(&mut self, now: Duration, fault: Fault) {
        self.attempted();
        self.running_since = None;
        self.started = None;
        self.failures = self.failures.saturating_add(1);
        self.next_try = now + backoff::restart(self.failures);
        self.fault = Some(Box::new(fault));
    }

    /// It failed so often that the pause is as long as it gets, for the first time.
    pub(crate) fn is_first_of_the_rarest(&self) -> bool {
        self.failures == backoff::STEPS
    }

    /// The base did not even begin: it says that it is there already, and its list that another biz of its package is; or
    /// what is in the way does not go.
    pub(crate) fn hindered(&mut self, now: Duration, fault: Fault) {
        self.failures = self.failures.saturating_add(1);
        self.next_try = now + backoff::restart(self.failures);
        self.fault = Some(Box::new(fault));
    }

    /// The base was not reached, or said to come again: nothing was done there.
    pub(crate) fn postpone(&mut self, now: Duration, fault: Option<Fault>) {
        self.unreached = self.unreached.saturating_add(1);
        self.next_try = now + backoff::reach(self.unreached);
        if fault.is_some() {
            self.fault = fault.map(Box::new);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{ErrorCode, ErrorSource, ErrorType};

    use super::*;

    fn fault() -> Fault {
        Fault::new(ErrorCode::new(ErrorSource::Arklet, ErrorType::InstallBizFailed), "installing", "no")
    }

    #[test]
    fn failures_wait_as_the_kubelet_does_and_are_counted() {
        let s = Duration::from_secs;
        let mut run = Run::default();
        assert!(run.is_due(s(0)));
        run.failed(s(0), fault());
        assert_eq!((run.restarts(), run.next_try()), (0, s(10)));
        run.failed(s(10), fault());
        assert_eq!((run.restarts(), run.next_try()), (1, s(30)));
        run.installed();
        run.activated(s(31), Timestamp::UNIX_EPOCH, None);
        assert_eq!((run.restarts(), run.fault()), (2, None));
    }

    #[test]
    fn what_disappears_is_due_at_once_the_first_time() {
        let s = Duration::from_secs;
        let mut run = Run::default();
        run.installed();
        run.activated(s(1), Timestamp::UNIX_EPOCH, None);
        run.disappeared(s(5));
        assert!(run.is_due(s(5)) && run.started().is_none());
        run.installed();
        run.activated(s(6), Timestamp::UNIX_EPOCH, None);
        run.disappeared(s(7));
        assert_eq!(run.next_try(), s(17));
        run.installed();
        run.activated(s(20), Timestamp::UNIX_EPOCH, None);
        run.disappeared(s(20 + 600));
        assert!(run.is_due(s(620)), "ten good minutes clear the record");
    }

    #[test]
    fn a_start_told_by_an_older_status_is_kept() {
        let then: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let seen = ContainerStatus {
            name: "biz1".into(),
            image: "".into(),
            image_id: "".into(),
            ready: true,
            restart_count: 3,
            state: ContainerState::Running { started: Some(then) },
        };
        let mut run = Run::resume(Some(&seen));
        run.activated(Duration::from_secs(1), Timestamp::UNIX_EPOCH, None);
        assert_eq!((run.started(), run.restarts()), (Some(then), 3));
    }
}
