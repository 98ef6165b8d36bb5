//! A Pod, from JSON to [`PodView`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engine::view::{
    ContainerState, ContainerStatus, ContainerView, EnvValue, EnvVar, Owner, Phase, PodRef, PodStatus,
    PodView, RestartPolicy,
};
use jiff::Timestamp;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{
    ConditionJson, Kind, Slim, Unreadable, each,
    meta::{MetaJson, OwnerJson},
    nothing, time, version,
};

/// A Pod of a watch, a list or a response.
pub(crate) type Pod = Slim<PodView>;

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
    node_name: Arc<str>,
    #[serde(default, deserialize_with = "nothing")]
    restart_policy: String,
    #[serde(default, deserialize_with = "nothing")]
    containers: Vec<ContainerJson>,
    #[serde(default, deserialize_with = "nothing")]
    init_containers: Vec<NamedJson>,
    #[serde(default, deserialize_with = "nothing")]
    ephemeral_containers: Vec<NamedJson>,
    #[serde(default, deserialize_with = "nothing")]
    readiness_gates: Vec<GateJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerJson {
    #[serde(default, deserialize_with = "nothing")]
    name: String,
    #[serde(default, deserialize_with = "nothing")]
    image: String,
    #[serde(default, deserialize_with = "nothing")]
    env: Vec<EnvJson>,
    liveness_probe: Present,
    readiness_probe: Present,
    startup_probe: Present,
}

/// What nobody runs here: its name is all we need.
#[derive(Deserialize)]
struct NamedJson {
    #[serde(default, deserialize_with = "nothing")]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvJson {
    #[serde(default, deserialize_with = "nothing")]
    name: String,
    value: Option<String>,
    value_from: Option<ValueFromJson>,
}

