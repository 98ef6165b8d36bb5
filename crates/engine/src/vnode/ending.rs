//! How a Pod that is being deleted goes: out of service, its modules off, its ending told, and then deleted for good.

use std::sync::Arc;

use arklet::CommandKind;
use model::BizId;

use super::{Context, VNode};
use crate::{
    action::Action,
    contest::LONGEST,
    pod::{ending, status},
    request::Request,
};

impl VNode {
    /// A deleted Pod goes as soon as nothing of it is left on the base: its ending is told where somebody may want to
    /// know it, and then it is deleted for good. Whoever may not tell endings deletes all the same.
    pub(super) fn finish_deletion(&mut self, uid: &Arc<str>, alive: bool, ctx: &mut Context<'_>) {
        let Some(pod) = self.pods.get(uid) else { return };
        let is_off = pod.is_foreign
            || (alive && self.inventory.is_known() && pod.biz().all(|id| self.is_released(id, ctx)));
        if !is_off {
            return;
        }
        let now = ctx.now.mono;
        let Some(pod) = self.pods.get_mut(uid) else { return };
        let is_ending_due = pod.is_ending_due();
        if is_ending_due && pod.status_slot.is_free(now) {
            let status = ending::ended(pod, ctx.now.wall);
            pod.telling(&status);
            let pod = pod.view.pod.clone();
            return ctx.out.push(Action::Request(Request::PatchPodStatus { pod, status: Box::new(status) }));
        }
        let is_told = !is_ending_due || pod.status_slot.is_refused();
        if is_told && pod.is_deletion_due() && pod.may_be_deleted(now) {
            pod.deleting();
            ctx.out.push(Action::Request(Request::DeletePod { pod: pod.view.pod.clone() }));
        }
    }

    /// A deleted Pod that a Service sends requests to is told as not Ready before its module goes
    /// (rule O10).
    pub(super) fn take_out_of_service(&mut self, uid: &Arc<str>, alive: bool, ctx: &mut Context<'_>) {
        let Some(pod) = self.pods.get_mut(uid) else { return };
        let now = ctx.now.mono;
        let serves = alive && pod.is_served() && pod.is_ready() && !pod.is_foreign;
        if !serves || !pod.status_slot.is_free(now) || !pod.may_be_deleted(now) {
            return;
        }
        let status = ending::leaving(&pod.view, ctx.now.wall);
        let mark = status::mark_of(&status);
        // Whoever says again that it is Ready is not answered each time.
        if now < pod.contest.due(mark, LONGEST, now) {
            return;
        }
        pod.contest.sent(mark, now);
        pod.telling(&status);
        ctx.out.push(Action::Request(Request::PatchPodStatus {
            pod: pod.view.pod.clone(),
            status: Box::new(status),
        }));
    }

    /// The biz is not there any more, or stays for another Pod.
    fn is_released(&self, id: &BizId, ctx: &Context<'_>) -> bool {
        let at_work = self.ops.get(&id.name).is_some_and(|op| {
            // An install of this very biz may still put it there; an uninstall is not confirmed yet.
            op.key.biz.as_ref() == Some(id) && op.key.command != CommandKind::SwitchBiz
        });
        let named_by_another =
            || self.pods.values().any(|pod| pod.is_live() && pod.biz().any(|biz| biz == id));
        let there = || self.inventory.find(id).is_some();
        self.modules.is_in_place(id)
            || self.stays_for_another(id, ctx)
            || named_by_another()
            || (!at_work && !self.inventory.is_doubtful(&id.name) && !there())
    }

    /// It stays for the Pod that replaces this one, and whoever runs the controller next knows it.
    fn stays_for_another(&self, id: &BizId, ctx: &Context<'_>) -> bool {
        self.evicted.keeps(id, ctx.now.mono) && (!ctx.config.modules || self.modules.is_told_kept(id))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        WriteError, testing,
        view::{ConditionStatus, ContainerState, Phase, PodRef, PodView, RestartPolicy},
        vnode::testing::Case,
    };

