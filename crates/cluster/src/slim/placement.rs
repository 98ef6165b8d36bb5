//! Where a Pod may be bound, from the JSON of its spec.

use std::collections::BTreeMap;

use engine::placement::{AntiAffinity, NodeSelectorTerm, Operator, Placement, Requirement, Toleration};
use serde::Deserialize;

use super::nothing;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AffinityJson {
    #[serde(default, deserialize_with = "nothing")]
    pub(super) node_affinity: NodeAffinityJson,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) pod_anti_affinity: PodAntiAffinityJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodAntiAffinityJson {
    #[serde(default, deserialize_with = "nothing")]
    required_during_scheduling_ignored_during_execution: Vec<PodTermJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodTermJson {
    #[serde(default, deserialize_with = "nothing")]
    topology_key: String,
    label_selector: Option<LabelSelectorJson>,
    #[serde(default, deserialize_with = "nothing")]
    namespaces: Vec<String>,
    #[serde(default, deserialize_with = "nothing")]
    match_label_keys: Vec<String>,
    namespace_selector: Option<LabelSelectorJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelSelectorJson {
    #[serde(default, deserialize_with = "nothing")]
    match_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    match_expressions: Vec<RequirementJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeAffinityJson {
    required_during_scheduling_ignored_during_execution: Option<NodeSelectorJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeSelectorJson {
    #[serde(default, deserialize_with = "nothing")]
    node_selector_terms: Vec<TermJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TermJson {
    #[serde(default, deserialize_with = "nothing")]
    match_expressions: Vec<RequirementJson>,
    #[serde(default, deserialize_with = "nothing")]
    match_fields: Vec<RequirementJson>,
}

#[derive(Deserialize)]
struct RequirementJson {
    #[serde(default, deserialize_with = "nothing")]
    key: String,
    #[serde(default, deserialize_with = "nothing")]
    operator: String,
    #[serde(default, deserialize_with = "nothing")]
    values: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct TolerationJson {
    #[serde(default, deserialize_with = "nothing")]
    key: String,
    #[serde(default, deserialize_with = "nothing")]
    operator: String,
    #[serde(default, deserialize_with = "nothing")]
    value: String,
    #[serde(default, deserialize_with = "nothing")]
    effect: String,
}

/// `nodeSelector`, node affinity and `tolerations` of a Pod's spec.
pub(super) fn placement(
    node_selector: BTreeMap<String, String>,
    affinity: NodeAffinityJson,
    tolerations: Vec<TolerationJson>,
) -> Placement {
    let required = affinity.required_during_scheduling_ignored_during_execution;
    Placement {
        node_selector,
        terms: required.map(|selector| selector.node_selector_terms.into_iter().map(term).collect()),
        tolerations: tolerations.into_iter().map(toleration).collect(),
    }
}

/// What a Pod of this namespace keeps away from, whatever the scheduler finds.
pub(super) fn anti_affinity(json: PodAntiAffinityJson, namespace: &str) -> Vec<AntiAffinity> {
    let rule = |term: PodTermJson| AntiAffinity {
        topology_key: term.topology_key,
        keys: term.match_label_keys,
        own_namespace: match (&term.namespaces[..], &term.namespace_selector) {
            ([], None) => true,
            // An empty selector is about all namespaces.
            (named, selector) => {
                named.iter().any(|named| named == namespace) || selector.as_ref().is_some_and(is_empty)
            }
        },
        selector: term.label_selector.map(|selector| {
            let labels = selector.match_labels.into_iter();
            let labels =
                labels.map(|(key, value)| Requirement { key, operator: Operator::In, values: vec![value] });
            labels.chain(selector.match_expressions.into_iter().map(requirement)).collect()
        }),
    };
    json.required_during_scheduling_ignored_during_execution.into_iter().map(rule).collect()
}

fn is_empty(selector: &LabelSelectorJson) -> bool {
    selector.match_labels.is_empty() && selector.match_expressions.is_empty()
}

fn term(json: TermJson) -> NodeSelectorTerm {
    let requirements = |list: Vec<RequirementJson>| list.into_iter().map(requirement).collect();
    NodeSelectorTerm {
        expressions: requirements(json.match_expressions),
        fields: requirements(json.match_fields),
    }
}

fn requirement(json: RequirementJson) -> Requirement {
    Requirement { key: json.key, operator: Operator::from_name(&json.operator), values: json.values }
}

fn toleration(json: TolerationJson) -> Toleration {
    Toleration { key: json.key, operator: json.operator, value: json.value, effect: json.effect }
}
