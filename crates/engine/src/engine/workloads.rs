//! Deployments and DaemonSets: peers, and what was rolled out.

use super::{Engine, drift};
use crate::{
    action::Action,
    baseline::{self, Rollouts},
    event::{Now, Watched},
    replicas::{self, Peers, Workloads},
    view::{NodeView, WorkloadRef, WorkloadView},
};

impl Engine {
    pub(super) fn see_workload(&mut self, view: WorkloadView, now: Now, out: &mut Vec<Action>) {
        let (uid, owner) = (view.workload.uid.clone(), view.workload.owner());
        self.permits.see_workload(&view);
        self.plans.touch_all(now.mono);
        if drift::wants_otherwise(self.workloads.get(&uid), &view) {
            self.drifts.touch_all(now.mono);
        }
        self.workloads.insert(uid.clone(), view);
        self.with_peers(now, out, |peers, nodes, scope| peers.workload(&uid, nodes.iter().copied(), scope));
        self.with_rollouts(now, out, |rollouts, workloads, turn| {
            if let Some(view) = workloads.get(&uid) {
                rollouts.see(view, turn);
            }
        });
        self.note_rolled_out(owner, &uid, now, out);
    }

    pub(super) fn lose_workload(&mut self, workload: &WorkloadRef, now: Now) {
        self.plans.touch_all(now.mono);
        self.drifts.touch_all(now.mono);
        self.plans.see_rolled_out(workload.owner(), None, false);
        self.workloads.remove(&workload.uid);
        self.rollouts.forget(&workload.uid);
        self.permits.lose_workload(workload);
        self.peers.forget(&workload.uid);
    }

    pub(super) fn with_peers(
        &mut self,
        now: Now,
        out: &mut Vec<Action>,
        act: impl FnOnce(&mut Peers, &[&NodeView], replicas::Scope<'_>),
    ) {
        let mut peers = std::mem::take(&mut self.peers);
        let scope = replicas::Scope { workloads: &self.workloads, env: &self.config.env, now: now.mono, out };
        act(&mut peers, &self.nodes(), scope);
        self.peers = peers;
    }

    pub(super) fn with_rollouts(
        &mut self,
        now: Now,
        out: &mut Vec<Action>,
        act: impl FnOnce(&mut Rollouts, &Workloads, baseline::Turn<'_>),
    ) {
        let writes = self.leads() && self.is_synced();
        let mut rollouts = std::mem::take(&mut self.rollouts);
        act(&mut rollouts, &self.workloads, baseline::Turn { env: &self.config.env, writes, now, out });
        self.rollouts = rollouts;
    }

    /// Peers are kept once all that they are counted by is known, by one of the replicas.
    pub(super) fn begin_peers(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.leads() && self.is_synced() && self.synced.contains(&Watched::Deployments) {
            self.with_peers(now, out, |peers, nodes, scope| peers.begin(nodes.iter().copied(), scope));
        }
        self.with_rollouts(now, out, |rollouts, workloads, turn| rollouts.tick(workloads, true, turn));
        self.begin_plans(now);
    }
}
