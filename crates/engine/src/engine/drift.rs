//! ModuleBaseline objects: which bases are looked at, and what is known of each.

use std::{collections::BTreeMap, sync::Arc};

use model::ModuleSpec;

use super::Engine;
use crate::{
    action::Action,
    drift::{
        Wanted,
        base::{Known, Standing},
        objects::Stale,
    },
    event::Now,
    placement::Site,
    pod::translate,
    replicas,
    view::{BaselineView, ModuleView, NodeView, PodView, WorkloadKind, WorkloadView},
};

impl Engine {
    pub(super) fn see_baseline(&mut self, view: BaselineView, now: Now) {
        self.drifts.see(view, now.mono);
    }

    /// Looks at the bases that have changed, and writes what came of that.
    pub(super) fn look_for_drift(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut drifts = std::mem::take(&mut self.drifts);
        if self.moves_plans() {
            let stale = drifts.begin_look(now.mono);
            let on_every_base = self.wanted_on_every_base();
            let nodes = self.nodes();
            let look = |node: &NodeView| self.standing(node, &on_every_base);
            match stale {
                Stale::All => nodes.iter().for_each(|node| drifts.note(&node.name, Some(look(node)))),
                Stale::Nodes(names) => {
                    for name in names {
                        drifts.note(&name, self.node(&name).map(look));
                    }
                }
            }
            drifts.end_look(&nodes, &self.config.env, now, out);
        } else {
            drifts.rest();
        }
        self.drifts = drifts;
    }

    /// The workloads with a Pod on every base that their Pods may be on, and what they want.
    fn wanted_on_every_base(&self) -> Vec<(&WorkloadView, Vec<ModuleSpec>)> {
        let env = &*self.config.env;
        let of_env = self.workloads.values().filter(|view| is_on_every_base(view, env));
        of_env.map(|view| (view, translate::of_template(view))).filter(|(_, all)| !all.is_empty()).collect()
    }

    fn standing(&self, node: &NodeView, on_every_base: &[(&WorkloadView, Vec<ModuleSpec>)]) -> Standing {
        let site = Site::lasting(node);
        let here = on_every_base.iter().filter(|(view, _)| view.template.placement.admits(&site));
        let of_workloads = here.flat_map(|(_, modules)| modules).map(|spec| Wanted {
            name: spec.id.name.as_str().into(),
            version: spec.id.version.as_str().into(),
            of_plan: false,
        });
        let known = Known {
            node,
            pods: self.pods_on(&node.name),
            modules: self.modules_on(&node.name),
            of_workloads: of_workloads.collect(),
        };
        known.standing(|plan| self.plans.is_not_over(plan))
    }

    /// The Pods that are bound to a Node, whoever acts for it.
    fn pods_on(&self, node: &Arc<str>) -> Vec<&PodView> {
        let vnode = self.by_node.get(node).and_then(|base| self.vnodes.get(base));
        let waiting = self.pods.waiting.get(node).into_iter().flat_map(BTreeMap::values);
        vnode.into_iter().flat_map(|vnode| vnode.pods()).chain(waiting).collect()
    }

    /// The Module objects of a base, whoever acts for it.
    fn modules_on(&self, node: &Arc<str>) -> Vec<&ModuleView> {
        let vnode = self.by_node.get(node).and_then(|base| self.vnodes.get(base));
        vnode.into_iter().flat_map(|vnode| vnode.module_views()).chain(self.orphans.of(node)).collect()
    }
}

fn is_on_every_base(view: &WorkloadView, env: &str) -> bool {
    let is_kept = match view.workload.kind {
        WorkloadKind::DaemonSet => replicas::is_of(view, env),
        WorkloadKind::Deployment => replicas::is_peer(view, env) && view.replicas > 0,
    };
    is_kept && !view.deleting
}

/// A base may be wanted to have something else by the one than by the other.
pub(super) fn wants_otherwise(before: Option<&WorkloadView>, after: &WorkloadView) -> bool {
    before.is_none_or(|before| {
        (&before.template, &before.labels, before.replicas > 0, before.deleting)
            != (&after.template, &after.labels, after.replicas > 0, after.deleting)
    })
}
