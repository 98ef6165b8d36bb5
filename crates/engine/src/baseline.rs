//! The baseline: what a base shall install when it starts, before it takes traffic (spec, section 5).
//!
//! The modules of every DaemonSet and peer Deployment that would put a Pod on the base's VNode. Its
//! Pods come a moment later, find what they ask for, and take it over.

use std::{cmp::Ordering, collections::BTreeMap, collections::VecDeque, sync::Arc, time::Duration};

use arklet::BaselineQuery;
use model::{BizName, ModuleSpec, TunnelKind};

use crate::{
    placement::Site,
    pod::translate,
    replicas::{Workloads, is_of, is_peer},
    view::{Common, NodeView, PodRef, PodStatus, PodView, RestartPolicy, WorkloadKind, WorkloadView},
};

/// So long a question waits for the lists of the start: a base over HTTP is answered within 10 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many questions wait: a fleet that starts together with us. More are answered with nothing.
const MOST: usize = 8_192;

/// A question that waits for what is not known yet.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) tunnel: TunnelKind,
    pub(crate) query: BaselineQuery,
    pub(crate) ask: u64,
    due: Duration,
}

/// The questions that wait, in order.
#[derive(Debug, Default)]
pub(crate) struct Questions(VecDeque<Question>);

impl Questions {
    /// Keeps one for later; gives it back where too many wait.
    pub(crate) fn keep(
        &mut self,
        tunnel: TunnelKind,
        query: BaselineQuery,
        ask: u64,
        now: Duration,
    ) -> Option<Question> {
        let question = Question { tunnel, query, ask, due: now + PATIENCE };
        if self.0.len() >= MOST {
            return Some(question);
        }
        self.0.push_back(question);
        None
    }

    /// When the first has waited long enough.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.0.front().map(|question| question.due)
    }

    /// One that has waited long enough.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<Question> {
        self.0.pop_front_if(|question| question.due <= now)
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Question> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}

/// The modules for a base whose VNode will be like this, by name.
pub(crate) fn modules(node: &NodeView, workloads: &Workloads, env: &str) -> Vec<ModuleSpec> {
    let mut chosen: BTreeMap<BizName, (&WorkloadView, ModuleSpec)> = BTreeMap::new();
    let eligible = workloads.values().filter(|view| is_eligible(view, env));
    for view in eligible.filter(|view| view.template.placement.admits(&Site::lasting(node))) {
        for spec in specs(view) {
            let better = chosen.get(&spec.id.name).is_none_or(|(other, _)| order(view, other).is_gt());
            if better {
                chosen.insert(spec.id.name.clone(), (view, spec));
            }
        }
    }
    chosen.into_values().map(|(_, spec)| spec).collect()
}

/// Its Pods come to every base, of themselves or by our hand.
fn is_eligible(view: &WorkloadView, env: &str) -> bool {
    let comes = match view.workload.kind {
        WorkloadKind::DaemonSet => is_of(view, env),
        WorkloadKind::Deployment => is_peer(view, env),
    };
    comes && !view.deleting
}

/// A template that all Pods follow is better than one that is still on its way, and of two such the
/// one of the later workload.
fn order(one: &WorkloadView, other: &WorkloadView) -> Ordering {
    let rank = |view: &WorkloadView| (view.rollout.is_complete(), view.created, view.workload.uid.clone());
    rank(one).cmp(&rank(other))
}

/// What a Pod of the template would ask for. What cannot be read is left out: the Pod itself says
/// what is wrong with it.
fn specs(view: &WorkloadView) -> Vec<ModuleSpec> {
    let pod = PodView {
        pod: PodRef { namespace: view.workload.namespace.clone(), name: Arc::default(), uid: Arc::default() },
        resource_version: 0,
        node: Arc::default(),
        labels: view.template.labels.clone().into(),
        annotations: view.template.annotations.clone().into(),
        created: view.created,
        deletion: None,
        owner: None,
        controller: None,
        restart_policy: RestartPolicy::Always,
        containers: Common::default(),
        readiness_gates: Common::default(),
        status: PodStatus::default(),
    };
    if !translate::is_module(&pod) {
        return Vec::new();
    }
    view.template.containers.iter().filter_map(|container| translate::module(&pod, container).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{replicas::tests::deployment, testing, view::Taint};

    fn base() -> NodeView {
        NodeView {
            name: "virtual-node-b".into(),
            labels: [("name".into(), "base".into())].into_iter().collect(),
            taints: vec![Taint { key: "vnode".into(), value: String::new(), effect: "NoExecute".into() }]
                .into(),
            ..NodeView::default()
        }
    }

    fn workload(uid: &str, biz: &[(&str, &str)], created: i64, complete: bool) -> WorkloadView {
        let mut view = deployment(1);
        view.workload.uid = uid.into();
        view.created = Timestamp::from_second(created).unwrap();
        view.rollout.generation = 1;
        view.rollout.observed_generation = i64::from(complete);
        let module = ("module-controller.koupleless.io/component".to_owned(), "module".to_owned());
        view.template.labels = [module].into();
        view.template.containers =
            biz.iter().map(|(name, version)| testing::container(name, version)).collect();
        view
    }

    fn baseline(views: Vec<WorkloadView>) -> Vec<String> {
        let workloads = views.into_iter().map(|view| (view.workload.uid.clone(), view)).collect();
        modules(&base(), &workloads, "dev").iter().map(|spec| spec.id.to_string()).collect()
    }

    #[test]
    fn every_container_of_what_matches_is_in_it() {
        let mut other = workload("other", &[("biz3", "1")], 1, true);
        other.template.placement.node_selector.insert("name".into(), "another".into());
        let mut set = workload("set", &[("biz4", "1")], 1, true);
        set.workload.kind = WorkloadKind::DaemonSet;
        set.labels.clear();
        let both = workload("both", &[("biz1", "1"), ("biz2", "2")], 1, true);
        assert_eq!(baseline(vec![both, other, set]), ["biz1:1", "biz2:2", "biz4:1"]);
    }

    #[test]
    fn what_does_not_come_to_every_base_is_not() {
        let mut scatter = workload("a", &[("biz1", "1")], 1, true);
        scatter.labels.clear();
        let mut leaving = workload("b", &[("biz2", "1")], 1, true);
        leaving.deleting = true;
        let mut no_module = workload("c", &[("biz3", "1")], 1, true);
        no_module.template.labels.clear();
        let mut unreadable = workload("d", &[("biz4", "1")], 1, true);
        unreadable.template.containers[0].env.clear();
        let mut intolerant = workload("e", &[("biz5", "1")], 1, true);
        intolerant.template.placement.tolerations.clear();
        assert_eq!(baseline(vec![scatter, leaving, no_module, unreadable, intolerant]), [""; 0]);
    }

    #[test]
    fn of_one_name_a_complete_rollout_counts_first_and_then_the_creation() {
        let old = || workload("old", &[("biz1", "1")], 1, true);
        assert_eq!(baseline(vec![old(), workload("new", &[("biz1", "2")], 2, false)]), ["biz1:1"]);
        assert_eq!(baseline(vec![old(), workload("new", &[("biz1", "2")], 2, true)]), ["biz1:2"]);
        assert_eq!(
            baseline(vec![workload("new", &[("biz1", "2")], 2, false)]),
            ["biz1:2"],
            "better than none"
        );
    }
}
