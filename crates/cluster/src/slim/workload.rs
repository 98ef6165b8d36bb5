//! A Deployment or a DaemonSet, from JSON to [`WorkloadView`].

pub(crate) mod record;

use std::{collections::BTreeMap, sync::Arc};

use engine::{
    placement::Placement,
    view::{Condition, CountOrPercent, Rollout, TemplateView, WorkloadKind, WorkloadRef, WorkloadView},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{
    ConditionJson, Kind, Unreadable,
    meta::MetaJson,
    nothing,
    placement::{self, AffinityJson, TolerationJson},
    pod::{ContainerJson, container},
    time, version,
};

/// The condition that says what was rolled out last.
pub(crate) const ROLLED_OUT: &str = "module-controller.koupleless.io/RolledOut";

/// A Deployment.
#[derive(Debug, Clone)]
pub(crate) struct Deployment(pub(crate) WorkloadView);

/// A DaemonSet.
#[derive(Debug, Clone)]
pub(crate) struct DaemonSet(pub(crate) WorkloadView);

impl From<Deployment> for WorkloadView {
    fn from(deployment: Deployment) -> Self {
        deployment.0
    }
}

impl From<DaemonSet> for WorkloadView {
    fn from(set: DaemonSet) -> Self {
        set.0
    }
}

impl Kind for Deployment {
    const KIND: &'static str = "Deployment";
    const GROUP: &'static str = "apps";
    const PLURAL: &'static str = "deployments";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        read(json, WorkloadKind::Deployment).map(Self)
    }
}

impl Kind for DaemonSet {
    const KIND: &'static str = "DaemonSet";
    const GROUP: &'static str = "apps";
    const PLURAL: &'static str = "daemonsets";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        read(json, WorkloadKind::DaemonSet).map(Self)
    }
}

