//! The controller as a manifest says that it runs: with a Pod's variables and account. No kubelet here does it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{
    account,
    cluster::Cluster,
    controller::{Controller, ControllerOptions},
    names,
    wait::wait_for,
    work_dir::WorkDir,
};

use crate::{
    Simulated,
    seen::{condition, text},
    shell::read,
};

/// Starts the controller with the variables and the account of a Pod (its `spec`) in this namespace.
pub fn start(cluster: &Cluster, namespace: &str, spec: &Value) -> Result<Controller> {
    let known = read("docs/reference/configuration.md")?;
    let (dir, account) = (WorkDir::new("deployed")?, text(spec, "/serviceAccountName"));
    account::may(cluster, namespace, account, &["patch", "nodes"])?;
    account::may(
        cluster,
        namespace,
        account,
        &["create", "leases.coordination.k8s.io", "-n", "kube-node-lease"],
    )?;
    let kubeconfig = account::kubeconfig(cluster, namespace, account, dir.join("kubeconfig"))?;
    let mut options = ControllerOptions { kubeconfig, env: Vec::new() };
    for variable in variables(&spec["containers"][0])? {
        let name = text(variable, "/name");
        ensure!(known.contains(&format!("| `{name}` |")), "{name} is no variable of the controller");
        let of_pod = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
        match (name, of_pod) {
            // The port of a test is its own.
            ("HTTP_TUNNEL_LISTEN_PORT", _) => {}
            ("FORWARD_PORT", _) => options = options.env(name, 0),
            (_, None) => {
                let value = text(variable, "/value");
                // What is granted may count only some moments later.
                let right: &[&str] = match (name, value) {
                    ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true") => &["list", "deployments.apps"],
                    ("IS_CLUSTER", "true") => &["create", "leases.coordination.k8s.io", "-n", namespace],
                    _ => &[],
                };
                if !right.is_empty() {
                    account::may(cluster, namespace, account, right)?;
                }
                options = options.env(name, value);
            }
            (_, Some("metadata.namespace")) => options = options.env(name, namespace),
            (_, Some("status.podIP")) => options = options.env(name, "127.0.0.1"),
            (_, Some("metadata.uid")) => options = options.env(name, names::unique("uid")),
            (_, Some(other)) => anyhow::bail!("{name} is {other}, which this test does not know"),
        }
    }
    Controller::start(options)
}

/// The variables of a container.
pub fn variables(container: &Value) -> Result<&Vec<Value>> {
    container["env"].as_array().context("env")
}

/// A base that is heard becomes a Ready Node.
pub fn takes_a_base(cluster: &Cluster, controller: &Controller) -> Result<()> {
    let base = Simulated::start(&controller.http_tunnel(), "1.0.0")?;
    wait_for("the base's Node", Duration::from_secs(30), || {
        let node = cluster.kubectl_json(&["get", "node", &base.node()])?;
        ensure!(condition(&node, "Ready")["status"] == "True", "{}", node["status"]["conditions"]);
        Ok(Some(()))
    })
}
