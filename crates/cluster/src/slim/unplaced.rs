//! A Pod that is bound to no Node, from JSON to [`UnplacedView`].

use std::collections::BTreeMap;

use engine::view::{PodRef, UnplacedView};
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{
    ConditionJson, Kind, Unreadable,
    meta::MetaJson,
    nothing,
    placement::{AffinityJson, TolerationJson, anti_affinity, placement},
    pod::{direct, owner},
    version,
};

#[derive(Deserialize)]
struct PodJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    node_selector: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    affinity: AffinityJson,
    #[serde(default, deserialize_with = "nothing")]
    tolerations: Vec<TolerationJson>,
}

#[derive(Default, Deserialize)]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<ConditionJson>,
}

impl Kind for UnplacedView {
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let PodJson { metadata, spec, status } = serde_json::from_str(json)?;
        let namespace = metadata.namespace.ok_or(Unreadable::Missing("namespace"))?;
        let owner = owner(&namespace, &metadata.owner_references, &metadata.labels);
        Ok(Self {
            owner,
            controller: direct(&metadata.owner_references).and_then(|reference| reference.uid.clone()),
            is_unschedulable: status.conditions.iter().any(ConditionJson::is_unschedulable),
            is_deleting: metadata.deletion_timestamp.is_some(),
            placement: placement(spec.node_selector, spec.affinity.node_affinity, spec.tolerations),
            anti_affinity: anti_affinity(spec.affinity.pod_anti_affinity, &namespace),
            resource_version: version(&metadata.resource_version),
            pod: PodRef {
                namespace,
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::placement::{Operator, Requirement};

    use super::*;

    #[test]
    fn what_keeps_it_from_nodes_is_read() {
        let view = UnplacedView::read(
            r#"{"metadata": {"namespace": "ns", "name": "p", "uid": "u", "labels": {"pod-template-hash": "h"},
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "biz1-h", "uid": "rs", "controller": true}]},
                "spec": {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "zone", "labelSelector": {"matchLabels": {"n": "biz1"},
                        "matchExpressions": [{"key": "v", "operator": "Exists"}]}},
                    {"topologyKey": "zone", "namespaces": ["other"]},
                    {"topologyKey": "zone", "namespaces": ["ns"]},
                    {"topologyKey": "zone", "namespaceSelector": {}},
                    {"topologyKey": "zone", "namespaceSelector": {"matchLabels": {"a": "b"}}}]}},
                    "tolerations": [{"key": "t"}]},
                "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}"#,
        )
        .unwrap();
        assert!(view.is_unschedulable && !view.is_deleting);
        assert_eq!(view.owner.as_ref().map(|owner| &*owner.name), Some("biz1"));
        assert_eq!(view.controller.as_deref(), Some("rs"));
        assert_eq!(view.placement.tolerations.len(), 1);
        let requirement = |key: &str, operator, values: &[&str]| Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        let first = &view.anti_affinity[0];
        assert_eq!(first.topology_key, "zone");
        assert_eq!(
            first.selector,
            Some(vec![requirement("n", Operator::In, &["biz1"]), requirement("v", Operator::Exists, &[])])
        );
        let own: Vec<bool> = view.anti_affinity.iter().map(|rule| rule.own_namespace).collect();
        assert_eq!(own, [true, false, true, true, false]);
        assert_eq!(view.anti_affinity[1].selector, None);
    }

    #[test]
    fn one_that_the_scheduler_has_not_looked_at_is_not_unschedulable() {
        let view =
            UnplacedView::read(r#"{"metadata": {"namespace": "ns", "name": "p", "uid": "u"}}"#).unwrap();
        assert!(!view.is_unschedulable && view.anti_affinity.is_empty());
    }
}
