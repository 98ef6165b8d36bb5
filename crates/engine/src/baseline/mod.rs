//! What a base shall install when it starts, before it takes traffic.
//!
//! The modules of every DaemonSet and peer Deployment that would put a Pod on the base's VNode. Its
//! Pods come a moment later, find what they ask for, and take it over.

mod questions;
mod rollouts;

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use model::{BizName, ModuleSpec};

use crate::{
    placement::Site,
    replicas::{Workloads, is_of, is_peer},
    view::{NodeView, WorkloadKind, WorkloadView},
};
pub(crate) use questions::{Question, Questions};
pub(crate) use rollouts::{Rollouts, Turn};

/// What a baseline is made of.
pub(crate) struct Sources<'a> {
    pub(crate) workloads: &'a Workloads,
    pub(crate) rollouts: &'a Rollouts,
    /// Every Node that stands for a base.
    pub(crate) nodes: &'a [&'a NodeView],
    pub(crate) env: &'a str,
}

/// The modules for a base whose VNode will be like this, by name. Of some names a namespace has Pods on the base already,
/// which `served_by` tells.
pub(crate) fn modules(
    node: &NodeView,
    sources: &Sources<'_>,
    served_by: impl Fn(&BizName) -> Option<Arc<str>>,
) -> Vec<ModuleSpec> {
    let mut offers: BTreeMap<&BizName, Vec<(&WorkloadView, &ModuleSpec)>> = BTreeMap::new();
    for view in sources.workloads.values().filter(|view| counts(view, sources)) {
        let Some(rolled_out) = sources.rollouts.of(&view.workload.uid) else { continue };
        if rolled_out.placement.admits(&Site::lasting(node)) {
            for spec in &rolled_out.modules {
                offers.entry(&spec.id.name).or_default().push((view, spec));
            }
        }
    }
    offers.into_iter().filter_map(|(name, offers)| choose(&offers, served_by(name)).cloned()).collect()
}

/// A name belongs to the namespace that serves it on the base, and else to the one that had it first: whoever comes later
/// would not be given it by its Pods either. Of that namespace's workloads the one that was made last counts.
fn choose<'a>(
    offers: &[(&WorkloadView, &'a ModuleSpec)],
    served_by: Option<Arc<str>>,
) -> Option<&'a ModuleSpec> {
    let has = |namespace: &str| offers.iter().any(|(view, _)| *view.workload.namespace == *namespace);
    let first = || {
        let age = |view: &WorkloadView| (view.created, view.workload.namespace.clone());
        offers.iter().map(|(view, _)| age(view)).min().map(|(_, namespace)| namespace)
    };
    let namespace = served_by.filter(|namespace| has(namespace)).or_else(first)?;
    let theirs = offers.iter().filter(|(view, _)| view.workload.namespace == namespace);
    let last = theirs.max_by_key(|(view, _)| (view.created, Reverse(view.workload.name.clone())));
    last.map(|(_, spec)| *spec)
}

/// Its Pods come to every base, of themselves or by our hand.
pub(crate) fn comes(view: &WorkloadView, env: &str) -> bool {
    let comes = match view.workload.kind {
        WorkloadKind::DaemonSet => is_of(view, env),
        WorkloadKind::Deployment => is_peer(view, env),
    };
    comes && !view.deleting && !view.paused
}

/// It wants a Pod on the base: a DaemonSet always does. A peer Deployment that somebody set to no replicas does not,
/// unless there is no base for it: then that is the number we gave it, and the base that asks is the first.
fn counts(view: &WorkloadView, sources: &Sources<'_>) -> bool {
    let admits = |node: &&NodeView| view.template.placement.admits(&Site::lasting(node));
    comes(view, sources.env)
        && (view.workload.kind == WorkloadKind::DaemonSet
            || view.replicas > 0
            || !sources.nodes.iter().any(admits))
}

#[cfg(test)]
mod tests;
