//! What happens outside: the engine's only input.

use std::{sync::Arc, time::Duration};

use arklet::{AnswerKey, BaselineQuery, Outcome};
use jiff::Timestamp;
use model::{BaseIdentity, BaseReport, TunnelKind};

use crate::request::{BasePod, Write, WriteError};
use crate::view::{
    BaselineRef, BaselineView, LeaseView, MemberView, ModuleKey, ModuleRef, ModuleView, NodeView,
    PermitsView, PlanRef, PlanView, PodRef, PodView, ServiceView, UnplacedView, WorkloadRef, WorkloadView,
};

/// The time of a step, given from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since the controller started, which never jumps: every deadline is held against it.
    pub mono: Duration,
    /// Wall clock, for what people read. Nothing is decided by it.
    pub wall: Timestamp,
}

/// A kind of object that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watched {
    /// Pods that are bound to a Node.
    Pods,
    /// Nodes that stand for bases.
    Nodes,
    /// Module objects of our environment.
    Modules,
    /// Services, which may send requests to modules.
    Services,
    /// Pods of modules that are bound to no Node, by the manual's label.
    UnplacedPods,
    /// Those that have the Go controller's label only.
    UpstreamUnplacedPods,
    /// ReplicaSets of modules, by the manual's label.
    ReplicaSets,
    /// ReplicaSets of modules that have the Go controller's label only.
    UpstreamReplicaSets,
    /// Deployments of modules; only where they are managed.
    Deployments,
    /// DaemonSets of modules; only where Deployments are managed.
    DaemonSets,
    /// Operation plans; only where Deployments are managed.
    Plans,
    /// ModuleBaseline objects; only where Deployments are managed.
    Baselines,
    /// Membership Leases of the replicas; only where there may be several.
    Members,
    /// Leases of VNodes; only where there may be several replicas.
    Leases,
    /// Leases of permits; only where there may be several replicas. Until they are known none is taken.
    Permits,
}

impl Watched {
    /// What must be known before anything is done: Nodes and Pods, what was installed, who may be sending requests to
    /// it, the revisions by which an older Pod is known for one although it was made later, and the plans that hold Pods back.
    pub const NEEDED: [Self; 7] = [
        Self::Nodes,
        Self::Pods,
        Self::Modules,
        Self::Services,
        Self::ReplicaSets,
        Self::UpstreamReplicaSets,
        Self::Plans,
    ];
}

/// The closed set of what can happen, by where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Bases spoke, or a way to them changed.
    Tunnel(TunnelEvent),
    /// What the API server has changed.
    Cluster(ClusterEvent),
    /// What replicas share changed; none where there is a single replica.
    Replica(ReplicaEvent),
    /// A write ended. Where it returned the object, that was told before.
    Written {
        /// Which.
        write: Write,
        /// How.
        result: Result<(), WriteError>,
    },
    /// The answer to [`crate::Request::FindBasePod`].
    BasePod {
        /// Whose.
        base: BaseIdentity,
        /// The Pod, where there is one; the error where nobody knows.
        found: Result<Option<BasePod>, WriteError>,
    },
    /// The answer to [`crate::Action::AskMetric`].
    Metric {
        /// Whose.
        plan: PlanRef,
        /// To which question.
        question: plan::Question,
        /// What.
        answer: plan::MetricAnswer,
    },
    /// The answer to [`crate::Action::AskHealth`].
    Health {
        /// Whose.
        plan: PlanRef,
        /// Of which round.
        round: u64,
        /// What each base said, by its key.
        answers: plan::HealthAnswers,
    },
    /// Time passed: [`crate::Engine::next_wake`] is reached.
    Tick,
}

