//! What the controller's account was granted, held against what the API server's audit log says that it did.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::account;

/// The environment variable that names the directory of the audit logs. Without it they go with their cluster.
pub const DIRECTORY: &str = "TESTKIT_AUDIT";

/// What every account may do by itself: Kubernetes gives it to all that are authenticated (`system:basic-user`).
const OF_ALL: [&str; 1] = ["create selfsubjectaccessreviews.authorization.k8s.io"];

/// One verb on one kind of resource, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    /// As RBAC writes it in one word: `deployments.apps/scale`.
    resource: String,
    /// None: everywhere.
    namespace: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in {namespace}"))
    }
}

/// Rights and requests of one or more clusters.
#[derive(Debug, Default)]
pub struct Rights {
    granted: BTreeSet<Right>,
    allowed: BTreeSet<Right>,
    refused: BTreeSet<Right>,
}

impl Rights {
    /// Reads the audit logs (`*.log`) and the roles (`roles.json`) in a directory and below it.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut rights = Self::default();
        rights.add_directory(dir)?;
        Ok(rights)
    }

    fn add_directory(&mut self, dir: &Path) -> Result<()> {
        let reading = || format!("reading {}", dir.display());
        for entry in fs::read_dir(dir).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            let text = || fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()));
            if path.is_dir() {
                self.add_directory(&path)?;
            } else if path.extension().is_some_and(|end| end == "log") {
                self.add_log(&text()?);
            } else if path.ends_with("roles.json") {
                let roles = serde_json::from_str(&text()?);
                self.add_roles(&roles.with_context(|| format!("{}: no JSON", path.display()))?);
            }
        }
        Ok(())
    }

    /// Everything that is not as it should be, one sentence each: a request that was refused, one that no role of
    /// `deploy/` allows, a right that nobody used.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> =
            self.refused.iter().map(|right| format!("{right}: was refused")).collect();
        let others = self.allowed.iter().filter(|right| self.grant(right).is_none());
        let others =
            others.filter(|right| !OF_ALL.contains(&format!("{} {}", right.verb, right.resource).as_str()));
        wrong.extend(others.map(|right| format!("{right}: was allowed by no role of deploy/")));
        let used: BTreeSet<&Right> = self.allowed.iter().filter_map(|right| self.grant(right)).collect();
        let unused = self.granted.iter().filter(|right| !used.contains(right));
        wrong.extend(unused.map(|right| format!("{right}: is granted and was never used")));
        wrong
    }

    /// How many rights are granted.
    pub fn granted(&self) -> usize {
        self.granted.len()
    }

    /// The granted right by which a request was allowed.
    fn grant(&self, used: &Right) -> Option<&Right> {
        self.granted.iter().find(|granted| {
            let there = granted.namespace.is_none() || granted.namespace == used.namespace;
            there && granted.verb == used.verb && granted.resource == used.resource
        })
    }

    /// The lines of an audit log. One that cannot be read is the last one, of a server that was killed.
    fn add_log(&mut self, text: &str) {
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let word =
                |path: &str| event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
            let (Some(verb), Some(decision)) =
                (word("/verb"), word("/annotations/authorization.k8s.io~1decision"))
            else {
                continue;
            };
            let resource = match word("/objectRef/resource") {
                Some(kind) => resource(word("/objectRef/apiGroup"), kind, word("/objectRef/subresource")),
                None => word("/requestURI").unwrap_or_default().to_owned(),
            };
            let namespace = word("/objectRef/namespace").map(str::to_owned);
            let right = Right { verb: verb.to_owned(), resource, namespace };
            // Not the status: what admission forbids (a namespace that is going) has a 403 too.
            match decision {
                "allow" => self.allowed.insert(right),
                _ => self.refused.insert(right),
            };
        }
    }

    /// The roles of a `List`, as kubectl prints it.
    fn add_roles(&mut self, list: &Value) {
        for role in items(list, "/items") {
            let namespace = role.pointer("/metadata/namespace").and_then(Value::as_str);
            for rule in items(role, "/rules") {
                for group in texts(rule, "/apiGroups") {
                    for kind in texts(rule, "/resources") {
                        let (kind, sub) = kind.split_once('/').map_or((kind, None), |(k, s)| (k, Some(s)));
                        let resource = resource(Some(group).filter(|group| !group.is_empty()), kind, sub);
                        self.granted.extend(texts(rule, "/verbs").map(|verb| Right {
                            verb: verb.to_owned(),
                            resource: resource.clone(),
                            namespace: namespace.map(str::to_owned),
                        }));
                    }
                }
            }
        }
    }
}

fn resource(group: Option<&str>, kind: &str, sub: Option<&str>) -> String {
    let group = group.map(|group| format!(".{group}")).unwrap_or_default();
    let sub = sub.map(|sub| format!("/{sub}")).unwrap_or_default();
    format!("{kind}{group}{sub}")
}

fn items<'a>(of: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    of.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

fn texts<'a>(of: &'a Value, path: &str) -> impl Iterator<Item = &'a str> {
    items(of, path).filter_map(Value::as_str)
}

/// The audit policy: what the controller's account does, without bodies, and nobody else.
pub(crate) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "users": [format!("system:serviceaccount:{}:{}", account::NAMESPACE, account::NAME)]},
            {"level": "None"},
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(log: &[Value]) -> Rights {
        let mut rights = Rights::default();
        rights.add_roles(&json!({"items": [
            {"metadata": {}, "rules": [{"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["patch"]}]},
            {"metadata": {"namespace": "kube-node-lease"},
             "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}]},
        ]}));
        let lines: Vec<String> = log.iter().map(Value::to_string).collect();
        rights.add_log(&(lines.join("\n") + "\n{\"cut"));
        rights
    }

    fn event(verb: &str, decision: &str, object: Value) -> Value {
        json!({"verb": verb, "objectRef": object, "annotations": {"authorization.k8s.io/decision": decision}})
    }

    #[test]
    fn what_is_used_as_granted_is_not_told() {
        let rights = rights(&[
            event("patch", "allow", json!({"resource": "pods", "namespace": "a"})),
            event("patch", "allow", json!({"resource": "pods", "subresource": "status", "namespace": "a"})),
            event(
                "get",
                "allow",
                json!({"resource": "leases", "apiGroup": "coordination.k8s.io", "namespace": "kube-node-lease"}),
            ),
            event(
                "create",
                "allow",
                json!({"resource": "selfsubjectaccessreviews", "apiGroup": "authorization.k8s.io"}),
            ),
        ]);
        assert_eq!(rights.wrong(), [""; 0]);
        assert_eq!(rights.granted(), 3);
    }

    #[test]
    fn what_is_refused_allowed_by_others_and_never_used_is_told() {
        let rights = rights(&[
            event(
                "patch",
                "forbid",
                json!({"resource": "deployments", "apiGroup": "apps", "namespace": "a"}),
            ),
            event("patch", "allow", json!({"resource": "pods", "namespace": "a"})),
            event(
                "get",
                "allow",
                json!({"resource": "leases", "apiGroup": "coordination.k8s.io", "namespace": "a"}),
            ),
        ]);
        assert_eq!(
            rights.wrong(),
            [
                "patch deployments.apps in a: was refused",
                "get leases.coordination.k8s.io in a: was allowed by no role of deploy/",
                "get leases.coordination.k8s.io in kube-node-lease: is granted and was never used",
                "patch pods/status: is granted and was never used",
            ]
        );
    }
}
