//! A VNode: the small state machine that stands for one base.
//!
//! Events change what is known; [`VNode::advance`] then compares what is known with what is wanted
//! and says what to do. It is level-triggered: called once more, or after a restart, it comes to
//! the same end.

mod announce;
mod answers;
mod ending;
mod evicted;
mod explained;
mod gaps;
mod identity_owner;
mod inventory;
mod lease;
mod leaving;
mod life;
mod links;
mod losses;
mod modules;
mod node;
mod node_differences;
mod node_writes;
mod own_pod;
mod permits;
mod plan;
mod playback;
mod pods;
mod query;
mod resources;
mod scope;
#[cfg(test)]
pub(crate) mod testing;
mod waits;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command, CommandKind, Health, Outcome, WireStrategy};
use model::{BaseIdentity, BaseReport, BizId, BizName, Fault, PackageUrl, TunnelKind};

use crate::{
    action::{Action, Target},
    config::{Config, Times},
    engine::Census,
    event::{Now, Write, WriteError},
    ordering::{losses::Losses, newest::Revisions, permits::Permits},
    orphans::Inherited,
    pod::ModulePod,
    services::Services,
    trace::TraceId,
    view::{ModuleRef, ModuleView, NodeView, PodView},
    write_slot::WriteSlot,
    zones::Zones,
};
use announce::News;
use evicted::Evicted;
use explained::{Replacing, Unexplained};
use gaps::Gaps;
use identity_owner::IdentityOwnership;
use inventory::Inventory;
use lease::LeaseTimer;
use leaving::Leaving;
use life::{Life, Liveness};
use links::Links;
use modules::Modules;
use node_writes::NodeContests;
use own_pod::OwnPod;
use plan::Arranged;
use query::Query;
use scope::Happened;
use zone::BaseZone;

pub(crate) use identity_owner::{Voice, may_follow};
pub(crate) use node::{ZONE, expected_node, identity_of};
pub(crate) use playback::Playback;
pub(crate) use scope::Scope;

/// What a step sees of the rest, and where its actions go.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) now: Now,
    /// Who holds the Leases; none where there is a single replica.
    pub(crate) holder: Option<Arc<str>>,
    /// How the bases of this controller stand, all together.
    pub(crate) fleet: Fleet,
    pub(crate) services: &'a Services,
    /// Which ReplicaSet is of which revision.
    pub(crate) revisions: &'a Revisions,
    pub(crate) zones: &'a mut Zones,
    pub(crate) permits: &'a mut Permits,
    /// Who lost to whom, on all bases.
    pub(crate) losses: &'a mut Losses,
    pub(crate) out: &'a mut Vec<Action>,
}

/// All bases of this controller, counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fleet {
    /// VNodes.
    pub(crate) total: usize,
    /// Those of them of which nothing has been heard for too long.
    pub(crate) silent: usize,
    /// Since when HTTP carries messages.
    pub(crate) http_up: Option<Duration>,
    /// Since when MQTT carries messages.
    pub(crate) mqtt_up: Option<Duration>,
}

/// A command at work, one at a time per bizName.
#[derive(Debug, Clone)]
struct Op {
    key: AnswerKey,
    /// For whom: the Pod's UID and the container's place in its spec.
    claim: Option<(Arc<str>, usize)>,
    /// It may end a version that serves.
    displacing: bool,
    /// An install that tells the base to uninstall other versions first.
    replaces: bool,
    /// What an install is from. Its Pod may ask for another package, or be gone, before it ends.
    package: Option<PackageUrl>,
    sent: Duration,
    /// By which way.
    tunnel: TunnelKind,
    deadline: Duration,
    trace: TraceId,
}

impl Op {
    /// It may change what is there of this biz.
    fn changes(&self, id: &BizId) -> bool {
        self.displacing || self.key.biz.as_ref() == Some(id)
    }
}

/// What this controller answers for: a biz that a Pod named, or that came by its own install.
#[derive(Debug, Clone, Default)]
struct Managed {
    /// Uninstalls in a row that failed.
    failures: u32,
    /// Not to be uninstalled before.
    next_try: Duration,
    /// The last of these failures.
    fault: Option<Box<Fault>>,
    /// It came by an install that asked for another.
    stray: bool,
}

