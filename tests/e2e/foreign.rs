//! What others do to Nodes: device plugins, cloud controllers and people write to them and delete them, and a LimitRange
//! makes Pods request what no base counts.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::wait::{stays, wait_for};

/// How long it is looked at what follows a write.
const AFTER: Duration = Duration::from_secs(10);
/// The garbage collector looks every 20 s, and takes the Pods of a Node that has not been there for 40.
const COLLECTED: Duration = Duration::from_secs(150);

/// A base with a module, in a scene.
fn served() -> Result<(Scene, Simulated)> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let biz = manifest::container("biz1", "1.0.0")?;
    scene.cluster.apply(&manifest::deployment(&scene, "web", 1, &[biz]).to_string())?;
    scene.wait_pods_ready(1)?;
    Ok((scene, base))
}

fn node(scene: &Scene, base: &Simulated) -> Result<Value> {
    scene.cluster.kubectl_json(&["get", "node", &base.node()])
}

/// How many writes of Nodes the controller has sent so far, whatever became of them.
fn written(scene: &Scene) -> Result<u64> {
    let page = scene.controller.admin("/metrics")?.body;
    let of_nodes = page.lines().filter(|line| {
        line.starts_with("module_controller_api_requests_total{")
            && (line.contains("resource=\"nodes\"") || line.contains("resource=\"nodes/status\""))
            && (line.contains("verb=\"create\"") || line.contains("verb=\"patch\""))
    });
    of_nodes.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
}

#[test]
fn what_others_write_on_a_vnode_stays_and_nothing_follows() -> Result<()> {
    let (scene, base) = served()?;
    let labels = &node(&scene, &base)?["metadata"]["labels"];
    ensure!(labels["type"] == "virtual-kubelet" && labels["kubernetes.io/role"] == "agent", "{labels}");
    ensure!(labels["kubernetes.io/hostname"] == base.node(), "{labels}");
    let before = written(&scene)?;
    ensure!(before > 0, "the metric counts nothing: {}", scene.controller.admin("/metrics")?.body);

    let name = base.node();
    let status = json!({"status": {
        "capacity": {"example.com/gpu": "4", "memory": "4Gi"},
        "allocatable": {"example.com/gpu": "4"},
        "conditions": [{"type": "KernelDeadlock", "status": "False", "reason": "KernelHasNoDeadlock"}],
        "addresses": [{"type": "ExternalIP", "address": "203.0.113.7"}],
    }});
    let kubectl = |args: &[&str]| scene.cluster.kubectl(args);
    kubectl(&["patch", "node", &name, "--subresource=status", "-p", &status.to_string()])?;
    kubectl(&["label", "node", &name, "example.com/rack=7"])?;
    kubectl(&["annotate", "node", &name, "example.com/note=x"])?;
    kubectl(&["taint", "node", &name, "example.com/dedicated=a:NoSchedule"])?;
    let theirs = || -> Result<(Value, bool)> {
        let node = node(&scene, &base)?;
        let has = |list: &Value, key: &str, value: &str| {
            list.as_array().is_some_and(|all| all.iter().any(|one| one[key] == value))
        };
        let all = has(&node["status"]["addresses"], "address", "203.0.113.7")
            && has(&node["status"]["addresses"], "type", "Hostname")
            && has(&node["spec"]["taints"], "key", "example.com/dedicated")
            && has(&node["spec"]["taints"], "key", "schedule.koupleless.io/virtual-node")
            && condition(&node, "KernelDeadlock")["status"] == "False"
            && condition(&node, "Ready")["status"] == "True"
            && node["status"]["capacity"]["example.com/gpu"] == "4"
            && node["status"]["capacity"]["memory"] == "4Gi"
            && node["status"]["allocatable"]["example.com/gpu"] == "4"
            && node["metadata"]["labels"]["example.com/rack"] == "7"
            && node["metadata"]["annotations"]["example.com/note"] == "x";
        Ok((node, all))
    };
    stays("what others wrote", AFTER, &true, || theirs().map(|(_, all)| all))?;
    let after = written(&scene)?;
    ensure!(after == before, "{} writes followed", after - before);

    // What is ours is set again, once, and theirs stays.
    kubectl(&["label", "node", &name, "base.koupleless.io/name=other", "--overwrite"])?;
    wait_for("our label is as it was", Duration::from_secs(10), || {
        let node = node(&scene, &base)?;
        ensure!(
            node["metadata"]["labels"]["base.koupleless.io/name"] == "base",
            "{}",
            node["metadata"]["labels"]
        );
        Ok(Some(()))
    })?;
    stays("what others wrote", AFTER, &(true, after + 1), || Ok((theirs()?.1, written(&scene)?)))
}

