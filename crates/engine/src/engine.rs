//! The engine: which event concerns which VNode, and when each wants to be looked at again.

mod census;
mod sharing;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use arklet::{BaselineQuery, CallError};
use model::{BaseIdentity, BaseReport, BaseState, BizName, TunnelKind, name};

use crate::{
    action::Action,
    baseline::{self, Question, Questions, Rollouts},
    config::{Config, MOST_BASES, MOST_STRANGERS},
    event::{Event, Now, Watched, Write},
    ordering::{losses::Losses, newest::Revisions, permits::Permits},
    orphans::Orphans,
    ownership::{Ownership, Twin},
    replicas::{self, Peers, Workloads},
    services::Services,
    unplaced::Unplaced,
    view::{ModuleKey, ModuleRef, ModuleView, NodeView, PodView, WorkloadRef, WorkloadView},
    vnode::{self, Context, Fleet, Playback, Scope, VNode, Voice},
    zones::Zones,
};

pub use self::census::Census;

/// How many VNodes stand how, for metrics and for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// VNodes that have a Node.
    pub vnodes: usize,
    /// Those of them of which nothing has been heard for too long.
    pub silent: usize,
    /// Heartbeats that were refused because they claim the identity of a base that is alive elsewhere.
    pub claims_refused: u64,
    /// Bases that were heard and have no Node, because they have not answered yet.
    pub strangers: usize,
    /// Heartbeats so far that were not taken: there are too many bases, or the base would bear the Node name of another.
    pub turned_away: u64,
    /// The watches have told all.
    pub synced: bool,
    /// Replicas that live, with this one.
    pub members: usize,
    /// This replica may not act: it cannot say that no other has ended it.
    pub fenced_off: bool,
    /// This replica does not reach its bases.
    pub cut_off: bool,
    /// So many VNodes are silent at once that it is not their bases that are at fault: none is deleted.
    pub held_back: bool,
}

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
    /// Pods bound to a Node that stands for no base of ours (yet), by Node and UID.
    waiting_pods: HashMap<Arc<str>, BTreeMap<Arc<str>, PodView>>,
    /// Which Node a Pod is bound to, by UID.
    pod_nodes: HashMap<Arc<str>, Arc<str>>,
    /// Module Pods that no Node was found for.
    unplaced: Unplaced,
    /// Nodes seen before all were told, by name.
    early_nodes: BTreeMap<Arc<str>, NodeView>,
    /// The last heartbeats of before all Nodes were told: a base's Node may bear another name.
    early_reports: BTreeMap<BaseIdentity, (TunnelKind, BaseReport)>,
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
    /// Questions for the baseline that wait for the workloads to be known.
    questions: Questions,
    /// What bases that have no VNode yet were told to install.
    playbacks: BTreeMap<BaseIdentity, GivenBaseline>,
    http_up: Option<Duration>,
    mqtt_up: Option<Duration>,
    silent: BTreeSet<BaseIdentity>,
    claims_refused: u64,
    wakes: BTreeSet<(Duration, BaseIdentity)>,
    wake_of: HashMap<BaseIdentity, Duration>,
    /// Who acts for which VNode; none where this is the only replica.
    pub(crate) ownership: Option<Ownership>,
    /// When something is to be done about it.
    shared_wake: Option<Duration>,
}

/// What a base that has no VNode yet was told to install, and who had asked.
#[derive(Debug)]
struct GivenBaseline {
    tunnel: TunnelKind,
    peer: Option<IpAddr>,
    playback: Playback,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(config: Config) -> Self {
        let synced = never_told(&config);
        let ownership = config.cluster.clone().map(|cluster| Ownership::new(cluster, config.door.clone()));
        let permits = Permits::new(&config);
        Self {
            config,
            vnodes: BTreeMap::new(),
            by_node: HashMap::new(),
            strangers: HashSet::new(),
            turned_away: 0,
            waiting_pods: HashMap::new(),
            pod_nodes: HashMap::new(),
            unplaced: Unplaced::default(),
            early_nodes: BTreeMap::new(),
            early_reports: BTreeMap::new(),
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
            questions: Questions::default(),
            playbacks: BTreeMap::new(),
            http_up: None,
            mqtt_up: None,
            silent: BTreeSet::new(),
            claims_refused: 0,
            wakes: BTreeSet::new(),
            wake_of: HashMap::new(),
            // At the first step it is told what to wait for.
            shared_wake: None,
            ownership,
        }
    }

