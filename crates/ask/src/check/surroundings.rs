//! What of a cluster is in the way of Pods: defaults and limits of their namespace, and webhooks that change them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    read::{Object, SelectorJson, Workload, nothing, workload::Selector},
    text::Text,
};

/// A LimitRange: what containers request that say nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) resources: Vec<String>,
}

/// A ResourceQuota: how much there is, and how much of it is used.
#[derive(Debug, Clone, Default)]
pub(super) struct Quota {
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) hard: BTreeMap<String, String>,
    pub(super) used: BTreeMap<String, String>,
}

/// The labels of a namespace, which webhooks go by.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespace {
    pub(super) name: Text,
    pub(super) labels: BTreeMap<String, String>,
}

/// Webhooks that may change Pods when they are made.
#[derive(Debug, Clone, Default)]
pub(super) struct Webhooks {
    pub(super) name: Text,
    pub(super) of_pods: Vec<Webhook>,
}

/// One of them: which Pods it is asked about.
#[derive(Debug, Clone, Default)]
pub(super) struct Webhook {
    namespaces: Option<Selector>,
    pods: Option<Selector>,
}

impl Webhook {
    /// It is asked about the Pods of a workload. An empty selector is about all.
    pub(super) fn concerns(&self, workload: &Workload, namespace: &BTreeMap<String, String>) -> bool {
        let holds = |selector: &Option<Selector>, labels: &BTreeMap<String, String>| {
            selector.as_ref().is_none_or(|selector| selector.matches(labels))
        };
        holds(&self.namespaces, namespace) && holds(&self.pods, &workload.pod_labels)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetaJson {
    name: Text,
    #[serde(deserialize_with = "nothing")]
    namespace: Text,
    #[serde(deserialize_with = "nothing")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct NamespaceJson {
    metadata: MetaJson,
}

impl Object for Namespace {
    const NAME: &'static str = "Namespaces";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let NamespaceJson { metadata } = serde_json::from_str(json)?;
        Ok(Self { name: metadata.name, labels: metadata.labels })
    }
}

#[derive(Deserialize)]
struct LimitRangeJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: LimitsJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LimitsJson {
    #[serde(deserialize_with = "nothing")]
    limits: Vec<LimitJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LimitJson {
    r#type: String,
    #[serde(deserialize_with = "nothing")]
    default: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "nothing")]
    default_request: BTreeMap<String, serde_json::Value>,
}

impl Object for Defaults {
    const NAME: &'static str = "LimitRanges";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let LimitRangeJson { metadata, spec } = serde_json::from_str(json)?;
        let of_containers = spec.limits.into_iter().filter(|limit| limit.r#type == "Container");
        // A default limit is the default request of those that request nothing, too.
        let mut resources: Vec<String> = of_containers
            .flat_map(|limit| limit.default_request.into_keys().chain(limit.default.into_keys()))
            .collect();
        resources.sort();
        resources.dedup();
        Ok(Self { namespace: metadata.namespace, name: metadata.name, resources })
    }
}

#[derive(Deserialize)]
struct QuotaJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    status: QuotaStatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QuotaStatusJson {
    #[serde(deserialize_with = "nothing")]
    hard: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    used: BTreeMap<String, String>,
}

impl Object for Quota {
    const NAME: &'static str = "ResourceQuotas";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let QuotaJson { metadata, status } = serde_json::from_str(json)?;
        Ok(Self { namespace: metadata.namespace, name: metadata.name, hard: status.hard, used: status.used })
    }
}

#[derive(Deserialize)]
struct WebhooksJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    webhooks: Vec<WebhookJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WebhookJson {
    namespace_selector: Option<SelectorJson>,
    object_selector: Option<SelectorJson>,
    #[serde(deserialize_with = "nothing")]
    rules: Vec<RuleJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleJson {
    #[serde(deserialize_with = "nothing")]
    api_groups: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    resources: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    operations: Vec<String>,
}

impl RuleJson {
    fn is_of_pods(&self) -> bool {
        let has = |list: &[String], any: &[&str]| list.iter().any(|one| any.contains(&one.as_str()));
        has(&self.api_groups, &["", "*"])
            && has(&self.resources, &["pods", "*", "*/*"])
            && has(&self.operations, &["CREATE", "*"])
    }
}

impl Object for Webhooks {
    const NAME: &'static str = "MutatingWebhookConfigurations";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let WebhooksJson { metadata, webhooks } = serde_json::from_str(json)?;
        let of_pods = webhooks.into_iter().filter(|webhook| webhook.rules.iter().any(RuleJson::is_of_pods));
        let of_pods = of_pods.map(|webhook| Webhook {
            namespaces: webhook.namespace_selector.map(Selector::from),
            pods: webhook.object_selector.map(Selector::from),
        });
        Ok(Self { name: metadata.name, of_pods: of_pods.collect() })
    }
}