#[test]
fn a_node_that_is_deleted_by_hand_comes_back_as_it_was_and_no_pod_notices() -> Result<()> {
    let (scene, base) = served()?;
    let name = base.node();
    scene.cluster.kubectl(&["cordon", &name])?;
    scene.cluster.kubectl(&["label", "node", &name, "example.com/rack=7"])?;
    scene.cluster.kubectl(&["taint", "node", &name, "example.com/dedicated=a:NoSchedule"])?;
    let before = node(&scene, &base)?;
    let pods = scene.record_pods()?;
    scene.cluster.kubectl(&["delete", "node", &name])?;
    let after = wait_for("the Node is there again", Duration::from_secs(20), || {
        let node = node(&scene, &base)?;
        ensure!(node["metadata"]["uid"] != before["metadata"]["uid"], "it is the one of before");
        ensure!(condition(&node, "Ready")["status"] == "True", "{}", node["status"]["conditions"]);
        Ok(Some(node))
    })?;
    ensure!(after["spec"]["unschedulable"] == true, "{}", after["spec"]);
    ensure!(after["metadata"]["labels"] == before["metadata"]["labels"], "{}", after["metadata"]["labels"]);
    let taints = after["spec"]["taints"].to_string();
    ensure!(taints.contains("example.com/dedicated") && taints.contains("virtual-node"), "{taints}");
    stays("the Pod", AFTER, &1, || Ok(scene.pods(&[])?.iter().filter(|pod| is_ready(pod)).count()))?;
    for change in pods.changes()? {
        ensure!(change.kind != "DELETED" && is_ready(&change.object), "{}", summary(&change.object));
    }
    ensure!(base.commands() == ["installBiz biz1:1.0.0"], "{:?}", base.commands());
    Ok(())
}

/// A cloud controller deletes the Node of a base that is not heard, and the garbage collector its Pods.
#[test]
fn what_was_collected_with_its_node_while_the_base_was_silent_is_adopted() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[])?;
    let mut bases = Vec::new();
    for name in ["biz1", "biz2"] {
        let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
        let mut deployment = manifest::deployment(&scene, name, 1, &[manifest::container(name, "1.0.0")?]);
        // Its replacement goes to no other base, whichever is heard first.
        deployment["spec"]["template"]["spec"]["nodeSelector"]["kubernetes.io/hostname"] = json!(base.node());
        scene.cluster.apply(&deployment.to_string())?;
        bases.push(base);
    }
    let before = scene.wait_pods_ready(2)?;
    let told: Vec<Vec<String>> = bases.iter().map(Simulated::commands).collect();
    bases.iter().for_each(Simulated::fall_silent);
    for base in &bases {
        wait_for("its Node is NotReady", Duration::from_secs(60), || {
            let node = node(&scene, base)?;
            ensure!(condition(&node, "Ready")["status"] == "False", "{}", node["status"]["conditions"]);
            Ok(Some(()))
        })?;
        scene.cluster.kubectl(&["delete", "node", &base.node()])?;
    }
    let uids = |pods: &[Value]| -> Vec<String> {
        pods.iter().map(|pod| text(pod, "/metadata/uid").to_owned()).collect()
    };
    let old = uids(&before);
    wait_for("their Pods are collected", COLLECTED, || {
        let left = uids(&scene.pods(&[])?);
        ensure!(!left.iter().any(|uid| old.contains(uid)), "{left:?}");
        Ok(Some(()))
    })?;
    // Another controller hears one of them, which has seen none of this.
    scene.controller.kill()?;
    scene.controller.start_again()?;
    bases.iter().for_each(Simulated::speak_again);
    scene.wait_pods_ready(2)?;
    stays("what the bases were told to do", AFTER, &told, || {
        Ok(bases.iter().map(Simulated::commands).collect())
    })
}

/// A LimitRange gives every Pod of the namespace requests.
#[test]
fn a_limit_range_keeps_no_module_pending_unless_that_is_chosen() -> Result<()> {
    let limits = |scene: &Scene| {
        json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "defaults", "namespace": scene.namespace},
            "spec": {"limits": [{
                "type": "Container",
                "defaultRequest": {"cpu": "500m", "ephemeral-storage": "1Gi"},
                "default": {"cpu": "1", "ephemeral-storage": "2Gi"},
            }]},
        })
    };
    let deployment = |scene: &Scene| -> Result<String> {
        let biz = manifest::container("biz1", "1.0.0")?;
        Ok(format!("{}\n{}", limits(scene), manifest::deployment(scene, "web", 1, &[biz])))
    };
    let scene = Scene::start(Way::Http, &[])?;
    let _base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    scene.cluster.apply(&limits(&scene).to_string())?;
    scene.cluster.apply(&deployment(&scene)?)?;
    let pod = scene.wait_pods_ready(1)?.remove(0);
    let requests = &pod["spec"]["containers"][0]["resources"]["requests"];
    ensure!(requests["cpu"] == "500m", "the LimitRange gave it nothing: {requests}");

    let scene = Scene::start(Way::Http, &[("VNODE_RESOURCES", "none")])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    scene.cluster.apply(&limits(&scene).to_string())?;
    scene.cluster.apply(&deployment(&scene)?)?;
    wait_for("its Pod is Pending, and why", Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let why = pods.first().map(|pod| text(condition(pod, "PodScheduled"), "/message").to_owned());
        ensure!(why.as_ref().is_some_and(|why| why.contains("Insufficient cpu")), "{why:?}");
        Ok(Some(()))
    })?;
    ensure!(node(&scene, &base)?["status"]["capacity"]["cpu"].is_null(), "it offers cpu");
    Ok(())
}
