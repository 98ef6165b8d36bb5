//! One test's own corner of the shared cluster.

use std::{ops::Deref, time::Duration};

use anyhow::Result;
use serde_json::Value;
use testkit::{
    broker::{Broker, BrokerOptions},
    cluster::Cluster,
    controller::{Controller, ControllerOptions},
    java_base::{JavaBase, JavaBaseOptions, MqttAccess},
    names,
    wait::wait_for,
    wasm_base::WasmBaseOptions,
};

use crate::Recording;

/// How the controller and the bases talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Arklet's HTTP port, heartbeats to the controller's.
    Http,
    /// A mosquitto of the test's own.
    Mosquitto,
    /// The controller's embedded broker.
    Embedded,
    /// Both tunnels at once, MQTT by a mosquitto of the test's own.
    Both,
}

impl Way {
    fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Both)
    }
}

/// The control plane of a scene.
#[derive(Debug)]
pub enum Plane {
    /// That of all tests.
    Shared(&'static Cluster),
    /// One that a test has for itself, because of what it does to it.
    Own(Box<Cluster>),
}

impl Deref for Plane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match self {
            Self::Shared(cluster) => cluster,
            Self::Own(cluster) => cluster,
        }
    }
}

/// A controller with an environment, a namespace and a base version of its own, so that tests run
/// side by side in one cluster.
#[derive(Debug)]
pub struct Scene {
    /// The controller of this test.
    pub controller: Controller,
    /// The control plane; it ends after the controller.
    pub cluster: Plane,
    /// The broker, where the way is [`Way::Mosquitto`].
    pub broker: Option<Broker>,
    /// How they talk.
    pub way: Way,
    /// `ENV`.
    pub env: String,
    /// Where the modules live.
    pub namespace: String,
    /// The version that this test's bases report, by which its modules find them.
    pub base_version: String,
    access: Option<MqttAccess>,
}

impl Scene {
    /// Starts a controller that talks this way, with further environment variables.
    pub fn start(way: Way, more: &[(&str, &str)]) -> Result<Self> {
        let (broker, access, host, port) = match way {
            Way::Http => return Self::with(way, None, None, more),
            Way::Mosquitto | Way::Both => {
                let broker = Broker::start(&BrokerOptions::default())?;
                let (access, port) = (MqttAccess::from(&broker), broker.port());
                (Some(broker), access, "127.0.0.1", port)
            }
            Way::Embedded => {
                let port = names::free_port()?;
                let url = format!("tcp://127.0.0.1:{port}");
                (None, MqttAccess { url, ..MqttAccess::default() }, "embedded", port)
            }
        };
        let port = port.to_string();
        let mut all = vec![("MQTT_BROKER", host), ("MQTT_PORT", &port)];
        all.extend(more);
        Self::with(way, broker, Some(access), &all)
    }

    /// As [`Scene::start`], with a broker of the test's own making: `access` is how bases reach it, and
    /// `more` how the controller does.
    pub fn with(
        way: Way,
        broker: Option<Broker>,
        access: Option<MqttAccess>,
        more: &[(&str, &str)],
    ) -> Result<Self> {
        Self::on(Plane::Shared(Cluster::shared()?), way, broker, access, more)
    }

    /// As [`Scene::start`] over HTTP, in a cluster that no other test has.
    pub fn alone(cluster: Cluster, more: &[(&str, &str)]) -> Result<Self> {
        Self::on(Plane::Own(Box::new(cluster)), Way::Http, None, None, more)
    }

    fn on(
        cluster: Plane,
        way: Way,
        broker: Option<Broker>,
        access: Option<MqttAccess>,
        more: &[(&str, &str)],
    ) -> Result<Self> {
        let env = names::unique("env");
        let mut options = ControllerOptions::new(&cluster)?
            .env("ENV", &env)
            .env("LOG_LEVEL", "info,module_controller=debug");
        if way.is_http() {
            options = options.env("ENABLE_HTTP_TUNNEL", "true");
        }
        if access.is_some() {
            options = options.env("ENABLE_MQTT_TUNNEL", "true");
        }
        for (name, value) in more {
            options = options.env(name, value);
        }
        let controller = Controller::start(options)?;
        let namespace = cluster.namespace("modules")?;
        let base_version = names::unique("v");
        Ok(Self { controller, cluster, broker, way, env, namespace, base_version, access })
    }

    /// A base of this scene, with an address and an identity of its own.
    pub fn base(&self) -> JavaBaseOptions {
        let mut options = JavaBaseOptions {
            version: self.base_version.clone(),
            env: self.env.clone(),
            mqtt: self.access.clone(),
            http_tunnel: self.way.is_http().then(|| self.controller.http_tunnel()),
            ..JavaBaseOptions::default()
        };
        options.hostname = options.identity.clone();
        options
    }

    /// A WebAssembly base of this scene, with an address and an identity of its own.
    pub fn wasm_base(&self) -> WasmBaseOptions {
        WasmBaseOptions {
            version: self.base_version.clone(),
            env: self.env.clone(),
            mqtt: self.access.clone(),
            http_tunnel: self.way.is_http().then(|| self.controller.http_tunnel()),
            ..WasmBaseOptions::default()
        }
    }

    /// Starts bases of this scene and waits until their Nodes are Ready.
    pub fn bases(&self, count: usize) -> Result<Vec<JavaBase>> {
        let bases = JavaBase::start_all((0..count).map(|_| self.base()).collect())?;
        for base in &bases {
            self.wait_node_ready(base, true)?;
        }
        Ok(bases)
    }

