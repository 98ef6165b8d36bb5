//! The controller's own account: the ServiceAccount of `deploy/`, with the rights of `deploy/` and no others.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::artifacts;
use crate::cluster::Cluster;
use crate::wait::wait_for;

/// Its namespace in the manifests, as in the manual's.
pub const NAMESPACE: &str = "default";

/// Its name in the manifests, which is the manual's.
pub const NAME: &str = "virtual-kubelet";

/// What of `deploy/` makes the account: all but the controller itself, which no kubelet here would run.
const MANIFESTS: [(&str, &str); 9] = [
    ("-k", "deploy/crds"),
    ("-f", "deploy/base/role.yaml"),
    ("-f", "deploy/base/role-binding.yaml"),
    ("-f", "deploy/base/service-account.yaml"),
    ("-k", "deploy/peers"),
    ("-f", "deploy/kubelet/role.yaml"),
    ("-f", "deploy/kubelet/role-binding.yaml"),
    ("-f", "deploy/overlays/cluster/role.yaml"),
    ("-f", "deploy/overlays/cluster/role-binding.yaml"),
];

/// A right of each role, for [`may`]. A binding counts for the API server only some moments after it was made, and what comes before
/// that would be refused.
const ONE_OF_EACH: [&[&str]; 6] = [
    &["patch", "nodes"],
    &["create", "leases.coordination.k8s.io", "-n", "kube-node-lease"],
    &["list", "deployments.apps"],
    &["create", "tokenreviews.authentication.k8s.io"],
    &["create", "leases.coordination.k8s.io", "-n", "default"],
    &["list", "leases.coordination.k8s.io", "-n", "kube-node-lease"],
];

/// Makes it, and waits until its rights count.
pub(crate) fn make(cluster: &Cluster) -> Result<()> {
    for (kind, path) in MANIFESTS {
        let path = artifacts::repository().join(path);
        cluster.kubectl(&["apply", kind, &path.to_string_lossy()])?;
    }
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/modules.koupleless.io",
        "--timeout=30s",
    ])?;
    for right in ONE_OF_EACH {
        may(cluster, NAMESPACE, NAME, right)?;
    }
    Ok(())
}

/// Its roles, as the API server has them: a `List`.
pub(crate) fn roles(cluster: &Cluster) -> Result<Value> {
    let role = |path: &str| artifacts::repository().join(path).to_string_lossy().into_owned();
    let (base, peers) = (role("deploy/base/role.yaml"), role("deploy/peers/role.yaml"));
    let replicas = role("deploy/overlays/cluster/role.yaml");
    let kubelet = role("deploy/kubelet/role.yaml");
    cluster.kubectl_json(&["get", "-f", &base, "-f", &peers, "-f", &kubelet, "-f", &replicas])
}

/// Waits until a ServiceAccount may do something: `["patch", "nodes"]` or with `-n` and a namespace.
pub fn may(cluster: &Cluster, namespace: &str, name: &str, right: &[&str]) -> Result<()> {
    let account = format!("--as=system:serviceaccount:{namespace}:{name}");
    let args = [&["auth", "can-i", &account][..], right].concat();
    wait_for(&format!("{name} may {}", right.join(" ")), Duration::from_secs(20), || {
        let answer = cluster.kubectl_output(&args, "")?;
        let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        ensure!(answer.status.success(), "{said}");
        Ok(Some(()))
    })
}

/// Writes a kubeconfig of a ServiceAccount of this cluster to `file`, with a token that outlives every test.
pub fn kubeconfig(cluster: &Cluster, namespace: &str, name: &str, file: PathBuf) -> Result<PathBuf> {
    let token = cluster.kubectl(&["create", "token", name, "-n", namespace, "--duration=24h"])?;
    let mut config = cluster.kubectl_json(&["config", "view", "--raw"])?;
    let user = config.pointer_mut("/users/0/user").context("a kubeconfig without a user")?;
    *user = json!({"token": token.trim()});
    fs::write(&file, config.to_string()).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
