//! What may be set, and the deadlines that are not for setting, each with its reason.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use model::{Language, Quantity, name::VNodeNameFormat};
use plan::MetricServer;

use crate::view::Door;

/// The most bases at a time that were heard, and of which there is no Node yet: a fleet of 5,000 that starts together, and
/// then some. Whoever may send heartbeats may invent bases; these cost memory and questions, and no Node before they answer.
/// A heartbeat of one more is not taken, and the next one is seconds away.
pub const MOST_STRANGERS: usize = 8_192;

/// The most bases, with Nodes and without: more than three times the 5,000 Nodes that Kubernetes is made for.
pub const MOST_BASES: usize = 16_384;

/// Which zone a VNode is in (`VNODE_ZONE_SOURCE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZoneSource {
    /// Alone in a zone of its own, `vz-<n>`: zone anti-affinity then means "never twice on one base".
    #[default]
    Own,
    /// That of the real Node on which the base's own Pod runs, where there is one.
    Base,
    /// No zone label.
    None,
}

/// What is allocatable of the base's metaspace (`VNODE_ALLOCATABLE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allocatable {
    /// What is left: the maximum less what the base holds.
    #[default]
    Remaining,
    /// The maximum, for those who set memory requests.
    Max,
}

/// What becomes of a biz on a base that nobody here asked for (`UNMANAGED_BIZ_POLICY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnmanagedBiz {
    /// It is left alone and not shown.
    Ignore,
    /// It is left alone and shown as a Module object.
    #[default]
    Report,
    /// It is uninstalled, unless it came within two minutes of the base being first seen: a statically
    /// merged module does.
    Uninstall,
}

/// How replicas share the VNodes (`IS_CLUSTER`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// `CLIENT_ID`.
    pub client_id: Arc<str>,
    /// What tells this process from any other that ever was. Makes the names of Leases, so it is of
    /// lower case letters, digits and `-`, at most 100 of them.
    pub incarnation: Arc<str>,
    /// `POD_UID`; empty where it is not told.
    pub pod_uid: Arc<str>,
    /// `WORKLOAD_MAX_LEVEL`: in how many levels of work the replicas are told apart.
    pub levels: u32,
}

/// The kubelet API that this controller serves for all VNodes (`KUBELET_PROXY_ENABLED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubeletConfig {
    /// The port that VNodes name.
    pub port: u16,
    /// The address that they name (`KUBELET_PROXY_ADDRESS`); none for that of the controller's Service.
    pub address: Option<IpAddr>,
}

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The environment (`ENV`): VNodes of another one are left alone.
    pub env: Arc<str>,
    /// In which language Pods, Nodes, Module objects and plans are told of (`MESSAGE_LANGUAGE`).
    pub language: Language,
    /// How new VNodes are named.
    pub name_format: VNodeNameFormat,
    /// Whether a VNode also gets the taint `schedule.koupleless.io/node-env=<env>`.
    pub env_taint: bool,
    /// Zones.
    pub zones: ZoneSource,
    /// Allocatable memory.
    pub allocatable: Allocatable,
    /// The most Pods of a VNode.
    pub pod_capacity: u32,
    /// What VNodes offer beside (`VNODE_RESOURCES`), by name: of [`crate::view::OFFERED`] all but `pods`; `memory` is that of
    /// bases whose metaspace has no limit.
    pub offers: BTreeMap<Arc<str>, Quantity>,
    /// The most commands at work on one base at a time (`VNODE_WORKER_NUM`).
    pub workers: usize,
    /// What becomes of biz that nobody asked for.
    pub unmanaged: UnmanagedBiz,
    /// Module objects are kept, unless [`crate::ClusterEvent::Unavailable`] says that they cannot be.
    pub modules: bool,
    /// The controller's own namespace: where Module objects of biz without a Pod live.
    pub namespace: Arc<str>,
    /// Whether peer Deployments get as many replicas as there are bases, and bases their baseline
    /// (`ENABLE_MODULE_DEPLOYMENT_CONTROLLER`).
    pub module_deployments: bool,
    /// Whether the Pod that a base runs in is looked for to know its name (`BASE_POD_NAMESPACES`).
    pub base_pods: bool,
    /// Which labels of the Pod that a base runs in, or of its heartbeat, its Node has too (`BASE_LABELS`).
    pub group_labels: Vec<Arc<str>>,
    /// Which servers the metrics of operation plans may be asked of (`PLAN_METRIC_SERVERS`).
    pub metric_servers: Vec<MetricServer>,
    /// Whether a Pod may displace the module of another namespace; else a bizName on a base belongs to the namespace that
    /// serves it (`TAKEOVER_ACROSS_NAMESPACES`).
    pub takeover_across_namespaces: bool,
    /// How replicas share the VNodes; none where this is the only one.
    pub cluster: Option<ClusterConfig>,
    /// The kubelet API; none where it is off.
    pub kubelet: Option<KubeletConfig>,
    /// Where this replica takes what others heard in its stead; none where nothing is sent on.
    pub door: Option<Door>,
    /// The version that `kubectl get nodes` shows.
    pub version: Arc<str>,
    /// Times.
    pub times: Times,
}

