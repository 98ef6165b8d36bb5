//! A Pod, slim.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::Common;

/// Names one Pod for good: a Pod made again under the same name has another UID.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({})", self.namespace, self.name, self.uid)
    }
}

/// `spec.restartPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Whatever happens, install it again.
    #[default]
    Always,
    /// Install it again when it failed.
    OnFailure,
    /// Once is all.
    Never,
}

/// Where an environment variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EnvValue {
    /// `value`.
    Literal(String),
    /// `valueFrom.fieldRef.fieldPath`.
    FieldRef(String),
    /// `valueFrom` of another kind, which a module cannot have; the kind's name.
    Unsupported(&'static str),
}

/// One of a container's `env`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: EnvValue,
}

/// A container of a Pod: a biz, or what a webhook has put beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerView {
    /// Its name; of a biz the bizName.
    pub name: String,
    /// Its image; of a biz the package URL, as the user wrote it.
    pub image: String,
    /// The environment; only `BIZ_VERSION` means something here.
    pub env: Vec<EnvVar>,
    /// It has a liveness, readiness or startup probe, which nobody runs here.
    pub has_probes: bool,
}

/// The controller behind a Pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Its namespace, and the Pod's.
    pub namespace: Arc<str>,
    /// `Deployment`, `DaemonSet`, …
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// A Pod that is bound to a Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// Which.
    pub pod: PodRef,
    /// `metadata.resourceVersion`; orders two views of one Pod.
    pub resource_version: u64,
    /// `spec.nodeName`.
    pub node: Arc<str>,
    /// Labels.
    pub labels: Common<BTreeMap<String, String>>,
    /// Annotations.
    pub annotations: Common<BTreeMap<String, String>>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// `metadata.deletionGracePeriodSeconds`: how long it may take to end. Set means that it is being deleted. When that
    /// time is over by the server's clock (`metadata.deletionTimestamp`) nobody needs to know: ours may be hours off.
    pub deletion: Option<Duration>,
    /// It has `metadata.finalizers`: once it is deleted it stays until whoever set them has taken them away.
    pub held: bool,
    /// Who made it, in the end: the Deployment behind its ReplicaSet, else its direct controller;
    /// none for a bare Pod.
    pub owner: Option<Owner>,
    /// The UID of its direct controller: of the ReplicaSet, where a Deployment is behind it.
    pub controller: Option<Arc<str>>,
    /// `spec.restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// `spec.containers`, in order.
    pub containers: Common<Vec<ContainerView>>,
    /// The names of `spec.initContainers` and `spec.ephemeralContainers`, none of which a VNode runs.
    pub aside: Common<Vec<String>>,
    /// `spec.readinessGates[].conditionType`.
    pub readiness_gates: Common<Vec<String>>,
    /// `status`, as the API server has it.
    pub status: PodStatus,
}

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not all containers have been started; also what an empty phase means.
    #[default]
    Pending,
    /// Started.
    Running,
    /// All ended well, for good.
    Succeeded,
    /// Ended, at least one badly, for good.
    Failed,
    /// The node is lost.
    Unknown,
}

impl Phase {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition's `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionStatus {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl ConditionStatus {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(yes: bool) -> Self {
        if yes { Self::True } else { Self::False }
    }
}

/// A condition of a Pod or a Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `type`.
    pub kind: Arc<str>,
    /// `status`.
    pub status: ConditionStatus,
    /// `reason`; empty where there is none.
    pub reason: Arc<str>,
    /// `message`; empty where there is none.
    pub message: Arc<str>,
    /// `lastTransitionTime`.
    pub changed: Option<Timestamp>,
}

/// A container's `state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Not running, and it will be or may be.
    Waiting {
        /// One word.
        reason: Arc<str>,
        /// Sentences; empty where there are none.
        message: Arc<str>,
    },
    /// Running.
    Running {
        /// Since when.
        started: Option<Timestamp>,
    },
    /// Ended.
    Terminated {
        /// 0 where it ended well.
        exit_code: i32,
        /// One word.
        reason: Arc<str>,
        /// Sentences; empty where there are none.
        message: Arc<str>,
        /// When it had started.
        started: Option<Timestamp>,
        /// When it ended.
        finished: Option<Timestamp>,
    },
}

/// One of `status.containerStatuses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: Arc<str>,
    /// The image as the spec has it.
    pub image: Arc<str>,
    /// What is really installed: `<package URL>` as it was sent to the base; empty before that.
    pub image_id: Arc<str>,
    /// It serves.
    pub ready: bool,
    /// How often it was started again.
    pub restart_count: u32,
    /// Its state.
    pub state: ContainerState,
}

/// `status`, the part that a node agent owns. Conditions of others may be among
/// `conditions`; they are read and never written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodStatus {
    /// `phase`.
    pub phase: Phase,
    /// `reason`; empty where there is none.
    pub reason: Arc<str>,
    /// `message`; empty where there is none.
    pub message: Arc<str>,
    /// `hostIP`; empty where there is none.
    pub host_ip: Arc<str>,
    /// `podIP`, and the only one of `podIPs`; empty where there is none.
    pub pod_ip: Arc<str>,
    /// `startTime`: when the node agent took the Pod up.
    pub started: Option<Timestamp>,
    /// `conditions`.
    pub conditions: Vec<Condition>,
    /// `containerStatuses`, in the containers' order where it was written by us.
    pub containers: Vec<ContainerStatus>,
}

impl PodStatus {
    /// The status of the container of this name, which is the one at `place` nearly always.
    pub fn container(&self, place: usize, name: &str) -> Option<&ContainerStatus> {
        let is_of = |status: &&ContainerStatus| *status.name == *name;
        self.containers.get(place).filter(is_of).or_else(|| self.containers.iter().find(is_of))
    }

    /// The condition of a type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| *condition.kind == *kind)
    }

    /// Its condition Ready is true.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
    }
}