#[derive(Deserialize)]
struct WorkloadJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecJson {
    /// 1 where it is missing, as the API server has it.
    replicas: Option<i32>,
    #[serde(default, deserialize_with = "nothing")]
    paused: bool,
    /// A Deployment's.
    #[serde(default, deserialize_with = "nothing")]
    strategy: StrategyJson,
    /// A DaemonSet's.
    #[serde(default, deserialize_with = "nothing")]
    update_strategy: StrategyJson,
    #[serde(default, deserialize_with = "nothing")]
    template: TemplateJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StrategyJson {
    #[serde(default, deserialize_with = "nothing")]
    rolling_update: RollingUpdateJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdateJson {
    max_unavailable: Option<IntOrString>,
    max_surge: Option<IntOrString>,
}

#[derive(Default, Deserialize)]
struct TemplateJson {
    #[serde(default, deserialize_with = "nothing")]
    metadata: TemplateMetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: PodSpecJson,
}

#[derive(Default, Deserialize)]
struct TemplateMetaJson {
    #[serde(default, deserialize_with = "nothing")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpecJson {
    #[serde(default, deserialize_with = "nothing")]
    containers: Vec<ContainerJson>,
    #[serde(default, deserialize_with = "nothing")]
    node_selector: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    affinity: AffinityJson,
    #[serde(default, deserialize_with = "nothing")]
    tolerations: Vec<TolerationJson>,
}

/// What either kind says; the names differ and do not meet.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    observed_generation: i64,
    #[serde(default, deserialize_with = "nothing")]
    replicas: i32,
    #[serde(default, deserialize_with = "nothing")]
    updated_replicas: i32,
    #[serde(default, deserialize_with = "nothing")]
    available_replicas: i32,
    #[serde(default, deserialize_with = "nothing")]
    desired_number_scheduled: i32,
    #[serde(default, deserialize_with = "nothing")]
    current_number_scheduled: i32,
    #[serde(default, deserialize_with = "nothing")]
    updated_number_scheduled: i32,
    #[serde(default, deserialize_with = "nothing")]
    number_available: i32,
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<ConditionJson>,
}

fn read(json: &str, kind: WorkloadKind) -> Result<WorkloadView, Unreadable> {
    let WorkloadJson { metadata, spec, status } = serde_json::from_str(json)?;
    let namespace = metadata.namespace.ok_or(Unreadable::Missing("namespace"))?;
    let rolled_out =
        status.conditions.into_iter().map(Condition::from).find(|told| *told.kind == *ROLLED_OUT);
    let replicas = match kind {
        WorkloadKind::Deployment => spec.replicas.unwrap_or(1),
        WorkloadKind::DaemonSet => 0,
    };
    let rollout = Rollout {
        generation: metadata.generation,
        observed_generation: status.observed_generation,
        ..match kind {
            WorkloadKind::Deployment => Rollout {
                desired: replicas,
                total: status.replicas,
                updated: status.updated_replicas,
                available: status.available_replicas,
                ..Rollout::default()
            },
            WorkloadKind::DaemonSet => Rollout {
                desired: status.desired_number_scheduled,
                total: status.current_number_scheduled,
                updated: status.updated_number_scheduled,
                available: status.number_available,
                ..Rollout::default()
            },
        }
    };
    // With what Kubernetes takes where nothing is told.
    let (strategy, unavailable, surge) = match kind {
        WorkloadKind::Deployment => (spec.strategy, CountOrPercent::Percent(25), CountOrPercent::Percent(25)),
        WorkloadKind::DaemonSet => (spec.update_strategy, CountOrPercent::Count(1), CountOrPercent::Count(0)),
    };
    let strategy = strategy.rolling_update;
    Ok(WorkloadView {
        workload: WorkloadRef {
            kind,
            namespace: namespace.clone(),
            name: metadata.name.ok_or(Unreadable::Missing("name"))?,
            uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
        },
        resource_version: version(&metadata.resource_version),
        labels: metadata.labels,
        created: time(metadata.creation_timestamp.as_deref()).unwrap_or(Timestamp::UNIX_EPOCH),
        deleting: metadata.deletion_timestamp.is_some(),
        paused: spec.paused,
        replicas,
        max_unavailable: told(strategy.max_unavailable).unwrap_or(unavailable),
        max_surge: told(strategy.max_surge).unwrap_or(surge),
        rollout,
        template: template(spec.template, &namespace),
        rolled_out: rolled_out.and_then(|told| record::read(&told.message)).map(Arc::new),
    })
}

/// None where it is not told, or makes no sense: then it is what Kubernetes takes where nothing is told.
fn told(json: Option<IntOrString>) -> Option<CountOrPercent> {
    match json? {
        IntOrString::Int(count) => u32::try_from(count).ok().map(CountOrPercent::Count),
        IntOrString::String(text) => text.strip_suffix('%')?.parse().ok().map(CountOrPercent::Percent),
    }
}

fn template(mut json: TemplateJson, namespace: &str) -> TemplateView {
    let containers = std::mem::take(&mut json.spec.containers);
    let apart = std::mem::take(&mut json.spec.affinity.pod_anti_affinity);
    TemplateView {
        labels: json.metadata.labels,
        annotations: json.metadata.annotations,
        containers: containers.into_iter().map(container).collect(),
        placement: placement(json.spec),
        anti_affinity: placement::anti_affinity(apart, namespace),
    }
}

/// What a Pod's spec says of the Nodes that it may be bound to.
fn placement(json: PodSpecJson) -> Placement {
    placement::placement(json.node_selector, json.affinity.node_affinity, json.tolerations)
}

#[cfg(test)]
mod tests {
    use engine::placement::{NodeSelectorTerm, Operator, Requirement};

    use super::*;

