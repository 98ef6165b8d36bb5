//! The end of a Pod that is being deleted: what its status says then, and when it is deleted for good.
//!
//! It ends as a kubelet (since Kubernetes 1.27) has it: the containers are `terminated`, the phase is `Succeeded` or
//! `Failed` by their exit codes, and only then the Pod is deleted. A Job with `podFailurePolicy` or with
//! `podReplacementPolicy: Failed` waits for such a phase before it makes another Pod.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    ModulePod,
    status::{OURS, whole_seconds},
};
use crate::{
    request::WriteError,
    view::{
        Condition, ConditionStatus, ContainerState, ContainerStatus, ContainerView, Phase, PodStatus,
        PodView, RestartPolicy,
    },
    write_slot::WriteSlot,
};

/// A module that was uninstalled for its Pod's sake ends as a Java process does that gets SIGTERM (128 + 15). It is not 0,
/// with which a deleted Pod of a Job would count as one that has done its work.
const UNINSTALLED: i32 = 143;
/// What never ran ends as a container that the kubelet cannot find when its Pod is terminated.
const NEVER_RAN: i32 = 137;

/// How far the deletion of a Pod is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deletion {
    /// Since when it is known.
    pub(super) since: Option<Duration>,
    /// The write that finishes it.
    slot: WriteSlot,
    /// How often the API server took that write.
    taken: u32,
}

impl ModulePod {
    /// Its ending is still to be told. Most Pods are deleted at once, and nobody could read it: it is told where somebody
    /// holds the Pod back, where it is to run to an end and somebody may wait for how it ended, and where the
    /// deletion is refused.
    pub(crate) fn is_ending_due(&self) -> bool {
        let is_read = self.view.held
            || self.view.restart_policy != RestartPolicy::Always
            || self.delete_slot().is_some_and(WriteSlot::is_refused);
        is_read && !self.is_over()
    }

    /// It is still to be deleted for good. One that is held back and has no time left goes by itself when nobody holds it
    /// any more: asking again would change nothing.
    pub(crate) fn is_deletion_due(&self) -> bool {
        !self.view.held || self.view.deletion.is_some_and(|grace| !grace.is_zero())
    }

    /// The write that deletes it for good ended. Its end is told by the watch; where that does not come for a while, it is
    /// deleted again, less and less often.
    pub(crate) fn deletion_ended(&mut self, now: Duration, result: &Result<(), WriteError>) {
        let deletion = self.deletion_mut();
        deletion.slot.ended(now, result);
        if result.is_ok() {
            deletion.taken = deletion.taken.saturating_add(1);
            deletion.slot.was_the_last_again(now, deletion.taken);
        }
    }

    /// The write that deletes it for good may be sent now.
    pub(crate) fn may_be_deleted(&self, now: Duration) -> bool {
        self.delete_slot().is_none_or(|slot| slot.is_free(now))
    }

    /// The write that deletes it for good was sent.
    pub(crate) fn deleting(&mut self) {
        self.deletion_mut().slot.sent();
    }

    /// The write that deletes it for good; none before anything is known of a deletion.
    pub(crate) fn delete_slot(&self) -> Option<&WriteSlot> {
        self.deletion.as_ref().map(|deletion| &deletion.slot)
    }

    pub(super) fn deletion_mut(&mut self) -> &mut Deletion {
        self.deletion.get_or_insert_default()
    }
}

/// The status of a Pod that is being deleted and shall get no more requests.
pub(crate) fn leaving(pod: &PodView, wall: Timestamp) -> PodStatus {
    let mut status = pod.status.clone();
    for container in &mut status.containers {
        container.ready = false;
    }
    for condition in &mut status.conditions {
        if matches!(&*condition.kind, "ContainersReady" | "Ready") {
            condition.status = ConditionStatus::False;
            condition.reason = "ModuleLeaves".into();
            condition.message = "the Pod is being deleted; its module goes when requests have ended".into();
            condition.changed = Some(whole_seconds(wall));
        }
    }
    // Those of others are theirs to write.
    status.conditions.retain(|condition| OURS.contains(&&*condition.kind));
    status
}

/// The status of a Pod that is being deleted and whose modules are off.
pub(crate) fn ended(pod: &ModulePod, wall: Timestamp) -> PodStatus {
    let (wall, seen) = (whole_seconds(wall), &pod.view.status);
    let containers: Vec<ContainerStatus> = pod
        .view
        .containers
        .iter()
        .enumerate()
        .map(|(place, container)| terminated(container, seen.container(place, &container.name), wall))
        .collect();
    let mut modules = pod.containers.iter().filter_map(|module| containers.get(module.place)).peekable();
    let well = |one: &ContainerStatus| matches!(one.state, ContainerState::Terminated { exit_code: 0, .. });
    let is_well = modules.peek().is_some() && modules.all(well);
    let (phase, reason) =
        if is_well { (Phase::Succeeded, "PodCompleted") } else { (Phase::Failed, "PodFailed") };
    let not_ready = |kind: &str| {
        let kept = seen.condition(kind).filter(|seen| seen.status == ConditionStatus::False);
        Condition {
            kind: kind.into(),
            status: ConditionStatus::False,
            reason: reason.into(),
            message: "the Pod was deleted".into(),
            changed: kept.and_then(|seen| seen.changed).or(Some(wall)),
        }
    };
    PodStatus {
        phase,
        // That it waited for another owner's version is not why it ended.
        reason: "".into(),
        message: "".into(),
        started: seen.started.or(Some(wall)),
        conditions: ["ContainersReady", "Ready"].map(not_ready).into(),
        containers,
        ..seen.clone()
    }
}

