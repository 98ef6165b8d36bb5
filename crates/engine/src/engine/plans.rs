//! Operation plans: what they hold, and by whom they are moved on.

use std::{collections::BTreeMap, sync::Arc};

use plan::{Spec, Template};

use super::Engine;
use crate::{
    action::Action,
    baseline,
    event::{Now, Watched},
    placement::Site,
    plans::{self, Facts, Key, bases},
    pod::translate,
    replicas,
    view::{NodeView, Owner, PlanRef, PlanView, PodView, WorkloadRef, WorkloadView},
};

impl Engine {
    pub(super) fn see_plan(&mut self, view: PlanView, now: Now, out: &mut Vec<Action>) {
        let (key, owner) = ((view.plan.namespace.clone(), view.plan.name.clone()), view.owner());
        let holds_otherwise = self.plans.see(view, now.mono);
        self.permits.see_batch(&owner, self.plans.most_unavailable(&owner));
        if holds_otherwise {
            self.drifts.touch_all(now.mono);
            self.look_at_held(&key, now, out);
        }
    }

    pub(super) fn lose_plan(&mut self, plan: &PlanRef, now: Now, out: &mut Vec<Action>) {
        if let Some(owner) = self.plans.lose(plan, now.mono) {
            self.drifts.touch_all(now.mono);
            self.permits.see_batch(&owner, self.plans.most_unavailable(&owner));
            self.look_at_held(&(plan.namespace.clone(), plan.name.clone()), now, out);
        }
    }

    /// A kind can be watched, or cannot: Pods that wait for a plan are told what keeps it away.
    pub(super) fn see_watch(&mut self, kind: Watched, works: bool, now: Now, out: &mut Vec<Action>) {
        if kind == Watched::Plans && self.plans.see_watch(works) {
            self.look_at_pods(|pod| plans::named_by(pod).is_some(), now, out);
        }
    }

    /// The bases with Pods that name a plan: they may be held, or be held no more.
    fn look_at_held(&mut self, plan: &Key, now: Now, out: &mut Vec<Action>) {
        self.look_at_pods(|pod| plans::named_by(pod).as_ref() == Some(plan), now, out);
    }

    /// What was rolled out once is held by no plan that is not there.
    pub(super) fn note_rolled_out(&mut self, owner: Owner, uid: &str, now: Now, out: &mut Vec<Action>) {
        let comes = self.workloads.get(uid).is_some_and(|view| baseline::comes(view, &self.config.env));
        if !self.plans.see_rolled_out(owner.clone(), self.rollouts.of(uid), comes) {
            return;
        }
        let is_held = |pod: &PodView| pod.owner.as_ref() == Some(&owner) && plans::named_by(pod).is_some();
        self.look_at_pods(is_held, now, out);
    }

    /// All that plans are decided on is known, and it is this replica that moves them on.
    pub(super) fn moves_plans(&self) -> bool {
        self.leads() && self.knows_workloads()
    }

    /// This replica may move plans on from now on.
    pub(super) fn begin_plans(&mut self, now: Now) {
        if self.moves_plans() {
            self.plans.begin(now.mono);
            self.drifts.touch_all(now.mono);
        }
    }

    /// Moves on every plan of which something has changed, or that is due.
    pub(super) fn advance_plans(&mut self, now: Now, out: &mut Vec<Action>) {
        while let Some((key, view)) = self.plans.due(now.mono) {
            if !self.moves_plans() {
                continue;
            }
            if let Some(facts) = self.facts_of_plan(&key, &view) {
                self.plans.advance(&key, facts, now, out);
            }
        }
    }