/// Deadlines and periods.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Silence after which a base is asked: a heartbeat is due every 10 or 12 s, so one is missing.
    pub ask_after: Duration,
    /// Silence after which a VNode is NotReady (docs/guide/operations.md).
    pub not_ready_after: Duration,
    /// Silence after which the VNode may go (docs/guide/operations.md).
    pub leave_after: Duration,
    /// How often a base that is silent, and stays because its Pod exists, is looked at again.
    pub leave_retry: Duration,
    /// How long after its broker is back a base may take to be heard again: a Java client waits up
    /// to 128 s between two attempts to connect.
    pub reconnect: Duration,
    /// How long NotReady of the Node waits for NotReady of its Pods to be acknowledged.
    pub pods_first: Duration,
    /// How often `queryAllBiz` is asked of a base that is well: what finds a biz that somebody
    /// removed by hand. Everything else is found by events.
    pub inventory_period: Duration,
    /// How often `queryAllBiz` is asked while a base sends no heartbeats, or installs something
    /// that nobody here asked for.
    pub inventory_urgent: Duration,
    /// How often `health` is asked of a base that has a limit on metaspace.
    pub health_period: Duration,
    /// An answer to a query takes milliseconds; a base in a long garbage collection, seconds.
    pub query_deadline: Duration,
    /// Fetching and starting a large Spring application on a loaded machine takes minutes.
    pub install_deadline: Duration,
    /// Stopping one takes less.
    pub uninstall_deadline: Duration,
    /// What a tunnel may take beyond a command's deadline to say that it passed. After that the
    /// engine says it itself: no command is waited for without end.
    pub answer_grace: Duration,
    /// How long requests that are under way are given to end, between a Pod being known not to be
    /// Ready and its module being taken away, where a Service or a readiness gate selects the Pod
    /// (`MODULE_DRAIN_MS`).
    pub drain: Duration,
    /// How long a state of a module may pass by before its Module object tells it: what is over in
    /// a second is told only by what it came to.
    pub passing: Duration,
    /// How long after a base was first seen it may still be starting what is merged into it: what
    /// comes in this time and nobody asked for was not put there by hand, and stays.
    pub start_up: Duration,
    /// How long a module stays whose Pod Kubernetes took away while nobody said that the base lives: the taints go
    /// within seconds, and the scheduler places the replacement within ten more.
    pub keep_evicted: Duration,
    /// How long Module objects of a base that was given up wait for it: one that comes back with
    /// what it held is then still known to hold it.
    pub collect_after: Duration,
    /// How long Module objects of a base that is gone stay after one of them was written, where there are several replicas: as
    /// long as a watch may lag, by which we would know that another acts for it by now.
    pub spare: Duration,
    /// The Lease's renewal period; the node lifecycle controller allows 40 s by default.
    pub lease_period: Duration,
    /// The same where there are thousands: never past a third of those 40 s, nor past the 13 s after which others
    /// may wonder (rule W11), with a second for the way.
    pub lease_longest: Duration,
    /// What the Lease says it holds for.
    pub lease_duration: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            ask_after: s(15),
            not_ready_after: s(25),
            leave_after: s(60),
            leave_retry: s(30),
            reconnect: s(150),
            pods_first: s(10),
            inventory_period: s(30),
            inventory_urgent: s(5),
            health_period: s(60),
            query_deadline: s(8),
            install_deadline: s(180),
            uninstall_deadline: s(60),
            answer_grace: s(2),
            drain: s(2),
            passing: s(1),
            start_up: s(120),
            keep_evicted: s(60),
            collect_after: s(3_600),
            spare: s(120),
            lease_period: s(10),
            lease_longest: s(12),
            lease_duration: s(40),
        }
    }
}

impl Config {
    /// The defaults of the manual for an environment.
    pub fn new(env: &str) -> Self {
        Self {
            env: env.into(),
            language: Language::default(),
            name_format: VNodeNameFormat::default(),
            env_taint: false,
            zones: ZoneSource::default(),
            allocatable: Allocatable::default(),
            pod_capacity: 2_000,
            offers: BTreeMap::new(),
            workers: 8,
            unmanaged: UnmanagedBiz::default(),
            modules: true,
            namespace: "default".into(),
            module_deployments: false,
            base_pods: false,
            group_labels: Vec::new(),
            metric_servers: Vec::new(),
            takeover_across_namespaces: false,
            cluster: None,
            kubelet: None,
            door: None,
            version: "".into(),
            times: Times::default(),
        }
    }
}
