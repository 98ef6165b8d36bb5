//! What the API server is asked for, and how that ends.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use model::BaseIdentity;

use crate::view::{
    BaselineRef, BaselineStatus, LeaseView, MemberView, ModuleKey, ModuleRef, ModuleStatus, ModuleView,
    NodeView, PermitsView, PlanRef, PodRef, PodStatus, RolledOut, WorkloadRef,
};

/// What the API server is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
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
    /// Write the status of an operation plan that is still of this version: two replicas that both take themselves for the
    /// one that leads do not release two batches.
    PatchPlanStatus {
        /// Which.
        plan: PlanRef,
        /// `metadata.resourceVersion` of the view that this was decided on.
        resource_version: u64,
        /// `metadata.generation` of that view.
        generation: i64,
        /// The environment that the plan belongs to from now on; empty where that is not known yet.
        env: Arc<str>,
        /// What it shall be.
        status: Box<plan::Status>,
    },
    /// Write the status of a ModuleBaseline that is still of this version.
    PatchBaselineStatus {
        /// Which.
        baseline: BaselineRef,
        /// `metadata.resourceVersion` of the view that this was decided on.
        resource_version: u64,
        /// What it shall be.
        status: Box<BaselineStatus>,
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
}

impl Request {
    /// Its end comes as [`crate::Event::Written`]: see [`Self::write`].
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self, Self::FindBasePod { .. })
    }

    /// Which write it is, where its end comes as [`crate::Event::Written`]; none for [`Self::FindBasePod`], whose end comes as
    /// [`crate::Event::BasePod`].
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
            Self::PatchPlanStatus { plan, .. } => Write::PatchPlanStatus(plan.clone()),
            Self::PatchBaselineStatus { baseline, .. } => Write::PatchBaselineStatus(baseline.clone()),
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
            Self::FindBasePod { .. } => return None,
        })
    }
}

/// Which write ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Write {
    /// [`Request::CreateNode`].
    CreateNode(Arc<str>),
    /// [`Request::PatchNode`].
    PatchNode(Arc<str>),
    /// [`Request::PatchNodeStatus`].
    PatchNodeStatus(Arc<str>),
    /// [`Request::DeleteNode`].
    DeleteNode(Arc<str>),
    /// [`Request::RenewLease`].
    RenewLease(Arc<str>),
    /// [`Request::PatchPodStatus`].
    PatchPodStatus(PodRef),
    /// [`Request::DeletePod`].
    DeletePod(PodRef),
    /// [`Request::CreateModule`].
    CreateModule(ModuleKey),
    /// [`Request::PatchModule`].
    PatchModule(ModuleKey),
    /// [`Request::PatchModuleStatus`].
    PatchModuleStatus(ModuleKey),
    /// [`Request::DeleteModule`].
    DeleteModule(ModuleKey),
    /// [`Request::ScaleDeployment`].
    ScaleDeployment(WorkloadRef),
    /// [`Request::RecordRollout`].
    RecordRollout(WorkloadRef),
    /// [`Request::PatchPlanStatus`].
    PatchPlanStatus(PlanRef),
    /// [`Request::PatchBaselineStatus`].
    PatchBaselineStatus(BaselineRef),
    /// [`Request::WriteMember`], by the Lease's name.
    WriteMember(Arc<str>),
    /// [`Request::ReadMember`], by the Lease's name.
    ReadMember(Arc<str>),
    /// [`Request::DeleteMember`], by the Lease's name.
    DeleteMember(Arc<str>),
    /// [`Request::TakeLease`].
    TakeLease {
        /// The Node's name.
        node: Arc<str>,
        /// As whom.
        holder: Arc<str>,
    },
    /// [`Request::ReleaseLease`].
    ReleaseLease {
        /// The Node's name.
        node: Arc<str>,
        /// Who held it.
        holder: Arc<str>,
    },
    /// [`Request::WritePermits`], by the Lease's name.
    WritePermits(Arc<str>),
    /// [`Request::DeletePermits`], by the Lease's name.
    DeletePermits(Arc<str>),
}

/// Why a write failed. Every kind says whether trying again can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// 409: the object is another one (UID) or was changed meanwhile, or exists already. Look
    /// again, then decide again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// 404: the object is gone.
    #[error("not found: {0}")]
    NotFound(String),
    /// 400, 403, 422 and the like: the same write fails again; try again slowly, because a
    /// webhook, a quota or RBAC may change.
    #[error("refused: {0}")]
    Refused(String),
    /// 429, 5xx, a time-out or no connection: try again with back-off. The write may have been
    /// carried out.
    #[error("not available: {reason}")]
    Unavailable {
        /// What was said.
        reason: String,
        /// The server asked to wait this long.
        retry_after: Option<Duration>,
    },
}

/// The addresses by which a base's own Pod is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAddress {
    /// The base's IP: `status.podIP` of its Pod.
    pub ip: Option<IpAddr>,
    /// The base's host name: the name of its Pod.
    pub host_name: Arc<str>,
}

/// A Pod that is a base's own: the one that the base process runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePod {
    /// Which.
    pub pod: PodRef,
    /// The real Node that it runs on.
    pub node: Arc<str>,
    /// `topology.kubernetes.io/zone` of that Node, where that was asked for and there is one.
    pub zone: Option<Arc<str>>,
    /// Its labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
}
