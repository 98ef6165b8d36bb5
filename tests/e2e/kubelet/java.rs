//! `kubectl logs` of modules of Java bases: from the log of the base's own Pod, on a machine with a kubelet.

use anyhow::{Context, Result, ensure};
use e2e::{Follow, Scene, Simulated, Way, manifest};
use serde_json::json;
use std::{net::Ipv4Addr, time::Duration};
use testkit::{cluster::Cluster, machine::Machine, names, wait::wait_for};

use super::{refusal, scene};

/// A machine of the cluster whose kubelet this is.
fn node(cluster: &Cluster, machine: &Machine) -> Result<String> {
    let name = names::unique("machine");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
    cluster.apply(&node.to_string())?;
    let status = json!({"status": {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": machine.port()}},
    }});
    cluster.kubectl(&[
        "patch",
        "node",
        &name,
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ])?;
    Ok(name)
}

/// The Pod that a base runs in.
fn pod_of_base(cluster: &Cluster, namespace: &str, node: &str, ip: Ipv4Addr) -> Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "base", "namespace": namespace},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "base", "image": "base"}],
            "tolerations": [{"operator": "Exists"}],
        },
    });
    cluster.apply(&pod.to_string())?;
    let status = json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
    let patch = status.to_string();
    let args =
        ["patch", "pod", "base", "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch];
    cluster.kubectl(&args).map(drop)
}

/// A base at this address with a module, which runs.
fn base(scene: &Scene, ip: Ipv4Addr, pod: &str) -> Result<Simulated> {
    let port = scene.broker_port().context("a broker")?;
    let base = Simulated::over_mqtt_from(port, &scene.env, &scene.base_version, ip);
    wait_for("the base's Node", Duration::from_secs(60), || {
        scene.cluster.kubectl_json(&["get", "node", &base.node()]).map(Some)
    })?;
    let biz = [manifest::container("biz1", "1.0.0")?];
    scene.cluster.apply(&manifest::pod(scene, pod, Some(&base.node()), &biz).to_string())?;
    scene.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=60s"])?;
    Ok(base)
}

#[test]
fn they_are_the_lines_of_the_bases_pod_that_are_marked() -> Result<()> {
    let (scene, _) = scene(Way::Embedded, &[])?;
    let machine = Machine::start()?;
    let node = node(&scene.cluster, &machine)?;
    let alone = base(&scene, Ipv4Addr::new(192, 0, 2, 201), "alone")?;
    let none = refusal(&scene, &["logs", "alone"])?;
    ensure!(none.contains("the base runs in no pod that was found"), "{none}");
    drop(alone);

    let ip = Ipv4Addr::new(192, 0, 2, 202);
    pod_of_base(&scene.cluster, &scene.namespace, &node, ip)?;
    let _base = base(&scene, ip, "p")?;
    machine.print("2026-01-01 INFO [main] the base is there");
    let whole = scene.kubectl(&["logs", "p"])?;
    let (notice, rest) = whole.split_once('\n').context("a first line")?;
    ensure!(
        notice.contains("is marked with [biz1] or [biz1:1.0.0]: this is the log of the whole base"),
        "{whole}"
    );
    ensure!(rest == "2026-01-01 INFO [main] the base is there\n", "{whole}");
    for line in [
        "2026-01-01 INFO [biz1] one",
        "\tat its.Trace",
        "2026-01-01 INFO [biz2] other",
        "2026-01-01 INFO [biz1:1.0.0] two",
    ] {
        machine.print(line);
    }
    let lines = "2026-01-01 INFO [biz1] one\n\tat its.Trace\n2026-01-01 INFO [biz1:1.0.0] two\n";
    ensure!(scene.kubectl(&["logs", "p"])? == lines, "{}", scene.kubectl(&["logs", "p"])?);
    ensure!(scene.kubectl(&["logs", "p", "--tail=1"])? == "2026-01-01 INFO [biz1:1.0.0] two\n");
    let dated = scene.kubectl(&["logs", "p", "--tail=1", "--timestamps"])?;
    ensure!(dated == "2026-01-01T00:00:04Z 2026-01-01 INFO [biz1:1.0.0] two\n", "{dated}");
    ensure!(scene.kubectl(&["logs", "p", "--limit-bytes=10"])? == "2026-01-01");
    let follow = Follow::start(&scene.cluster, &["-n", &scene.namespace, "logs", "-f", "p", "--tail=1"])?;
    follow.wait_for("[biz1:1.0.0] two\n")?;
    machine.print("2026-01-01 INFO [biz2] other");
    machine.print("2026-01-01 INFO [biz1] three");
    follow.wait_for("[biz1] three\n")?;
    let printed = follow.printed();
    ensure!(printed == "2026-01-01 INFO [biz1:1.0.0] two\n2026-01-01 INFO [biz1] three\n", "{printed}");
    scene.cluster.kubectl(&["delete", "node", &node]).map(drop)
}

#[test]
fn of_a_base_in_another_namespace_nothing_else_is_shown() -> Result<()> {
    let cluster = Cluster::shared()?;
    let bases = cluster.namespace("bases")?;
    let (scene, _) = scene(Way::Embedded, &[("BASE_POD_NAMESPACES", &bases)])?;
    let machine = Machine::start()?;
    let node = node(cluster, &machine)?;
    let ip = Ipv4Addr::new(192, 0, 2, 203);
    pod_of_base(cluster, &bases, &node, ip)?;
    let _base = base(&scene, ip, "p")?;
    machine.print("2026-01-01 INFO [biz1] whoever calls himself so");
    let nothing = scene.kubectl(&["logs", "p"])?;
    ensure!(
        nothing.lines().count() == 1 && nothing.contains("is marked with [biz1:1.0.0]; lines of others"),
        "{nothing}"
    );
    machine.print("2026-01-01 INFO [biz1:1.0.0] its own");
    ensure!(scene.kubectl(&["logs", "p"])? == "2026-01-01 INFO [biz1:1.0.0] its own\n");

    // Where nobody said that bases run there, it is not shown at all.
    let (stranger, _) = super::scene(Way::Embedded, &[])?;
    let ip = Ipv4Addr::new(192, 0, 2, 204);
    let elsewhere = cluster.namespace("elsewhere")?;
    pod_of_base(cluster, &elsewhere, &node, ip)?;
    let _base = base(&stranger, ip, "p")?;
    let refused = refusal(&stranger, &["logs", "p"])?;
    ensure!(refused.contains("BASE_POD_NAMESPACES"), "{refused}");
    cluster.kubectl(&["delete", "node", &node]).map(drop)
}