    /// Counts, as of `now` on the engine's clock.
    pub fn summary(&self, now: Duration) -> Summary {
        let members = self.ownership.as_ref().map(|shared| &shared.members);
        Summary {
            vnodes: self.vnodes.len().saturating_sub(self.strangers.len()),
            silent: self.silent.len(),
            strangers: self.strangers.len(),
            turned_away: self.turned_away,
            claims_refused: self.claims_refused,
            synced: self.is_synced(),
            members: members.map_or(1, |members| members.living().count()),
            fenced_off: members.is_some_and(|members| !members.may_act(now)),
            cut_off: self.ownership.as_ref().is_some_and(|shared| shared.reach.is_cut_off()),
            held_back: self.fleet().are_many_silent(),
        }
    }

    /// Another replica that lives under this one's `CLIENT_ID`, in another Pod.
    pub fn twin(&self) -> Option<Twin> {
        self.ownership.as_ref()?.members.twin()
    }

    /// When [`Event::Tick`] is due; none while nothing waits for time.
    pub fn next_wake(&self) -> Option<Duration> {
        let vnodes = self.wakes.first().map(|(at, _)| *at);
        let workloads = self.peers.next_wake().into_iter().chain(self.rollouts.next_wake()).min();
        let (questions, unplaced) = (self.questions.next_wake(), self.unplaced.next_wake());
        [vnodes, workloads, questions, unplaced, self.orphans_wake, self.shared_wake]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes one event and says what to do.
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut out = Vec::new();
        self.lead(now, &mut out);
        if let Some(event) = self.share(event, now, &mut out) {
            self.take(event, now, &mut out);
        }
        while let Some(base) = self.permits.next_freed() {
            self.visit(&base, now, &mut out, |_, _| {});
        }
        self.keep_shared(now, &mut out);
        out
    }

    fn take(&mut self, event: Event, now: Now, out: &mut Vec<Action>) {
        match event {
            Event::Heartbeat { tunnel, report } => {
                self.reaches_a_base(now);
                self.heartbeat(tunnel, report, now, out);
            }
            Event::Forwarded(report) => self.forwarded(report, now, out),
            Event::Answer { tunnel, base, key, outcome } => {
                if !matches!(outcome, Err(CallError::TimedOut | CallError::Unreachable(_))) {
                    self.reaches_a_base(now);
                }
                self.visit(&base, now, out, |vnode, ctx| vnode.answered(tunnel, &key, outcome, ctx));
            }
            Event::BaselineQuery { tunnel, query, ask } => {
                self.visit(&query.identity, now, out, |vnode, ctx| {
                    vnode.asked_for_baseline(tunnel, query.peer, ctx);
                });
                if self.answers(tunnel, &query.identity) {
                    self.asked(tunnel, query, ask, now, out);
                }
            }
            Event::TunnelUp(tunnel) => {
                *self.tunnel(tunnel) = Some(now.mono);
                if let Some(shared) = &mut self.ownership {
                    shared.reach.tunnel_up();
                }
            }
            Event::TunnelDown(tunnel) => *self.tunnel(tunnel) = None,
            Event::Pod(view) => self.see_pod(*view, now, out),
            Event::PodGone(pod) => self.lose_pod(&pod.uid, now, out),
            Event::Unplaced(view) => self.unplaced.see(*view, now.mono),
            Event::UnplacedGone { uid } => self.unplaced.lose(&uid),
            Event::Node(view) => self.see_node(*view, now, out),
            Event::NodeGone { name, uid } => self.lose_node(&name, &uid, now, out),
            Event::Module(view) => self.see_module(*view, now, out),
            Event::ModuleGone { key, module } => self.lose_module(&key, &module, now, out),
            Event::Service(view) => self.services.see(view),
            Event::ServiceGone { namespace, uid } => self.services.lose(&namespace, &uid),
            Event::Synced(kind) => self.synced(kind, now, out),
            Event::Unavailable(kind) => {
                self.config.modules &= kind != Watched::Modules;
                self.synced(kind, now, out);
            }
            Event::Revision { replica_set, revision } => {
                if self.revisions.insert(replica_set.clone(), revision) != Some(revision) {
                    self.reorder(&replica_set, now, out);
                }
            }
            Event::RevisionGone { replica_set } => {
                if self.revisions.remove(&replica_set).is_some() {
                    self.reorder(&replica_set, now, out);
                }
            }
            Event::Workload(view) => self.see_workload(*view, now, out),
            Event::WorkloadGone(workload) => self.lose_workload(&workload),
            Event::Written { write: Write::ScaleDeployment(deployment), result } => {
                self.with_peers(now, out, |peers, _, scope| peers.written(&deployment, &result, scope));
            }
            Event::Written { write: Write::RecordRollout(workload), result } => {
                self.with_rollouts(now, out, |rollouts, workloads, turn| {
                    if let Some(view) = workloads.get(&workload.uid) {
                        rollouts.written(view, &result, turn);
                    }
                });
            }
            Event::Written { write, result } => {
                if let Some(base) = self.owner_of(&write) {
                    self.visit(&base, now, out, |vnode, ctx| vnode.written(&write, &result, ctx));
                } else if let Write::DeleteModule(key) = &write {
                    self.orphans.written(key, now.mono, &result);
                    self.collect_orphans(now, out);
                }
            }
            Event::BasePod { base, found } => {
                self.visit(&base, now, out, |vnode, ctx| vnode.found_base_pod(&found, ctx));
            }
            Event::Tick => self.tick(now, out),
            // Taken before; none of these is told where there is a single replica.
            Event::Member(_)
            | Event::MemberGone { .. }
            | Event::Lease(_)
            | Event::LeaseGone { .. }
            | Event::Permits(_)
            | Event::PermitsGone { .. } => {}
        }
    }

