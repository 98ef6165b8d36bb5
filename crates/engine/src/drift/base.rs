//! What is wanted of one base and what it has, read from Pods, Module objects and workloads: any replica that leads knows them,
//! whoever acts for the base.

use std::{collections::BTreeSet, sync::Arc};

use super::{Difference, Found, Wanted, differences, is_there, wanted};
use crate::{
    plans::{self, Key},
    pod::{barred, translate},
    view::{ConditionStatus, ContainerState, ModuleState, ModuleView, NodeView, Phase, PodView},
};

/// How a base stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Its Node is Ready: what it has is known.
    pub(crate) is_ready: bool,
    /// An operation plan is at work on it.
    pub(crate) under_plan: bool,
    /// What it differs in.
    pub(crate) differences: Vec<Difference>,
}

/// What is known of a base.
pub(crate) struct Known<'a> {
    pub(crate) node: &'a NodeView,
    pub(crate) pods: Vec<&'a PodView>,
    pub(crate) modules: Vec<&'a ModuleView>,
    /// What workloads want there that have a Pod on every base.
    pub(crate) of_workloads: Vec<Wanted>,
}

impl Known<'_> {
    /// Holds the base against what is wanted of it. `is_under_way` says so of a plan that is not over.
    pub(crate) fn standing(self, is_under_way: impl Fn(&Key) -> bool) -> Standing {
        let Self { node, mut pods, modules, of_workloads } = self;
        let ready = node.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True);
        if node.deleting || !ready {
            return Standing::default();
        }
        pods.retain(|pod| asks(pod));
        pods.sort_by(|a, b| (a.created, &a.pod).cmp(&(b.created, &b.pod)));
        let of_pods: Vec<Wanted> = pods.iter().flat_map(|pod| of_pod(pod, &is_under_way)).collect();
        let under_plan = of_pods.iter().any(|one| one.of_plan);
        let differences = differences(&wanted(of_pods, of_workloads), &found(&pods, &modules));
        Standing { is_ready: true, under_plan, differences }
    }
}

/// It asks for something: it is not over, is not being deleted, and what it asks for has not failed for good.
fn asks(pod: &PodView) -> bool {
    !matches!(pod.status.phase, Phase::Succeeded | Phase::Failed)
        && pod.deletion.is_none()
        && !barred::is_barred(pod)
}

fn of_pod(pod: &PodView, is_under_way: impl Fn(&Key) -> bool) -> impl Iterator<Item = Wanted> {
    let of_plan = !pod.status.is_ready()
        && plans::named_by(pod).is_some_and(|plan| plans::bases::is_told_held(pod) || is_under_way(&plan));
    translate::specs(pod).into_iter().map(move |spec| Wanted {
        name: spec.id.name.as_str().into(),
        version: spec.id.version.as_str().into(),
        of_plan,
    })
}

/// What is on the base: what Module objects tell, and of a Pod that none tells of, what its own status does.
fn found(pods: &[&PodView], modules: &[&ModuleView]) -> Vec<Found> {
    let told: BTreeSet<(&str, &str, &str)> = modules
        .iter()
        .map(|module| (&*module.module.namespace, &*module.pod, module.key.id.name.as_str()))
        .collect();
    let of_modules = modules.iter().filter_map(|module| {
        let state = module.status.state.unwrap_or(ModuleState::Upgrading);
        is_there(state.as_str()).then(|| Found {
            name: module.key.id.name.as_str().into(),
            version: module.key.id.version.as_str().into(),
            serves: state == ModuleState::Available,
            merged: module.in_place,
        })
    });
    let of_pods = pods.iter().flat_map(|pod| {
        let untold = translate::specs(pod)
            .into_iter()
            .filter(|spec| !told.contains(&(&*pod.pod.namespace, &*pod.pod.name, spec.id.name.as_str())));
        untold.filter_map(|spec| {
            let name: Arc<str> = spec.id.name.as_str().into();
            let serves = serves(pod, &name)?;
            Some(Found { name, version: spec.id.version.as_str().into(), serves, merged: false })
        })
    });
    of_modules.chain(of_pods).collect()
}

