//! The kubelet API where several replicas share the bases, and how VNodes come to name it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Way};
use serde_json::{Value, json};
use testkit::{
    controller::{Controller, REPLICA},
    names,
    wait::wait_for,
};

use super::{answered, api_server, base, get, pod, print, scene, settings};

#[test]
fn every_replica_serves_every_vnode() -> Result<()> {
    let (scene, port) = scene(Way::Http, &REPLICA)?;
    let mut options = scene.controller.options().clone();
    let other = names::free_port()?;
    for (name, value) in &mut options.env {
        if name == "KUBELET_PROXY_PORT" {
            *value = other.to_string();
        }
    }
    let _second = Controller::start(options)?;
    let base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    print(&base, "biz1", "1")?;
    let path = format!("/containerLogs/{}/p/biz1", scene.namespace);
    for port in [port, other] {
        let log = answered(200, get(&api_server(&scene), port, &path))?;
        ensure!(log == "/print-1\n", "{port}: {log}");
    }
    ensure!(scene.kubectl(&["logs", "p"])? == "/print-1\n");
    Ok(())
}

/// The Node's addresses, where they are as they shall be.
fn wait_addresses(scene: &Scene, node: &str, expected: &Value) -> Result<()> {
    wait_for(&format!("the addresses {expected}"), Duration::from_secs(30), || {
        let node = scene.cluster.kubectl_json(&["get", "node", node])?;
        ensure!(node["status"]["addresses"] == *expected, "{}", node["status"]);
        Ok(Some(()))
    })
}

#[test]
fn vnodes_name_the_service_that_leads_to_it_when_there_is_one() -> Result<()> {
    let namespace = testkit::cluster::Cluster::shared()?.namespace("controller")?;
    let port = names::free_port()?;
    let mut settings = settings(port)?;
    settings.retain(|(name, _)| *name != "KUBELET_PROXY_ADDRESS");
    settings.push(("NAMESPACE", namespace.clone()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut scene = Scene::start(Way::Http, &settings)?;
    let base = base(&scene)?;
    let own = json!([
        {"type": "InternalIP", "address": base.ip().to_string()},
        {"type": "Hostname", "address": base.identity()},
    ]);
    wait_addresses(&scene, &base.node(), &own)?;
    let ready = scene.controller.admin("/readyz")?;
    ensure!(ready.status == 200 && ready.body.contains("kubelet-proxy-service=true"), "{ready:?}");

    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "module-controller-kubelet", "namespace": namespace,
            "labels": {"virtual-kubelet.koupleless.io/kubelet-proxy-service": "true"},
        },
        "spec": {"selector": {"app": "module-controller"}, "ports": [{"port": 10250}]},
    });
    scene.cluster.apply(&service.to_string())?;
    let service =
        scene.cluster.kubectl_json(&["get", "service", "module-controller-kubelet", "-n", &namespace])?;
    let address = service["spec"]["clusterIP"].as_str().context("a Service without an address")?;
    wait_addresses(&scene, &base.node(), &json!([{"type": "InternalIP", "address": address}]))?;
    let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
    ensure!(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == port, "{}", node["status"]);
    let told = &node["metadata"]["annotations"]["base.koupleless.io/address"];
    ensure!(told.as_str().is_some_and(|told| told.starts_with(&base.ip().to_string())), "{node}");
    let ready = scene.controller.admin("/readyz")?;
    ensure!(!ready.body.contains("kubelet-proxy-service"), "{ready:?}");
    // A controller that is started again reaches the base all the same, and its Pods keep the base's address.
    scene.controller.stop()?;
    scene.controller.start_again()?;
    pod(&scene, &base, &["biz1"])?;
    ensure!(scene.pod("p")?["status"]["podIP"] == base.ip().to_string());
    // Turned off, all is as it was before.
    scene.controller.stop()?;
    for (name, value) in &mut scene.controller.options_mut().env {
        if name == "KUBELET_PROXY_ENABLED" {
            "false".clone_into(value);
        }
    }
    scene.controller.start_again()?;
    wait_addresses(&scene, &base.node(), &own)?;
    let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
    ensure!(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 0, "{}", node["status"]);
    Ok(())
}
