//! What others write: device plugins, cloud controllers, the node lifecycle controller, people. One field at a time.

use std::sync::Arc;

use engine::{
    ClusterEvent, Event, ReplicaEvent,
    view::{
        Address, AddressKind, Condition, ConditionStatus, ContainerState, ModuleState, ModuleView, NodeView,
        PodView, Taint,
    },
};

use crate::{api::Api, world::World};

/// Whether something is there still.
pub type Stays = Box<dyn Fn(&Api) -> bool>;

/// One write of somebody else's.
pub struct Foreign {
    /// On what, in words.
    pub what: String,
    /// What stays, where it is nothing of ours.
    pub stays: Option<Stays>,
}

/// A field that somebody writes, and how it is known again where it is none of ours.
type Field<T> = (&'static str, fn(&mut T), Option<fn(&T) -> bool>);

const KEY: &str = "example.com/theirs";

fn their_condition() -> Condition {
    Condition {
        kind: KEY.into(),
        status: ConditionStatus::True,
        reason: "Theirs".into(),
        message: "".into(),
        changed: None,
    }
}

fn set_condition(conditions: &mut [Condition], kind: &str, status: ConditionStatus) {
    if let Some(condition) = conditions.iter_mut().find(|condition| *condition.kind == *kind) {
        (condition.status, condition.reason) = (status, "Theirs".into());
    }
}

const OF_NODES: &[Field<NodeView>] = &[
    (
        "a resource",
        |node| drop(node.capacity.insert(KEY.into(), "4".into())),
        Some(|node| node.capacity.get(KEY).is_some()),
    ),
    (
        "some left of a resource",
        |node| drop(node.allocatable.insert(KEY.into(), "4".into())),
        Some(|node| node.allocatable.get(KEY).is_some()),
    ),
    (
        "memory",
        |node| drop(node.capacity.insert("memory".into(), "4Gi".into())),
        Some(|node| node.capacity.get("memory").is_some()),
    ),
    ("how many Pods", |node| drop(node.capacity.insert("pods".into(), "7".into())), None),
    ("how many more Pods", |node| drop(node.allocatable.remove("pods")), None),
    (
        "a condition",
        |node| node.conditions.push(their_condition()),
        Some(|node| node.condition(KEY).is_some()),
    ),
    ("that it is lost", |node| set_condition(&mut node.conditions, "Ready", ConditionStatus::Unknown), None),
    (
        "a condition of ours",
        |node| set_condition(&mut node.conditions, "DiskPressure", ConditionStatus::True),
        None,
    ),
    ("no conditions", |node| node.conditions.clear(), None),
    (
        "an address",
        |node| node.addresses.push(Address { kind: "ExternalIP".into(), address: "203.0.113.7".into() }),
        Some(|node| node.addresses.iter().any(|address| address.address == "203.0.113.7")),
    ),
    (
        "an address before ours",
        |node| node.addresses.insert(0, Address { kind: AddressKind::InternalIp, address: "fd00::7".into() }),
        Some(|node| node.addresses.iter().any(|address| address.address == "fd00::7")),
    ),
    ("no addresses", |node| node.addresses.clear(), None),
    ("another version", |node| node.kubelet_version = "v0".into(), None),
    (
        "a label",
        |node| drop(node.labels.insert(KEY.into(), "x".into())),
        Some(|node| node.labels.get(KEY).is_some()),
    ),
    ("a label of ours", |node| drop(node.labels.insert("base.koupleless.io/name".into(), "x".into())), None),
    ("the zone", |node| drop(node.labels.insert("topology.kubernetes.io/zone".into(), "x".into())), None),
    (
        "an annotation",
        |node| drop(node.annotations.insert(KEY.into(), "x".into())),
        Some(|node| node.annotations.get(KEY).is_some()),
    ),
    ("the identity", |node| drop(node.annotations.remove("base.koupleless.io/identity")), None),
    ("what we offer", |node| drop(node.annotations.remove("vnode.koupleless.io/offers")), None),
    (
        "a taint",
        |node| node.taints.push(Taint { key: KEY.into(), value: String::new(), effect: "NoSchedule".into() }),
        Some(|node| node.taints.iter().any(|taint| taint.key == KEY)),
    ),
    ("no taints", |node| node.taints.clear(), None),
    (
        "the value of our taint",
        |node| node.taints.iter_mut().for_each(|taint| taint.value = "x".into()),
        None,
    ),
    ("that it is cordoned", |node| node.unschedulable = true, Some(|node| node.unschedulable)),
];

const OF_PODS: &[Field<PodView>] = &[
    (
        "a condition",
        |pod| pod.status.conditions.push(their_condition()),
        Some(|pod| pod.status.condition(KEY).is_some()),
    ),
    (
        "that it is not Ready",
        |pod| set_condition(&mut pod.status.conditions, "Ready", ConditionStatus::False),
        None,
    ),
    ("no conditions", |pod| pod.status.conditions.clear(), None),
    ("another address", |pod| pod.status.pod_ip = "203.0.113.7".into(), None),
    ("a message", |pod| pod.status.message = "x".into(), None),
    ("when it started", |pod| pod.status.started = None, None),
    (
        "that a container waits",
        |pod| {
            for container in &mut pod.status.containers {
                container.state = ContainerState::Waiting { reason: "Theirs".into(), message: "".into() };
            }
        },
        None,
    ),
    (
        "a label",
        |pod| drop(pod.labels.insert(KEY.into(), "x".into())),
        Some(|pod| pod.labels.contains_key(KEY)),
    ),
    (
        "an annotation",
        |pod| drop(pod.annotations.insert(KEY.into(), "x".into())),
        Some(|pod| pod.annotations.contains_key(KEY)),
    ),
];

const OF_MODULES: &[Field<ModuleView>] = &[
    (
        "a condition",
        |module| module.status.conditions.push(their_condition()),
        Some(|module| module.status.conditions.iter().any(|condition| *condition.kind == *KEY)),
    ),
    ("no conditions", |module| module.status.conditions.clear(), None),
    ("another state", |module| module.status.state = Some(ModuleState::Failed), None),
    ("an error code", |module| module.status.error_code = "Theirs".into(), None),
    (
        "a label",
        |module| drop(module.labels.insert(KEY.into(), "x".into())),
        Some(|module| module.labels.contains_key(KEY)),
    ),
    (
        "a label of ours",
        |module| drop(module.labels.insert("koupleless.io/base-instance-ip".into(), "x".into())),
        None,
    ),
    ("another Pod", |module| module.pod = "theirs".into(), None),
    ("that it is kept", |module| module.kept = true, None),
];

impl World {
    /// Somebody else writes to one field of one object.
    pub fn write_as_another(&mut self) -> Option<Foreign> {
        let kind = self.rng().u8(0..4);
        let (nodes, pods) = (keys(self.api.nodes.keys()), keys(self.api.pods.keys()));
        let modules: Vec<_> = self.api.modules.keys().cloned().collect();
        let leases = keys(self.api.leases.keys());
        let version = self.api.next_number();
        let (what, event, stays): (String, Event, Option<Stays>) = match kind {
            0 => {
                let (name, field) = (self.rng().choice(nodes)?, *self.rng().choice(OF_NODES)?);
                let node = self.api.nodes.get_mut(&name)?;
                (field.1)(node);
                node.resource_version = version;
                let (event, at) = (Event::Cluster(ClusterEvent::Node(Box::new(node.clone()))), name.clone());
                let stays =
                    field.2.map(|is| -> Stays { Box::new(move |api| api.nodes.get(&at).is_none_or(is)) });
                (format!("{} on the Node {name}", field.0), event, stays)
            }
            1 => {
                let (uid, field) = (self.rng().choice(pods)?, *self.rng().choice(OF_PODS)?);
                let now = self.now;
                let pod = self.api.pods.get_mut(&uid)?;
                (field.1)(pod);
                pod.resource_version = version;
                let (event, at) = (Event::Cluster(ClusterEvent::Pod(Box::new(pod.clone()))), uid.clone());
                self.checks.drain.written(&pod.pod.clone(), &pod.status.clone(), now);
                let stays =
                    field.2.map(|is| -> Stays { Box::new(move |api| api.pods.get(&at).is_none_or(is)) });
                (format!("{} on the Pod {uid}", field.0), event, stays)
            }
            2 => {
                let (key, field) = (self.rng().choice(modules)?, *self.rng().choice(OF_MODULES)?);
                let module = self.api.modules.get_mut(&key)?;
                (field.1)(module);
                module.resource_version = version;
                let (event, at) =
                    (Event::Cluster(ClusterEvent::Module(Box::new(module.clone()))), key.clone());
                let stays =
                    field.2.map(|is| -> Stays { Box::new(move |api| api.modules.get(&at).is_none_or(is)) });
                (format!("{} on the Module of {} on {}", field.0, key.id, key.vnode), event, stays)
            }
            _ => {
                // A label: its version is another, and nothing that we look at.
                let name = self.rng().choice(leases)?;
                let lease = self.api.leases.get_mut(&name)?;
                lease.resource_version = version;
                (
                    format!("a label on the Lease {name}"),
                    Event::Replica(ReplicaEvent::Lease(lease.clone())),
                    None,
                )
            }
        };
        self.tell(format_args!("somebody writes {what}"));
        self.inform(event);
        Some(Foreign { what, stays })
    }
}

fn keys<'a>(keys: impl Iterator<Item = &'a Arc<str>>) -> Vec<Arc<str>> {
    keys.cloned().collect()
}
