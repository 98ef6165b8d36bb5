//! Writes to Nodes.

use std::sync::Arc;

use engine::{
    WriteError,
    view::{AddressKind, Condition, NodeView, Taint},
};
use jiff::Timestamp;
use litemap::LiteMap;
use serde_json::{Map, Value, json};

use super::{
    api::{Api, How, Place},
    lease::Leases,
    pod::{condition, or_null, seconds},
};
use crate::{slim::node::Node, watch::is_vnode};

/// The resources that a VNode may have. One that it has no longer is taken away; those of others
/// (device plugins, an operator) are left.
const RESOURCES: [&str; 2] = ["memory", "pods"];

impl Api {
    /// Creates the Node with its status, as a kubelet registers itself. One that exists is told
    /// and left as it is.
    pub(crate) async fn create_node(&self, desired: &NodeView, now: Timestamp) -> Result<(), WriteError> {
        match self.create::<Node>(&Place::nodes(), &new_node(desired, now)).await {
            Ok(node) => {
                self.tell_node(node).await;
                Ok(())
            }
            Err(WriteError::Conflict(reason)) => {
                match self.get::<Node>(&Place::nodes(), &desired.name).await {
                    Ok(node) => self.tell_found(node).await,
                    // Gone again; the conflict is told anyway, and the engine looks again.
                    Err(WriteError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
                Err(WriteError::Conflict(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// A Node that the watch does not see (it lacks the label) is told past the table: nothing
    /// would ever report its end, and the next list would report one that did not happen.
    async fn tell_found(&self, node: Node) {
        match node.body {
            Ok(view) if !is_vnode(&view.labels) => {
                // Closed: the engine is gone, and so is the one who would care.
                let _ = self.events.send(engine::Event::Node(Box::new(view))).await;
            }
            _ => self.tell_node(node).await,
        }
    }

    pub(crate) async fn patch_node(&self, desired: &NodeView) -> Result<(), WriteError> {
        let node = self.patch(&Place::nodes(), &desired.name, How::Merge, &node_patch(desired)).await?;
        self.tell_node(node).await;
        Ok(())
    }

    pub(crate) async fn patch_node_status(
        &self,
        desired: &NodeView,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let node = self
            .patch_status(&Place::nodes(), &desired.name, How::Strategic, &status_patch(desired, now))
            .await?;
        self.tell_node(node).await;
        Ok(())
    }

    /// Deletes the Node and then its Lease. That they are gone already is as good; where the name
    /// is another Node's by now, the Lease is that one's and stays.
    pub(crate) async fn delete_node(&self, leases: &Leases, name: &str, uid: &str) -> Result<(), WriteError> {
        match self.delete(&Place::nodes(), name, uid).await {
            Ok(()) | Err(WriteError::NotFound(_)) => self.delete_lease(leases, name).await,
            Err(WriteError::Conflict(reason)) => match self.get::<Node>(&Place::nodes(), name).await {
                Ok(found) if found.meta.uid.as_deref() == Some(uid) => Err(WriteError::Conflict(reason)),
                Ok(_) => Ok(()),
                Err(WriteError::NotFound(_)) => self.delete_lease(leases, name).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

/// A whole Node. `nodeInfo` has ten texts that must be there; those that mean nothing for a
/// process that may run anywhere are empty, and no port is a kubelet's.
fn new_node(desired: &NodeView, now: Timestamp) -> Value {
    let beat = |c: &Condition| node_condition(c, now);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": desired.name,
            "labels": desired.labels,
            "annotations": desired.annotations,
        },
        "spec": { "taints": taints(&desired.taints) },
        "status": {
            "addresses": desired
                .addresses
                .iter()
                .map(|a| json!({ "type": a.kind.as_str(), "address": a.address }))
                .collect::<Value>(),
            "capacity": *desired.capacity,
            "allocatable": *desired.allocatable,
            "conditions": desired.conditions.iter().map(beat).collect::<Value>(),
            "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } },
            "nodeInfo": {
                "architecture": "",
                "bootID": "",
                "containerRuntimeVersion": "koupleless://arklet",
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "kubeletVersion": desired.kubelet_version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "",
                "systemUUID": "",
            },
        },
    })
}

/// A merge patch: our labels and annotations are set, others' stay, and the taints are the whole
/// list, which is why the version that it was made from is a precondition where it is known: Kubernetes'
/// own controllers write taints too.
fn node_patch(desired: &NodeView) -> Value {
    let mut metadata = json!({
        "uid": desired.uid,
        "labels": desired.labels,
        "annotations": desired.annotations,
    });
    if desired.resource_version != 0
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.insert("resourceVersion".to_owned(), desired.resource_version.to_string().into());
    }
    json!({ "metadata": metadata, "spec": { "taints": taints(&desired.taints) } })
}

/// A strategic merge patch: conditions and addresses merge by type, capacities by name.
fn status_patch(desired: &NodeView, now: Timestamp) -> Value {
    let beat = |c: &Condition| node_condition(c, now);
    let mut status = json!({
        "addresses": [address(desired, AddressKind::InternalIp), address(desired, AddressKind::Hostname)],
        "capacity": resources(&desired.capacity),
        "allocatable": resources(&desired.allocatable),
        "conditions": desired.conditions.iter().map(beat).collect::<Value>(),
    });
    if !desired.kubelet_version.is_empty()
        && let Some(status) = status.as_object_mut()
    {
        status.insert("nodeInfo".to_owned(), json!({ "kubeletVersion": desired.kubelet_version }));
    }
    json!({ "metadata": { "uid": desired.uid }, "status": status })
}

fn taints(taints: &[Taint]) -> Value {
    let value = |t: &Taint| json!({ "key": t.key, "value": t.value, "effect": t.effect });
    taints.iter().map(value).collect()
}

fn address(desired: &NodeView, kind: AddressKind) -> Value {
    match desired.addresses.iter().find(|address| address.kind == kind) {
        Some(address) => json!({ "type": kind.as_str(), "address": address.address }),
        None => json!({ "type": kind.as_str(), "$patch": "delete" }),
    }
}

fn resources(desired: &LiteMap<Arc<str>, Arc<str>>) -> Value {
    let mut all: Map<String, Value> =
        RESOURCES.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    all.extend(desired.iter().map(|(name, quantity)| (name.to_string(), or_null(quantity))));
    Value::Object(all)
}

/// `lastHeartbeatTime` is when the condition was last said, which is now.
fn node_condition(of: &Condition, now: Timestamp) -> Value {
    let mut value = condition(of);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("lastHeartbeatTime".to_owned(), seconds(now).into());
    }
    value
}

#[cfg(test)]
mod tests {
    use engine::view::{Address, ConditionStatus};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T10:00:10.5Z".parse().unwrap()
    }

    fn desired() -> NodeView {
        let map = |key: &str, value: &str| LiteMap::from_iter([(key.into(), value.into())]);
        NodeView {
            name: "virtual-node-a".into(),
            uid: "u-1".into(),
            resource_version: 0,
            labels: map("base.koupleless.io/stack", "java"),
            annotations: map("a", "b"),
            taints: vec![Taint { key: "k".into(), value: "True".into(), effect: "NoExecute".into() }].into(),
            unschedulable: false,
            addresses: vec![Address { kind: AddressKind::InternalIp, address: "192.0.2.2".into() }],
            capacity: map("pods", "2000").into(),
            allocatable: map("pods", "2000").into(),
            conditions: vec![Condition {
                kind: "Ready".into(),
                status: ConditionStatus::True,
                reason: "BaseActivated".into(),
                message: "".into(),
                changed: Some("2026-11-22T10:00:00Z".parse().unwrap()),
            }],
            kubelet_version: "v0.1.0".into(),
            deleting: false,
        }
    }

    fn ready() -> Value {
        json!([{
            "type": "Ready",
            "status": "True",
            "reason": "BaseActivated",
            "message": null,
            "lastTransitionTime": "2026-11-22T10:00:00Z",
            "lastHeartbeatTime": "2026-11-22T10:00:10Z",
        }])
    }

    #[test]
    fn a_node_is_registered_as_a_kubelet_does_it() {
        assert_eq!(
            new_node(&desired(), now()),
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": "virtual-node-a",
                    "labels": { "base.koupleless.io/stack": "java" },
                    "annotations": { "a": "b" },
                },
                "spec": { "taints": [{ "key": "k", "value": "True", "effect": "NoExecute" }] },
                "status": {
                    "addresses": [{ "type": "InternalIP", "address": "192.0.2.2" }],
                    "capacity": { "pods": "2000" },
                    "allocatable": { "pods": "2000" },
                    "conditions": ready(),
                    "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } },
                    "nodeInfo": {
                        "architecture": "", "bootID": "", "containerRuntimeVersion": "koupleless://arklet",
                        "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "v0.1.0", "machineID": "",
                        "operatingSystem": "linux", "osImage": "", "systemUUID": "",
                    },
                },
            })
        );
    }

    #[test]
    fn a_patch_holds_for_the_node_that_was_looked_at() {
        let patch = node_patch(&desired());
        assert_eq!(
            patch,
            json!({
                "metadata": {
                    "uid": "u-1",
                    "labels": { "base.koupleless.io/stack": "java" },
                    "annotations": { "a": "b" },
                },
                "spec": { "taints": [{ "key": "k", "value": "True", "effect": "NoExecute" }] },
            })
        );
        let seen = NodeView { resource_version: 42, ..desired() };
        assert_eq!(node_patch(&seen)["metadata"]["resourceVersion"], "42");
    }

    #[test]
    fn a_status_takes_away_only_what_is_ours() {
        assert_eq!(
            status_patch(&desired(), now()),
            json!({
                "metadata": { "uid": "u-1" },
                "status": {
                    "addresses": [
                        { "type": "InternalIP", "address": "192.0.2.2" },
                        { "type": "Hostname", "$patch": "delete" },
                    ],
                    "capacity": { "memory": null, "pods": "2000" },
                    "allocatable": { "memory": null, "pods": "2000" },
                    "conditions": ready(),
                    "nodeInfo": { "kubeletVersion": "v0.1.0" },
                },
            })
        );
    }
}