    /// What is known of a plan's workload; none where another controller moves it on.
    fn facts_of_plan(&self, key: &Key, view: &PlanView) -> Option<Facts> {
        let workload = self.workload_of(view);
        let mut facts = Facts::default();
        if let Ok(spec) = &view.spec {
            let modules = workload.map(translate::of_template).unwrap_or_default();
            facts.template = plans::template(workload, &modules, &view.plan.name, &spec.module);
            // Of all the plans that somebody may have made for a workload it names one: nobody's bases are counted for the
            // others.
            let counts = facts.template == Template::This || view.status.is_begun();
            if let Some(workload) = workload.filter(|_| counts) {
                let (nodes, pods) = (self.nodes_of(workload), self.pods_of(view));
                let here = |node: &NodeView| pods.get(&node.name).map(Vec::as_slice).unwrap_or_default();
                facts.bases = nodes
                    .iter()
                    .map(|node| bases::with_pods(view, spec, node, here(node), self.config.language))
                    .collect();
                facts.precondition = plans::may_ask(spec, &self.config.metric_servers)
                    .and_then(|()| plans::precondition(workload, &modules, &facts.bases))
                    .and_then(|()| {
                        plans::leaves_room(workload, &view.plan.name, pods.values().flatten().copied())
                    });
                let unplaced = self.unplaced.of(&view.owner());
                facts.warning = plans::warning(workload, &facts.bases, unplaced);
                facts.other = self.plan_in_the_way(key, view, spec, &nodes);
            }
        }
        facts.env = self.environment_of(view, workload, facts.bases.is_empty())?;
        Some(facts)
    }

    /// A plan that is under way with the same module on the same bases. Of another namespace none takes a module's place here,
    /// unless that is allowed: nor does its plan keep one waiting.
    fn plan_in_the_way(
        &self,
        key: &Key,
        view: &PlanView,
        spec: &Spec,
        nodes: &[&NodeView],
    ) -> Option<Arc<str>> {
        let crosses = self.config.takeover_across_namespaces;
        let shares_a_base = |other: &&PlanView| {
            (crosses || other.plan.namespace == view.plan.namespace)
                && self.workload_of(other).is_some_and(|of| {
                    nodes.iter().any(|node| of.template.placement.admits(&Site::lasting(node)))
                })
        };
        let other = self.plans.others(key, &spec.module.name).find(shares_a_base);
        other.map(|other| other.plan.name.clone())
    }

    /// The environment that a plan belongs to, where it is ours or nobody knows yet: its workload says so, or its status, or
    /// the first that has bases for it takes it. None where another controller moves it on: two that count different bases
    /// would write its status in turns.
    fn environment_of(
        &self,
        view: &PlanView,
        workload: Option<&WorkloadView>,
        has_no_bases: bool,
    ) -> Option<Arc<str>> {
        let ours = self.config.env.clone();
        match workload.and_then(replicas::env_of) {
            Some(env) => (*env == *ours).then_some(ours),
            None if *view.env == *ours => Some(ours),
            None if !view.env.is_empty() => None,
            None => Some(if has_no_bases { Arc::default() } else { ours }),
        }
    }

    /// The workload that a plan is for.
    fn workload_of(&self, view: &PlanView) -> Option<&WorkloadView> {
        self.workloads.values().find(|of| {
            let WorkloadRef { namespace, kind, name, .. } = &of.workload;
            view.is_for(namespace, kind.as_str(), name)
        })
    }

    /// The Nodes that a workload's Pods come to.
    fn nodes_of(&self, workload: &WorkloadView) -> Vec<&NodeView> {
        let placement = &workload.template.placement;
        self.nodes().into_iter().filter(|node| placement.admits(&Site::lasting(node))).collect()
    }

    /// The Pods of a plan's workload, by Node.
    fn pods_of(&self, view: &PlanView) -> BTreeMap<&Arc<str>, Vec<&PodView>> {
        let is_its = |pod: &&PodView| pod.owner.as_ref().is_some_and(|owner| view.is_of(owner));
        let of_vnodes = self.vnodes.values().flat_map(|vnode| vnode.pods());
        let all = of_vnodes.chain(self.pods.waiting.values().flat_map(BTreeMap::values));
        let mut by_node: BTreeMap<&Arc<str>, Vec<&PodView>> = BTreeMap::new();
        for pod in all.filter(is_its) {
            by_node.entry(&pod.node).or_default().push(pod);
        }
        by_node
    }
}
