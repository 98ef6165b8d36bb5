//! What makes Pods of modules, as far as it may be wrong.

use std::collections::BTreeMap;

use engine::placement::{NodeSelectorTerm, Operator, Placement, Requirement, Toleration};
use serde::Deserialize;
use serde_json::Value;

use super::{RequirementJson, SelectorJson, Site, is_package, nothing};
use crate::text::Text;

/// The labels of either family.
pub(crate) const FAMILIES: [&str; 2] = ["module-controller.koupleless.io", "virtual-kubelet.koupleless.io"];

/// A Deployment, DaemonSet, StatefulSet, Job, ReplicaSet or bare Pod.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    pub kind: Text,
    pub namespace: Text,
    pub name: Text,
    /// Its own labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// `spec.selector`; none where the kind has none.
    pub(crate) selector: Option<Selector>,
    pub replicas: u32,
    pub(crate) max_unavailable: Option<Value>,
    /// The labels of its Pods.
    pub(crate) pod_labels: BTreeMap<String, String>,
    pub(crate) pod_annotations: BTreeMap<String, String>,
    pub(crate) placement: Placement,
    pub(crate) apart: Vec<Apart>,
    pub(crate) containers: Vec<ContainerJson>,
}

/// A term of required pod anti-affinity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Apart {
    pub(crate) selector: Option<Selector>,
    pub(crate) match_label_keys: Vec<String>,
}

/// A label selector: all of it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector(pub(crate) Vec<Requirement>);

impl Selector {
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let is_listed = value.is_some_and(|value| requirement.values.contains(value));
            match requirement.operator {
                Operator::In => is_listed,
                Operator::NotIn => !is_listed,
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                // A label selector knows no others.
                Operator::Gt | Operator::Lt | Operator::Unknown => false,
            }
        })
    }
}

impl Workload {
    /// `Deployment shop/cart`.
    pub(crate) fn about(&self) -> Text {
        match self.namespace.is_empty() {
            true => format!("{} {}", self.kind, self.name).into(),
            false => format!("{} {}/{}", self.kind, self.namespace, self.name).into(),
        }
    }

    /// Its Pods are labelled as modules.
    pub(crate) fn is_labelled(&self) -> bool {
        FAMILIES.iter().any(|family| {
            self.pod_labels.get(&format!("{family}/component")).is_some_and(|is| is == "module")
        })
    }

    /// Somebody means it to make modules: by the label, or by what only modules have.
    pub fn is_meant(&self) -> bool {
        let asks_for_a_base = |requirement: &Requirement| requirement.key.starts_with("base.koupleless.io/");
        let terms = self.placement.terms.iter().flatten();
        self.is_labelled()
            || terms.flat_map(|term| &term.expressions).any(asks_for_a_base)
            || self.placement.node_selector.keys().any(|key| key.starts_with("base.koupleless.io/"))
            || self
                .containers
                .iter()
                .any(|container| container.env.iter().any(|one| one.name == "BIZ_VERSION"))
    }

    /// Those of these bases that its Pods come to, as a plan of this UID knows them.
    pub fn bases<'a>(&self, sites: impl Iterator<Item = &'a Site>, plan_uid: &str) -> Vec<plan::Base> {
        let is_its = |site: &&Site| self.placement.admits(&engine::placement::Site::lasting(&site.0));
        sites.filter(is_its).map(|site| engine::base_of_node(plan_uid, &site.0, true)).collect()
    }

    /// It wants a Pod on each base that its Pods may be on.
    pub(crate) fn is_on_every_base(&self) -> bool {
        let is_peer = self.own_label("component") == Some("module-deployment");
        &*self.kind == "DaemonSet" || (is_peer && &*self.kind == "Deployment" && self.replicas > 0)
    }

    /// Its modules with their versions, where these are written in it.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &str)> {
        let told = self.modules().map(|(name, version, _)| (name, version));
        told.filter(|(_, version)| !version.is_empty())
    }

    /// Its modules: name, version and URL.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let of = |container: &&ContainerJson| {
            is_package(&container.image) || container.env.iter().any(|one| one.name == "BIZ_VERSION")
        };
        self.containers.iter().filter(of).map(|container| {
            let version = container.env.iter().find(|one| one.name == "BIZ_VERSION");
            (
                &*container.name,
                version.map(|one| one.value.as_str()).unwrap_or_default(),
                container.image.as_str(),
            )
        })
    }

    /// The operation plan that its Pods name; empty where they name none.
    pub fn plan(&self) -> &str {
        self.pod_annotations.get("module-controller.koupleless.io/operation-plan").map_or("", String::as_str)
    }

    /// A label of its own of either family.
    pub(crate) fn own_label(&self, key: &str) -> Option<&str> {
        FAMILIES.iter().find_map(|family| self.labels.get(&format!("{family}/{key}"))).map(String::as_str)
    }
}

