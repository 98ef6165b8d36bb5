//! The real parts that the demo runs on.

use std::path::PathBuf;
use std::{env, fs, process};

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::{
    cluster::{Cluster, ClusterOptions},
    controller::{Controller, ControllerOptions},
    names,
    work_dir::WorkDir,
};

use super::{
    Tunnels, Way,
    bases::{Base, Reach, Stack},
    narration::Narration,
};

/// The controller's environment, its default.
pub(super) const ENV: &str = "dev";

/// Everything that runs. Dropping it ends it all: the bases first, the control plane last.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The bases that run now.
    pub(crate) bases: Vec<Base>,
    /// What they are.
    pub(crate) stack: Stack,
    /// The controller.
    pub(crate) controller: Controller,
    /// The control plane.
    pub(crate) cluster: Cluster,
    /// Where manifests are written, for you to apply.
    pub(crate) dir: WorkDir,
    broker_port: u16,
    started: u32,
}

impl Parts {
    /// Starts the control plane and the controller.
    pub(crate) fn start(narration: &mut Narration, tunnels: Tunnels, stack: Stack) -> Result<Self> {
        narration.step("A Kubernetes control plane starts: etcd, API server, scheduler, controllers");
        let cluster = Cluster::start(&ClusterOptions::default())?;
        let version = cluster.kubectl_json(&["version"])?;
        let version = version.pointer("/serverVersion/gitVersion").and_then(Value::as_str);
        narration.say(format!("Kubernetes {} at {}", version.unwrap_or("?"), cluster.server()));
        narration.done("it takes Pods, and has no Node yet");

        narration.step("The controller starts");
        let broker_port = names::free_port()?;
        // Operation plans need it, and peers and the baseline can be tried.
        let mut options = ControllerOptions::new(&cluster)?
            .env("ENV", ENV)
            .env("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", true);
        if tunnels != Tunnels::Mqtt {
            options = options.env("ENABLE_HTTP_TUNNEL", true);
        }
        if tunnels != Tunnels::Http {
            options = options
                .env("ENABLE_MQTT_TUNNEL", true)
                .env("MQTT_BROKER", "embedded")
                .env("MQTT_PORT", broker_port);
        }
        let controller = Controller::start(options)?;
        if tunnels != Tunnels::Mqtt {
            narration.say(format!("HTTP tunnel: bases send heartbeats to {}", controller.http_tunnel()));
        }
        if tunnels != Tunnels::Http {
            narration.say(format!("MQTT tunnel: its own broker listens on port {broker_port}"));
        }
        narration.done("it watches the API server and says that it is ready");
        let dir = WorkDir::new("demo")?;
        Ok(Self { bases: Vec::new(), stack, controller, cluster, dir, broker_port, started: 0 })
    }

    /// Starts bases that talk this way, beside each other.
    pub(crate) fn start_bases(&mut self, way: Way, count: u32) -> Result<()> {
        let identities = (0..count).map(|_| {
            self.started += 1;
            format!("base-{}", self.started)
        });
        let identities: Vec<String> = identities.collect();
        let reach = match way {
            Way::Http => Reach::Http(self.controller.http_tunnel()),
            Way::Mqtt => Reach::Mqtt(self.broker_port),
        };
        self.bases.extend(self.stack.start(&identities, ENV, &reach)?);
        Ok(())
    }

    /// The base that a Pod is on.
    pub(crate) fn base_of(&self, pod: &Value) -> Result<&Base> {
        let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        let found = self.bases.iter().find(|base| base.node() == node);
        found.with_context(|| format!("the Pod is on the Node {node:?}, which is none of our bases"))
    }

    /// Writes what everyone logged, and what the API server knows, to a directory that stays.
    pub(crate) fn save_logs(&self) -> Result<PathBuf> {
        let dir = env::temp_dir().join(format!("module-controller-demo-{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let mut files = vec![("controller.log".to_owned(), self.controller.log())];
        for base in &self.bases {
            files.push((format!("{}.log", base.identity()), base.log()));
        }
        if let Some(own) = self.cluster.kubeconfig().parent() {
            let log = fs::read_to_string(own.join("data/devcluster.log")).unwrap_or_default();
            files.push(("control-plane.log".to_owned(), log));
        }
        for kind in ["nodes", "pods", "events"] {
            let objects = self.cluster.kubectl(&["get", kind, "--all-namespaces", "-o", "yaml"]);
            files.push((format!("{kind}.yaml"), objects.unwrap_or_else(|error| format!("# {error:#}\n"))));
        }
        for (name, text) in files {
            let file = dir.join(name);
            fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(dir)
    }
}
