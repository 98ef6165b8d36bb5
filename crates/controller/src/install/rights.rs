//! The account and its roles: the rules of `deploy/`, under names of their own.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Install, NAME, embedded};

/// Where the heartbeats of VNodes are.
const LEASES: &str = "kube-node-lease";

/// The account, its roles and their bindings.
pub(super) fn objects(install: &Install) -> Result<Vec<Value>> {
    let metadata = json!({"name": NAME, "namespace": install.namespace});
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})];
    let mut roles = embedded::base_roles()?.into_iter().map(|role| (role, "")).collect::<Vec<_>>();
    if install.peers {
        roles.extend(embedded::peers_roles()?.into_iter().map(|role| (role, "-peers")));
    }
    if install.kubelet_api {
        roles.extend(embedded::kubelet_roles()?.into_iter().map(|role| (role, "-kubelet")));
    }
    if install.several() {
        roles.extend(embedded::replicas_roles()?.into_iter().map(|role| (role, "-replicas")));
    }
    for (role, suffix) in roles {
        objects.extend(named(install, &role, suffix)?);
    }
    Ok(objects)
}

/// A role of `deploy/` under our name, and its binding to the account.
fn named(install: &Install, role: &Value, suffix: &str) -> Result<[Value; 2]> {
    let (kind, rules) = (role.get("kind").context("a role without a kind")?, role.get("rules"));
    let rules = rules.context("a role without rules")?;
    let outside = format!("{}{suffix}", install.name_outside());
    let metadata = match role.pointer("/metadata/namespace").and_then(Value::as_str) {
        None => json!({"name": outside}),
        Some(LEASES) => json!({"name": outside, "namespace": LEASES}),
        Some(_) => json!({"name": format!("{NAME}{suffix}"), "namespace": install.namespace}),
    };
    let binding = format!("{}Binding", kind.as_str().unwrap_or_default());
    let group = "rbac.authorization.k8s.io";
    let api = format!("{group}/v1");
    let reference = json!({"apiGroup": group, "kind": kind, "name": metadata.get("name")});
    let account = json!({"kind": "ServiceAccount", "name": NAME, "namespace": install.namespace});
    Ok([
        json!({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}),
        json!({"apiVersion": api, "kind": binding, "metadata": metadata, "roleRef": reference, "subjects": [account]}),
    ])
}
