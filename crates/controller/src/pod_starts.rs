//! How long Pods take from being bound to a VNode to being Ready, for the metrics page.
//!
//! It begins when the watch first shows a Pod of whose readiness nobody has said anything yet, and ends when the API
//! server has it that the Pod is Ready. A Pod that is Ready again after its base was silent does not count, and neither does
//! one that was there before this controller: nobody knows since when it waits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engine::view::{Phase, PodRef, PodStatus, PodView};
use prometheus_client::metrics::histogram::Histogram;

/// The most Pods that are waited for at once, which take some megabytes. Of one more it is not known how long it took.
const MOST_OPEN: usize = 65_536;

/// Bounds of the histogram, in seconds: a module takes seconds, and whoever waits for its turn in a rollout minutes.
const BOUNDS: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

/// Pods that are not Ready yet, by UID.
#[derive(Debug)]
pub(crate) struct PodStarts {
    open: BTreeMap<Arc<str>, Start>,
    durations: Histogram,
}

#[derive(Debug)]
struct Start {
    seen: Duration,
    /// This replica has told, or is telling, that it is Ready: others see the same Pods, and one of them counts each.
    ours: bool,
}

/// An empty histogram of them.
pub(crate) fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

impl PodStarts {
    /// What is found goes into `durations`.
    pub(crate) fn new(durations: Histogram) -> Self {
        Self { open: BTreeMap::new(), durations }
    }

    /// A view of a bound Pod came. `synced`: it is not one of those that were there at the start.
    pub(crate) fn see(&mut self, view: &PodView, synced: bool, now: Duration) {
        let (uid, status) = (&view.pod.uid, &view.status);
        if status.is_ready() {
            if let Some(start) = self.open.remove(uid).filter(|start| start.ours) {
                self.durations.observe(now.saturating_sub(start.seen).as_secs_f64());
            }
        } else if view.deletion.is_some() || matches!(status.phase, Phase::Failed | Phase::Succeeded) {
            self.open.remove(uid);
        } else if synced && status.condition("Ready").is_none() && self.open.len() < MOST_OPEN {
            self.open.entry(uid.clone()).or_insert(Start { seen: now, ours: false });
        }
    }

    /// This replica writes a status.
    pub(crate) fn tell(&mut self, pod: &PodRef, status: &PodStatus) {
        if let Some(start) = self.open.get_mut(&pod.uid) {
            start.ours |= status.is_ready();
        }
    }

    /// A Pod is gone.
    pub(crate) fn lose(&mut self, pod: &PodRef) {
        self.open.remove(&pod.uid);
    }
}

#[cfg(test)]
mod tests {
    use engine::view::{Common, Condition, ConditionStatus, RestartPolicy};
    use jiff::Timestamp;

    use super::*;

    fn told(status: ConditionStatus) -> PodStatus {
        let (reason, message) = ("".into(), "".into());
        let ready = Condition { kind: "Ready".into(), status, reason, message, changed: None };
        PodStatus { conditions: vec![ready], ..PodStatus::default() }
    }

    fn pod(uid: &str, status: PodStatus) -> PodView {
        PodView {
            pod: PodRef { namespace: "ns".into(), name: uid.into(), uid: uid.into() },
            resource_version: 1,
            node: "virtual-node-b".into(),
            labels: Common::default(),
            annotations: Common::default(),
            created: Timestamp::UNIX_EPOCH,
            deletion: None,
            held: false,
            owner: None,
            controller: None,
            restart_policy: RestartPolicy::Always,
            containers: Common::default(),
            aside: Common::default(),
            readiness_gates: Common::default(),
            status,
        }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The Pod is told as Ready by this replica, and the API server shows it.
    fn becomes_ready(starts: &mut PodStarts, uid: &str, now: Duration) {
        let view = pod(uid, told(ConditionStatus::True));
        starts.tell(&view.pod, &view.status);
        starts.see(&view, true, now);
    }

    #[test]
    fn a_pod_counts_once_when_it_is_ready_for_the_first_time() {
        let durations = histogram();
        let mut starts = PodStarts::new(durations.clone());
        starts.see(&pod("a", PodStatus::default()), true, s(10));
        starts.see(&pod("a", told(ConditionStatus::False)), true, s(11));
        becomes_ready(&mut starts, "a", s(14));
        assert_eq!((durations.count(), durations.sum()), (1, 4.0));
        // Its base was silent for a while.
        starts.see(&pod("a", told(ConditionStatus::False)), true, s(50));
        becomes_ready(&mut starts, "a", s(90));
        assert_eq!((durations.count(), durations.sum()), (1, 4.0));
    }

    #[test]
    fn what_another_told_was_there_before_or_went_does_not_count() {
        let durations = histogram();
        let mut starts = PodStarts::new(durations.clone());
        starts.see(&pod("before", PodStatus::default()), false, s(1));
        becomes_ready(&mut starts, "before", s(2));
        starts.see(&pod("theirs", PodStatus::default()), true, s(3));
        starts.see(&pod("theirs", told(ConditionStatus::True)), true, s(4));
        starts.see(&pod("gone", PodStatus::default()), true, s(5));
        starts.lose(&pod("gone", PodStatus::default()).pod);
        starts.see(&pod("failed", PodStatus::default()), true, s(6));
        starts.see(
            &pod("failed", PodStatus { phase: Phase::Failed, ..told(ConditionStatus::False) }),
            true,
            s(7),
        );
        assert_eq!((durations.count(), starts.open.len()), (0, 0), "{:?}", starts.open);
    }
}