    /// The Node that stands for a base.
    pub fn node(&self, base: &JavaBase) -> Result<Value> {
        self.cluster.kubectl_json(&["get", "node", &node_name(base)])
    }

    /// Waits until a base's Node says that it is Ready, or that it is not.
    pub fn wait_node_ready(&self, base: &JavaBase, ready: bool) -> Result<Value> {
        let what = format!("{} Ready={ready}", node_name(base));
        wait_for(&what, Duration::from_secs(60), || {
            let node = self.node(base)?;
            let status = crate::seen::condition(&node, "Ready")["status"].clone();
            let wanted = if ready { "True" } else { "False" };
            anyhow::ensure!(status == wanted, "Ready is {status}");
            Ok(Some(node))
        })
    }

    /// The port of the broker on 127.0.0.1, whoever runs it; none without MQTT.
    pub fn broker_port(&self) -> Option<u16> {
        self.access.as_ref()?.url.rsplit(':').next()?.parse().ok()
    }

    /// The Nodes of the scene's environment: those that this controller made.
    pub fn nodes(&self) -> Result<Vec<Value>> {
        let ours = format!("module-controller.koupleless.io/env={}", self.env);
        let list = self.cluster.kubectl_json(&["get", "nodes", "-l", &ours])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Everything that happens to the Nodes of the scene from now on.
    pub fn record_nodes(&self) -> Result<Recording> {
        let ours = format!("/api/v1/nodes?labelSelector=module-controller.koupleless.io/env%3D{}", self.env);
        Recording::start(&self.cluster, &ours, self.nodes()?.len())
    }

    /// Everything that happens to the Pods of the scene from now on.
    pub fn record_pods(&self) -> Result<Recording> {
        let ours = format!("/api/v1/namespaces/{}/pods", self.namespace);
        Recording::start(&self.cluster, &ours, self.pods(&[])?.len())
    }

    /// `kubectl` in the scene's namespace.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["-n", &self.namespace];
        all.extend(args);
        self.cluster.kubectl(&all)
    }

    /// The Pods of the scene, or those that a selector picks.
    pub fn pods(&self, select: &[&str]) -> Result<Vec<Value>> {
        let mut args = vec!["-n", &self.namespace, "get", "pods"];
        args.extend(select);
        let list = self.cluster.kubectl_json(&args)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// The Pod of a name.
    pub fn pod(&self, name: &str) -> Result<Value> {
        self.cluster.kubectl_json(&["-n", &self.namespace, "get", "pod", name])
    }

    /// Waits until exactly so many Pods are there and all are Ready.
    pub fn wait_pods_ready(&self, count: usize) -> Result<Vec<Value>> {
        wait_for(&format!("{count} Pods, all Ready"), Duration::from_secs(90), || {
            let pods = self.pods(&[])?;
            let seen: Vec<String> = pods.iter().map(crate::seen::summary).collect();
            let all = pods.len() == count && pods.iter().all(crate::seen::is_ready);
            anyhow::ensure!(all, "{seen:?}");
            Ok(Some(pods))
        })
    }

    /// Waits until a Pod's first container waits for this reason; gives the message.
    pub fn wait_waiting(&self, pod: &str, reason: &str) -> Result<String> {
        wait_for(&format!("{pod} waiting with {reason}"), Duration::from_secs(60), || {
            let pod = self.pod(pod)?;
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            anyhow::ensure!(waiting["reason"] == reason, "{}", pod["status"]);
            Ok(Some(waiting["message"].as_str().unwrap_or_default().to_owned()))
        })
    }

    /// Waits for an Event about a Pod of the scene or a Node, with this reason; gives it.
    pub fn wait_event(&self, object: &str, reason: &str) -> Result<Value> {
        self.wait_event_within(Duration::from_secs(30), object, reason)
    }

    /// As [`Scene::wait_event`], for what takes its time.
    pub fn wait_event_within(&self, limit: Duration, object: &str, reason: &str) -> Result<Value> {
        wait_for(&format!("an Event {reason} about {object}"), limit, || {
            let events = self.cluster.kubectl_json(&["get", "events.events.k8s.io", "-A"])?;
            let all = events["items"].as_array().cloned().unwrap_or_default();
            let is_about = |event: &&Value| {
                let regarding = &event["regarding"];
                regarding["name"] == object
                    && (regarding["kind"] == "Node" || regarding["namespace"] == self.namespace.as_str())
            };
            let about: Vec<&Value> = all.iter().filter(is_about).collect();
            let found = about.iter().find(|event| event["reason"] == reason);
            let reasons: Vec<&Value> = about.iter().map(|event| &event["reason"]).collect();
            anyhow::ensure!(found.is_some(), "reasons so far: {reasons:?}");
            Ok(found.map(|event| (*event).clone()))
        })
    }

    /// The value of a metric with these labels in it; 0 where there is none yet.
    pub fn metric(&self, name: &str, labels: &str) -> Result<u64> {
        let page = self.controller.admin("/metrics")?.body;
        let line = page.lines().find(|line| line.starts_with(name) && line.contains(labels));
        Ok(line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default())
    }
}

/// The name of the Node that stands for a base.
pub fn node_name(base: &JavaBase) -> String {
    format!("virtual-node-{}", base.identity())
}
