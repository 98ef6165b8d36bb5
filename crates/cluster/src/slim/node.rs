//! A Node, from JSON to [`NodeView`].

use std::{collections::BTreeMap, sync::Arc};

use engine::view::{Address, NodeView, Taint};
use kube::core::ClusterResourceScope;
use litemap::LiteMap;
use serde::Deserialize;

use super::{ConditionJson, Kind, Slim, Unreadable, each, meta::MetaJson, nothing, version};

/// A Node of a watch, a list or a response.
pub(crate) type Node = Slim<NodeView>;

#[derive(Deserialize)]
struct NodeJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    taints: Vec<TaintJson>,
    #[serde(default, deserialize_with = "nothing")]
    unschedulable: bool,
}

#[derive(Deserialize)]
struct TaintJson {
    #[serde(default, deserialize_with = "nothing")]
    key: String,
    #[serde(default, deserialize_with = "nothing")]
    value: String,
    #[serde(default, deserialize_with = "nothing")]
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    addresses: Vec<AddressJson>,
    #[serde(default, deserialize_with = "nothing")]
    capacity: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    allocatable: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<ConditionJson>,
    #[serde(default, deserialize_with = "nothing")]
    node_info: InfoJson,
    #[serde(default, deserialize_with = "nothing")]
    daemon_endpoints: EndpointsJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointsJson {
    #[serde(default, deserialize_with = "nothing")]
    kubelet_endpoint: EndpointJson,
}

#[derive(Default, Deserialize)]
struct EndpointJson {
    #[serde(default, rename = "Port", deserialize_with = "nothing")]
    port: i32,
}

#[derive(Deserialize)]
struct AddressJson {
    #[serde(default, deserialize_with = "nothing")]
    r#type: String,
    #[serde(default, deserialize_with = "nothing")]
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoJson {
    #[serde(default, deserialize_with = "nothing")]
    kubelet_version: String,
}

impl Kind for NodeView {
    const KIND: &'static str = "Node";
    const PLURAL: &'static str = "nodes";
    type Scope = ClusterResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let NodeJson { metadata, spec, status } = serde_json::from_str(json)?;
        let taint = |t: TaintJson| Taint { key: t.key, value: t.value, effect: t.effect };
        Ok(Self {
            name: metadata.name.ok_or(Unreadable::Missing("name"))?,
            uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            resource_version: version(&metadata.resource_version),
            labels: texts(metadata.labels),
            annotations: texts(metadata.annotations),
            taints: each(spec.taints, taint).into(),
            unschedulable: spec.unschedulable,
            addresses: each(status.addresses, address),
            capacity: texts(status.capacity).into(),
            allocatable: texts(status.allocatable).into(),
            conditions: each(status.conditions, Into::into),
            kubelet_port: u16::try_from(status.daemon_endpoints.kubelet_endpoint.port).unwrap_or_default(),
            kubelet_version: status.node_info.kubelet_version.into(),
            deleting: metadata.deletion_timestamp.is_some(),
        })
    }
}

fn texts(map: BTreeMap<String, String>) -> LiteMap<Arc<str>, Arc<str>> {
    map.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn address(json: AddressJson) -> Address {
    Address { kind: json.r#type.as_str().into(), address: json.address }
}

#[cfg(test)]
mod tests {
    use engine::view::{AddressKind, Condition, ConditionStatus};

    use super::*;

    #[test]
    fn a_node_of_a_real_server_is_read() {
        let node: Node = serde_json::from_str(include_str!("../../testdata/node.json")).unwrap();
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(
            node.body.unwrap(),
            NodeView {
                name: "virtual-node-192.0.2.2".into(),
                uid: "2116084e-1ba8-41fa-ba32-d580b1393a18".into(),
                resource_version: 248,
                labels: map(&[
                    ("base.koupleless.io/stack", "java"),
                    ("kubernetes.io/hostname", "virtual-node-192.0.2.2"),
                    ("module-controller.koupleless.io/component", "vnode"),
                    ("virtual-kubelet.koupleless.io/component", "vnode"),
                ]),
                annotations: map(&[("node.alpha.kubernetes.io/ttl", "0"), ("note", "x")]),
                taints: vec![Taint {
                    key: "schedule.koupleless.io/virtual-node".into(),
                    value: "True".into(),
                    effect: "NoExecute".into(),
                }]
                .into(),
                unschedulable: false,
                addresses: vec![
                    Address { kind: AddressKind::InternalIp, address: "192.0.2.2".into() },
                    Address { kind: AddressKind::Hostname, address: "host-a".into() },
                    Address { kind: AddressKind::Other("ExternalIP".into()), address: "198.51.100.7".into() },
                ],
                capacity: map(&[("memory", "256Mi"), ("pods", "2k")]).into(),
                allocatable: map(&[("memory", "200Mi"), ("pods", "2k")]).into(),
                conditions: vec![Condition {
                    kind: "Ready".into(),
                    status: ConditionStatus::True,
                    reason: "BaseActivated".into(),
                    message: "the base is activated".into(),
                    changed: Some("2026-11-22T21:56:27Z".parse().unwrap()),
                }],
                kubelet_port: 0,
                kubelet_version: "v1.34.4-koupleless".into(),
                deleting: false,
            }
        );
    }

    #[test]
    fn a_node_that_is_being_deleted_says_so() {
        let json = r#"{"metadata":{"name":"n","uid":"u","deletionTimestamp":"2026-11-22T21:56:27Z"}}"#;
        assert!(NodeView::read(json).unwrap().deleting);
        assert!(
            !NodeView::read(r#"{"metadata":{"name":"n","uid":"u","deletionTimestamp":null}}"#)
                .unwrap()
                .deleting
        );
    }
}
