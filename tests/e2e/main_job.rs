//! The main job: a module goes online, serves and goes offline, by kubectl, over every way.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    scene::node_name,
    seen::{condition, text},
};
use serde_json::Value;
use testkit::{java_base::JavaBase, wait::wait_for};

#[test]
fn over_http() -> Result<()> {
    online_serving_scaled_offline(&Scene::start(Way::Http, &[])?)
}

#[test]
fn over_mqtt_with_mosquitto() -> Result<()> {
    online_serving_scaled_offline(&Scene::start(Way::Mosquitto, &[])?)
}

#[test]
fn over_mqtt_with_the_embedded_broker() -> Result<()> {
    online_serving_scaled_offline(&Scene::start(Way::Embedded, &[])?)
}

pub(crate) fn online_serving_scaled_offline(scene: &Scene) -> Result<()> {
    let bases = scene.bases(2)?;
    for base in &bases {
        check_node(scene, base)?;
    }

    scene.cluster.apply(
        &manifest::deployment(scene, "biz1", 1, &[manifest::container("biz1", "1.0.0")?]).to_string(),
    )?;
    let pods = scene.wait_pods_ready(1)?;
    let base = base_of(&bases, &pods[0])?;
    ensure!(base.query_all_biz()?[0].state == "activated", "{:?}", base.query_all_biz()?);
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", base.serving("biz1")?);
    let ip = base.ip().to_string();
    ensure!(
        text(&pods[0], "/status/podIP") == ip && text(&pods[0], "/status/hostIP") == ip,
        "{}",
        pods[0]["status"]
    );
    ensure!(scene.pods(&["--field-selector", &format!("status.podIP={ip}")])?.len() == 1);
    ensure!(scene.pods(&["--field-selector", &format!("spec.nodeName={}", node_name(base))])?.len() == 1);

    scene.kubectl(&["scale", "deployments/biz1", "--replicas=2"])?;
    scene.wait_pods_ready(2)?;
    for base in &bases {
        ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{} serves nothing", base.identity());
    }
    scene.kubectl(&["scale", "deployments/biz1", "--replicas=1"])?;
    let pods = scene.wait_pods_ready(1)?;
    let left = base_of(&bases, &pods[0])?;
    for base in &bases {
        let expected = usize::from(base.identity() == left.identity());
        wait_for("the biz of the other base is gone", Duration::from_secs(10), || {
            let biz = base.query_all_biz()?;
            ensure!(biz.len() == expected, "{biz:?}");
            Ok(Some(()))
        })?;
    }

    scene.kubectl(&["delete", "deployment", "biz1", "--wait=false"])?;
    wait_for("the biz is uninstalled", Duration::from_secs(20), || {
        let biz = left.query_all_biz()?;
        ensure!(biz.is_empty(), "{biz:?}");
        Ok(Some(()))
    })?;
    let confirmed = Instant::now();
    wait_for("the Pod is gone", Duration::from_secs(20), || {
        let pods = scene.pods(&[])?;
        ensure!(pods.is_empty(), "{} Pods", pods.len());
        Ok(Some(()))
    })?;
    // Milliseconds are promised, and shown by the benchmark: this tells them from waiting for any period of ours.
    ensure!(
        confirmed.elapsed() < Duration::from_secs(4),
        "the Pod went {:?} after the biz",
        confirmed.elapsed()
    );
    ensure!(left.serving("biz1")?.is_none(), "the module still answers");
    Ok(())
}

fn base_of<'a>(bases: &'a [JavaBase], pod: &Value) -> Result<&'a JavaBase> {
    let node = text(pod, "/spec/nodeName");
    bases
        .iter()
        .find(|base| node_name(base) == node)
        .ok_or_else(|| anyhow::anyhow!("the Pod is on {node}, which is no base of this test"))
}

/// Section 1 of the specification: labels, taint, addresses, capacity, conditions, Lease.
fn check_node(scene: &Scene, base: &JavaBase) -> Result<()> {
    let node = scene.node(base)?;
    let http = scene.way == Way::Http;
    let port = if http { base.arklet_port().to_string() } else { "0".to_owned() };
    let tunnel = if http { "http" } else { "mqtt" };
    for (key, value) in [
        ("base.koupleless.io/stack", "java"),
        ("base.koupleless.io/name", "base"),
        ("base.koupleless.io/version", &scene.base_version),
        ("base.koupleless.io/cluster-name", "default"),
        ("base.koupleless.io/host-name", base.identity()),
        ("base.koupleless.io/tunnel-port", &port),
        ("kubernetes.io/hostname", &node_name(base)),
        ("vnode.koupleless.io/tunnel", tunnel),
        ("module-controller.koupleless.io/component", "vnode"),
        ("virtual-kubelet.koupleless.io/component", "vnode"),
        ("module-controller.koupleless.io/env", &scene.env),
        ("virtual-kubelet.koupleless.io/env", &scene.env),
        ("node.kubernetes.io/exclude-from-external-load-balancers", "true"),
    ] {
        ensure!(node["metadata"]["labels"][key] == value, "label {key}: {}", node["metadata"]["labels"]);
    }
    let zone = text(&node, "/metadata/labels/topology.kubernetes.io~1zone");
    ensure!(zone.starts_with("vz-"), "zone {zone:?}");
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let ours = taints.iter().filter(|taint| {
        taint["key"] == "schedule.koupleless.io/virtual-node"
            && taint["value"] == "True"
            && taint["effect"] == "NoExecute"
    });
    ensure!(ours.count() == 1, "taints {taints:?}");
    let addresses = serde_json::json!([
        {"type": "InternalIP", "address": base.ip().to_string()},
        {"type": "Hostname", "address": base.identity()},
    ]);
    ensure!(node["status"]["addresses"] == addresses, "{}", node["status"]["addresses"]);
    ensure!(node["status"]["capacity"]["pods"] == "2k", "{}", node["status"]["capacity"]);
    ensure!(node["status"]["capacity"]["memory"].is_null(), "this base has no limit on metaspace");
    for (kind, status) in [
        ("Ready", "True"),
        ("MemoryPressure", "False"),
        ("DiskPressure", "False"),
        ("PIDPressure", "False"),
        ("NetworkUnavailable", "False"),
    ] {
        let condition = condition(&node, kind);
        ensure!(
            condition["status"] == status && !text(condition, "/reason").is_empty(),
            "{kind}: {condition}"
        );
    }
    wait_for("the Lease", Duration::from_secs(5), || {
        let lease =
            scene.cluster.kubectl_json(&["-n", "kube-node-lease", "get", "lease", &node_name(base)])?;
        Ok(Some(lease))
    })?;
    Ok(())
}
