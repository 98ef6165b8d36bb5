//! What is to be done outside: the engine's only output. Every action may be done twice without
//! harm, and carries what must still hold for it to be done at all.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use arklet::Command;
use jiff::Timestamp;
use model::{BaseIdentity, BaseReport, BizId, ErrorCode, ModuleSpec, TunnelKind};

use crate::{
    event::{BaseAddress, Write},
    trace::TraceId,
    view::{
        Door, LeaseView, MemberView, ModuleKey, ModuleRef, ModuleStatus, ModuleView, NodeView, PermitsView,
        PodRef, PodStatus, RolledOut, WorkloadRef,
    },
};

/// Where a command goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which base.
    pub base: BaseIdentity,
    /// Over which tunnel.
    pub tunnel: TunnelKind,
    /// Arklet's address, where the tunnel is HTTP.
    pub address: Option<SocketAddr>,
    /// It has answered well before: of a stranger no large answer is read.
    pub known: bool,
}

/// What a Kubernetes Event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regarding {
    /// A Pod.
    Pod(PodRef),
    /// A Node, with its UID where it is known.
    Node {
        /// Its name.
        name: Arc<str>,
        /// Its UID; empty where it is not known (yet).
        uid: Arc<str>,
    },
    /// A Deployment or a DaemonSet.
    Workload(WorkloadRef),
}

/// What people are told: one `events.k8s.io/v1` Event, one line in the log, maybe one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// About what.
    pub regarding: Regarding,
    /// A `Warning` rather than `Normal`.
    pub warning: bool,
    /// `reason`: one word in CamelCase, or an error code.
    pub reason: String,
    /// `action`: what was being done, one word in CamelCase.
    pub action: &'static str,
    /// `note`: sentences.
    pub note: String,
    /// The error code, where it is a fault.
    pub code: Option<ErrorCode>,
    /// The whole story of a fault (a stack trace), for the log only; empty where there is none.
    pub detail: String,
    /// [`Self::note`] without what the code's meaning and suggestion say.
    pub what: String,
    /// The base that it happened on; none for a workload.
    pub base: Option<BaseIdentity>,
    /// The biz that a command was about, where it is about a command.
    pub biz: Option<BizId>,
    /// Ties it to the command and to whatever else is told of the same fault.
    pub trace: TraceId,
    /// People on call want to know it; none where the log and the Event are enough.
    pub alarm: Option<Alarm>,
}

/// What people on call want to know (the manual's 5.4, `REPORT_HOOKS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// A base refused to install a biz, or failed to.
    InstallFailed,
    /// A base refused to uninstall a biz, or failed to.
    UninstallFailed,
    /// A base did not say in time whether it installed or uninstalled a biz.
    TimedOut,
    /// Nothing is heard of a base any more, or it answers nothing. Not one that said goodbye.
    LostBase,
    /// So many bases are silent, or their tunnel is, that nothing is deleted. It is told of each of
    /// them, and is one fault.
    BlastRadius,
}