/// Whether a container's module serves; none where it is not on the base.
fn serves(pod: &PodView, name: &str) -> Option<bool> {
    let place = pod.containers.iter().position(|container| container.name == name)?;
    let told = pod.status.container(place, name)?;
    match &told.state {
        ContainerState::Running { .. } => Some(told.ready),
        // An error code is two words with a dot: it could not be installed.
        ContainerState::Waiting { reason, .. } => {
            (**reason != *plans::HELD && !reason.contains('.')).then_some(false)
        }
        ContainerState::Terminated { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use model::BizId;

    use super::*;
    use crate::{
        testing,
        view::{Condition, ContainerStatus},
    };

    fn node() -> NodeView {
        let mut node = testing::node("b");
        let (kind, status, text) = ("Ready".into(), ConditionStatus::True, || "x".into());
        node.conditions.push(Condition { kind, status, reason: text(), message: text(), changed: None });
        node
    }

    fn module(version: &str, state: ModuleState, pod: &str) -> ModuleView {
        let mut module = testing::module("biz1");
        let id = BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() };
        (module.key.id, module.status.state, module.pod) = (id, Some(state), pod.into());
        module
    }

    fn told(pods: &[PodView], modules: &[ModuleView], under_way: bool) -> (bool, Vec<String>) {
        let node = node();
        let known = Known {
            node: &node,
            pods: pods.iter().collect(),
            modules: modules.iter().collect(),
            of_workloads: Vec::new(),
        };
        let Standing { is_ready, under_plan, differences } = known.standing(|_| under_way);
        assert!(is_ready);
        let text = |version: &Option<Arc<str>>| version.as_deref().unwrap_or("-").to_owned();
        let all = differences.iter();
        let all = all.map(|one| format!("{} {} {}", one.kind.as_str(), text(&one.wanted), text(&one.found)));
        (under_plan, all.collect())
    }

    #[test]
    fn what_pods_ask_for_is_held_against_what_module_objects_tell() {
        use std::slice::from_ref as one;
        let pod = testing::pod("p", "biz1", "1");
        let by_hand = |version| ModuleView { managed: false, ..module(version, ModuleState::Available, "") };
        let serves = module("1", ModuleState::Available, "p");
        assert_eq!(told(one(&pod), one(&serves), false), (false, vec![]));
        assert_eq!(told(one(&pod), &[], false).1, ["Missing 1 -"]);
        assert_eq!(told(one(&pod), &[module("1", ModuleState::Failed, "p")], false).1, ["Missing 1 -"]);
        assert_eq!(
            told(one(&pod), &[module("1", ModuleState::Deactivated, "p"), by_hand("2")], false).1,
            ["WrongVersion 1 2"]
        );
        assert_eq!(
            told(one(&pod), &[module("1", ModuleState::Deactivated, "p")], false).1,
            ["NotActive 1 1"]
        );
        assert_eq!(told(&[], &[by_hand("2")], false).1, ["Extra - 2"]);
        let merged = ModuleView { in_place: true, ..by_hand("2") };
        assert_eq!(told(&[], &[merged], false).1, [""; 0]);
        let going = PodView { deletion: Some(std::time::Duration::ZERO), ..pod };
        assert_eq!(told(&[going], &[serves], false).1, ["Extra - 1"]);
    }

    #[test]
    fn without_module_objects_the_pods_themselves_tell() {
        let pod = |state: ContainerState| {
            let mut pod = testing::pod("p", "biz1", "1");
            pod.status.containers = vec![ContainerStatus {
                name: "biz1".into(),
                image: "".into(),
                image_id: "".into(),
                ready: false,
                restart_count: 0,
                state,
            }];
            pod
        };
        let waiting = |reason: &str| ContainerState::Waiting { reason: reason.into(), message: "".into() };
        assert_eq!(told(&[pod(waiting("User.InstallModuleFailed"))], &[], false).1, ["Missing 1 -"]);
        assert_eq!(told(&[pod(waiting("BizDeactivate"))], &[], false).1, ["NotActive 1 1"]);
        assert_eq!(told(&[pod(waiting(plans::HELD))], &[], false).1, ["Missing 1 -"], "it names no plan");
    }

    #[test]
    fn what_a_plan_holds_or_is_bringing_is_left_out() {
        let mut pod = testing::pod("p", "biz1", "2");
        pod.annotations = [(plans::ANNOTATION.to_owned(), "plan".to_owned())].into_iter().collect();
        let old = module("1", ModuleState::Available, "");
        let pods = [pod];
        assert_eq!(told(&pods, std::slice::from_ref(&old), true), (true, vec![]));
        assert_eq!(
            told(&pods, &[old], false),
            (false, vec!["WrongVersion 2 1".to_owned()]),
            "the plan is over"
        );
    }
}