/// One base with its Node and its Pods.
#[derive(Debug, Clone)]
pub(crate) struct VNode {
    identity: BaseIdentity,
    name: Arc<str>,
    /// The last heartbeat's content; none where only the Node is known so far.
    report: Option<BaseReport>,
    links: Links,
    /// Whose the identity is.
    identity_owner: IdentityOwnership,
    life: Life,
    health: Option<Health>,
    inventory: Inventory,
    inventory_query: Query,
    health_query: Query,
    // A map has room for eleven of what is in it from the first on, and keeps it: what is large is in a box.
    ops: BTreeMap<BizName, Box<Op>>,
    /// Installs that ended, and of which the next list says how.
    unexplained: BTreeMap<BizName, Box<Unexplained>>,
    /// It uninstalls other versions where an install says so, as far as is known. One before koupleless 1.3 does not: that
    /// is learnt by its list, and holds until it is heard as another version or started anew, because then it may know.
    replacing: Replacing,
    arranged: BTreeMap<BizName, Box<Arranged>>,
    /// What has a command that waits until fewer are at work.
    queued: BTreeSet<BizName>,
    managed: BTreeMap<BizId, Box<Managed>>,
    modules: Modules,
    /// What stays for the replacements of Pods that were taken away.
    evicted: Evicted,
    /// What serves nothing because Kubernetes deleted its Pod before there was another.
    gaps: Gaps,
    /// To which namespace a bizName belongs that Pods of several ask for.
    namespaces: BTreeMap<BizName, Arc<str>>,
    pods: BTreeMap<Arc<str>, Box<ModulePod>>,
    node: Option<NodeView>,
    /// The Node of before, which somebody deleted while this VNode lived: the one that takes its place gets what others
    /// had put there. No more than one, and gone once there is another.
    deleted_node: Option<Box<NodeView>>,
    node_slot: WriteSlot,
    node_contests: NodeContests,
    lease: LeaseTimer,
    /// Since when it has not been well; none while it is.
    down_since: Option<Duration>,
    /// What is told of its present absence, or was of its last one, bears this id.
    trouble: Option<TraceId>,
    leaving: Leaving,
    base_zone: BaseZone,
    own_pod: OwnPod,
    playback: Playback,
    is_routine: bool,
    happened: Happened,
    /// When something is due besides its Lease and its questions; none where that is not known.
    due: Option<Duration>,
    /// The part of it that was found by looking at bizNames and Pods.
    due_of_names: Option<Duration>,
}

impl VNode {
    /// A base that was heard for the first time.
    pub(crate) fn heard(name: Arc<str>, report: &BaseReport, now: Duration) -> Self {
        Self::new(report.identity.clone(), name, Links::default(), now)
    }

    /// A base that a Node of an earlier controller tells of; it is asked before it is given up.
    pub(crate) fn adopted(identity: BaseIdentity, node: NodeView, now: Duration) -> Self {
        let (tunnel, address) = node::way_to(&node);
        let mut vnode = Self::new(identity, node.name.clone(), Links::assumed(tunnel, address, now), now);
        vnode.node = Some(node);
        vnode
    }

    /// A base that this replica acts for without knowing more of it: it left again meanwhile.
    pub(crate) fn unheard(identity: BaseIdentity, name: Arc<str>, now: Duration) -> Self {
        Self::new(identity, name, Links::default(), now)
    }

