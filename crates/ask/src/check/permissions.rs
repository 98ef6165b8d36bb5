//! Whether the controller's account may do what its roles are for, and, before there is a controller, whether whoever asks
//! may install one. The API server is asked for each right by itself.

use futures::{StreamExt, stream};
use http::Request;
use kube::Client;
use serde_json::{Value, json};

use super::{Evidence, Finding, code::Code, controller::Controller};
use crate::{client::chain, command::Roles, read::Failure, text::Text};

/// Reviews at a time: there are some sixty of them.
const AT_ONCE: usize = 8;
/// What `install` makes, for whoever applies it.
const INSTALLED: [(&str, &str, &str); 8] = [
    ("", "namespaces", ""),
    ("apiextensions.k8s.io", "customresourcedefinitions", ""),
    ("rbac.authorization.k8s.io", "clusterroles", ""),
    ("rbac.authorization.k8s.io", "clusterrolebindings", ""),
    ("rbac.authorization.k8s.io", "roles", "kube-node-lease"),
    ("", "serviceaccounts", "module-controller"),
    ("", "services", "module-controller"),
    ("apps", "deployments", "module-controller"),
];

/// One right.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Right {
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    name: String,
    namespace: String,
}

impl Right {
    /// `patch nodes/status`, `get leases.coordination.k8s.io in kube-node-lease`.
    fn words(&self) -> String {
        let of = |before: &str, text: &str| {
            if text.is_empty() { String::new() } else { format!("{before}{text}") }
        };
        format!(
            "{} {}{}{}{}",
            self.verb,
            self.resource,
            of(".", &self.group),
            of("/", &self.subresource),
            of(" in ", &self.namespace)
        )
    }

    fn attributes(&self) -> Value {
        json!({"verb": self.verb, "group": self.group, "resource": self.resource, "subresource": self.subresource,
               "name": self.name, "namespace": self.namespace})
    }
}

/// Finds what is denied.
pub(crate) async fn check(client: &Client, roles: &Roles, evidence: &mut Evidence) {
    let controllers = evidence.controllers.clone();
    if controllers.is_empty() {
        let rights = INSTALLED.map(|(group, resource, namespace)| Right {
            verb: "create".to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: String::new(),
            name: String::new(),
            namespace: namespace.to_owned(),
        });
        let denied = denied(client, &rights, None).await;
        note(
            evidence,
            "whether you may install the controller",
            Code::InstallForbidden,
            "you".into(),
            denied,
        );
    }
    for controller in controllers {
        let account = format!("system:serviceaccount:{}:{}", controller.namespace, controller.account);
        let rights = rights(roles, &controller);
        let about = format!("ServiceAccount {}/{}", controller.namespace, controller.account).into();
        let denied = denied(client, &rights, Some((&account, &controller.namespace))).await;
        note(evidence, "the rights of the controller's account", Code::PermissionMissing, about, denied);
    }
}

fn note(evidence: &mut Evidence, what: &str, code: Code, about: Text, denied: Result<Vec<String>, Failure>) {
    match denied {
        Ok(denied) if denied.is_empty() => {}
        Ok(denied) => {
            evidence.found.push(Finding::new(code, about, format!("may not: {}", denied.join(", "))))
        }
        Err(failure) => evidence.skip(what, failure.why().clone()),
    }
}

/// What this controller needs, by the roles that `install` gives it.
fn rights(roles: &Roles, controller: &Controller) -> Vec<Right> {
    let peers = ["ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE"];
    let mut of = roles.base.clone();
    if peers.iter().any(|name| controller.is_on(name)) {
        of.extend(roles.peers.clone());
    }
    if controller.is_on("KUBELET_PROXY_ENABLED") {
        of.extend(roles.kubelet.clone());
    }
    if controller.is_on("IS_CLUSTER") {
        of.extend(roles.replicas.clone());
    }
    let own = &*controller.namespace;
    let mut rights: Vec<Right> = of.iter().flat_map(|role| of_role(role, own)).collect();
    rights.sort_by_key(Right::words);
    rights.dedup();
    rights
}

/// The rights of a role; one for another namespace than that of Node Leases is for the controller's own.
fn of_role(role: &Value, own: &str) -> Vec<Right> {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let list = rule.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let namespace = match role.pointer("/metadata/namespace").and_then(Value::as_str) {
        None => "",
        Some(leases @ "kube-node-lease") => leases,
        Some(_) => own,
    };
    let rules = role.get("rules").and_then(Value::as_array).into_iter().flatten();
    let mut rights = Vec::new();
    for rule in rules {
        let name = texts(rule, "resourceNames").into_iter().next().unwrap_or_default();
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
                rights.extend(texts(rule, "verbs").into_iter().map(|verb| Right {
                    verb,
                    group: group.clone(),
                    resource: resource.to_owned(),
                    subresource: subresource.to_owned(),
                    name: name.clone(),
                    namespace: namespace.to_owned(),
                }));
            }
        }
    }
    rights
}

/// Those that the account has not, or, where none is named, whoever asks.
async fn denied(
    client: &Client,
    rights: &[Right],
    account: Option<(&str, &str)>,
) -> Result<Vec<String>, Failure> {
    let mut answers = stream::iter(rights)
        .map(|right| async move { (right, is_allowed(client, right, account).await) })
        .buffered(AT_ONCE);
    let mut denied = Vec::new();
    while let Some((right, allowed)) = answers.next().await {
        if !allowed? {
            denied.push(right.words());
        }
    }
    Ok(denied)
}

async fn is_allowed(client: &Client, right: &Right, account: Option<(&str, &str)>) -> Result<bool, Failure> {
    let attributes = right.attributes();
    let (kind, spec) = match account {
        None => ("SelfSubjectAccessReview", json!({ "resourceAttributes": attributes })),
        Some((user, namespace)) => {
            let of_namespace = format!("system:serviceaccounts:{namespace}");
            let groups = ["system:serviceaccounts", &of_namespace, "system:authenticated"];
            (
                "SubjectAccessReview",
                json!({ "resourceAttributes": attributes, "user": user, "groups": groups }),
            )
        }
    };
    let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_ascii_lowercase());
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
    let request =
        Request::post(path).header("content-type", "application/json").body(body.to_string().into_bytes());
    let request = request.map_err(|error| Failure::Refused(chain(&error)))?;
    let answer: Value = client.request(request).await.map_err(Failure::of)?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_of_a_role_is_a_right() {
        let role = json!({"metadata": {"namespace": "default"}, "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        ]});
        let words: Vec<String> = of_role(&role, "own").iter().map(Right::words).collect();
        assert_eq!(
            words,
            [
                "get leases.coordination.k8s.io in own",
                "list leases.coordination.k8s.io in own",
                "patch nodes/status in own"
            ]
        );
    }
}
