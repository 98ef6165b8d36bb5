//! Samples for the tests of this crate.

use std::{collections::BTreeMap, time::Duration};

use arklet::{Answer, AnswerKey, CommandKind, Outcome};
use jiff::Timestamp;
use model::{BaseReport, BaseState, BizId, TunnelKind};

use crate::{
    Action, ClusterEvent, Config, Engine, Event, Now, TunnelEvent, Watched,
    view::{
        Common, ContainerView, EnvValue, EnvVar, ModuleKey, ModuleRef, ModuleStatus, ModuleView, NodeView,
        OFFERED, PodRef, PodStatus, PodView, RestartPolicy,
    },
};

/// An engine on a clock of the test's own.
pub(crate) struct Case {
    pub(crate) engine: Engine,
    pub(crate) seconds: u64,
}

impl Case {
    /// A controller that knows nothing yet.
    pub(crate) fn new(config: Config) -> Self {
        Self { engine: Engine::new(config), seconds: 0 }
    }

    /// A controller that knows all objects, the Nodes of these bases among them, and has a broker.
    pub(crate) fn started(bases: &[&str]) -> Self {
        let mut case = Self::new(Config::new("dev"));
        for base in bases {
            case.step(Event::Cluster(ClusterEvent::Node(Box::new(node(base)))));
        }
        for kind in Watched::NEEDED {
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
        case
    }

    /// A controller that knows all objects, and has heard the base `b` for the first time, which has answered: what comes of it.
    pub(crate) fn heard_first(config: Config) -> (Self, Vec<Action>) {
        let mut case = Self::new(config);
        for kind in Watched::NEEDED {
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
        case.heard("b");
        let list: Outcome = Ok(Answer::Biz(Vec::new()));
        let actions = case.answered("b", CommandKind::QueryAllBiz, None, list);
        (case, actions)
    }

    pub(crate) fn step(&mut self, event: Event) -> Vec<Action> {
        let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
        self.engine.step(event, now)
    }

    /// A base answers over the broker.
    pub(crate) fn answered(
        &mut self,
        name: &str,
        command: CommandKind,
        biz: Option<BizId>,
        outcome: Outcome,
    ) -> Vec<Action> {
        let (base, key) = (name.parse().unwrap(), AnswerKey { command, biz });
        self.step(Event::Tunnel(TunnelEvent::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome }))
    }

    /// A base of this name says over the broker that it runs.
    pub(crate) fn heard(&mut self, name: &str) -> Vec<Action> {
        self.heard_with_labels(name, &[])
    }

    /// The same, and that it has these labels.
    pub(crate) fn heard_with_labels(&mut self, name: &str, labels: &[(&str, &str)]) -> Vec<Action> {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let report =
            BaseReport { identity: name.parse().unwrap(), labels, ..report(None, BaseState::Activated) };
        self.step(Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Mqtt, report }))
    }
}

/// A container that asks for `name:version`.
pub(crate) fn container(name: &str, version: &str) -> ContainerView {
    ContainerView {
        name: name.into(),
        image: format!("file:///packages/{name}-{version}.jar"),
        env: vec![EnvVar { name: "BIZ_VERSION".into(), value: EnvValue::Literal(version.into()) }],
        has_probes: false,
    }
}

/// A module Pod of one container, bound to `virtual-node-b`.
pub(crate) fn pod(pod: &str, biz: &str, version: &str) -> PodView {
    PodView {
        pod: PodRef { namespace: "default".into(), name: pod.into(), uid: format!("uid-{pod}").into() },
        resource_version: 1,
        node: "virtual-node-b".into(),
        labels: BTreeMap::from([("module-controller.koupleless.io/component".into(), "module".into())])
            .into(),
        annotations: BTreeMap::new().into(),
        created: Timestamp::UNIX_EPOCH,
        deletion: None,
        held: false,
        owner: None,
        controller: None,
        restart_policy: RestartPolicy::Always,
        containers: vec![container(biz, version)].into(),
        aside: Common::default(),
        readiness_gates: Common::default(),
        status: PodStatus::default(),
    }
}

/// The Node of a base that an earlier controller reached over MQTT.
pub(crate) fn node(base: &str) -> NodeView {
    let labels = [("module-controller.koupleless.io/env", "dev"), ("vnode.koupleless.io/tunnel", "mqtt")];
    NodeView {
        name: format!("virtual-node-{base}").into(),
        uid: format!("uid-{base}").into(),
        resource_version: 1,
        labels: labels.map(|(key, value)| (key.into(), value.into())).into_iter().collect(),
        ..NodeView::default()
    }
}

/// What the server makes of a patch of a Node's labels, annotations and taints.
pub(crate) fn with_metadata(seen: &NodeView, desired: &NodeView) -> NodeView {
    let mut node = seen.clone();
    node.labels.extend(desired.labels.clone());
    node.annotations.extend(desired.annotations.clone());
    node.taints = desired.taints.clone();
    node
}

/// What the server makes of a patch of a Node's status.
pub(crate) fn with_status(seen: &NodeView, desired: &NodeView) -> NodeView {
    let mut node = seen.clone();
    if !desired.addresses.is_empty() {
        node.addresses = desired.addresses.clone();
    }
    for name in OFFERED {
        for (there, wanted) in
            [(&mut node.capacity, &desired.capacity), (&mut node.allocatable, &desired.allocatable)]
        {
            match wanted.get(name) {
                Some(quantity) => drop(there.insert(name.into(), quantity.clone())),
                None => drop(there.remove(name)),
            }
        }
    }
    node.conditions.retain(|condition| desired.condition(&condition.kind).is_none());
    node.conditions.extend(desired.conditions.clone());
    node.kubelet_port = desired.kubelet_port;
    node.kubelet_version = desired.kubelet_version.clone();
    node
}

/// The Module object of version 1 of a module on the base `b`, as whoever made it wrote it down.
pub(crate) fn module(name: &str) -> ModuleView {
    let id = BizId { name: name.parse().unwrap(), version: "1".parse().unwrap() };
    ModuleView {
        module: ModuleRef {
            namespace: "default".into(),
            name: model::name::module_name("virtual-node-b", &id).into(),
            uid: name.into(),
        },
        key: ModuleKey { vnode: "virtual-node-b".into(), id },
        resource_version: 7,
        labels: BTreeMap::new().into(),
        url: "".into(),
        pod: "p".into(),
        managed: true,
        in_place: false,
        kept: false,
        status: ModuleStatus::default(),
        deleting: false,
    }
}

/// What the base `b` says of itself.
pub(crate) fn report(port: Option<u16>, state: BaseState) -> BaseReport {
    BaseReport {
        identity: "b".parse().unwrap(),
        name: Some("base".into()),
        version: "1".into(),
        cluster: "".into(),
        stack: "java".into(),
        host_name: "host-b".into(),
        ip: "192.0.2.2".parse().ok(),
        peer: None,
        port,
        labels: BTreeMap::new(),
        state,
    }
}
