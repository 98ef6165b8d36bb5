//! The manifests of `deploy/`, which are in the program as they are.

use anyhow::{Context, Result};
use serde_json::Value;

/// The account of the controller in `deploy/policies/account`.
const ACCOUNT: &str = "system:serviceaccount:default:virtual-kubelet";

const POLICIES: [&str; 5] = [
    include_str!("../../../../deploy/policies/account/leases.yaml"),
    include_str!("../../../../deploy/policies/account/modules.yaml"),
    include_str!("../../../../deploy/policies/account/nodes.yaml"),
    include_str!("../../../../deploy/policies/account/pods.yaml"),
    include_str!("../../../../deploy/policies/account/workloads.yaml"),
];

/// Three replicas, as the overlay has them.
pub(super) fn deployment() -> Result<Value> {
    one(include_str!("../../../../deploy/overlays/cluster/deployment.yaml"))
}

/// What lets renewals of Leases pass our own writes.
pub(super) fn flow_schema() -> Result<Value> {
    one(include_str!("../../../../deploy/overlays/cluster/flow-schema.yaml"))
}

/// The role of every controller: that of the cluster, and that for the Leases of VNodes.
pub(super) fn base_roles() -> Result<Vec<Value>> {
    read(include_str!("../../../../deploy/base/role.yaml"))
}

/// What peer Deployments and the baseline need.
pub(super) fn peers_roles() -> Result<Vec<Value>> {
    read(include_str!("../../../../deploy/peers/role.yaml"))
}

/// What the kubelet API needs.
pub(super) fn kubelet_roles() -> Result<Vec<Value>> {
    read(include_str!("../../../../deploy/kubelet/role.yaml"))
}

/// What several replicas need, in the controller's namespace and for the Leases of VNodes.
pub(super) fn replicas_roles() -> Result<Vec<Value>> {
    read(include_str!("../../../../deploy/overlays/cluster/role.yaml"))
}

/// The policies, for the controller that the API server knows as `user`.
pub(super) fn account_policies(user: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for policy in POLICIES {
        all.extend(read(&policy.replace(ACCOUNT, user))?);
    }
    Ok(all)
}

fn one(text: &str) -> Result<Value> {
    read(text)?.pop().context("an empty manifest")
}

fn read(text: &str) -> Result<Vec<Value>> {
    serde_saphyr::from_multiple(text).context("reading a manifest of deploy/")
}
