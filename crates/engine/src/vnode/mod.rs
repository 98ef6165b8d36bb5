//! A VNode: the small state machine that stands for one base.
//!
//! Events change what is known; [`VNode::advance`] then compares what is known with what is wanted
//! and says what to do. It is level-triggered: called once more, or after a restart, it comes to
//! the same end.

mod announce;
mod answers;
mod commands;
mod ending;
mod evicted;
mod explained;
mod gaps;
mod hearing;
mod held;
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
mod objects;
mod own_pod;
mod permits;
mod playback;
mod pods;
mod query;
mod reconcile;
mod resources;
mod room;
mod scope;
pub(crate) mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
mod waits;
mod wakes;
mod written;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arklet::Health;
use model::{BaseIdentity, BaseReport, BizId, BizName, Fault, TunnelKind};

use crate::{
    action::{Action, Target},
    config::{Config, Times},
    engine::Census,
    event::Now,
    ordering::{losses::Losses, newest::Revisions, permits::Permits},
    plans::Plans,
    pod::ModulePod,
    services::Services,
    trace::TraceId,
    view::NodeView,
    write_slot::WriteSlot,
    zones::Zones,
};
use announce::News;
use commands::Op;
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
use query::Query;
use reconcile::Arranged;
use scope::Happened;
use zone::BaseZone;

pub(crate) use identity_owner::{Voice, may_follow};
pub(crate) use node::{HOST_NAME, TUNNEL_PORT, ZONE, base_ip, expected_node, identity_of};
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
    /// More writes wait for the API server than it carries out in a moment.
    pub(crate) is_backlogged: bool,
    pub(crate) services: &'a Services,
    /// Which ReplicaSet is of which revision.
    pub(crate) revisions: &'a Revisions,
    /// Operation plans, which hold Pods back.
    pub(crate) plans: &'a Plans,
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
    /// VNodes that are silent now.
    pub(crate) silent: usize,
    /// Since when HTTP carries messages.
    pub(crate) http_up: Option<Duration>,
    /// Since when MQTT carries messages.
    pub(crate) mqtt_up: Option<Duration>,
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
    /// What its Node said last of what is ours there to offer.
    told_offers: Option<Arc<str>>,
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
        vnode.note_offers(&node);
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
            told_offers: None,
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
        let is_busy = |pod: &ModulePod| {
            let is_deleted = pod.delete_slot().is_some_and(|slot| slot.is_busy());
            pod.status_slot.is_busy() || is_deleted || pod.is_draining(now)
        };
        let pods = self.pods.values().map(Box::as_ref).any(is_busy);
        well && self.node.is_some() && self.ops.is_empty() && !writes && !pods && !self.modules.are_written()
    }

    /// It goes because its base said goodbye: what the base held went with it.
    pub(crate) fn said_goodbye(&self, now: Duration, config: &Config) -> bool {
        self.life.liveness(now, &config.times) == Liveness::Gone
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
            self.reconcile(&mut scope, ctx);
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

    /// The base's address, as its Pods carry it.
    fn ip(&self) -> String {
        let reported = self.report.as_ref().and_then(|report| report.ip).map(|ip| ip.to_string());
        reported.or_else(|| self.node.as_ref().and_then(node::base_ip)).unwrap_or_default()
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
