//! Whoever comes from the Go controller changes nothing: bases, Pods and Deployments as its own public tests have them, in our
//! words. VNodes have its names and both its taints, objects its labels.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Simulated, Stranger, Way, manifest,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::wait::wait_for;

const FAMILY: &str = "virtual-kubelet.koupleless.io";

/// Its names and taints, and its switch for peers.
const AS_BEFORE: [(&str, &str); 3] = [
    ("VNODE_NAME_FORMAT", "upstream"),
    ("VNODE_ENV_TAINT", "true"),
    ("ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE", "true"),
];

fn base(scene: &Scene) -> Result<Simulated> {
    match scene.broker_port() {
        Some(port) => Ok(Simulated::as_go_has_it_over_mqtt(port, &scene.env, &scene.base_version)),
        None => Simulated::as_go_has_it(&scene.controller.http_tunnel(), &scene.base_version),
    }
}

/// The name that the Go controller gives a Node.
fn node_name(scene: &Scene, base: &Simulated) -> String {
    format!("vnode.{}.{}", base.identity(), scene.env)
}

fn wait_ready(scene: &Scene, base: &Simulated) -> Result<Value> {
    wait_for("its Node is Ready", Duration::from_secs(60), || {
        let node = scene.cluster.kubectl_json(&["get", "node", &node_name(scene, base)])?;
        ensure!(condition(&node, "Ready")["status"] == "True", "{}", node["status"]);
        Ok(Some(node))
    })
}

fn tolerations(scene: &Scene) -> Value {
    let one = |key: &str, value: &str| json!({"key": key, "operator": "Equal", "value": value, "effect": "NoExecute"});
    json!([
        one("schedule.koupleless.io/virtual-node", "True"),
        one("schedule.koupleless.io/node-env", &scene.env)
    ])
}

/// Publishes what a base says.
fn tell(scene: &Scene, client: &mut Stranger, base: &Simulated, channel: &str, data: &Value) -> Result<()> {
    let now = jiff::Timestamp::now().as_millisecond();
    let topic = format!("koupleless_{}/{}/base/{channel}", scene.env, base.identity());
    client.publish(&topic, json!({"publishTimestamp": now, "data": data}).to_string(), false)
}

/// A bare Pod with its label only, bound by name, as its tests bind theirs.
fn bound_pod(scene: &Scene, base: &Simulated) -> Result<Value> {
    let mut pod = manifest::pod(scene, "test-module", None, &[manifest::container("biz1", "1.0.0")?]);
    pod["metadata"]["labels"] = json!({format!("{FAMILY}/component"): "module"});
    pod["spec"]["nodeName"] = json!(node_name(scene, base));
    pod["spec"]["tolerations"] = tolerations(scene);
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.remove("affinity");
    }
    Ok(pod)
}

fn wait_gone(what: &str, found: impl Fn() -> Result<String>) -> Result<()> {
    wait_for(what, Duration::from_secs(60), || {
        let left = found()?;
        ensure!(left.trim().is_empty(), "{left}");
        Ok(Some(()))
    })
}

/// A base comes, takes a Pod, gives it back and leaves.
fn a_base_comes_takes_a_pod_and_leaves(way: Way) -> Result<()> {
    let scene = Scene::start(way, &AS_BEFORE)?;
    let base = base(&scene)?;
    let node = wait_ready(&scene, &base)?;
    let labels = &node["metadata"]["labels"];
    for (key, value) in [
        (&*format!("{FAMILY}/component"), "vnode"),
        (&*format!("{FAMILY}/env"), &*scene.env),
        ("base.koupleless.io/cluster-name", "default"),
        ("base.koupleless.io/version", &scene.base_version),
        ("base.koupleless.io/stack", "java"),
    ] {
        ensure!(labels[key] == value, "{key} in {labels}");
    }
    let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    for (key, value) in
        [("schedule.koupleless.io/virtual-node", "True"), ("schedule.koupleless.io/node-env", &*scene.env)]
    {
        let is_it =
            |taint: &Value| taint["key"] == key && taint["value"] == value && taint["effect"] == "NoExecute";
        ensure!(taints.iter().any(is_it), "{key} in {taints:?}");
    }

    base.take(Duration::from_secs(3));
    scene.cluster.apply(&bound_pod(&scene, &base)?.to_string())?;
    // While the module starts it is RESOLVED, and its Pod Pending.
    wait_for("the module starts", Duration::from_secs(30), || {
        let pod = scene.pod("test-module")?;
        ensure!(
            pod["status"]["phase"] == "Pending" && base.biz().len() == 1,
            "{:?} {}",
            base.biz(),
            summary(&pod)
        );
        Ok(Some(()))
    })?;
    let pods = scene.wait_pods_ready(1)?;
    ensure!(pods[0]["status"]["phase"] == "Running", "{}", summary(&pods[0]));
    ensure!(base.commands() == ["installBiz biz1:1.0.0"], "{:?}", base.commands());

    base.take(Duration::ZERO);
    scene.kubectl(&["delete", "pod", "test-module", "--wait=false"])?;
    wait_gone("its Pod is gone", || scene.kubectl(&["get", "pods", "-o", "name"]))?;
    ensure!(base.biz().is_empty(), "{:?}", base.biz());
    base.say_goodbye()?;
    let name = node_name(&scene, &base);
    wait_gone("its Node is gone", || scene.cluster.kubectl(&["get", "node", &name, "--ignore-not-found"]))
}
over_every_way!(a_base_comes_takes_a_pod_and_leaves);