/// The closed set of what can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send a command to a base. Its end comes as [`crate::Event::Answer`], always.
    Call {
        /// To whom.
        target: Target,
        /// What.
        command: Command,
        /// Give up after this long.
        deadline: Duration,
        /// What is told of it bears this id.
        trace: TraceId,
    },
    /// Answer a base's question for its baseline; each is answered once, within seconds.
    AnswerBaseline {
        /// How it asked.
        tunnel: TunnelKind,
        /// Who.
        base: BaseIdentity,
        /// Which question: that of [`crate::Event::BaselineQuery`].
        ask: u64,
        /// What it shall install.
        modules: Vec<ModuleSpec>,
    },
    /// Create the Node, with its status.
    CreateNode(Box<NodeView>),
    /// Set labels, annotations and our taints on the Node of this UID.
    PatchNode {
        /// What it shall be; `uid` is that of the Node meant, taints are the whole list.
        desired: Box<NodeView>,
    },
    /// Set addresses, capacity, allocatable and our conditions on the Node of this UID.
    PatchNodeStatus {
        /// What it shall be; `uid` is that of the Node meant. Of the resources [`crate::view::OFFERED`] it has these and no
        /// others. Addresses are the whole list, or none where they stay as they are.
        desired: Box<NodeView>,
    },
    /// Delete the Node of this UID, and the Lease of its name.
    DeleteNode {
        /// Its name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// Renew the Lease of the Node, or create it.
    RenewLease {
        /// The Node's name.
        node: Arc<str>,
        /// As whom it is held among several replicas: then it is renewed only where it still is, and
        /// a conflict tells who holds it. None where there is a single replica.
        holder: Option<Arc<str>>,
        /// How long it holds.
        duration: Duration,
    },
    /// Write the status of a Pod.
    PatchPodStatus {
        /// Which.
        pod: PodRef,
        /// What it shall be; conditions are ours only.
        status: Box<PodStatus>,
    },
    /// Finish the deletion of a Pod: grace period 0, by UID.
    DeletePod {
        /// Which.
        pod: PodRef,
    },
    /// Create a Module object, without status: the intent that comes before `installBiz`.
    CreateModule(Box<ModuleView>),
    /// Set labels and spec of the Module object of this UID.
    PatchModule {
        /// What it shall be.
        desired: Box<ModuleView>,
        /// The replica that says so, by which the object changes in any case; none where there is a single one.
        by: Option<Arc<str>>,
    },
    /// Write the status of a Module object.
    PatchModuleStatus {
        /// Which biz on which VNode.
        key: ModuleKey,
        /// Which object.
        module: ModuleRef,
        /// What it shall be.
        status: Box<ModuleStatus>,
    },
    /// Delete a Module object, by UID.
    DeleteModule {
        /// Which biz on which VNode.
        key: ModuleKey,
        /// Which object.
        module: ModuleRef,
        /// Which version of it, where whoever acts for the VNode by now may have written it since.
        resource_version: Option<u64>,
    },
    /// Look for the base's own Pod. The answer is [`crate::Event::BasePod`], always.
    FindBasePod {
        /// Whose.
        base: BaseIdentity,
        /// By what.
        address: BaseAddress,
        /// The zone of its Node is wanted too.
        zone: bool,
    },
    /// Set a Deployment's `spec.replicas`, if the Deployment is still as it was seen.
    ScaleDeployment {
        /// Which.
        deployment: WorkloadRef,
        /// How many.
        replicas: i32,
        /// `metadata.resourceVersion` of the view that this was decided on.
        resource_version: u64,
    },
    /// Write down what was rolled out of a workload, as the condition `module-controller.koupleless.io/RolledOut` of its
    /// status.
    RecordRollout {
        /// Which.
        workload: WorkloadRef,
        /// What.
        rolled_out: Arc<RolledOut>,
        /// When, for people.
        at: Timestamp,
    },
    /// Create the membership Lease (its UID is empty), or replace the very version that is named.
    /// Where the server has another, that is told before the conflict. It passes the fence.
    WriteMember(Box<MemberView>),
    /// Read a membership Lease from the quorum; it is told, or its end is.
    ReadMember {
        /// The Lease's name.
        name: Arc<str>,
    },
    /// Delete a membership Lease that holds nothing any more.
    DeleteMember {
        /// The Lease's name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
    },
    /// Take a VNode's Lease: create it (its UID is empty), or replace the very version that was seen.
    /// Where the server has another, that is told before the conflict.
    TakeLease {
        /// What was seen.
        seen: LeaseView,
        /// As whom.
        holder: Arc<str>,
        /// How long it holds.
        duration: Duration,
    },
    /// Say that nobody holds a VNode's Lease, if this holder still does; delete it where there is no Node.
    ReleaseLease {
        /// The Node's name.
        node: Arc<str>,
        /// Who held it.
        holder: Arc<str>,
        /// There is no Node that it is for.
        delete: bool,
    },
    /// Create the Lease of a workload's permits (its UID is empty), or replace the very version that is named. Where the
    /// server has another, that is told before the conflict.
    WritePermits(Box<PermitsView>),
    /// Delete the Lease of the permits of a workload that has no Pods any more, if it is still as it was seen.
    DeletePermits {
        /// The Lease's name.
        name: Arc<str>,
        /// Its UID.
        uid: Arc<str>,
        /// `metadata.resourceVersion` of the view that this was decided on.
        resource_version: u64,
    },
    /// From here on, what is decided may be sent until then: [`model::Fence::set`]. Where that shuts it, another has taken
    /// this replica for dead: all that is watched is listed anew, and [`Event::Synced`](crate::Event::Synced) told again.
    Fence {
        /// Which incarnation decides; each has another.
        epoch: u64,
        /// On the engine's clock; zero shuts it.
        until: Duration,
    },
    /// Send a heartbeat that was heard here on to the replica that acts for the base. Whether it arrives is not told.
    Forward {
        /// Its incarnation.
        to: Arc<str>,
        /// What the base said, and from where.
        report: Box<BaseReport>,
    },
    /// From here on, what is sent on goes to these replicas, and what these send on counts.
    Replicas {
        /// This one's incarnation.
        own: Arc<str>,
        /// The others that live, by incarnation.
        others: BTreeMap<Arc<str>, Door>,
    },
    /// Tell it to people: an Event, a line in the log, and a report where it is an [`Alarm`].
    Announce(Box<Announcement>),
}

