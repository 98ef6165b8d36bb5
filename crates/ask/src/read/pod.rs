//! A module's Pod.

use engine::HELD_BY_PLAN;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Object,
    json::{Condition, Meta, Reference, condition, nothing},
};
use crate::text::Text;

/// A condition of ours: a version that is not tried over the one that serves until somebody acts.
const BARRED: &str = "module-controller.koupleless.io/Barred";

/// A Pod that stands for modules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    pub namespace: Text,
    pub name: Text,
    #[serde(skip)]
    pub uid: Text,
    /// The Node; empty where the scheduler found none yet.
    pub node: Text,
    pub phase: Text,
    pub ready: bool,
    pub owner: Option<Owner>,
    /// Why it has no Node, or what its status says as a whole.
    pub message: Text,
    pub containers: Vec<Container>,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// What it asks for failed in the place of what serves, and is not tried again until somebody acts.
    pub barred: bool,
    /// The operation plan that it names; empty where it names none.
    #[serde(skip)]
    pub plan: Text,
}

/// What made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub struct Owner {
    pub kind: Text,
    pub name: Text,
}

/// A container that is a module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Container {
    pub name: Text,
    pub version: Text,
    pub state: State,
}

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum State {
    /// Nobody has said anything of it.
    #[default]
    Untold,
    /// It runs on the base.
    Running {
        /// It takes part in serving.
        ready: bool,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// It waits, or failed and is tried again.
    Waiting {
        /// In one word, or an error code.
        reason: Text,
        /// In a sentence.
        message: Text,
    },
    /// It is over.
    Ended {
        /// In one word, or an error code.
        reason: Text,
    },
}

impl State {
    /// It waits until its operation plan releases it.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Waiting { reason, .. } if **reason == *HELD_BY_PLAN)
    }
}