    fn new(identity: BaseIdentity, name: Arc<str>, links: Links, now: Duration) -> Self {
        Self {
            identity,
            name,
            report: None,
            links,
            identity_owner: IdentityOwnership::default(),
            life: Life::assumed(now),
            health: None,
            inventory: Inventory::default(),
            inventory_query: Query::default(),
            health_query: Query::default(),
            ops: BTreeMap::new(),
            unexplained: BTreeMap::new(),
            replacing: Replacing::default(),
            arranged: BTreeMap::new(),
            queued: BTreeSet::new(),
            managed: BTreeMap::new(),
            modules: Modules::default(),
            evicted: Evicted::default(),
            gaps: Gaps::default(),
            namespaces: BTreeMap::new(),
            pods: BTreeMap::new(),
            node: None,
            deleted_node: None,
            node_slot: WriteSlot::default(),
            node_contests: NodeContests::default(),
            lease: LeaseTimer::default(),
            down_since: None,
            trouble: None,
            leaving: Leaving::default(),
            base_zone: BaseZone::default(),
            own_pod: OwnPod::default(),
            playback: Playback::default(),
            is_routine: false,
            happened: Happened::default(),
            due: None,
            due_of_names: None,
        }
    }

    /// The Node's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its Node, as far as the API server told of it.
    pub(crate) fn node(&self) -> Option<&NodeView> {
        self.node.as_ref()
    }

    /// Nothing has been heard of it for too long.
    pub(crate) fn is_silent(&self, now: Duration, config: &Config) -> bool {
        self.life.liveness(now, &config.times) == Liveness::Silent
    }

    /// Its base is silent and was asked, or answers nothing.
    pub(crate) fn is_unreached(&self, now: Duration, config: &Config) -> bool {
        self.life.is_unreached(now, &config.times)
    }

    /// By which tunnel its base is reached; none where it was not heard.
    pub(crate) fn tunnel(&self) -> Option<TunnelKind> {
        self.links.target(&self.identity, Duration::ZERO).map(|target| target.tunnel)
    }

    /// The way for commands.
    fn target(&self, config: &Config) -> Option<Target> {
        let target = self.links.target(&self.identity, config.times.not_ready_after)?;
        // A base has its Node once it has answered well.
        Some(Target { known: self.node.is_some(), ..target })
    }

    /// Somebody spoke who may be the base, on another way than its own.
    pub(crate) fn echo(&mut self, tunnel: TunnelKind, report: &BaseReport, ctx: &Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        let was_assumed = self.life.is_assumed(now, times);
        if tunnel == TunnelKind::Mqtt {
            // Over HTTP it names where commands would go.
            self.links.heard(tunnel, report, now);
        }
        self.life.echoed(now);
        let alive = self.life.liveness(now, times) == Liveness::Alive;
        self.is_routine = alive && self.down_since.is_none() && !was_assumed;
    }

    /// A heartbeat of the base came.
    pub(crate) fn heartbeat(&mut self, tunnel: TunnelKind, report: BaseReport, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        let was_assumed = self.life.is_assumed(now, &ctx.config.times);
        self.links.heard(tunnel, &report, now);
        self.identity_owner.heard(tunnel, &report, now);
        let again = self.life.heartbeat(now, report.state, &ctx.config.times);
        if again {
            self.look_again(now);
        }
        let alive = self.life.liveness(now, &ctx.config.times) == Liveness::Alive;
        let is_as_before = !again && !was_assumed && self.report.as_ref() == Some(&report);
        if self.report.as_ref().is_some_and(|before| before.version != report.version) {
            self.replacing = Replacing::default();
        }
        self.is_routine = alive && self.down_since.is_none() && is_as_before;
        self.report = Some(report);
    }

    /// What happened last was a heartbeat like the one before: nothing follows from it but later deadlines.
    pub(crate) fn take_routine(&mut self) -> bool {
        std::mem::take(&mut self.is_routine)
    }

    /// The base was started anew: nothing of what was there or at work before is.
    pub(crate) fn restarted(&mut self, now: Duration) {
        self.ops.clear();
        self.unexplained.clear();
        self.replacing = Replacing::default();
        self.inventory.forget();
        self.modules.restarted();
        self.gaps = Gaps::default();
        self.playback = Playback::default();
        self.look_again(now);
    }

    /// The base may have been started anew: what it holds is asked again.
    fn look_again(&mut self, now: Duration) {
        self.inventory_query.hint(now);
        self.health_query.hint(now);
    }