/// A base is asked every 30 s for what it has, and what is empty, failed, old or unasked does no harm meanwhile.
#[test]
fn a_module_that_is_deactivated_makes_its_pod_not_ready_and_garbage_does_nothing() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &AS_BEFORE)?;
    let base = base(&scene)?;
    wait_ready(&scene, &base)?;
    scene.cluster.apply(&bound_pod(&scene, &base)?.to_string())?;
    scene.wait_pods_ready(1)?;
    let mut client = Stranger::connect(scene.broker_port().context("a broker")?)?;
    for channel in ["health", "biz", "heart", "queryBaseline", "simpleBiz", "bizOperation"] {
        let topic = format!("koupleless_{}/{}/base/{channel}", scene.env, base.identity());
        for garbage in
            ["", "{\"publishTimestamp\":0}", "{\"publishTimestamp\":0,\"data\":{\"code\":\"\"}}", "null"]
        {
            client.publish(&topic, garbage, false)?;
        }
    }
    let recording = scene.record_pods()?;
    base.put("biz1:1.0.0", "deactivated");
    let entry =
        json!({"name": "biz1", "version": "1.0.0", "state": "DEACTIVATED", "latestStateRecord": null});
    tell(&scene, &mut client, &base, "simpleBiz", &json!([entry]))?;
    // It is activated again at once: whoever looks now and then may miss that it was not Ready.
    wait_for("its Pod is not Ready", Duration::from_secs(90), || {
        let told = recording.first("test-module", |change| !is_ready(&change.object))?;
        ensure!(told.is_some(), "{}", summary(&scene.pod("test-module")?));
        Ok(Some(()))
    })?;
    wait_ready(&scene, &base)?;
    Ok(())
}

/// A peer Deployment with its labels, for a cluster of bases, which it picks by `nodeSelector`.
fn peer(scene: &Scene, name: &str, cluster: &str) -> Result<Value> {
    let mut deployment = manifest::deployment(scene, name, 1, &[manifest::container("biz1", "1.0.0")?]);
    deployment["metadata"]["labels"] = json!({
        format!("{FAMILY}/component"): "module-deployment",
        format!("{FAMILY}/env"): scene.env,
        format!("{FAMILY}/strategy"): "peer",
    });
    let labels = json!({format!("{FAMILY}/component"): "module", "app": name});
    deployment["spec"]["selector"] = json!({"matchLabels": labels});
    deployment["spec"]["template"]["metadata"]["labels"] = labels;
    let spec = &mut deployment["spec"]["template"]["spec"];
    spec["tolerations"] = tolerations(scene);
    spec["nodeSelector"] = json!({
        "base.koupleless.io/stack": "java",
        "base.koupleless.io/version": scene.base_version,
        "base.koupleless.io/cluster-name": cluster,
    });
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("affinity");
    }
    Ok(deployment)
}

fn wait_replicas(scene: &Scene, name: &str, wanted: u64) -> Result<()> {
    wait_for(&format!("{name} with {wanted} replicas"), Duration::from_secs(30), || {
        let path = ["-n", &scene.namespace, "get", "deployment", name];
        let found = scene.cluster.kubectl_json(&path)?["spec"]["replicas"].clone();
        ensure!(found == wanted, "{found}");
        Ok(Some(()))
    })
}

/// What a base is told that asks for its baseline: the bizNames.
fn baseline(scene: &Scene, client: &mut Stranger, base: &Simulated) -> Result<Vec<String>> {
    let metadata = base.heartbeat()["baseMetadata"].clone();
    tell(scene, client, base, "queryBaseline", &metadata)?;
    let (_, payload) = client.hear()?;
    let list: Vec<Value> = serde_json::from_str(&payload).context(payload)?;
    Ok(list.iter().map(|module| text(module, "/bizName").to_owned()).collect())
}

#[test]
fn replicas_follow_the_bases_of_a_cluster_and_only_those_have_it_in_their_baseline() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &AS_BEFORE)?;
    scene.cluster.apply(&peer(&scene, "first", "default")?.to_string())?;
    wait_replicas(&scene, "first", 0)?;
    let one = base(&scene)?;
    wait_replicas(&scene, "first", 1)?;
    let two = base(&scene)?;
    wait_replicas(&scene, "first", 2)?;
    scene.cluster.apply(&peer(&scene, "second", "default-2")?.to_string())?;
    wait_replicas(&scene, "second", 0)?;
    // What was never rolled out is in no baseline, so its Pods come first.
    scene.kubectl(&["rollout", "status", "deployment/first", "--timeout=60s"])?;
    let mut client = Stranger::connect(scene.broker_port().context("a broker")?)?;
    client.subscribe(&format!("koupleless_{}/{}/base/baseline", scene.env, two.identity()))?;
    wait_for("its baseline is the first Deployment's", Duration::from_secs(30), || {
        let told = baseline(&scene, &mut client, &two)?;
        ensure!(told == ["biz1"], "{told:?}");
        Ok(Some(()))
    })?;
    two.say_goodbye()?;
    wait_replicas(&scene, "first", 1)?;
    one.say_goodbye()?;
    wait_replicas(&scene, "first", 0)
}
