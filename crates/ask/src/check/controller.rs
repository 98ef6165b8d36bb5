//! The controllers that a cluster has, as their manifests say that they run.

use std::collections::BTreeMap;

use kube::Client;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    read::{Failure, Meta, Object, list, nothing},
    text::Text,
};

/// The label of the manual's bare Pod.
const OF_THE_MANUAL: &str = "app=module-controller";
/// What no other program has as a variable.
const OURS: [&str; 2] = ["ENABLE_MQTT_TUNNEL", "ENABLE_HTTP_TUNNEL"];

/// A Deployment, or a bare Pod, that runs a controller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Controller {
    pub(super) kind: &'static str,
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) account: Text,
    pub(super) replicas: u32,
    pub(super) ready: u32,
    /// The labels of its Pods.
    pub(super) labels: BTreeMap<String, String>,
    /// Its Pods are on the network of their hosts.
    pub(super) host_network: bool,
    /// The ports of its containers that have a name.
    pub(super) container_ports: BTreeMap<String, u16>,
    /// Its variables that are written out.
    variables: BTreeMap<Text, Text>,
}

impl Controller {
    /// All of the cluster.
    pub(crate) async fn all(client: &Client) -> Result<Vec<Self>, Failure> {
        let deployments = list::<OfDeployment>(client, "/apis/apps/v1/deployments", "").await?;
        let pods = list::<OfPod>(client, "/api/v1/pods", OF_THE_MANUAL).await?;
        let pods = pods.items.into_iter().filter_map(|one| one.0);
        Ok(deployments.items.into_iter().filter_map(|one| one.0).chain(pods).collect())
    }

    /// It has Pods, or is about to.
    pub(crate) fn runs(&self) -> bool {
        self.replicas > 0
    }

    /// The command that ends it.
    pub(crate) fn end(&self) -> String {
        match self.kind {
            "Pod" => format!("kubectl delete pod {} --namespace {}", self.name, self.namespace),
            _ => {
                format!("kubectl scale deployment {} --namespace {} --replicas=0", self.name, self.namespace)
            }
        }
    }

    pub(crate) fn about(&self) -> Text {
        format!("{} {}/{}", self.kind, self.namespace, self.name).into()
    }

    /// A variable; none where it is not set, or is not written out.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(&Text::from(name))?.some()
    }

    pub(crate) fn env(&self) -> &str {
        self.variable("ENV").unwrap_or("dev")
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
}

#[derive(Deserialize)]
struct DeploymentJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: DeploymentSpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: DeploymentStatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeploymentSpecJson {
    replicas: Option<u32>,
    #[serde(deserialize_with = "nothing")]
    template: TemplateJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateJson {
    #[serde(deserialize_with = "nothing")]
    metadata: LabelsJson,
    #[serde(deserialize_with = "nothing")]
    spec: PodSpecJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LabelsJson {
    #[serde(deserialize_with = "nothing")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentStatusJson {
    #[serde(deserialize_with = "nothing")]
    ready_replicas: u32,
}

#[derive(Deserialize)]
struct PodJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: PodSpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: PodStatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatusJson {
    #[serde(deserialize_with = "nothing")]
    conditions: Vec<BTreeMap<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpecJson {
    #[serde(deserialize_with = "nothing")]
    service_account_name: Text,
    #[serde(deserialize_with = "nothing")]
    host_network: bool,
    #[serde(deserialize_with = "nothing")]
    containers: Vec<ContainerJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerJson {
    #[serde(deserialize_with = "nothing")]
    env: Vec<VariableJson>,
    #[serde(deserialize_with = "nothing")]
    ports: Vec<ContainerPortJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerPortJson {
    #[serde(deserialize_with = "nothing")]
    name: String,
    container_port: u16,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VariableJson {
    name: Text,
    #[serde(deserialize_with = "nothing")]
    value: Text,
}

impl PodSpecJson {
    /// What is the same of a Deployment's Pods and a bare one; none where no container is a controller.
    fn controller(&self, kind: &'static str, labels: BTreeMap<String, String>) -> Option<Controller> {
        let is_ours = |container: &&ContainerJson| container.env.iter().any(|one| OURS.contains(&&*one.name));
        let ours = self.containers.iter().find(is_ours)?;
        let ports = self.containers.iter().flat_map(|container| &container.ports);
        Some(Controller {
            kind,
            account: self.service_account_name.clone(),
            labels,
            host_network: self.host_network,
            container_ports: ports.map(|port| (port.name.clone(), port.container_port)).collect(),
            variables: ours.env.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
            ..Controller::default()
        })
    }
}

/// A Deployment, where it is a controller's.
pub(super) struct OfDeployment(pub(super) Option<Controller>);

impl Object for OfDeployment {
    const NAME: &'static str = "Deployments";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let DeploymentJson { metadata, spec, status } = serde_json::from_str(json)?;
        let TemplateJson { metadata: LabelsJson { labels }, spec: pod } = spec.template;
        Ok(Self(pod.controller("Deployment", labels).map(|controller| Controller {
            namespace: metadata.namespace,
            name: metadata.name,
            replicas: spec.replicas.unwrap_or(1),
            ready: status.ready_replicas,
            ..controller
        })))
    }
}

/// A bare Pod, where it is a controller's, as the manual has it.
struct OfPod(Option<Controller>);

impl Object for OfPod {
    const NAME: &'static str = "Pods of the controller";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let PodJson { metadata, spec, status } = serde_json::from_str(json)?;
        let is_ready = status.conditions.iter().any(|condition| {
            condition.get("type").is_some_and(|kind| kind == "Ready")
                && condition.get("status").is_some_and(|status| status == "True")
        });
        let labels =
            metadata.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let controller = spec.controller("Pod", labels).filter(|_| metadata.owner_references.is_empty());
        Ok(Self(controller.map(|controller| Controller {
            namespace: metadata.namespace,
            name: metadata.name,
            replicas: 1,
            ready: u32::from(is_ready),
            ..controller
        })))
    }
}