    /// A view of its Node came.
    pub(crate) fn see_node(&mut self, view: NodeView) {
        let older = |seen: &NodeView| view.uid == seen.uid && view.resource_version < seen.resource_version;
        if !self.node.as_ref().is_some_and(older) {
            self.node = Some(view);
            self.deleted_node = None;
        }
    }

    /// Its Node is gone.
    pub(crate) fn lose_node(&mut self, uid: &str) {
        if self.node.as_ref().is_some_and(|node| &*node.uid == uid) {
            let is_by_us = self.leaving.may_be_over();
            self.deleted_node = self.node.take().filter(|_| !is_by_us).map(Box::new);
            self.leaving.node_is_gone();
        }
    }

    /// A view of a Pod on it came.
    pub(crate) fn see_pod(&mut self, view: PodView) {
        let (uid, is_collected) = (view.pod.uid.clone(), evicted::is_collected(&view));
        match self.pods.get_mut(&uid) {
            Some(pod) => {
                // It may have asked for something else before.
                let names: Vec<BizName> = pod.biz().map(|id| id.name.clone()).collect();
                pod.update(view);
                self.concerns(names);
            }
            None => {
                self.pods.insert(uid.clone(), Box::new(ModulePod::new(view)));
            }
        }
        if let Some(pod) = self.pods.get(&uid).filter(|_| is_collected) {
            pod.biz().for_each(|id| self.evicted.inherit(id));
        }
        self.concerns_pod(&uid);
    }

    /// A Pod on it is gone.
    pub(crate) fn lose_pod(&mut self, uid: &str) {
        self.concerns_pod(uid);
        self.pods.remove(uid);
    }