    const DEPLOYMENT: &str = r#"{
        "metadata": {"namespace": "ns", "name": "biz1", "uid": "u", "resourceVersion": "7", "generation": 3,
            "labels": {"a": "b"}, "creationTimestamp": "2026-11-22T10:00:00Z"},
        "spec": {"replicas": 2, "paused": true, "template": {
            "metadata": {"labels": {"l": "x"}, "annotations": {"n": "y"}, "creationTimestamp": null},
            "spec": {
                "containers": [{"name": "biz1", "image": "http://repo/biz1.jar", "env": [{"name": "BIZ_VERSION", "value": "1"}]}],
                "nodeSelector": {"k": "v"},
                "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}, "matchLabelKeys": ["pod-template-hash"]}]},
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "e", "operator": "NotIn", "values": ["1"]}],
                     "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node"]}]}]}}},
                "tolerations": [{"key": "t", "operator": "Exists", "effect": "NoExecute"}]}}},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1, "unavailableReplicas": 1}
    }"#;

    #[test]
    fn a_deployment_is_read() {
        let view = WorkloadView::from(Deployment::read(DEPLOYMENT).unwrap());
        assert_eq!((&*view.workload.name, view.workload.kind), ("biz1", WorkloadKind::Deployment));
        assert_eq!((view.resource_version, view.replicas, view.paused, view.deleting), (7, 2, true, false));
        let rollout =
            Rollout { generation: 3, observed_generation: 3, desired: 2, total: 2, updated: 2, available: 1 };
        assert_eq!(view.rollout, rollout);
        let TemplateView { labels, annotations, containers, placement, anti_affinity } = view.template;
        assert_eq!((labels["l"].as_str(), annotations["n"].as_str()), ("x", "y"));
        assert_eq!((containers.len(), containers[0].name.as_str()), (1, "biz1"));
        assert_eq!(placement.node_selector["k"], "v");
        assert_eq!(
            (anti_affinity.len(), &anti_affinity[0].keys[..]),
            (1, &["pod-template-hash".to_owned()][..])
        );
        let requirement = |key: &str, operator, value: &str| Requirement {
            key: key.into(),
            operator,
            values: vec![value.into()],
        };
        let term = NodeSelectorTerm {
            expressions: vec![requirement("e", Operator::NotIn, "1")],
            fields: vec![requirement("metadata.name", Operator::In, "node")],
        };
        assert_eq!(placement.terms, Some(vec![term]));
        assert_eq!((&*placement.tolerations[0].key, &*placement.tolerations[0].operator), ("t", "Exists"));
    }

    #[test]
    fn a_daemon_set_counts_what_is_scheduled() {
        let json = r#"{"metadata": {"namespace": "ns", "name": "d", "uid": "u"},
            "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 2,
                "numberAvailable": 1, "observedGeneration": 1}}"#;
        let view = WorkloadView::from(DaemonSet::read(json).unwrap());
        let Rollout { desired, total, updated, available, .. } = view.rollout;
        assert_eq!((desired, total, updated, available, view.replicas), (3, 3, 2, 1, 0));
        assert_eq!(view.template.placement.terms, None);
    }

    #[test]
    fn how_many_may_be_unavailable_is_read_as_kubernetes_does() {
        let read = |kind, spec: &str| {
            let json =
                format!(r#"{{"metadata": {{"namespace": "ns", "name": "d", "uid": "u"}}, "spec": {spec}}}"#);
            super::read(&json, kind).unwrap().max_unavailable
        };
        use CountOrPercent::{Count, Percent};
        for (spec, expected) in [
            (r#"{"strategy": {"rollingUpdate": {"maxUnavailable": 3, "maxSurge": 1}}}"#, Count(3)),
            (r#"{"strategy": {"rollingUpdate": {"maxUnavailable": "30%"}}}"#, Percent(30)),
            (r#"{"strategy": {"rollingUpdate": {"maxUnavailable": "many"}}}"#, Percent(25)),
            (r#"{"strategy": {"rollingUpdate": {"maxUnavailable": -1}}}"#, Percent(25)),
            (r#"{"strategy": {"type": "Recreate", "rollingUpdate": null}}"#, Percent(25)),
            (r#"{"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}}"#, Percent(25)),
            ("{}", Percent(25)),
        ] {
            assert_eq!(read(WorkloadKind::Deployment, spec), expected, "{spec}");
        }
        let set = r#"{"updateStrategy": {"rollingUpdate": {"maxUnavailable": "10%"}}}"#;
        assert_eq!(read(WorkloadKind::DaemonSet, set), Percent(10));
        assert_eq!(read(WorkloadKind::DaemonSet, r#"{"updateStrategy": {"type": "OnDelete"}}"#), Count(1));
    }

    #[test]
    fn replicas_that_are_not_given_are_one() {
        let json = r#"{"metadata": {"namespace": "ns", "name": "d", "uid": "u"}}"#;
        assert_eq!(WorkloadView::from(Deployment::read(json).unwrap()).replicas, 1);
    }
}