#[derive(Debug, Deserialize)]
struct WorkloadJson {
    #[serde(default)]
    kind: Text,
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MetaJson {
    #[serde(deserialize_with = "nothing")]
    pub(super) name: Text,
    #[serde(deserialize_with = "nothing")]
    namespace: Text,
    #[serde(deserialize_with = "nothing")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) owner_references: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    replicas: Option<u32>,
    #[serde(deserialize_with = "nothing")]
    selector: Option<SelectorJson>,
    #[serde(deserialize_with = "nothing")]
    strategy: StrategyJson,
    #[serde(deserialize_with = "nothing")]
    template: TemplateJson,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StrategyJson {
    #[serde(deserialize_with = "nothing")]
    rolling_update: RollingJson,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RollingJson {
    max_unavailable: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateJson {
    #[serde(deserialize_with = "nothing")]
    metadata: MetaJson,
    #[serde(deserialize_with = "nothing")]
    spec: PodSpecJson,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpecJson {
    #[serde(deserialize_with = "nothing")]
    containers: Vec<ContainerJson>,
    #[serde(deserialize_with = "nothing")]
    node_selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    affinity: AffinityJson,
    #[serde(deserialize_with = "nothing")]
    tolerations: Vec<TolerationJson>,
}

/// A container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerJson {
    pub(crate) name: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) image: String,
    #[serde(deserialize_with = "nothing")]
    pub(crate) env: Vec<VariableJson>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) resources: ResourcesJson,
}

/// One of `env`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VariableJson {
    pub(crate) name: String,
    #[serde(deserialize_with = "nothing")]
    pub(crate) value: String,
    pub(crate) value_from: Option<Value>,
}

/// `resources`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResourcesJson {
    #[serde(deserialize_with = "nothing")]
    pub(crate) requests: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) limits: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AffinityJson {
    #[serde(deserialize_with = "nothing")]
    node_affinity: NodeAffinityJson,
    #[serde(deserialize_with = "nothing")]
    pod_anti_affinity: AntiAffinityJson,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinityJson {
    required_during_scheduling_ignored_during_execution: Option<NodeSelectorJson>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeSelectorJson {
    #[serde(deserialize_with = "nothing")]
    node_selector_terms: Vec<NodeTermJson>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeTermJson {
    #[serde(deserialize_with = "nothing")]
    match_expressions: Vec<RequirementJson>,
    #[serde(deserialize_with = "nothing")]
    match_fields: Vec<RequirementJson>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AntiAffinityJson {
    #[serde(deserialize_with = "nothing")]
    required_during_scheduling_ignored_during_execution: Vec<PodTermJson>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodTermJson {
    label_selector: Option<SelectorJson>,
    #[serde(deserialize_with = "nothing")]
    match_label_keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TolerationJson {
    #[serde(deserialize_with = "nothing")]
    key: String,
    #[serde(deserialize_with = "nothing")]
    operator: String,
    #[serde(deserialize_with = "nothing")]
    value: String,
    #[serde(deserialize_with = "nothing")]
    effect: String,
}

impl From<SelectorJson> for Selector {
    fn from(json: SelectorJson) -> Self {
        let labels = json.match_labels.into_iter();
        let labels =
            labels.map(|(key, value)| Requirement { key, operator: Operator::In, values: vec![value] });
        Self(labels.chain(json.match_expressions.into_iter().map(requirement)).collect())
    }
}

fn requirement(json: RequirementJson) -> Requirement {
    Requirement { key: json.key, operator: Operator::from_name(&json.operator), values: json.values }
}

impl Workload {
    /// Reads one, of a list that has no kind or of a file that has; none where it makes no Pods.
    ///
    /// # Errors
    /// It is none that can be read.
    pub fn of(kind: Option<&str>, json: &str) -> Result<Option<Self>, serde_json::Error> {
        let WorkloadJson { kind: told, metadata, spec } = serde_json::from_str(json)?;
        let kind = kind.map_or(told, Text::from);
        let spec = if spec.is_null() { Value::Object(serde_json::Map::new()) } else { spec };
        let spec: SpecJson = match &*kind {
            "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" => serde_json::from_value(spec)?,
            // A Job's selector is the API server's own.
            "Job" => SpecJson { selector: None, ..serde_json::from_value(spec)? },
            "Pod" if metadata.owner_references.is_empty() => {
                let own = |map: &BTreeMap<String, String>| map.clone();
                let of_pod = MetaJson {
                    labels: own(&metadata.labels),
                    annotations: own(&metadata.annotations),
                    ..MetaJson::default()
                };
                let template = TemplateJson { metadata: of_pod, spec: serde_json::from_value(spec)? };
                SpecJson { template, ..SpecJson::default() }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self::read_as(kind, metadata, spec)))
    }

    fn read_as(kind: Text, metadata: MetaJson, spec: SpecJson) -> Self {
        let pod = spec.template.spec;
        let affinity = pod.affinity.node_affinity.required_during_scheduling_ignored_during_execution;
        let apart = pod.affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution;
        let tolerations = pod.tolerations.into_iter().map(|json| Toleration {
            key: json.key,
            operator: json.operator,
            value: json.value,
            effect: json.effect,
        });
        let requirements = |list: Vec<RequirementJson>| list.into_iter().map(requirement).collect();
        let term = |json: NodeTermJson| NodeSelectorTerm {
            expressions: requirements(json.match_expressions),
            fields: requirements(json.match_fields),
        };
        let placement = Placement {
            node_selector: pod.node_selector,
            terms: affinity.map(|selector| selector.node_selector_terms.into_iter().map(term).collect()),
            tolerations: tolerations.collect(),
        };
        let apart = apart.into_iter().map(|json| Apart {
            selector: json.label_selector.map(Selector::from),
            match_label_keys: json.match_label_keys,
        });
        Self {
            kind,
            namespace: metadata.namespace,
            name: metadata.name,
            labels: metadata.labels,
            selector: spec.selector.map(Selector::from),
            replicas: spec.replicas.unwrap_or(1),
            max_unavailable: spec.strategy.rolling_update.max_unavailable,
            pod_labels: spec.template.metadata.labels,
            pod_annotations: spec.template.metadata.annotations,
            placement,
            apart: apart.collect(),
            containers: pod.containers,
        }
    }
}
