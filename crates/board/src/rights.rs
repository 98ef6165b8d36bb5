//! What a viewer may see: as the API server says, of each kind in all namespaces or in some.

use std::{collections::BTreeSet, sync::Arc};

use ask::{Text, read::Failure};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Token};

/// Questions at once for one viewer.
const AT_ONCE: usize = 8;
/// More namespaces are not asked for: whoever may see more has the right in all.
pub(crate) const MOST_NAMESPACES: usize = 500;

/// A kind that is shown, as rights name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    pub(crate) plural: &'static str,
}

const fn of(group: &'static str, plural: &'static str) -> Resource {
    Resource { group, plural }
}

pub(crate) const NODES: Resource = of("", "nodes");
pub(crate) const MODULES: Resource = of("koupleless.io", "modules");
pub(crate) const PODS: Resource = of("", "pods");
pub(crate) const PLANS: Resource = of("koupleless.io", "operationplans");
pub(crate) const DEPLOYMENTS: Resource = of("apps", "deployments");
pub(crate) const DAEMON_SETS: Resource = of("apps", "daemonsets");
pub(crate) const LEASES: Resource = of("coordination.k8s.io", "leases");

/// Those that have a namespace.
pub(crate) const NAMESPACED: [Resource; 6] = [MODULES, PODS, PLANS, DEPLOYMENTS, DAEMON_SETS, LEASES];

/// Where objects of a kind may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    Everywhere,
    Within(Arc<BTreeSet<Text>>),
}

impl Default for Allowed {
    fn default() -> Self {
        Self::Within(Arc::default())
    }
}

impl Allowed {
    pub(crate) fn admits(&self, namespace: &Text) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within(namespaces) => namespaces.contains(namespace),
        }
    }
}

/// All that a viewer may see. Viewers with the same sight share what is made for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) nodes: bool,
    pub(crate) modules: Allowed,
    pub(crate) pods: Allowed,
    pub(crate) plans: Allowed,
    pub(crate) deployments: Allowed,
    pub(crate) daemon_sets: Allowed,
    pub(crate) replicas: Allowed,
    /// There are more namespaces than were asked for.
    pub(crate) cut: bool,
}

/// Whether something may be done, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) reason: Text,
}

/// Who asks.
pub(crate) struct Asker<'a> {
    pub(crate) api: &'a Api,
    pub(crate) token: &'a Token,
}

impl Asker<'_> {
    /// What this viewer may see, of the namespaces that there is something in.
    pub(crate) async fn sight(&self, namespaces: impl FnOnce() -> BTreeSet<Text>) -> Result<Sight, Failure> {
        let everywhere = stream::iter([NODES].into_iter().chain(NAMESPACED))
            .map(|resource| async move {
                Ok::<_, Failure>((resource, self.may("list", resource, None).await?.allowed))
            })
            .buffered(AT_ONCE)
            .try_collect::<Vec<(Resource, bool)>>()
            .await?;
        let is_everywhere = |resource| everywhere.contains(&(resource, true));
        let missing: Vec<Resource> =
            NAMESPACED.into_iter().filter(|resource| !is_everywhere(*resource)).collect();
        let mut within: Vec<(Resource, BTreeSet<Text>)> =
            missing.iter().map(|resource| (*resource, BTreeSet::new())).collect();
        let mut cut = false;
        if !missing.is_empty() {
            let namespaces = namespaces();
            cut = namespaces.len() > MOST_NAMESPACES;
            let rules = stream::iter(namespaces.into_iter().take(MOST_NAMESPACES))
                .map(|namespace| async {
                    let may = self.may_list(&missing, &namespace).await?;
                    Ok::<_, Failure>((namespace, may))
                })
                .buffered(AT_ONCE)
                .try_collect::<Vec<_>>()
                .await?;
            for (namespace, may) in rules {
                for (resource, namespaces) in &mut within {
                    if may.contains(resource) {
                        namespaces.insert(namespace.clone());
                    }
                }
            }
        }
        let mut allowed = |resource: Resource| match within.iter_mut().find(|(one, _)| *one == resource) {
            Some((_, namespaces)) => Allowed::Within(Arc::new(std::mem::take(namespaces))),
            None => Allowed::Everywhere,
        };
        Ok(Sight {
            nodes: is_everywhere(NODES),
            modules: allowed(MODULES),
            pods: allowed(PODS),
            plans: allowed(PLANS),
            deployments: allowed(DEPLOYMENTS),
            daemon_sets: allowed(DAEMON_SETS),
            replicas: allowed(LEASES),
            cut,
        })
    }

    /// Whether this viewer may do something, everywhere where no namespace is given.
    pub(crate) async fn may(
        &self,
        verb: &str,
        resource: Resource,
        namespace: Option<&str>,
    ) -> Result<Verdict, Failure> {
        let attributes = json!({
            "verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace.unwrap_or_default(),
        });
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": attributes },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let review: Review<AccessStatus> = self.api.post(self.token, path, &body).await?;
        let AccessStatus { allowed, reason } = review.status;
        Ok(Verdict { allowed, reason })
    }

    /// Which of these may be listed in a namespace: one question for all, and one for each where that is not the whole answer.
    async fn may_list(&self, of: &[Resource], namespace: &str) -> Result<Vec<Resource>, Failure> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": { "namespace": namespace },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let review: Review<RulesStatus> = self.api.post(self.token, path, &body).await?;
        if !review.status.incomplete {
            return Ok(of.iter().copied().filter(|resource| review.status.lets_list(*resource)).collect());
        }
        // Some authorizer tells no rules, and may deny what others allow.
        let mut may = Vec::new();
        for resource in of {
            if self.may("list", *resource, Some(namespace)).await?.allowed {
                may.push(*resource);
            }
        }
        Ok(may)
    }
}

#[derive(Deserialize)]
struct Review<T> {
    status: T,
}

#[derive(Deserialize)]
struct AccessStatus {
    allowed: bool,
    #[serde(default)]
    reason: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RulesStatus {
    #[serde(default)]
    incomplete: bool,
    resource_rules: Vec<Rule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    verbs: Vec<String>,
    api_groups: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    resource_names: Option<Vec<String>>,
}

impl RulesStatus {
    fn lets_list(&self, resource: Resource) -> bool {
        self.resource_rules.iter().any(|rule| {
            let has = |list: Option<&Vec<String>>, word: &str| {
                list.is_some_and(|list| list.iter().any(|one| one == word || one == "*"))
            };
            // A rule for some names lets nobody list.
            rule.resource_names.as_ref().is_none_or(Vec::is_empty)
                && has(Some(&rule.verbs), "list")
                && has(rule.api_groups.as_ref(), resource.group)
                && has(rule.resources.as_ref(), resource.plural)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_the_api_server_means_them() {
        let lets = |rule: serde_json::Value| {
            let status: RulesStatus = serde_json::from_value(json!({ "resourceRules": [rule] })).unwrap();
            (status.lets_list(PODS), status.lets_list(PLANS))
        };
        let core = |more: serde_json::Value| {
            let mut rule = json!({ "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"] });
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        assert_eq!(lets(core(json!({}))), (true, false));
        assert_eq!(
            lets(core(json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }))),
            (true, true)
        );
        assert_eq!(lets(core(json!({ "resourceNames": ["one"] }))), (false, false));
        assert_eq!(lets(core(json!({ "resourceNames": [] }))), (true, false));
        assert_eq!(lets(core(json!({ "verbs": ["watch"] }))), (false, false));
        assert_eq!(lets(core(json!({ "resources": ["pods/log"] }))), (false, false));
    }
}
