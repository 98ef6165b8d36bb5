//! The engine: which event concerns which VNode, and when each wants to be looked at again.

mod baselines;
mod bases;
mod census;
mod drift;
mod modules;
mod nodes;
mod plans;
mod pods;
mod sharing;
mod snapshot;
mod start;
mod summary;
mod wakes;
mod workloads;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use arklet::CallError;
use model::BaseIdentity;

use self::{baselines::Baselines, pods::Pods, start::Early, wakes::Wakes};
use crate::{
    action::Action,
    baseline::Rollouts,
    config::Config,
    drift::objects::Drifts,
    event::{ClusterEvent, Event, Now, TunnelEvent, Watched},
    ordering::{losses::Losses, newest::Revisions, permits::Permits},
    orphans::Orphans,
    ownership::Ownership,
    plans::Plans,
    replicas::{Peers, Workloads},
    request::{Write, WriteError},
    services::Services,
    unplaced::Unplaced,
    vnode::{Context, Scope, VNode},
    zones::Zones,
};

pub use self::{census::Census, summary::Summary};

/// From so many writes on that have not ended, what may wait is not written: the API server is short of time. 300 modules of one
/// base that restarts are far fewer; a fleet whose modules are all deployed at once is far more.
const BACKLOG: usize = 2_000;