/// What comes over the tunnels.
#[derive(Debug, Clone, PartialEq)]
pub enum TunnelEvent {
    /// A base spoke.
    Heartbeat {
        /// How it came.
        tunnel: TunnelKind,
        /// What it said.
        report: BaseReport,
    },
    /// A base spoke over HTTP to another replica, which sends it on to the one that acts for it. It is never sent on
    /// again.
    Forwarded(BaseReport),
    /// A command ended, or a base told something that nobody asked (over MQTT after the deadline).
    Answer {
        /// How it came.
        tunnel: TunnelKind,
        /// Whose answer.
        base: BaseIdentity,
        /// To which command.
        key: AnswerKey,
        /// What.
        outcome: Outcome,
    },
    /// A base has just been started, and asks what it shall install.
    BaselineQuery {
        /// How it asked.
        tunnel: TunnelKind,
        /// Who, and what it told of itself.
        query: BaselineQuery,
        /// Given back with [`crate::ToBase::AnswerBaseline`].
        ask: u64,
    },
    /// A tunnel carries messages (again).
    TunnelUp(TunnelKind),
    /// A tunnel carries nothing for the time being.
    TunnelDown(TunnelKind),
}

/// What the watches tell of the objects of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterEvent {
    /// A Pod appeared, changed, or was read in answer to a write.
    Pod(Box<PodView>),
    /// A Pod is gone.
    PodGone(PodRef),
    /// A module Pod that no Node was found for appeared, or changed.
    Unplaced(Box<UnplacedView>),
    /// It was bound, or is gone.
    UnplacedGone {
        /// Its UID.
        uid: Arc<str>,
    },
    /// A Node appeared, changed, or was read in answer to a write.
    Node(Box<NodeView>),
    /// A Node is gone.
    NodeGone {
        /// Its name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// A Module object appeared, changed, or was read in answer to a write.
    Module(Box<ModuleView>),
    /// A Module object is gone.
    ModuleGone {
        /// Which biz on which VNode.
        key: ModuleKey,
        /// Which object.
        module: ModuleRef,
    },
    /// A Service appeared or changed.
    Service(ServiceView),
    /// A Service is gone.
    ServiceGone {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// A Deployment or a DaemonSet of modules appeared or changed.
    Workload(Box<WorkloadView>),
    /// A Deployment or a DaemonSet is gone.
    WorkloadGone(WorkloadRef),
    /// An operation plan appeared, changed, or was read in answer to a write.
    Plan(Box<PlanView>),
    /// An operation plan is gone.
    PlanGone(PlanRef),
    /// A ModuleBaseline appeared, changed, or was read in answer to a write.
    Baseline(Box<BaselineView>),
    /// A ModuleBaseline is gone.
    BaselineGone(BaselineRef),
    /// A ReplicaSet of modules appeared, or its revision changed.
    Revision {
        /// Its UID.
        replica_set: Arc<str>,
        /// `deployment.kubernetes.io/revision`.
        revision: u64,
    },
    /// A ReplicaSet of modules is gone, or has no revision any more.
    RevisionGone {
        /// Its UID.
        replica_set: Arc<str>,
    },
    /// All objects of the kind that existed at the start have been told.
    Synced(Watched),
    /// Objects of this kind cannot be had in this cluster: work goes on without them.
    Unavailable(Watched),
}

/// What the watches tell of the Leases by which replicas share bases and permits.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaEvent {
    /// A replica's membership Lease appeared, changed, or was read in answer to a write.
    Member(Box<MemberView>),
    /// A replica's membership Lease is gone.
    MemberGone {
        /// Its name.
        name: Arc<str>,
        /// Its UID; empty where only the name was asked for.
        uid: Arc<str>,
    },
    /// A VNode's Lease appeared, changed, or was read in answer to a write.
    Lease(LeaseView),
    /// A VNode's Lease is gone.
    LeaseGone {
        /// Its name, which is the Node's.
        node: Arc<str>,
        /// Its UID; empty where only the name was asked for.
        uid: Arc<str>,
    },
    /// The Lease of a workload's permits appeared, changed, or was read in answer to a write.
    Permits(Box<PermitsView>),
    /// The Lease of a workload's permits is gone.
    PermitsGone {
        /// Its name.
        name: Arc<str>,
        /// Its UID; empty where only the name was asked for.
        uid: Arc<str>,
    },
}