impl Action {
    /// Which write it is, where its end comes as [`crate::Event::Written`]; none of what goes to a base or to people, of
    /// [`Self::Fence`], and of [`Self::FindBasePod`], whose end comes as [`crate::Event::BasePod`].
    pub fn write(&self) -> Option<Write> {
        Some(match self {
            Self::CreateNode(desired) => Write::CreateNode(desired.name.clone()),
            Self::PatchNode { desired } => Write::PatchNode(desired.name.clone()),
            Self::PatchNodeStatus { desired } => Write::PatchNodeStatus(desired.name.clone()),
            Self::DeleteNode { name, .. } => Write::DeleteNode(name.clone()),
            Self::RenewLease { node, .. } => Write::RenewLease(node.clone()),
            Self::PatchPodStatus { pod, .. } => Write::PatchPodStatus(pod.clone()),
            Self::DeletePod { pod } => Write::DeletePod(pod.clone()),
            Self::CreateModule(desired) => Write::CreateModule(desired.key.clone()),
            Self::PatchModule { desired, .. } => Write::PatchModule(desired.key.clone()),
            Self::PatchModuleStatus { key, .. } => Write::PatchModuleStatus(key.clone()),
            Self::DeleteModule { key, .. } => Write::DeleteModule(key.clone()),
            Self::ScaleDeployment { deployment, .. } => Write::ScaleDeployment(deployment.clone()),
            Self::RecordRollout { workload, .. } => Write::RecordRollout(workload.clone()),
            Self::WriteMember(desired) => Write::WriteMember(desired.name.clone()),
            Self::ReadMember { name } => Write::ReadMember(name.clone()),
            Self::DeleteMember { name, .. } => Write::DeleteMember(name.clone()),
            Self::TakeLease { seen, holder, .. } => {
                Write::TakeLease { node: seen.node.clone(), holder: holder.clone() }
            }
            Self::ReleaseLease { node, holder, .. } => {
                Write::ReleaseLease { node: node.clone(), holder: holder.clone() }
            }
            Self::WritePermits(desired) => Write::WritePermits(desired.name.clone()),
            Self::DeletePermits { name, .. } => Write::DeletePermits(name.clone()),
            Self::Call { .. }
            | Self::AnswerBaseline { .. }
            | Self::FindBasePod { .. }
            | Self::Fence { .. }
            | Self::Forward { .. }
            | Self::Replicas { .. }
            | Self::Announce(_) => return None,
        })
    }
}
