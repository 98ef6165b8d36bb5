//! What is left of a controller: Nodes of bases, their Leases, and those of its replicas and permits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::Client;
use serde::Deserialize;

use crate::{
    check::Controller,
    read::{Failure, Meta, Object, Pod, list, nothing, pods},
    text::Text,
};

/// What every Node of a base is labelled with.
const VNODES: &str = "module-controller.koupleless.io/component=vnode";
/// What every Lease of ours is labelled with.
const ENV: &str = "module-controller.koupleless.io/env";
/// Where the Leases of Nodes are.
const NODE_LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const TAINT: &str = "schedule.koupleless.io/virtual-node";
const IDENTITY: &str = "base.koupleless.io/identity";
/// How the names of such Nodes begin.
const NAMES: [&str; 2] = ["virtual-node-", "vnode."];

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) nodes: Vec<LeftNode>,
    pub(crate) leases: Vec<LeftLease>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) controllers: Vec<Controller>,
}

/// A Node that has the label of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftNode {
    pub(crate) name: Text,
    pub(crate) uid: Text,
    pub(crate) env: Text,
    /// It also has the taint of a base, and its identity or name.
    pub(crate) is_ours: bool,
}

/// A Lease that has our label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftLease {
    pub(crate) namespace: Text,
    pub(crate) name: Text,
    pub(crate) uid: Text,
    pub(crate) env: Text,
    pub(crate) renewed: Option<Timestamp>,
}

impl Left {
    /// Reads it. What cannot be read cannot be deleted with a good conscience.
    pub(crate) async fn read(client: &Client, env: Option<&str>) -> Result<Self, Failure> {
        let of_env = |label: &str| env.map_or_else(|| label.to_owned(), |env| format!("{label},{ENV}={env}"));
        let labelled = env.map_or_else(|| ENV.to_owned(), |env| format!("{ENV}={env}"));
        let nodes = list::<LeftNode>(client, "/api/v1/nodes", &of_env(VNODES)).await?.items;
        let mut leases =
            list::<LeftLease>(client, "/apis/coordination.k8s.io/v1/leases", &labelled).await?.items;
        let of_nodes = list::<LeftLease>(client, NODE_LEASES, "").await?.items;
        leases.extend(unlabelled(&nodes, of_nodes));
        Ok(Self { nodes, leases, pods: pods(client).await?, controllers: Controller::all(client).await? })
    }
}

/// The Leases of our Nodes that are known by their name only: a controller that does not share its bases gives them no label.
fn unlabelled(nodes: &[LeftNode], leases: Vec<LeftLease>) -> impl Iterator<Item = LeftLease> {
    let envs: BTreeMap<Text, Text> =
        nodes.iter().filter(|node| node.is_ours).map(|node| (node.name.clone(), node.env.clone())).collect();
    let bare = leases.into_iter().filter(|lease| lease.env.is_empty());
    bare.filter_map(move |lease| Some(LeftLease { env: envs.get(&lease.name)?.clone(), ..lease }))
}

#[derive(Deserialize)]
struct ObjectJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(deserialize_with = "nothing")]
    taints: Vec<TaintJson>,
    renew_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TaintJson {
    key: String,
}

impl Object for LeftNode {
    const NAME: &'static str = "Nodes of bases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let ObjectJson { metadata, spec } = serde_json::from_str(json)?;
        let is_named = NAMES.iter().any(|name| metadata.name.starts_with(name));
        let is_tainted = spec.taints.iter().any(|taint| taint.key == TAINT);
        Ok(Self {
            is_ours: is_tainted && (is_named || !metadata.annotation(IDENTITY).is_empty()),
            env: metadata.label(ENV),
            name: metadata.name,
            uid: metadata.uid,
        })
    }
}

impl Object for LeftLease {
    const NAME: &'static str = "Leases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let ObjectJson { metadata, spec } = serde_json::from_str(json)?;
        Ok(Self {
            env: metadata.label(ENV),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            renewed: spec.renew_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_without_our_label_is_known_by_the_name_of_our_node() {
        let node =
            |name: &str, is_ours| LeftNode { name: name.into(), uid: "n".into(), env: "dev".into(), is_ours };
        let lease = |name: &str, env: &str| LeftLease {
            namespace: "kube-node-lease".into(),
            name: name.into(),
            uid: "l".into(),
            env: env.into(),
            renewed: None,
        };
        let nodes = [node("virtual-node-a", true), node("worker", false)];
        let leases = vec![lease("virtual-node-a", ""), lease("worker", ""), lease("virtual-node-b", "dev")];
        let found: Vec<LeftLease> = unlabelled(&nodes, leases).collect();
        assert_eq!(found, [lease("virtual-node-a", "dev")]);
    }
}