/// Every decision of the controller.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    /// In the order of their names: which of them go to another replica hangs on it.
    vnodes: BTreeMap<BaseIdentity, Box<VNode>>,
    by_node: HashMap<Arc<str>, BaseIdentity>,
    /// The bases that have no Node.
    strangers: HashSet<BaseIdentity>,
    turned_away: u64,
    pods: Pods,
    /// Module Pods that no Node was found for.
    unplaced: Unplaced,
    early: Early,
    zones: Zones,
    permits: Permits,
    losses: Losses,
    /// Module objects of VNodes that are not there (yet).
    orphans: Orphans,
    /// When something is to be done about them.
    orphans_wake: Option<Duration>,
    services: Services,
    /// The kinds of which all that existed at the start has been told.
    synced: HashSet<Watched>,
    revisions: Revisions,
    workloads: Workloads,
    peers: Peers,
    /// What was rolled out of each workload.
    rollouts: Rollouts,
    /// Operation plans.
    plans: Plans,
    /// ModuleBaseline objects.
    drifts: Drifts,
    baselines: Baselines,
    /// Writes that were asked for and have not ended.
    unwritten: usize,
    http_up: Option<Duration>,
    mqtt_up: Option<Duration>,
    silent: BTreeSet<BaseIdentity>,
    claims_refused: u64,
    wakes: Wakes,
    /// Who acts for which VNode; none where this is the only replica.
    pub(crate) ownership: Option<Ownership>,
    /// When something is to be done about it.
    shared_wake: Option<Duration>,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(config: Config) -> Self {
        let synced = never_told(&config);
        let ownership = config.cluster.clone().map(|cluster| Ownership::new(cluster, config.door.clone()));
        let permits = Permits::new(&config);
        let plans = Plans::new(&config);
        Self {
            config,
            vnodes: BTreeMap::new(),
            by_node: HashMap::new(),
            strangers: HashSet::new(),
            turned_away: 0,
            pods: Pods::default(),
            unplaced: Unplaced::default(),
            early: Early::default(),
            zones: Zones::default(),
            permits,
            losses: Losses::default(),
            orphans: Orphans::default(),
            orphans_wake: None,
            services: Services::default(),
            synced,
            revisions: Revisions::new(),
            workloads: Workloads::new(),
            peers: Peers::default(),
            rollouts: Rollouts::default(),
            plans,
            drifts: Drifts::default(),
            baselines: Baselines::default(),
            unwritten: 0,
            http_up: None,
            mqtt_up: None,
            silent: BTreeSet::new(),
            claims_refused: 0,
            wakes: Wakes::default(),
            // At the first step it is told what to wait for.
            shared_wake: None,
            ownership,
        }
    }

    /// When [`Event::Tick`] is due; none while nothing waits for time.
    pub fn next_wake(&self) -> Option<Duration> {
        let vnodes = self.wakes.next();
        let workloads = self.peers.next_wake().into_iter().chain(self.rollouts.next_wake()).min();
        let (questions, unplaced) = (self.baselines.questions.next_wake(), self.unplaced.next_wake());
        let objects = self.plans.next_wake().into_iter().chain(self.drifts.next_wake()).min();
        [vnodes, workloads, objects, questions, unplaced, self.orphans_wake, self.shared_wake]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes one event and says what to do.
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut out = Vec::new();
        self.unwritten = self.unwritten.saturating_sub(usize::from(matches!(event, Event::Written { .. })));
        self.lead(now, &mut out);
        if let Some(event) = self.share(event, now, &mut out) {
            self.take(event, now, &mut out);
        }
        while let Some(base) = self.permits.next_freed() {
            self.visit(&base, now, &mut out, |_, _| {});
        }
        self.keep_shared(now, &mut out);
        let is_write = |action: &&Action| matches!(action, Action::Request(one) if one.is_write());
        self.unwritten = self.unwritten.saturating_add(out.iter().filter(is_write).count());
        out
    }

    fn take(&mut self, event: Event, now: Now, out: &mut Vec<Action>) {
        match event {
            Event::Tunnel(event) => self.take_from_tunnel(event, now, out),
            Event::Cluster(event) => self.take_from_cluster(event, now, out),
            // Where there is a single replica, nothing is shared.
            Event::Replica(_) => {}
            Event::Written { write, result } => self.written(&write, &result, now, out),
            Event::BasePod { base, found } => {
                self.visit(&base, now, out, |vnode, ctx| vnode.found_base_pod(&found, ctx));
            }
            Event::Metric { plan, question, answer } => {
                self.plans.answered(&plan, &question, answer, now.mono)
            }
            Event::Health { plan, round, answers } => {
                self.plans.answered_health(&plan, round, answers, now.mono)
            }
            Event::Tick => self.tick(now, out),
        }
    }

    fn take_from_tunnel(&mut self, event: TunnelEvent, now: Now, out: &mut Vec<Action>) {
        match event {
            TunnelEvent::Heartbeat { tunnel, report } => {
                self.reaches_a_base(now);
                self.heartbeat(tunnel, report, now, out);
            }
            TunnelEvent::Forwarded(report) => self.forwarded(report, now, out),
            TunnelEvent::Answer { tunnel, base, key, outcome } => {
                if !matches!(outcome, Err(CallError::TimedOut | CallError::Unreachable(_))) {
                    self.reaches_a_base(now);
                }
                self.visit(&base, now, out, |vnode, ctx| vnode.answered(tunnel, &key, outcome, ctx));
            }
            TunnelEvent::BaselineQuery { tunnel, query, ask } => {
                self.visit(&query.identity, now, out, |vnode, ctx| {
                    vnode.asked_for_baseline(tunnel, query.peer, ctx);
                });
                if self.answers(tunnel, &query.identity) {
                    self.asked(tunnel, query, ask, now, out);
                }
            }
            TunnelEvent::TunnelUp(tunnel) => {
                *self.tunnel(tunnel) = Some(now.mono);
                if let Some(shared) = &mut self.ownership {
                    shared.reach.tunnel_up();
                }
            }
            TunnelEvent::TunnelDown(tunnel) => *self.tunnel(tunnel) = None,
        }
    }

    fn take_from_cluster(&mut self, event: ClusterEvent, now: Now, out: &mut Vec<Action>) {
        match event {
            ClusterEvent::Pod(view) => self.see_pod(*view, now, out),
            ClusterEvent::PodGone(pod) => self.lose_pod(&pod.uid, now, out),
            ClusterEvent::Unplaced(view) => self.see_unplaced(*view, now),
            ClusterEvent::UnplacedGone { uid } => self.lose_unplaced(&uid, now),
            ClusterEvent::Node(view) => self.see_node(*view, now, out),
            ClusterEvent::NodeGone { name, uid } => self.lose_node(&name, &uid, now, out),
            ClusterEvent::Module(view) => self.see_module(*view, now, out),
            ClusterEvent::ModuleGone { key, module } => self.lose_module(&key, &module, now, out),
            ClusterEvent::Service(view) => {
                self.with_services(now, out, |services| services.see(view));
            }
            ClusterEvent::ServiceGone { namespace, uid } => {
                self.with_services(now, out, |services| services.lose(&namespace, &uid));
            }
            ClusterEvent::Synced(kind) => {
                self.see_watch(kind, true, now, out);
                self.synced(kind, now, out);
            }
            ClusterEvent::Unavailable(kind) => {
                self.config.modules &= kind != Watched::Modules;
                self.see_watch(kind, false, now, out);
                self.synced(kind, now, out);
            }
            ClusterEvent::Revision { replica_set, revision } => {
                if self.revisions.insert(replica_set.clone(), revision) != Some(revision) {
                    self.reorder(&replica_set, now, out);
                }
            }
            ClusterEvent::RevisionGone { replica_set } => {
                if self.revisions.remove(&replica_set).is_some() {
                    self.reorder(&replica_set, now, out);
                }
            }
            ClusterEvent::Workload(view) => self.see_workload(*view, now, out),
            ClusterEvent::WorkloadGone(workload) => self.lose_workload(&workload, now),
            ClusterEvent::Plan(view) => self.see_plan(*view, now, out),
            ClusterEvent::PlanGone(plan) => self.lose_plan(&plan, now, out),
            ClusterEvent::Baseline(view) => self.see_baseline(*view, now),
            ClusterEvent::BaselineGone(baseline) => self.drifts.lose(&baseline),
        }
    }

    fn written(&mut self, write: &Write, result: &Result<(), WriteError>, now: Now, out: &mut Vec<Action>) {
        match write {
            Write::ScaleDeployment(deployment) => {
                self.with_peers(now, out, |peers, _, scope| peers.written(deployment, result, scope));
            }
            Write::RecordRollout(workload) => {
                self.with_rollouts(now, out, |rollouts, workloads, turn| {
                    if let Some(view) = workloads.get(&workload.uid) {
                        rollouts.written(view, result, turn);
                    }
                });
            }
            Write::PatchPlanStatus(plan) => self.plans.written(plan, result, now.mono),
            Write::PatchBaselineStatus(baseline) => self.drifts.written(baseline, result, now.mono),
            write => {
                if let Some(base) = self.owner_of(write) {
                    self.visit(&base, now, out, |vnode, ctx| vnode.written(write, result, ctx));
                } else if let Write::DeleteModule(key) = write {
                    self.orphans.written(key, now.mono, result);
                    self.collect_orphans(now, out);
                }
            }
        }
    }

    fn owner_of(&self, write: &Write) -> Option<BaseIdentity> {
        let node = match write {
            Write::CreateNode(node)
            | Write::PatchNode(node)
            | Write::PatchNodeStatus(node)
            | Write::DeleteNode(node)
            | Write::RenewLease(node) => node,
            Write::PatchPodStatus(pod) | Write::DeletePod(pod) => self.pods.nodes.get(&pod.uid)?,
            Write::CreateModule(key)
            | Write::PatchModule(key)
            | Write::PatchModuleStatus(key)
            | Write::DeleteModule(key) => &key.vnode,
            Write::ScaleDeployment(_)
            | Write::RecordRollout(_)
            | Write::PatchPlanStatus(_)
            | Write::PatchBaselineStatus(_)
            | Write::WriteMember(_)
            | Write::ReadMember(_)
            | Write::DeleteMember(_)
            | Write::TakeLease { .. }
            | Write::ReleaseLease { .. }
            | Write::WritePermits(_)
            | Write::DeletePermits(_) => return None,
        };
        self.by_node.get(node).cloned()
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.orphans_wake.is_some_and(|at| at <= now.mono) {
            self.collect_orphans(now, out);
        }
        self.give_up_questions(now, out);
        if self.peers.next_wake().is_some_and(|at| at <= now.mono) {
            self.with_peers(now, out, |peers, _, scope| peers.tick(scope));
        }
        if self.rollouts.next_wake().is_some_and(|at| at <= now.mono) {
            self.with_rollouts(now, out, |rollouts, workloads, turn| rollouts.tick(workloads, false, turn));
        }
        if self.plans.next_wake().is_some_and(|at| at <= now.mono) {
            self.advance_plans(now, out);
        }
        if self.drifts.next_wake().is_some_and(|at| at <= now.mono) {
            self.look_for_drift(now, out);
        }
        if self.unplaced.next_wake().is_some_and(|at| at <= now.mono) {
            self.look_at_unplaced(now, out);
        }
        while let Some(base) = self.wakes.pop(now.mono) {
            self.visit(&base, now, out, |vnode, _| vnode.time_passed());
        }
    }

    /// Lets something happen to a VNode, then has it act on it.
    fn visit(
        &mut self,
        base: &BaseIdentity,
        now: Now,
        out: &mut Vec<Action>,
        change: impl FnOnce(&mut VNode, &mut Context<'_>),
    ) {
        let fleet = self.fleet();
        let may_act = self.may_act(now);
        let holder = self.ownership.as_ref().map(|shared| shared.members.incarnation().clone());
        let Some(vnode) = self.vnodes.get_mut(base) else { return };
        let (zones, permits, losses) = (&mut self.zones, &mut self.permits, &mut self.losses);
        let (services, revisions, plans) = (&self.services, &self.revisions, &self.plans);
        let (config, is_backlogged) = (&self.config, self.unwritten > BACKLOG);
        let mut ctx = Context {
            config,
            now,
            holder,
            fleet,
            is_backlogged,
            services,
            revisions,
            plans,
            zones,
            permits,
            losses,
            out,
        };
        change(vnode, &mut ctx);
        if !may_act {
            if let Some(shared) = &mut self.ownership {
                shared.frozen = true;
            }
            vnode.defer();
            return self.wakes.set(base, None);
        }
        // Nearly all that is heard are heartbeats like those before; a base may have a thousand modules to go through.
        let nothing_is_due = self.wakes.is_later(base, now.mono);
        let scope = match vnode.take_routine() && nothing_is_due {
            true => Scope::Names(BTreeSet::new()),
            false => vnode.advance(vnode.scope(now.mono), &mut ctx),
        };
        let wake = vnode.wake(&scope, &ctx);
        let is_stranger = vnode.node().is_none();
        if is_stranger {
            self.strangers.insert(base.clone());
        } else {
            self.strangers.remove(base);
        }
        if !is_stranger && vnode.is_silent(now.mono, &self.config) {
            self.silent.insert(base.clone());
        } else {
            self.silent.remove(base);
        }
        if vnode.is_finished(now.mono, &self.config) {
            self.forget(base, now, out);
        } else {
            self.wakes.set(base, wake);
        }
    }
}

/// What is not waited for, because nobody watches it.
fn never_told(config: &Config) -> HashSet<Watched> {
    let modules = (!config.modules).then_some(Watched::Modules);
    let plans = (!config.module_deployments).then_some(Watched::Plans);
    let shared = [Watched::Members, Watched::Leases].into_iter().filter(|_| config.cluster.is_none());
    modules.into_iter().chain(plans).chain(shared).collect()
}

#[cfg(test)]
mod tests;