    /// The Pods that are bound to it.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &PodView> {
        self.pods.values().map(|pod| &pod.view)
    }

    /// A Pod on it was made by this ReplicaSet.
    pub(crate) fn has_pod_of(&self, replica_set: &Arc<str>) -> bool {
        self.pods.values().any(|pod| pod.view.controller.as_ref() == Some(replica_set))
    }

    /// A Module object of before it was taken up.
    pub(crate) fn inherit_module(&mut self, module: Inherited, now: Duration, config: &Config) {
        let Inherited { view, ends, base_ended } = module;
        let is_left = self.node.is_some();
        let (id, place) = (view.key.id.clone(), modules::Place { is_left, ..self.place(&view, config) });
        let may_stay = !base_ended && !ends && !view.deleting;
        self.modules.inherit(view, place, ends, now + config.times.install_deadline);
        // Without a Node nobody can say what became of its Pods.
        let is_without_node = self.node.is_none() && may_stay && self.modules.is_told_managed(&id);
        if is_without_node || self.modules.is_told_kept(&id) {
            self.evicted.inherit(&id);
        }
    }

    /// A view of one of its Module objects came.
    pub(crate) fn see_module(&mut self, view: ModuleView, config: &Config) {
        self.concerns_biz(&view.key.id);
        let place = self.place(&view, config);
        self.modules.see(view, place);
    }

    /// Where an object is.
    fn place<'a>(&self, view: &ModuleView, config: &'a Config) -> modules::Place<'a> {
        let namespace = &view.module.namespace;
        let asks =
            |pod: &ModulePod| pod.view.pod.namespace == *namespace && pod.biz().any(|id| *id == view.key.id);
        modules::Place {
            own: &config.namespace,
            is_ours: *namespace == config.namespace,
            has_pod: self.pods.values().any(|pod| asks(pod)),
            is_left: false,
        }
    }

    /// One of its Module objects is gone.
    pub(crate) fn lose_module(&mut self, id: &BizId, module: &ModuleRef) {
        self.concerns_biz(id);
        self.modules.lose(id, module);
    }

    /// For a while nothing could be asked: that nothing was heard says nothing of a base that was well.
    pub(crate) fn thaw(&mut self, now: Duration) {
        if self.down_since.is_none() {
            self.life.assume(now);
        }
        self.look_again(now);
    }

    /// Its Lease was written when it was taken.
    pub(crate) fn lease_taken(&mut self, now: Duration, vnodes: usize, config: &Config) {
        self.lease.renewed(now, &self.name, vnodes, &config.times);
    }

    /// Its Node is being deleted, or was.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_under_way()
    }

    /// It is well and nothing is under way, so another can go on where this one stops.
    pub(crate) fn is_idle(&self, now: Duration, config: &Config) -> bool {
        let well = self.life.liveness(now, &config.times) == Liveness::Alive && self.inventory.is_known();
        let writes = self.node_slot.is_busy() || self.lease.slot.is_busy() || self.is_leaving();
        let is_busy =
            |pod: &ModulePod| pod.status_slot.is_busy() || pod.delete_slot.is_busy() || pod.is_draining(now);
        let pods = self.pods.values().map(Box::as_ref).any(is_busy);
        well && self.node.is_some() && self.ops.is_empty() && !writes && !pods && !self.modules.are_written()
    }

    /// It goes because its base said goodbye: what the base held went with it.
    pub(crate) fn said_goodbye(&self, now: Duration, config: &Config) -> bool {
        self.life.liveness(now, &config.times) == Liveness::Gone
    }

    /// Its Pods and its Module objects, when it goes.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = PodView>, impl Iterator<Item = ModuleView>) {
        (self.pods.into_values().map(|pod| pod.view), self.modules.into_views())
    }

    /// A write for it ended.
    pub(crate) fn written(&mut self, write: &Write, result: &Result<(), WriteError>, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let slot = match write {
            Write::CreateNode(_) | Write::PatchNode(_) | Write::PatchNodeStatus(_) => {
                self.node_contests.ended(write, result);
                &mut self.node_slot
            }
            Write::DeleteNode(_) => {
                self.leaving.deleted(now, result);
                return;
            }
            Write::RenewLease(_) => {
                if result.is_ok() {
                    if self.leaving.is_there() {
                        // All that was left undone meanwhile.
                        self.put_off();
                    }
                    self.lease.renewed(now, &self.name, ctx.fleet.total, &ctx.config.times);
                }
                self.concerns([]);
                &mut self.lease.slot
            }
            Write::CreateModule(key) | Write::PatchModule(key) | Write::PatchModuleStatus(key) => {
                self.concerns_biz(&key.id);
                if result.is_ok() && !matches!(write, Write::PatchModuleStatus(_)) {
                    self.modules.wrote(&key.id);
                }
                self.module_written(key, result, ctx);
                return;
            }
            Write::DeleteModule(key) => {
                self.concerns_biz(&key.id);
                self.module_deleted(&key.id, now, result);
                return;
            }
            Write::PatchPodStatus(pod) => {
                self.concerns_pod(&pod.uid);
                let Some(known) = self.pods.get_mut(&pod.uid) else { return };
                known.told(now, result);
                let first = known.status_slot.is_first_failure();
                return self.tell_refusal(write, result, first, ctx);
            }
            Write::DeletePod(pod) => {
                self.concerns_pod(&pod.uid);
                let Some(known) = self.pods.get_mut(&pod.uid) else { return };
                known.deletion_ended(now, result);
                let first = known.delete_slot.is_first_failure();
                return self.tell_refusal(write, result, first, ctx);
            }
            Write::ScaleDeployment(_)
            | Write::RecordRollout(_)
            | Write::WriteMember(_)
            | Write::ReadMember(_)
            | Write::DeleteMember(_)
            | Write::TakeLease { .. }
            | Write::ReleaseLease { .. }
            | Write::WritePermits(_)
            | Write::DeletePermits(_) => return,
        };
        slot.ended(now, result);
        let first = slot.is_first_failure();
        self.tell_refusal(write, result, first, ctx);
    }

    /// Tells people that a write was refused, the first time in a row.
    fn tell_refusal(
        &self,
        write: &Write,
        result: &Result<(), WriteError>,
        first: bool,
        ctx: &mut Context<'_>,
    ) {
        if let (Err(error @ WriteError::Refused(_)), true) = (result, first) {
            let note = format!("writing {write:?} was refused: {error}");
            self.announce(News { warning: true, reason: "WriteRefused", action: "Write", note }, ctx);
        }
    }

    /// Adds what it holds to the counts.
    pub(crate) fn count(&self, now: Duration, times: &Times, census: &mut Census) {
        // One that has no Node yet is a stranger, which is counted elsewhere.
        match self.life.liveness(now, times) {
            _ if self.node.is_none() => {}
            Liveness::Silent => census.silent += 1,
            Liveness::Unanswering => census.unanswering += 1,
            Liveness::NotServing => census.not_serving += 1,
            Liveness::Alive | Liveness::Gone => {}
        }
        for biz in self.inventory.all() {
            *census.modules.entry(biz.state.as_str()).or_default() += 1;
        }
        let live = self.pods.values().filter(|pod| pod.is_live());
        let (ready, all) =
            live.fold((0, 0), |(ready, all), pod| (ready + usize::from(pod.is_ready()), all + 1));
        census.pods_ready += ready;
        census.pods_not_ready += all - ready;
        let live = self.pods.values().filter(|pod| pod.is_live());
        let longest = live.filter_map(|pod| pod.not_ready_since()).min();
        let longest = longest.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        census.longest_not_ready = census.longest_not_ready.max(longest);
        census.oldest_lease = census.oldest_lease.max(self.lease.age(now).unwrap_or_default());
    }

    /// Compares what is known with what is wanted, and acts. What was looked at is told, for [`Self::wake`].
    pub(crate) fn advance(&mut self, scope: Scope, ctx: &mut Context<'_>) -> Scope {
        #[cfg(debug_assertions)]
        let (in_full, before) = (self.in_full(&scope, ctx), ctx.out.len());
        let scope = self.act(scope, ctx);
        #[cfg(debug_assertions)]
        scope::agree(&scope, in_full, ctx.out.iter().skip(before));
        scope
    }

    fn act(&mut self, scope: Scope, ctx: &mut Context<'_>) -> Scope {
        self.end_lost_commands(ctx);
        let before = self.down_since;
        self.track_standing(ctx);
        let is_well = before.is_none() && self.down_since.is_none() && self.inventory.is_known();
        let is_kept = self.evicted.is_any();
        self.keep_evicted(ctx);
        let is_plain =
            is_well && self.node.is_some() && !self.is_leaving() && !is_kept && !self.evicted.is_any();
        let mut scope = if is_plain && !self.was_given_up() { scope } else { Scope::All };
        self.happened.settled();
        // Another replica's wall clock may have said when it was Ready last.
        let alone = ctx.holder.is_none();
        for pod in self.pods.values_mut().filter(|pod| scope.holds_pod(pod)) {
            pod.track_deletion(ctx.now.mono);
            pod.track_readiness(ctx.now, ctx.config.times.drain, alone, ctx.services);
        }
        if self.is_ours(ctx) {
            self.ask(ctx);
        }
        self.tell_bars(ctx);
        // Kubernetes deletes more Pods as long as it is not told that the base lives: everything else is later (rule W12).
        let is_told =
            !self.was_given_up() || self.life.liveness(ctx.now.mono, &ctx.config.times) != Liveness::Alive;
        if self.is_ours(ctx) && is_told {
            self.plan(&mut scope, ctx);
            self.settle_pods(&scope, ctx);
            self.look_for_own_pod(ctx);
            self.settle_modules(&scope, ctx);
        }
        if scope == Scope::All {
            self.leave(ctx);
            if self.is_ours(ctx) {
                self.write_node(ctx);
            }
        }
        self.renew_lease(ctx);
        scope
    }

    /// No other replica can have taken it up, as one may once its Node, and the Lease with it, may be gone.
    fn is_ours(&self, ctx: &Context<'_>) -> bool {
        ctx.holder.is_none() || !self.leaving.may_be_over()
    }

    /// It has gone and nothing is left to do for it.
    pub(crate) fn is_finished(&self, now: Duration, config: &Config) -> bool {
        let never_came = self.node.is_none()
            && !self.node_slot.is_busy()
            && self.life.silence(now) >= config.times.leave_after;
        self.leaving.is_done() && self.node.is_none() || never_came
    }

    /// When it wants to be advanced, if nothing happens until then. What is not in the scope was not looked at, and still
    /// waits for its time.
    pub(crate) fn wake(&mut self, scope: &Scope, ctx: &Context<'_>) -> Option<Duration> {
        let now = ctx.now.mono;
        let waits = self.due_of_names.filter(|_| *scope != Scope::All);
        self.due_of_names = waits.into_iter().chain(self.wakes_of_names(scope, now, &ctx.config.times)).min();
        self.due = self.due_of_names.into_iter().chain(self.wakes(now, &ctx.config.times)).min();
        let lease = self.node.is_some().then(|| self.lease.wake(now)).flatten();
        let asks = self.asks(&ctx.config.times).into_iter().flatten();
        self.due.into_iter().chain(lease.into_iter().chain(asks).filter(|&at| at > now)).min()
    }

    fn wakes_of_names(&self, scope: &Scope, now: Duration, times: &Times) -> Option<Duration> {
        let tries = self.managed.iter().filter(|(id, _)| scope.holds(&id.name));
        self.pod_wakes(scope)
            .chain(self.modules.wakes(scope, times.passing))
            .chain(tries.map(|(_, managed)| managed.next_try))
            .filter(|&at| at > now)
            .min()
    }

    fn wakes(&self, now: Duration, times: &Times) -> Option<Duration> {
        let query_limit = times.query_deadline + times.answer_grace;
        let ops = self.ops.values().map(|op| op.sent + op.deadline + times.answer_grace);
        let queries = [&self.inventory_query, &self.health_query];
        self.life
            .wake(now, times)
            .into_iter()
            .chain(ops)
            .chain(queries.into_iter().filter_map(|query| query.lost_at(query_limit)))
            .chain(self.node_slot.wake())
            .chain(self.node_contests.wakes())
            .chain(self.down_since.map(|since| since + times.pods_first))
            .chain(self.leaving.wake())
            .chain(self.base_zone.wake())
            .chain(self.playback.wake())
            .chain(self.evicted.wakes())
            .filter(|&at| at > now)
            .min()
    }

    /// When its questions are to be asked, which changes nothing else.
    fn asks(&self, times: &Times) -> [Option<Duration>; 2] {
        let asked = self.links.target(&self.identity, times.not_ready_after).is_some();
        [&self.inventory_query, &self.health_query].map(|query| query.due().filter(|_| asked))
    }

    /// Commands and queries whose end the tunnel never told: the engine says it itself.
    fn end_lost_commands(&mut self, ctx: &mut Context<'_>) {
        let (now, grace) = (ctx.now.mono, ctx.config.times.answer_grace);
        let lost: Vec<AnswerKey> = self
            .ops
            .values()
            .filter(|op| now >= op.sent + op.deadline + grace)
            .map(|op| op.key.clone())
            .chain(self.lost_queries(now, ctx))
            .collect();
        for key in lost {
            self.answer(&key, Err(CallError::TimedOut), ctx);
        }
    }

    fn lost_queries(&self, now: Duration, ctx: &Context<'_>) -> impl Iterator<Item = AnswerKey> + use<> {
        let limit = ctx.config.times.query_deadline + ctx.config.times.answer_grace;
        let inventory = self.inventory_query.is_lost(now, limit).then_some(CommandKind::QueryAllBiz);
        let health = self.health_query.is_lost(now, limit).then_some(CommandKind::Health);
        [inventory, health].into_iter().flatten().map(|command| AnswerKey { command, biz: None })
    }

    /// Notices that the base went down or came up again.
    fn track_standing(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let alive = self.life.liveness(now, &ctx.config.times) == Liveness::Alive;
        match (alive, self.down_since) {
            (false, None) => {
                self.down_since = Some(now);
                self.trouble = Some(TraceId::new(&[self.identity.as_str(), "down"], ctx.now));
            }
            (true, Some(_)) => {
                self.down_since = None;
                // It may have been started anew meanwhile: nothing is Ready before its list is read.
                self.inventory.forget();
                self.inventory_query.want(now);
            }
            _ => {}
        }
    }

    /// Sends the queries that are due.
    fn ask(&mut self, ctx: &mut Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        if self.life.liveness(now, times) == Liveness::Gone {
            return;
        }
        if self.inventory.has_doubt() && self.inventory_query.failures() == 0 {
            self.inventory_query.want(now);
        }
        let Some(target) = self.target(ctx.config) else { return };
        let mut due = Vec::new();
        if self.inventory_query.is_due(now) {
            self.inventory_query.sent(now, target.tunnel);
            due.push(Command::QueryAllBiz);
        }
        if self.health_query.is_due(now) {
            self.health_query.sent(now, target.tunnel);
            due.push(Command::Health);
        }
        for command in due {
            let (trace, deadline) = (self.trace_of(&command, ctx.now), times.query_deadline);
            ctx.out.push(Action::Call { target: target.clone(), command, deadline, trace });
        }
    }

    /// Sends a command that is about a biz.
    fn send(
        &mut self,
        command: Command,
        claim: Option<(Arc<str>, usize)>,
        displacing: bool,
        ctx: &mut Context<'_>,
    ) {
        let times = &ctx.config.times;
        let Some(target) = self.target(ctx.config) else { return };
        let Some(id) = command.biz().cloned() else { return };
        let deadline = match command.kind() {
            CommandKind::InstallBiz => times.install_deadline,
            _ => times.uninstall_deadline,
        };
        if command.kind() == CommandKind::InstallBiz {
            self.modules.installs(&id, ctx.now.mono, ctx.now.mono + deadline);
        }
        let key = AnswerKey { command: command.kind(), biz: Some(id.clone()) };
        self.inventory.touch(&id.name, ctx.now.mono);
        self.unexplained.remove(&id.name);
        let replaces =
            matches!(command, Command::InstallBiz { strategy: WireStrategy::UninstallThenInstall, .. });
        let package = match &command {
            Command::InstallBiz { spec, .. } => Some(spec.url.clone()),
            _ => None,
        };
        let trace = self.trace_of(&command, ctx.now);
        let op = Op {
            key,
            claim,
            displacing,
            replaces,
            package,
            sent: ctx.now.mono,
            tunnel: target.tunnel,
            deadline,
            trace,
        };
        self.ops.insert(id.name, Box::new(op));
        ctx.out.push(Action::Call { target, command, deadline, trace });
    }

    /// An answer came, or the news that none will.
    pub(crate) fn answer(&mut self, key: &AnswerKey, outcome: Outcome, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        match &outcome {
            Ok(_) | Err(CallError::Refused(_) | CallError::Malformed(_)) => {
                if self.life.is_assumed(now, &ctx.config.times) {
                    // What waited for a sign of life goes on, whatever this one is about.
                    self.put_off();
                }
                self.life.answered(now);
            }
            // Whatever answers at its port, it is not the base.
            Err(CallError::Unreachable(_) | CallError::NotArklet(_) | CallError::TimedOut) => {}
        }
        match key.command {
            CommandKind::QueryAllBiz => self.listed(outcome, ctx),
            CommandKind::Health => self.examined(outcome, ctx),
            CommandKind::BatchInstallBiz => self.played_back(outcome, ctx),
            _ => self.ended(key, outcome, ctx),
        }
    }

    /// The base's address, as its Pods carry it.
    fn ip(&self) -> String {
        let reported = self.report.as_ref().and_then(|report| report.ip).map(|ip| ip.to_string());
        reported.or_else(|| self.node.as_ref().and_then(node::internal_ip)).unwrap_or_default()
    }

    /// The base's host name; as its Node has it where the base was not heard by this process.
    fn host_name(&self) -> Arc<str> {
        let told = || self.node.as_ref()?.labels.get(node::HOST_NAME).cloned();
        let reported = self.report.as_ref().map(|report| report.host_name.clone());
        reported.or_else(told).unwrap_or_default()
    }

    /// Arklet's address, where it is reached over HTTP.
    fn http_address(&self, config: &Config) -> Option<SocketAddr> {
        self.links.target(&self.identity, config.times.not_ready_after)?.address
    }
}