    const GRACE: Option<Duration> = Some(Duration::from_secs(30));

    /// A Pod that serves, and what has been sent of it is forgotten.
    fn serving(change: impl FnOnce(&mut PodView)) -> (Case, PodRef) {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let pod = case.create("p", "biz1");
        case.change(&pod, change);
        case.until(5);
        assert!(case.pods[&pod.uid].status.is_ready());
        case.sent.clear();
        (case, pod)
    }

    fn writes(case: &Case) -> Vec<&str> {
        let of_pods = |word: &&str| word.contains("pod") || word.contains("uninstall");
        case.sent.iter().map(String::as_str).filter(of_pods).collect()
    }

    #[test]
    fn one_that_is_held_back_is_told_as_ended_and_deleted_once_whoever_changes_it() {
        let (mut case, pod) = serving(|view| view.held = true);
        case.change(&pod, |view| view.deletion = GRACE);
        assert_eq!(writes(&case), ["uninstallBiz", "pod status", "delete pod"]);
        let status = &case.pods[&pod.uid].status;
        assert_eq!(status.phase, Phase::Failed);
        assert_eq!(status.condition("Ready").unwrap().status, ConditionStatus::False);
        let state = &status.containers[0].state;
        assert!(matches!(state, ContainerState::Terminated { exit_code: 143, .. }), "{state:?}");
        case.sent.clear();
        // Somebody writes to it again and again, and another controller begins.
        for minute in 1..=5 {
            case.change(&pod, |view| drop(view.annotations.insert("a".into(), minute.to_string())));
            case.until(60 * minute);
        }
        case.begin_anew(|_, _| {});
        case.until(400);
        assert_eq!(writes(&case), [""; 0]);
    }

    #[test]
    fn one_that_runs_to_an_end_is_told_as_ended_before_it_is_deleted() {
        let (mut case, pod) = serving(|view| view.restart_policy = RestartPolicy::Never);
        case.change(&pod, |view| view.deletion = GRACE);
        assert_eq!(writes(&case), ["uninstallBiz", "pod status", "delete pod"]);
    }

    /// What a module's life may cost leaves no room for more.
    #[test]
    fn one_that_nobody_reads_any_more_is_only_deleted() {
        let (mut case, pod) = serving(|_| {});
        case.change(&pod, |view| view.deletion = GRACE);
        assert_eq!(writes(&case), ["uninstallBiz", "delete pod"]);
    }

    #[test]
    fn who_may_not_tell_endings_deletes_all_the_same() {
        let (mut case, pod) = serving(|view| view.held = true);
        case.status_refusal = Some(WriteError::Refused("a webhook".into()));
        case.change(&pod, |view| view.deletion = GRACE);
        case.until(600);
        let deletes = writes(&case).into_iter().filter(|word| *word == "delete pod").count();
        let statuses = writes(&case).into_iter().filter(|word| *word == "pod status").count();
        assert_eq!(deletes, 1);
        assert!((2..=9).contains(&statuses), "it is tried less and less often: {statuses}");
    }

    /// Pods of the cluster's own that tolerate everything, and Jobs among them.
    #[test]
    fn one_that_is_no_module_is_told_as_ended_too_where_it_is_held_back() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let mut view = PodView { held: true, deletion: GRACE, ..testing::pod("foreign", "collector", "1") };
        view.labels = crate::view::Common::default();
        case.sent.clear();
        case.pods.insert(view.pod.uid.clone(), view.clone());
        case.step(crate::Event::Cluster(crate::ClusterEvent::Pod(Box::new(view.clone()))));
        case.until(300);
        assert_eq!(writes(&case), ["pod status", "delete pod"]);
        assert_eq!(case.pods[&view.pod.uid].status.phase, Phase::Failed);
    }
}