    fn is_synced(&self) -> bool {
        let shared = [Watched::Members, Watched::Leases];
        Watched::NEEDED.iter().chain(&shared).all(|kind| self.synced.contains(kind))
    }

    fn tunnel(&mut self, tunnel: TunnelKind) -> &mut Option<Duration> {
        match tunnel {
            TunnelKind::Http => &mut self.http_up,
            TunnelKind::Mqtt => &mut self.mqtt_up,
        }
    }

    fn heartbeat(&mut self, tunnel: TunnelKind, report: BaseReport, now: Now, out: &mut Vec<Action>) {
        let identity = report.identity.clone();
        if !self.is_synced() {
            match self.early_reports.get(&identity) {
                Some((way, before)) if !vnode::may_follow((*way, before), tunnel, &report) => {
                    self.claims_refused += 1;
                }
                None if self.early_reports.len() >= MOST_BASES => self.turned_away += 1,
                _ => drop(self.early_reports.insert(identity, (tunnel, report))),
            }
            return;
        }
        if !self.vnodes.contains_key(&identity) {
            if self.ownership.is_some() {
                return self.overhear(tunnel, report, now, out);
            }
            if report.state == BaseState::Deactivated {
                return;
            }
            let name: Arc<str> = self.config.name_format.node_name(&identity, &self.config.env).into();
            if !self.has_room_for(&name) {
                self.turned_away += 1;
                return;
            }
            let mut vnode = VNode::heard(name, &report, now.mono);
            vnode.play_back(self.told(tunnel, &report));
            self.adopt_vnode(vnode, identity.clone(), now.mono);
        }
        let mut voice = Voice::Own;
        self.visit(&identity, now, out, |vnode, ctx| {
            voice = vnode.voice(tunnel, &report, ctx.now, ctx.config);
            match voice {
                Voice::Own => vnode.heartbeat(tunnel, report, ctx),
                Voice::Echo => vnode.echo(tunnel, &report, ctx),
                Voice::Claim => vnode.refuse_claim(tunnel, &report, ctx),
            }
        });
        self.claims_refused += u64::from(voice == Voice::Claim);
    }

    /// A base that was never heard may be taken up under this Node's name. What is no legal name is made one, and another
    /// base may really be called so: two bases never share a Node.
    fn has_room_for(&self, name: &Arc<str>) -> bool {
        self.strangers.len() < MOST_STRANGERS
            && self.vnodes.len() < MOST_BASES
            && !self.by_node.contains_key(name)
    }

    /// A new VNode, with the Pods that wait for it.
    fn adopt_vnode(&mut self, mut vnode: VNode, identity: BaseIdentity, now: Duration) {
        for (_, pod) in self.waiting_pods.remove(vnode.name()).unwrap_or_default() {
            self.permits.take_up(&pod);
            vnode.see_pod(pod);
        }
        for module in self.orphans.take(vnode.name()) {
            vnode.inherit_module(module, now, &self.config);
        }
        self.by_node.insert(vnode.name().clone(), identity.clone());
        self.vnodes.insert(identity, Box::new(vnode));
    }