#[derive(Deserialize)]
struct PodJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(deserialize_with = "nothing")]
    node_name: Text,
    #[serde(deserialize_with = "nothing")]
    containers: Vec<ContainerJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerJson {
    name: Text,
    #[serde(deserialize_with = "nothing")]
    image: String,
    #[serde(deserialize_with = "nothing")]
    env: Vec<VariableJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VariableJson {
    name: String,
    #[serde(deserialize_with = "nothing")]
    value: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusJson {
    #[serde(deserialize_with = "nothing")]
    phase: Text,
    #[serde(deserialize_with = "nothing")]
    message: Text,
    #[serde(deserialize_with = "nothing")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "nothing")]
    container_statuses: Vec<ContainerStatusJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerStatusJson {
    name: Text,
    ready: bool,
    #[serde(deserialize_with = "nothing")]
    state: StateJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StateJson {
    running: Option<RunningJson>,
    waiting: Option<SaidJson>,
    terminated: Option<SaidJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RunningJson {
    started_at: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidJson {
    #[serde(deserialize_with = "nothing")]
    reason: Text,
    #[serde(deserialize_with = "nothing")]
    message: Text,
}

impl Object for Pod {
    const NAME: &'static str = "Pods";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let PodJson { metadata, spec, status } = serde_json::from_str(json)?;
        let is = |kind: &str| condition(&status.conditions, kind).is_some_and(|told| &*told.status == "True");
        let unplaced = condition(&status.conditions, "PodScheduled").filter(|told| &*told.status == "False");
        let message = match unplaced {
            Some(told) => told.message.clone(),
            None => status.message.clone(),
        };
        let (ready, barred) = (is("Ready"), is(BARRED));
        let containers = spec.containers.iter().filter(|container| container.is_module());
        Ok(Self {
            containers: containers.map(|container| module(container, &status.container_statuses)).collect(),
            owner: owner(&metadata.owner_references, &metadata.label("pod-template-hash")),
            plan: metadata.annotation(engine::PLAN_ANNOTATION),
            node: spec.node_name,
            phase: status.phase,
            ready,
            message,
            barred,
            created: metadata.creation_timestamp,
            deleting: metadata.deletion_timestamp.is_some(),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
        })
    }

    fn common_texts(&mut self) -> Vec<&mut Text> {
        let mut texts = vec![&mut self.namespace, &mut self.node, &mut self.phase, &mut self.message];
        texts.extend(self.owner.iter_mut().flat_map(|owner| [&mut owner.kind, &mut owner.name]));
        for container in &mut self.containers {
            texts.extend([&mut container.name, &mut container.version]);
            if let State::Waiting { reason, message } = &mut container.state {
                texts.extend([reason, message]);
            }
        }
        texts
    }
}

impl ContainerJson {
    /// It has a version, or its image is a package; what a mesh injects is neither.
    fn is_module(&self) -> bool {
        is_package(&self.image) || self.env.iter().any(|variable| variable.name == "BIZ_VERSION")
    }
}

/// An image is the URL of a package.
pub(crate) fn is_package(image: &str) -> bool {
    let path = image.split(['?', '#']).next().unwrap_or_default();
    image.contains("://") && [".jar", ".wasm", ".ark"].iter().any(|ending| path.ends_with(ending))
}

fn module(container: &ContainerJson, statuses: &[ContainerStatusJson]) -> Container {
    let version = container.env.iter().find(|variable| variable.name == "BIZ_VERSION");
    let status = statuses.iter().find(|status| status.name == container.name);
    Container {
        name: container.name.clone(),
        version: version.map(|variable| variable.value.clone()).unwrap_or_default(),
        state: status.map(state).unwrap_or_default(),
    }
}

fn state(status: &ContainerStatusJson) -> State {
    match &status.state {
        StateJson { running: Some(running), .. } => {
            State::Running { ready: status.ready, since: running.started_at }
        }
        StateJson { waiting: Some(said), .. } => {
            State::Waiting { reason: said.reason.clone(), message: said.message.clone() }
        }
        StateJson { terminated: Some(said), .. } => State::Ended { reason: said.reason.clone() },
        _ => State::Untold,
    }
}

/// The Deployment where a ReplicaSet of one made it: its name is the Deployment's with the hash of the template.
fn owner(references: &[Reference], hash: &str) -> Option<Owner> {
    let reference = references.iter().find(|reference| reference.controller).or(references.first())?;
    let deployment = reference.name.strip_suffix(hash).and_then(|name| name.strip_suffix('-'));
    Some(match deployment.filter(|_| &*reference.kind == "ReplicaSet" && !hash.is_empty()) {
        Some(name) => Owner { kind: "Deployment".into(), name: name.into() },
        None => Owner { kind: reference.kind.clone(), name: reference.name.clone() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_without_a_status_is_there() {
        let pod = Pod::read(r#"{"metadata": {"name": "p", "namespace": "n"}, "spec": null, "status": null}"#)
            .unwrap();
        assert_eq!((&*pod.name, pod.ready, pod.containers.len()), ("p", false, 0));
        let text = r#"{"metadata": {"name": "p", "labels": null, "ownerReferences": null},
            "spec": {"containers": [{"name": "biz1", "env": [{"name": "BIZ_VERSION", "value": "1"}]}]}}"#;
        assert_eq!(Pod::read(text).unwrap().containers[0].state, State::Untold);
    }

    #[test]
    fn modules_are_told_from_sidecars() {
        let is_module =
            |image: &str| ContainerJson { image: image.into(), ..ContainerJson::default() }.is_module();
        assert!(is_module("https://host/biz1.jar?token=x"));
        assert!(!is_module("docker.io/istio/proxyv2:1.0"));
        assert!(!is_module("app.jar"));
    }

    #[test]
    fn the_owner_is_the_deployment_behind_the_replica_set() {
        let of = |kind: &str, name: &str, hash: &str| {
            let reference = Reference { kind: kind.into(), name: name.into(), controller: true };
            owner(&[reference], hash).map(|owner| format!("{}/{}", owner.kind, owner.name)).unwrap()
        };
        assert_eq!(of("ReplicaSet", "biz1-6f9c", "6f9c"), "Deployment/biz1");
        assert_eq!(of("ReplicaSet", "biz1", ""), "ReplicaSet/biz1");
        assert_eq!(of("DaemonSet", "biz1-6f9c", "6f9c"), "DaemonSet/biz1-6f9c");
        assert_eq!(owner(&[], ""), None);
    }
}
