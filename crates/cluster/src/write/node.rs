//! Writes to Nodes.

use std::sync::Arc;

use engine::{
    WriteError,
    view::{Address, Condition, NodeView, OFFERED, Taint},
};
use jiff::Timestamp;
use litemap::LiteMap;
use serde_json::{Map, Value, json};

use super::{
    api::{Api, Collection, How},
    lease::Leases,
    pod::{condition, or_null, seconds},
};
use crate::{slim::node::Node, watch::is_vnode};

impl Api {
    /// Creates the Node with its status, as a kubelet registers itself. One that exists is told
    /// and left as it is.
    pub(crate) async fn create_node(&self, desired: &NodeView, now: Timestamp) -> Result<(), WriteError> {
        match self.create::<Node>(&Collection::nodes(), &new_node(desired, now)).await {
            Ok(node) => {
                self.tell_node(node).await;
                Ok(())
            }
            Err(WriteError::Conflict(reason)) => {
                match self.get::<Node>(&Collection::nodes(), &desired.name).await {
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
                let _ = self
                    .events
                    .send(engine::Event::Cluster(engine::ClusterEvent::Node(Box::new(view))))
                    .await;
            }
            _ => self.tell_node(node).await,
        }
    }

    pub(crate) async fn patch_node(&self, desired: &NodeView) -> Result<(), WriteError> {
        let node = self.patch(&Collection::nodes(), &desired.name, How::Merge, &node_patch(desired)).await?;
        self.tell_node(node).await;
        Ok(())
    }

    pub(crate) async fn patch_node_status(
        &self,
        desired: &NodeView,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let node = self
            .patch_status(&Collection::nodes(), &desired.name, How::Strategic, &status_patch(desired, now))
            .await?;
        self.tell_node(node).await;
        Ok(())
    }

    /// Deletes the Node and then its Lease. That they are gone already is as good; where the name
    /// is another Node's by now, the Lease is that one's and stays.
    pub(crate) async fn delete_node(&self, leases: &Leases, name: &str, uid: &str) -> Result<(), WriteError> {
        match self.delete(&Collection::nodes(), name, uid).await {
            Ok(()) | Err(WriteError::NotFound(_)) => self.delete_lease(leases, name).await,
            Err(WriteError::Conflict(reason)) => match self.get::<Node>(&Collection::nodes(), name).await {
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
/// process that may run anywhere are empty, and where there is no kubelet API its port is 0.
fn new_node(desired: &NodeView, now: Timestamp) -> Value {
    let beat = |c: &Condition| node_condition(c, now);
    let mut spec = json!({ "taints": taints(&desired.taints) });
    if desired.unschedulable
        && let Some(spec) = spec.as_object_mut()
    {
        spec.insert("unschedulable".to_owned(), true.into());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": desired.name,
            "labels": desired.labels,
            "annotations": desired.annotations,
        },
        "spec": spec,
        "status": {
            "addresses": desired.addresses.iter().map(address).collect::<Value>(),
            "capacity": *desired.capacity,
            "allocatable": *desired.allocatable,
            "conditions": desired.conditions.iter().map(beat).collect::<Value>(),
            "daemonEndpoints": { "kubeletEndpoint": { "Port": desired.kubelet_port } },
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
    let mut metadata = Map::new();
    metadata.insert("uid".to_owned(), or_null(&desired.uid));
    metadata.insert("labels".to_owned(), json!(desired.labels));
    metadata.insert("annotations".to_owned(), json!(desired.annotations));
    as_it_was_seen(&mut metadata, desired);
    json!({ "metadata": metadata, "spec": { "taints": taints(&desired.taints) } })
}

/// The version that a list was made from is a precondition for writing it whole, where it is known.
fn as_it_was_seen(metadata: &mut Map<String, Value>, desired: &NodeView) {
    if desired.resource_version != 0 {
        metadata.insert("resourceVersion".to_owned(), desired.resource_version.to_string().into());
    }
}

/// A strategic merge patch: conditions merge by type and capacities by name, so those of others stay. Addresses would
/// merge by type too, of which a Node may have several, and the first would be taken for ours: like a kubelet's, they are
/// written as a whole list, and only where they change.
fn status_patch(desired: &NodeView, now: Timestamp) -> Value {
    let beat = |c: &Condition| node_condition(c, now);
    let mut metadata = Map::new();
    metadata.insert("uid".to_owned(), or_null(&desired.uid));
    let mut status = Map::new();
    if !desired.addresses.is_empty() {
        as_it_was_seen(&mut metadata, desired);
        let whole = desired.addresses.iter().map(address).chain([json!({ "$patch": "replace" })]);
        status.insert("addresses".to_owned(), whole.collect());
    }
    status.insert("capacity".to_owned(), resources(&desired.capacity));
    status.insert("allocatable".to_owned(), resources(&desired.allocatable));
    status.insert("conditions".to_owned(), desired.conditions.iter().map(beat).collect());
    let endpoint = json!({ "kubeletEndpoint": { "Port": desired.kubelet_port } });
    status.insert("daemonEndpoints".to_owned(), endpoint);
    if !desired.kubelet_version.is_empty() {
        status.insert("nodeInfo".to_owned(), json!({ "kubeletVersion": desired.kubelet_version }));
    }
    json!({ "metadata": metadata, "status": status })
}

fn taints(taints: &[Taint]) -> Value {
    let value = |t: &Taint| json!({ "key": t.key, "value": t.value, "effect": t.effect });
    taints.iter().map(value).collect()
}

fn address(address: &Address) -> Value {
    json!({ "type": address.kind.as_str(), "address": address.address })
}

/// What is offered, and that nothing else of the kinds that we offer is: those of others (device plugins, an operator)
/// are left.
fn resources(desired: &LiteMap<Arc<str>, Arc<str>>) -> Value {
    let ours = |name: &&str| ((**name).to_owned(), desired.get(*name).map_or(Value::Null, |q| or_null(q)));
    Value::Object(OFFERED.iter().map(ours).collect())
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
    use engine::view::{AddressKind, ConditionStatus};

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
            kubelet_port: 0,
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
    fn one_that_was_cordoned_is_made_again_cordoned() {
        let spec = |node: &NodeView| new_node(node, now())["spec"]["unschedulable"].clone();
        assert_eq!(spec(&NodeView { unschedulable: true, ..desired() }), json!(true));
        assert_eq!(spec(&desired()), Value::Null);
    }

    #[test]
    fn a_status_takes_away_only_what_is_ours() {
        let gone =
            |pods: &str| json!({ "cpu": null, "ephemeral-storage": null, "memory": null, "pods": pods });
        assert_eq!(
            status_patch(&desired(), now()),
            json!({
                "metadata": { "uid": "u-1" },
                "status": {
                    "addresses": [
                        { "type": "InternalIP", "address": "192.0.2.2" },
                        { "$patch": "replace" },
                    ],
                    "capacity": gone("2000"),
                    "allocatable": gone("2000"),
                    "conditions": ready(),
                    "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } },
                    "nodeInfo": { "kubeletVersion": "v0.1.0" },
                },
            })
        );
    }

    #[test]
    fn addresses_are_written_only_where_they_change_and_as_they_were_seen() {
        let seen = NodeView { resource_version: 42, ..desired() };
        assert_eq!(status_patch(&seen, now())["metadata"]["resourceVersion"], "42");
        let patch = status_patch(&NodeView { addresses: vec![], ..seen }, now());
        assert_eq!(
            (&patch["metadata"], &patch["status"]["addresses"]),
            (&json!({ "uid": "u-1" }), &Value::Null)
        );
    }
}