/// The container has ended. What it said of an end of before stays.
fn terminated(container: &ContainerView, seen: Option<&ContainerStatus>, wall: Timestamp) -> ContainerStatus {
    let (seen_state, image_id) = (seen.map(|seen| &seen.state), seen.map(|seen| seen.image_id.clone()));
    let ended = |exit_code, reason: &str, message: &str, started| ContainerState::Terminated {
        exit_code,
        reason: reason.into(),
        message: message.into(),
        started,
        finished: Some(wall),
    };
    let ran = image_id.as_ref().is_some_and(|image_id| !image_id.is_empty());
    let state = match seen_state {
        Some(state @ ContainerState::Terminated { .. }) => state.clone(),
        Some(ContainerState::Running { started }) => ended(UNINSTALLED, "Uninstalled", OFF, *started),
        _ if ran => ended(UNINSTALLED, "Uninstalled", OFF, None),
        _ => ended(NEVER_RAN, "NeverRan", "the Pod was deleted before it ran", None),
    };
    ContainerStatus {
        name: container.name.as_str().into(),
        image: seen.map_or_else(|| model::shown_image(&container.image).into(), |seen| seen.image.clone()),
        image_id: image_id.unwrap_or_default(),
        ready: false,
        restart_count: seen.map_or(0, |seen| seen.restart_count),
        state,
    }
}

/// Why a module that ran does no longer.
const OFF: &str = "the Pod was deleted: its base has uninstalled the module, or keeps it for another Pod";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const WALL: Timestamp = Timestamp::constant(1_800_000_000, 500_000_000);

    fn deleted(change: impl FnOnce(&mut PodView)) -> ModulePod {
        let mut view = PodView { deletion: Some(Duration::from_secs(30)), ..testing::pod("p", "biz1", "1") };
        change(&mut view);
        ModulePod::new(view)
    }

    fn told(name: &str, image_id: &str, state: ContainerState) -> ContainerStatus {
        ContainerStatus {
            name: name.into(),
            image: image_id.into(),
            image_id: image_id.into(),
            ready: true,
            restart_count: 2,
            state,
        }
    }

    fn exit_codes(status: &PodStatus) -> Vec<Option<i32>> {
        let code = |one: &ContainerStatus| match one.state {
            ContainerState::Terminated { exit_code, .. } => Some(exit_code),
            _ => None,
        };
        status.containers.iter().map(code).collect()
    }

    #[test]
    fn the_ending_is_that_of_a_process_that_was_told_to_end() {
        let pod = deleted(|view| {
            view.containers.push(testing::container("biz2", "1"));
            view.status.phase = Phase::Running;
            view.status.containers =
                vec![told("biz1", "file:///biz1.jar", ContainerState::Running { started: Some(WALL) })];
        });
        let status = ended(&pod, WALL);
        assert_eq!((status.phase, exit_codes(&status)), (Phase::Failed, vec![Some(143), Some(137)]));
        let ContainerState::Terminated { started, finished, .. } = &status.containers[0].state else {
            panic!("{status:?}")
        };
        assert_eq!((*started, *finished), (Some(WALL), Some(whole_seconds(WALL))));
        let ready = status.condition("Ready").unwrap();
        assert_eq!((ready.status, &*ready.reason), (ConditionStatus::False, "PodFailed"));
        assert!(status.containers.iter().all(|container| !container.ready));
    }

    #[test]
    fn what_ended_well_by_itself_stays_so() {
        let completed = ContainerState::Terminated {
            exit_code: 0,
            reason: "Completed".into(),
            message: "".into(),
            started: None,
            finished: Some(WALL),
        };
        let pod = deleted(|view| view.status.containers = vec![told("biz1", "", completed.clone())]);
        let status = ended(&pod, WALL);
        assert_eq!((status.phase, &status.containers[0].state), (Phase::Succeeded, &completed));
    }

    #[test]
    fn one_that_waited_for_another_owner_did_not_end_by_that() {
        let pod = deleted(|view| {
            view.status.reason = crate::pod::displaced::DISPLACED.into();
            view.status.message =
                crate::pod::displaced::lost_to("Deployment ns/winner", model::Language::English);
        });
        let status = ended(&pod, WALL);
        assert_eq!((status.phase, &*status.reason, &*status.message), (Phase::Failed, "", ""));
    }

    #[test]
    fn an_ending_is_told_where_somebody_may_read_it_and_once() {
        let due = |change: fn(&mut PodView)| deleted(change).is_ending_due();
        assert!(!due(|_| {}), "it is deleted in the same moment");
        assert!(due(|view| view.held = true));
        assert!(due(|view| view.restart_policy = RestartPolicy::Never));
        assert!(!due(|view| {
            view.held = true;
            view.status.phase = Phase::Failed;
        }));
        let mut refused = deleted(|_| {});
        refused.deletion_ended(Duration::ZERO, &Err(WriteError::Refused("a webhook".into())));
        assert!(refused.is_ending_due());
    }

    #[test]
    fn what_is_held_is_deleted_once_and_what_the_watch_does_not_end_less_and_less_often() {
        let mut pod = deleted(|view| view.held = true);
        assert!(pod.is_deletion_due());
        pod.view.deletion = Some(Duration::ZERO);
        assert!(!pod.is_deletion_due(), "the API server has taken it");
        let mut pod = deleted(|_| {});
        for (at, next) in [(0, 10), (10, 30), (30, 70)] {
            assert!(pod.is_deletion_due() && pod.may_be_deleted(Duration::from_secs(at)));
            pod.deleting();
            pod.deletion_ended(Duration::from_secs(at), &Ok(()));
            assert_eq!(pod.delete_slot().and_then(|slot| slot.wake()), Some(Duration::from_secs(next)));
        }
    }
}