/// That there is one is all we need.
type Present = Option<serde::de::IgnoredAny>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueFromJson {
    field_ref: Option<FieldRefJson>,
    config_map_key_ref: Present,
    secret_key_ref: Present,
    resource_field_ref: Present,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldRefJson {
    #[serde(default, deserialize_with = "nothing")]
    field_path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GateJson {
    #[serde(default, deserialize_with = "nothing")]
    condition_type: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    phase: String,
    #[serde(default, deserialize_with = "nothing")]
    reason: String,
    #[serde(default, deserialize_with = "nothing")]
    message: String,
    #[serde(default, rename = "hostIP", deserialize_with = "nothing")]
    host_ip: String,
    #[serde(default, rename = "podIP", deserialize_with = "nothing")]
    pod_ip: String,
    start_time: Option<String>,
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<ConditionJson>,
    #[serde(default, deserialize_with = "nothing")]
    container_statuses: Vec<ContainerStatusJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatusJson {
    #[serde(default, deserialize_with = "nothing")]
    name: String,
    #[serde(default, deserialize_with = "nothing")]
    image: String,
    #[serde(default, rename = "imageID", deserialize_with = "nothing")]
    image_id: String,
    #[serde(default, deserialize_with = "nothing")]
    ready: bool,
    #[serde(default, deserialize_with = "nothing")]
    restart_count: i64,
    #[serde(default, deserialize_with = "nothing")]
    state: StateJson,
}

#[derive(Default, Deserialize)]
struct StateJson {
    waiting: Option<WaitingJson>,
    running: Option<RunningJson>,
    terminated: Option<TerminatedJson>,
}

#[derive(Deserialize)]
struct WaitingJson {
    #[serde(default, deserialize_with = "nothing")]
    reason: String,
    #[serde(default, deserialize_with = "nothing")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunningJson {
    started_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TerminatedJson {
    #[serde(default, deserialize_with = "nothing")]
    exit_code: i64,
    #[serde(default, deserialize_with = "nothing")]
    reason: String,
    #[serde(default, deserialize_with = "nothing")]
    message: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

/// A Pod's JSON, as a watch reads it.
///
/// # Errors
/// Where it is no JSON, a field is of another type than the API has it, or the Pod has no name, namespace or UID.
pub fn read_pod(json: &str) -> Result<PodView, Unreadable> {
    PodView::read(json)
}

impl Kind for PodView {
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let PodJson { metadata, spec, status } = serde_json::from_str(json)?;
        let namespace = metadata.namespace.ok_or(Unreadable::Missing("namespace"))?;
        let aside = spec.init_containers.into_iter().chain(spec.ephemeral_containers);
        let owner = owner(&namespace, &metadata.owner_references, &metadata.labels);
        Ok(Self {
            pod: PodRef {
                namespace,
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
            resource_version: version(&metadata.resource_version),
            node: spec.node_name,
            owner,
            controller: direct(&metadata.owner_references).and_then(|reference| reference.uid.clone()),
            labels: metadata.labels.into(),
            annotations: metadata.annotations.into(),
            created: time(metadata.creation_timestamp.as_deref()).unwrap_or(Timestamp::UNIX_EPOCH),
            deletion: metadata.deletion_timestamp.map(|_| grace(metadata.deletion_grace_period_seconds)),
            held: !metadata.finalizers.is_empty(),
            restart_policy: match spec.restart_policy.as_str() {
                "OnFailure" => RestartPolicy::OnFailure,
                "Never" => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
            containers: each(spec.containers, container).into(),
            aside: aside.map(|container| container.name).collect::<Vec<_>>().into(),
            readiness_gates: each(spec.readiness_gates, |gate| gate.condition_type).into(),
            status: pod_status(status),
        })
    }
}

/// Less than none is none.
fn grace(seconds: Option<i64>) -> Duration {
    Duration::from_secs(seconds.and_then(|seconds| seconds.try_into().ok()).unwrap_or_default())
}

pub(crate) fn container(json: ContainerJson) -> ContainerView {
    let probes = [json.liveness_probe, json.readiness_probe, json.startup_probe];
    ContainerView {
        name: json.name,
        image: json.image,
        env: each(json.env, env_var),
        has_probes: probes.iter().any(Option::is_some),
    }
}

fn env_var(json: EnvJson) -> EnvVar {
    let value = match json.value_from {
        None => EnvValue::Literal(json.value.unwrap_or_default()),
        Some(ValueFromJson { field_ref: Some(field), .. }) => EnvValue::FieldRef(field.field_path),
        Some(ValueFromJson { config_map_key_ref: Some(_), .. }) => EnvValue::Unsupported("configMapKeyRef"),
        Some(ValueFromJson { secret_key_ref: Some(_), .. }) => EnvValue::Unsupported("secretKeyRef"),
        Some(ValueFromJson { resource_field_ref: Some(_), .. }) => EnvValue::Unsupported("resourceFieldRef"),
        Some(_) => EnvValue::Unsupported("valueFrom"),
    };
    EnvVar { name: json.name, value }
}

fn pod_status(json: StatusJson) -> PodStatus {
    PodStatus {
        phase: phase(&json.phase),
        reason: json.reason.into(),
        message: json.message.into(),
        host_ip: json.host_ip.into(),
        pod_ip: json.pod_ip.into(),
        started: time(json.start_time.as_deref()),
        conditions: each(json.conditions, Into::into),
        containers: each(json.container_statuses, container_status),
    }
}

/// A phase that nobody knows is as good as none.
pub(crate) fn phase(text: &str) -> Phase {
    match text {
        "" | "Pending" => Phase::Pending,
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        _ => Phase::Unknown,
    }
}

fn container_status(json: ContainerStatusJson) -> ContainerStatus {
    ContainerStatus {
        name: json.name.into(),
        image: json.image.into(),
        image_id: json.image_id.into(),
        ready: json.ready,
        restart_count: u32::try_from(json.restart_count).unwrap_or(0),
        state: container_state(json.state),
    }
}

/// No state at all means waiting, as the API has it.
fn container_state(json: StateJson) -> ContainerState {
    if let Some(ended) = json.terminated {
        return ContainerState::Terminated {
            exit_code: i32::try_from(ended.exit_code).unwrap_or(-1),
            reason: ended.reason.into(),
            message: ended.message.into(),
            started: time(ended.started_at.as_deref()),
            finished: time(ended.finished_at.as_deref()),
        };
    }
    if let Some(running) = json.running {
        return ContainerState::Running { started: time(running.started_at.as_deref()) };
    }
    let waiting = json.waiting.unwrap_or(WaitingJson { reason: String::new(), message: String::new() });
    ContainerState::Waiting { reason: waiting.reason.into(), message: waiting.message.into() }
}

/// The owner that controls a Pod.
pub(super) fn direct(references: &[OwnerJson]) -> Option<&OwnerJson> {
    references.iter().find(|reference| reference.controller)
}

/// The controller behind a Pod. A ReplicaSet that a Deployment made is named after it and the hash
/// of the template, which the Pod has as a label: no ReplicaSet has to be read to know.
pub(super) fn owner(
    namespace: &Arc<str>,
    references: &[OwnerJson],
    labels: &BTreeMap<String, String>,
) -> Option<Owner> {
    let direct = direct(references)?;
    let hash = labels.get("pod-template-hash");
    let deployment = hash.and_then(|hash| direct.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    let (kind, name) = match deployment {
        Some(name) if direct.kind == "ReplicaSet" => ("Deployment", name),
        _ => (direct.kind.as_str(), direct.name.as_str()),
    };
    Some(Owner { namespace: namespace.clone(), kind: kind.into(), name: name.into() })
}

#[cfg(test)]
mod tests {
    use engine::view::{Condition, ConditionStatus};

    use super::*;

    const SAMPLE: &str = include_str!("../../testdata/pod.json");

    fn at() -> Timestamp {
        "2026-11-22T21:56:27Z".parse().unwrap()
    }

    fn sample() -> PodView {
        serde_json::from_str::<Pod>(SAMPLE).unwrap().body.unwrap()
    }

    #[test]
    fn the_owner_of_a_deployments_pod_is_the_deployment() {
        let reference = |kind: &str, name: &str| {
            [OwnerJson { kind: kind.into(), name: name.into(), uid: None, controller: true }]
        };
        let labels = BTreeMap::from([("pod-template-hash".to_owned(), "5d4f8c".to_owned())]);
        let name = |references: &[OwnerJson]| {
            owner(&"ns".into(), references, &labels).map(|o| format!("{}/{}", o.kind, o.name))
        };
        assert_eq!(name(&reference("ReplicaSet", "biz1-5d4f8c")).as_deref(), Some("Deployment/biz1"));
        assert_eq!(name(&reference("ReplicaSet", "alone")).as_deref(), Some("ReplicaSet/alone"));
        assert_eq!(name(&reference("DaemonSet", "ds")).as_deref(), Some("DaemonSet/ds"));
        assert_eq!(name(&[]), None);
    }

    #[test]
    fn a_pod_of_a_real_server_is_read() {
        let pod = sample();
        assert_eq!(pod.pod.to_string(), "default/biz1-7hdxw");
        assert_eq!(pod.resource_version, 257);
        assert_eq!(&*pod.node, "virtual-node-192.0.2.2");
        assert_eq!(pod.labels["module-controller.koupleless.io/component"], "module");
        assert_eq!(pod.annotations["module-controller.koupleless.io/install-strategy"], "installOnly");
        assert_eq!((pod.created, pod.deletion), (at(), None));
        assert_eq!(pod.owner.unwrap().kind.as_ref(), "DaemonSet");
        assert_eq!(pod.restart_policy, RestartPolicy::Always);
        assert_eq!(*pod.readiness_gates, ["example.org/gate"]);
    }

    #[test]
    fn its_containers_are_read_in_order_with_every_kind_of_value() {
        let containers = sample().containers;
        let names: Vec<_> = containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["biz1", "biz2", "biz3"]);
        assert_eq!(containers[0].image, "https://repo.example.org/biz1-1.0.0.jar");
        let env: Vec<_> =
            containers[0].env.iter().map(|var| (var.name.as_str(), var.value.clone())).collect();
        assert_eq!(
            env,
            [
                ("BIZ_VERSION", EnvValue::Literal("1.0.0".into())),
                ("EMPTY", EnvValue::Literal(String::new())),
                ("FROM_LABEL", EnvValue::FieldRef("metadata.labels['app']".into())),
                ("FROM_SECRET", EnvValue::Unsupported("secretKeyRef")),
                ("FROM_MAP", EnvValue::Unsupported("configMapKeyRef")),
                ("FROM_RESOURCE", EnvValue::Unsupported("resourceFieldRef")),
            ]
        );
    }

    #[test]
    fn what_is_injected_and_who_holds_it_back_is_read() {
        let sample = sample();
        assert!(sample.aside.is_empty() && !sample.held);
        let injected = PodView::read(
            r#"{"metadata":{"namespace":"ns","name":"n","uid":"u","finalizers":["batch.kubernetes.io/job-tracking"]},
                "spec":{"initContainers":[{"name":"istio-init","image":"i:1"},{"name":"proxy","restartPolicy":"Always"}],
                "ephemeralContainers":[{"name":"debugger-x","image":"busybox"}],"containers":null}}"#,
        );
        let injected = injected.unwrap();
        assert_eq!(*injected.aside, ["istio-init", "proxy", "debugger-x"]);
        assert!(injected.held);
    }

    #[test]
    fn its_status_is_read_in_full() {
        let status = sample().status;
        assert_eq!((status.phase, &*status.reason), (Phase::Running, ""));
        assert_eq!((&*status.host_ip, &*status.pod_ip), ("192.0.2.2", "192.0.2.2"));
        assert_eq!(status.started, Some(at()));
        assert_eq!(
            status.condition("ContainersReady"),
            Some(&Condition {
                kind: "ContainersReady".into(),
                status: ConditionStatus::False,
                reason: "ContainersNotReady".into(),
                message: "biz2".into(),
                changed: Some(at()),
            })
        );
        assert_eq!(status.condition("Initialized").unwrap().changed, None);
        let states: Vec<_> =
            status.containers.iter().map(|c| (c.ready, c.restart_count, c.state.clone())).collect();
        assert_eq!(
            states,
            [
                (true, 2, ContainerState::Running { started: Some(at()) }),
                (false, 0, ContainerState::Waiting { reason: "BizDeactivate".into(), message: "m".into() }),
                (
                    false,
                    0,
                    ContainerState::Terminated {
                        exit_code: 1,
                        reason: "Error".into(),
                        message: "m".into(),
                        started: Some(at()),
                        finished: Some(at()),
                    }
                ),
            ]
        );
    }

    #[test]
    fn nothing_but_a_name_is_enough_and_unknown_words_are_borne() {
        let bare = PodView::read(
            r#"{"metadata":{"namespace":"ns","name":"n","uid":"u","labels":null},"spec":null}"#,
        );
        let bare = bare.unwrap();
        assert_eq!((bare.resource_version, bare.status), (0, PodStatus::default()));
        let odd = PodView::read(
            r#"{"metadata":{"namespace":"ns","name":"n","uid":"u","resourceVersion":"x","creationTimestamp":"soon",
                "deletionTimestamp":"later","deletionGracePeriodSeconds":-1},"spec":{"restartPolicy":"Maybe","new":1},
                "status":{"phase":"Dreaming","containerStatuses":[{"name":"c","restartCount":-1,"state":{"paused":{}}}]}}"#,
        );
        let odd = odd.unwrap();
        assert_eq!(odd.deletion, Some(Duration::ZERO));
        assert_eq!((odd.restart_policy, odd.status.phase), (RestartPolicy::Always, Phase::Unknown));
        assert_eq!(odd.status.containers[0].restart_count, 0);
        let waiting = ContainerState::Waiting { reason: "".into(), message: "".into() };
        assert_eq!(odd.status.containers[0].state, waiting);
    }
}