    fn see_pod(&mut self, view: PodView, now: Now, out: &mut Vec<Action>) {
        self.pod_nodes.insert(view.pod.uid.clone(), view.node.clone());
        self.permits.see_pod(&view);
        let loser = view.controller.clone().filter(|_| self.losses.see_pod(&view, now.mono));
        match self.by_node.get(&view.node).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.see_pod(view)),
            None => {
                self.waiting_pods.entry(view.node.clone()).or_default().insert(view.pod.uid.clone(), view);
            }
        }
        if let Some(controller) = loser {
            self.reorder(&controller, now, out);
        }
    }

    fn lose_pod(&mut self, uid: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let Some(node) = self.pod_nodes.remove(uid) else { return };
        self.permits.lose_pod(uid);
        self.losses.lose_pod(uid, now.mono);
        if let Some(waiting) = self.waiting_pods.get_mut(&node) {
            waiting.remove(uid);
            if waiting.is_empty() {
                self.waiting_pods.remove(&node);
            }
        }
        if let Some(base) = self.by_node.get(&node).cloned() {
            self.visit(&base, now, out, |vnode, _| vnode.lose_pod(uid));
        }
    }

    fn see_node(&mut self, view: NodeView, now: Now, out: &mut Vec<Action>) {
        if let Some(zone) = view.labels.get(vnode::ZONE) {
            self.zones.see(&view.name, zone);
        }
        if !self.is_synced() {
            self.early_nodes.insert(view.name.clone(), view);
            return;
        }
        let name = view.name.clone();
        self.see_shared_node(&view, now);
        match self.by_node.get(&name).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.see_node(view)),
            None if self.ownership.is_some() => {}
            None => self.adopt_node(view, now, out),
        }
        self.recount(&name, now, out);
    }

    /// A Node of our environment whose base has not been heard: it is asked.
    fn adopt_node(&mut self, view: NodeView, now: Now, out: &mut Vec<Action>) {
        let Some(identity) = vnode::identity_of(&view, &self.config) else { return };
        if !self.vnodes.contains_key(&identity) {
            let vnode = VNode::adopted(identity.clone(), view, now.mono);
            self.adopt_vnode(vnode, identity.clone(), now.mono);
            self.visit(&identity, now, out, |_, _| {});
        }
    }

    fn lose_node(&mut self, name: &Arc<str>, uid: &str, now: Now, out: &mut Vec<Action>) {
        // A list tells first what there is, and then what has gone since the one before.
        if self.early_nodes.get(name).or_else(|| self.node(name)).is_some_and(|node| *node.uid != *uid) {
            return;
        }
        self.early_nodes.remove(name);
        if !self.by_node.contains_key(name) {
            self.zones.free(name);
        }
        if let Some(shared) = &mut self.ownership {
            shared.claims.lose_node(name, uid, &shared.members, now.mono);
        }
        if let Some(base) = self.by_node.get(name).cloned() {
            self.visit(&base, now, out, |vnode, _| vnode.lose_node(uid));
        }
        self.recount(name, now, out);
    }

    /// The Node of this name, whoever acts for it.
    fn node(&self, name: &Arc<str>) -> Option<&NodeView> {
        match &self.ownership {
            Some(shared) => shared.claims.base(name).and_then(|base| base.node.as_ref()),
            None => self.by_node.get(name).and_then(|base| self.vnodes.get(base)?.node()),
        }
    }

    /// A Node changed: it may count for peer Deployments, or no more.
    fn recount(&mut self, name: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let mut peers = std::mem::take(&mut self.peers);
        let scope = replicas::Scope { workloads: &self.workloads, env: &self.config.env, now: now.mono, out };
        peers.node(name, self.node(name), scope);
        self.peers = peers;
    }

    /// A ReplicaSet's revision changed, or what it makes lost to another owner's: others may be the newest.
    fn reorder(&mut self, replica_set: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let bases: Vec<BaseIdentity> = self
            .vnodes
            .iter()
            .filter(|(_, vnode)| vnode.has_pod_of(replica_set))
            .map(|(base, _)| base.clone())
            .collect();
        for base in bases {
            self.visit(&base, now, out, |_, _| {});
        }
    }

    /// All that a baseline is made of is known.
    fn knows_baselines(&self) -> bool {
        let workloads = [Watched::Deployments, Watched::DaemonSets];
        self.is_synced() && workloads.iter().all(|kind| self.synced.contains(kind))
    }

    /// A base asks for its baseline.
    fn asked(&mut self, tunnel: TunnelKind, query: BaselineQuery, ask: u64, now: Now, out: &mut Vec<Action>) {
        if self.knows_baselines() {
            self.answer_baseline(tunnel, &query, ask, now, out);
        } else if !self.config.module_deployments {
            out.push(Action::AnswerBaseline { tunnel, base: query.identity, ask, modules: Vec::new() });
        } else if let Some(question) = self.questions.keep(tunnel, query, ask, now.mono) {
            out.push(nothing(question));
        }
    }

    fn answer_baseline(
        &mut self,
        tunnel: TunnelKind,
        query: &BaselineQuery,
        ask: u64,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let base = query.identity.clone();
        let node = vnode::expected_node(tunnel, query, self.vnodes.get(&base).map(Box::as_ref), &self.config);
        let sources = baseline::Sources {
            workloads: &self.workloads,
            rollouts: &self.rollouts,
            nodes: &self.nodes(),
            env: &self.config.env,
        };
        let served_by = |name: &BizName| self.vnodes.get(&base)?.serving_namespace(name);
        let modules = baseline::modules(&node, &sources, served_by);
        let playback = Playback::new(modules.iter().map(|spec| spec.id.name.clone()), now.mono);
        match self.vnodes.get_mut(&base) {
            Some(vnode) if vnode.may_play_back(tunnel, query.peer, now, &self.config) => {
                vnode.play_back(playback);
            }
            // Somebody else who asks in its name says nothing about it.
            Some(_) => {}
            None => {
                // A base that never comes leaves nothing behind.
                self.playbacks.retain(|_, told| told.playback.is_under_way(now.mono));
                // One more that is not remembered may be told to install what it installs already, and says so.
                if self.playbacks.len() < MOST_STRANGERS {
                    self.playbacks.insert(base.clone(), GivenBaseline { tunnel, peer: query.peer, playback });
                }
            }
        }
        out.push(Action::AnswerBaseline { tunnel, base, ask, modules });
    }

    /// What a base that is heard for the first time was told to install: it has asked from where it is heard now.
    fn told(&mut self, tunnel: TunnelKind, report: &BaseReport) -> Playback {
        let told = self.playbacks.remove(&report.identity);
        let is_its = |told: &GivenBaseline| match told.tunnel {
            TunnelKind::Mqtt => true,
            TunnelKind::Http => tunnel == TunnelKind::Http && told.peer == report.peer,
        };
        told.filter(is_its).map(|told| told.playback).unwrap_or_default()
    }

    fn see_workload(&mut self, view: WorkloadView, now: Now, out: &mut Vec<Action>) {
        let uid = view.workload.uid.clone();
        self.permits.see_workload(&view);
        self.workloads.insert(uid.clone(), view);
        self.with_peers(now, out, |peers, nodes, scope| peers.workload(&uid, nodes.iter().copied(), scope));
        self.with_rollouts(now, out, |rollouts, workloads, turn| {
            if let Some(view) = workloads.get(&uid) {
                rollouts.see(view, turn);
            }
        });
    }

    fn lose_workload(&mut self, workload: &WorkloadRef) {
        self.workloads.remove(&workload.uid);
        self.rollouts.forget(&workload.uid);
        self.permits.lose_workload(workload);
        self.peers.forget(&workload.uid);
    }

    fn with_peers(
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

    fn with_rollouts(
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
    fn begin_peers(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.leads() && self.is_synced() && self.synced.contains(&Watched::Deployments) {
            self.with_peers(now, out, |peers, nodes, scope| peers.begin(nodes.iter().copied(), scope));
        }
        self.with_rollouts(now, out, |rollouts, workloads, turn| rollouts.tick(workloads, true, turn));
    }

    /// All objects of a kind have been told; once what is needed is, work begins.
    fn synced(&mut self, kind: Watched, now: Now, out: &mut Vec<Action>) {
        let was_synced = self.is_synced();
        self.synced.insert(kind);
        if self.is_synced() && !was_synced {
            if let Some(shared) = &mut self.ownership {
                shared.members.synced();
            }
            self.begin(now, out);
        }
        self.begin_peers(now, out);
        if self.knows_baselines() {
            for question in self.questions.take() {
                self.answer_baseline(question.tunnel, &question.query, question.ask, now, out);
            }
        }
    }

    /// Takes up what was seen before all was.
    fn begin(&mut self, now: Now, out: &mut Vec<Action>) {
        let nodes = std::mem::take(&mut self.early_nodes);
        // Where a base has Nodes under both names, the one of the present format is the base's.
        let (preferred, others): (Vec<_>, Vec<_>) = nodes.into_values().partition(|node| {
            vnode::identity_of(node, &self.config)
                .is_some_and(|id| self.config.name_format.node_name(&id, &self.config.env) == *node.name)
        });
        for node in preferred.into_iter().chain(others) {
            if self.ownership.is_some() {
                self.see_shared_node(&node, now);
            } else {
                self.adopt_node(node, now, out);
            }
        }
        for (_, (tunnel, report)) in std::mem::take(&mut self.early_reports) {
            self.heartbeat(tunnel, report, now, out);
        }
    }

    fn owner_of(&self, write: &Write) -> Option<BaseIdentity> {
        let node = match write {
            Write::CreateNode(node)
            | Write::PatchNode(node)
            | Write::PatchNodeStatus(node)
            | Write::DeleteNode(node)
            | Write::RenewLease(node) => node,
            Write::PatchPodStatus(pod) | Write::DeletePod(pod) => self.pod_nodes.get(&pod.uid)?,
            Write::CreateModule(key)
            | Write::PatchModule(key)
            | Write::PatchModuleStatus(key)
            | Write::DeleteModule(key) => &key.vnode,
            Write::ScaleDeployment(_)
            | Write::RecordRollout(_)
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

    fn see_module(&mut self, view: ModuleView, now: Now, out: &mut Vec<Action>) {
        // What stands for no biz under this name is none of ours, whatever its labels say.
        if *view.module.name != *name::module_name(&view.key.vnode, &view.key.id) {
            return;
        }
        match self.by_node.get(&view.key.vnode).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, ctx| vnode.see_module(view, ctx.config)),
            None => {
                if self.ownership.is_some() {
                    self.orphans.spare(&view.key.vnode, now.mono + self.config.times.spare);
                }
                self.orphans.see(view, &self.config.namespace, now.mono + self.config.times.collect_after);
                self.collect_orphans(now, out);
            }
        }
    }

    fn lose_module(&mut self, key: &ModuleKey, module: &ModuleRef, now: Now, out: &mut Vec<Action>) {
        match self.by_node.get(&key.vnode).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.lose_module(&key.id, module)),
            None => self.orphans.lose(key, module),
        }
    }

    fn collect_orphans(&mut self, now: Now, out: &mut Vec<Action>) {
        match &self.ownership {
            None => self.orphans.collect(now.mono, |_| true, out),
            // What another acts for, or may, is no orphan.
            Some(shared) if shared.leads => {
                self.orphans.collect(now.mono, |vnode| !shared.claims.is_known(vnode), out);
            }
            Some(_) => {}
        }
        self.orphans_wake = self.orphans.wake(now.mono);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.orphans_wake.is_some_and(|at| at <= now.mono) {
            self.collect_orphans(now, out);
        }
        while let Some(question) = self.questions.next_due(now.mono) {
            out.push(nothing(question));
        }
        if self.peers.next_wake().is_some_and(|at| at <= now.mono) {
            self.with_peers(now, out, |peers, _, scope| peers.tick(scope));
        }
        if self.rollouts.next_wake().is_some_and(|at| at <= now.mono) {
            self.with_rollouts(now, out, |rollouts, workloads, turn| rollouts.tick(workloads, false, turn));
        }
        if self.unplaced.next_wake().is_some_and(|at| at <= now.mono) {
            self.look_at_unplaced(now, out);
        }
        while let Some((at, base)) = self.wakes.first().cloned() {
            if at > now.mono {
                return;
            }
            self.wakes.pop_first();
            self.wake_of.remove(&base);
            self.visit(&base, now, out, |vnode, _| vnode.time_passed());
        }
    }

    /// Tells the Pods that find no place because of their siblings.
    fn look_at_unplaced(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut unplaced = std::mem::take(&mut self.unplaced);
        let speaks = self.leads() && self.is_synced();
        let bound = || {
            let of_vnodes = self.vnodes.values().flat_map(|vnode| vnode.pods());
            of_vnodes.chain(self.waiting_pods.values().flat_map(BTreeMap::values))
        };
        unplaced.tick(now.mono, speaks, &self.nodes(), bound, out);
        self.unplaced = unplaced;
    }

    /// All bases of this controller, counted.
    fn fleet(&self) -> Fleet {
        Fleet {
            // Whoever makes bases up neither hides that many real ones are silent, nor makes it look so.
            total: self.vnodes.len().saturating_sub(self.strangers.len()),
            silent: self.silent.len(),
            http_up: self.http_up,
            mqtt_up: self.mqtt_up,
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
        let (services, revisions) = (&self.services, &self.revisions);
        let config = &self.config;
        let mut ctx =
            Context { config, now, holder, fleet, services, revisions, zones, permits, losses, out };
        change(vnode, &mut ctx);
        if !may_act {
            if let Some(shared) = &mut self.ownership {
                shared.frozen = true;
            }
            vnode.put_off();
            return self.schedule(base, None);
        }
        // Nearly all that is heard are heartbeats like those before; a base may have a thousand modules to go through.
        let nothing_is_due = self.wake_of.get(base).is_some_and(|&at| at > now.mono);
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
            self.schedule(base, wake);
        }
    }

    /// A VNode is gone. Pods that were being deleted on it have nothing left to wait for; the
    /// others are left to Kubernetes, which collects them or gives the base time to come back.
    fn forget(&mut self, base: &BaseIdentity, now: Now, out: &mut Vec<Action>) {
        let Some(mut vnode) = self.take_down(base) else { return };
        vnode.give_permits_back(&mut self.permits);
        let name = vnode.name().clone();
        self.zones.free(&name);
        if let Some(shared) = &mut self.ownership {
            out.extend(shared.claims.left(&name, !vnode.is_leaving(), &shared.members));
        }
        let base_ended = vnode.said_goodbye(now.mono, &self.config);
        let collect_after = match base_ended {
            // A goodbye may be overtaken by the first heartbeat of the base's next life: what that one
            // has installed by then is known by its objects until its next heartbeat.
            true => self.config.times.not_ready_after,
            false => self.config.times.collect_after,
        };
        let (pods, modules) = vnode.into_parts();
        let pods: BTreeMap<_, _> = pods.map(|pod| (pod.pod.uid.clone(), pod)).collect();
        for module in modules {
            self.orphans.see(module, &self.config.namespace, now.mono + collect_after);
        }
        if base_ended {
            self.orphans.base_ended(&name);
        }
        self.collect_orphans(now, out);
        for pod in pods.values().filter(|pod| pod.deletion.is_some()) {
            out.push(Action::DeletePod { pod: pod.pod.clone() });
        }
        if !pods.is_empty() {
            self.waiting_pods.insert(name, pods);
        }
    }

    /// The state machine of a VNode, which is no more.
    fn take_down(&mut self, base: &BaseIdentity) -> Option<VNode> {
        let vnode = self.vnodes.remove(base)?;
        self.permits.bars(base, Vec::new());
        self.schedule(base, None);
        self.silent.remove(base);
        self.strangers.remove(base);
        self.by_node.remove(vnode.name());
        Some(*vnode)
    }

    fn schedule(&mut self, base: &BaseIdentity, wake: Option<Duration>) {
        if let Some(old) = self.wake_of.remove(base) {
            self.wakes.remove(&(old, base.clone()));
        }
        if let Some(at) = wake {
            self.wake_of.insert(base.clone(), at);
            self.wakes.insert((at, base.clone()));
        }
    }
}

/// What is not waited for, because nobody watches it.
fn never_told(config: &Config) -> HashSet<Watched> {
    let modules = (!config.modules).then_some(Watched::Modules);
    let shared = [Watched::Members, Watched::Leases].into_iter().filter(|_| config.cluster.is_none());
    modules.into_iter().chain(shared).collect()
}

/// The answer where a baseline cannot be told in time.
fn nothing(question: Question) -> Action {
    let Question { tunnel, query, ask, .. } = question;
    Action::AnswerBaseline { tunnel, base: query.identity, ask, modules: Vec::new() }
}

#[cfg(test)]
mod tests;
