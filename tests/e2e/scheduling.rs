//! Where Kubernetes' own scheduler puts modules: on bases of the right version, and scattered.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    scene::node_name,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::{
    artifacts,
    java_base::JavaBase,
    names,
    wait::{stays, wait_for},
};

/// A sample of this repository, for the bases of a scene.
fn sample(scene: &Scene, file: &str) -> Result<String> {
    let path = artifacts::repository().join("docs/samples").join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let url = manifest::file_url("biz1", "1.0.0")?;
    let filled = text
        .replace("https://example.com/biz1-1.0.0-ark-biz.jar", &url)
        .replace("values: [\"2.0.0\"]", &format!("values: [\"{}\"]", scene.base_version));
    ensure!(filled.contains(&url) && filled.contains(&scene.base_version), "{file} has other values now");
    // Of its own environment: the controllers of other tests, some with peers, are in the same cluster, and what names none is
    // every controller's.
    let component = "    module-controller.koupleless.io/component: module-deployment\n";
    let env = format!("{component}    module-controller.koupleless.io/env: {}\n", scene.env);
    let filled = filled.replace(component, &env);
    // `namespace` comes right after `name`, which every object has at this depth.
    Ok(filled.replace("metadata:\n  name:", &format!("metadata:\n  namespace: {}\n  name:", scene.namespace)))
}

/// The samples schedule as they stand, and the strong scatter holds.
#[test]
fn the_samples_schedule_and_the_strong_scatter_holds() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    scene.cluster.apply(&sample(&scene, "module-deployment.yaml")?)?;
    scene.wait_pods_ready(1)?;
    scene.kubectl(&["delete", "deployment", "test-module-deployment"])?;
    wait_for("its Pod is gone", Duration::from_secs(30), || Ok(scene.pods(&[])?.is_empty().then_some(())))?;

    scene.cluster.apply(&sample(&scene, "module-scatter.yaml")?)?;
    scene.kubectl(&["scale", "deployment", "test-module-scatter", "--replicas=3"])?;
    let placed = || {
        let pods = scene.pods(&[])?;
        let ready = pods.iter().filter(|pod| is_ready(pod));
        let nodes: BTreeSet<String> = ready.map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
        let pending = pods.iter().filter(|pod| is_unschedulable(pod)).count();
        Ok((nodes, pending, pods.len()))
    };
    let expected = (bases.iter().map(node_name).collect::<BTreeSet<_>>(), 1, 3);
    wait_for("one Pod on each base, and one Pending", Duration::from_secs(60), || {
        let seen = placed()?;
        ensure!(seen == expected, "{seen:?}");
        Ok(Some(()))
    })?;
    stays("where the Pods are", Duration::from_secs(3), &expected, placed)?;
    // A third base takes the third Pod.
    let third = scene.bases(1)?;
    let pods = scene.wait_pods_ready(3)?;
    let on_it = pods.iter().any(|pod| text(pod, "/spec/nodeName") == node_name(&third[0]));
    ensure!(on_it, "{:?}", pods.iter().map(summary).collect::<Vec<_>>());
    // An update goes through although every base holds a Pod and none may be unavailable.
    let (old, new) = (manifest::file_url("biz1", "1.0.0")?, manifest::file_url("biz1", "2.0.0")?);
    let next =
        sample(&scene, "module-scatter.yaml")?.replace(&old, &new).replace("replicas: 1", "replicas: 3");
    let next =
        next.replace("version: 1.0.0", "version: 2.0.0").replace("value: \"1.0.0\"", "value: \"2.0.0\"");
    scene.cluster.apply(&next)?;
    scene.kubectl(&["rollout", "status", "deployment/test-module-scatter", "--timeout=90s"])?;
    for base in bases.iter().chain(&third) {
        ensure!(base.serving("biz1")?.as_deref() == Some("2.0.0"), "{:?}", base.serving("biz1")?);
    }
    Ok(())
}

/// The manual's release of a base and a module that need each other (5.1): the module is deployed first.
#[test]
fn a_module_waits_for_a_base_of_its_version() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let _old = scene.bases(1)?;
    let version = names::unique("next");
    let mut deployment = manifest::deployment(&scene, "biz1", 1, &[manifest::container("biz1", "1.0.0")?]);
    let affinity = &mut deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &mut affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    terms[0]["matchExpressions"][1]["values"] = json!([version]);
    scene.cluster.apply(&deployment.to_string())?;
    let pending = wait_for("its Pod is Pending", Duration::from_secs(30), || {
        Ok(scene.pods(&[])?.into_iter().find(is_unschedulable))
    })?;
    let mut options = scene.base();
    options.version = version;
    let new = JavaBase::start(options)?;
    let pods = scene.wait_pods_ready(1)?;
    ensure!(
        pods[0]["metadata"]["uid"] == pending["metadata"]["uid"]
            && text(&pods[0], "/spec/nodeName") == node_name(&new),
        "{}",
        summary(&pods[0])
    );
    ensure!(new.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", new.serving("biz1")?);
    Ok(())
}

/// The manual's scatter (5.2) as it is printed, with the version in the selector and in the anti-affinity.
fn as_printed(scene: &Scene) -> Result<Value> {
    let names = json!({"module.koupleless.io/name": "biz1", "module.koupleless.io/version": "0.0.1"});
    let mut deployment = manifest::deployment(scene, "biz1", 1, &[manifest::container("biz1", "1.0.0")?]);
    deployment["metadata"]["labels"] = json!({
        "module-controller.koupleless.io/component": "module-deployment",
        "module-controller.koupleless.io/env": scene.env,
    });
    let spec = &mut deployment["spec"];
    spec["selector"] = json!({"matchLabels": names});
    let mut labels = names.clone();
    labels["module-controller.koupleless.io/component"] = json!("module");
    spec["template"]["metadata"]["labels"] = labels;
    spec["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": names}, "topologyKey": "topology.kubernetes.io/zone"},
        ],
    });
    Ok(deployment)
}

/// Where every base holds a Pod, the Pod of an update finds no place, and is told why and what helps.
#[test]
fn an_update_of_the_printed_scatter_says_why_it_waits_for_itself() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let _base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let mut deployment = as_printed(&scene)?;
    scene.cluster.apply(&deployment.to_string())?;
    let old = scene.wait_pods_ready(1)?.remove(0);
    deployment["spec"]["template"]["spec"]["containers"][0] = manifest::container("biz1", "2.0.0")?;
    scene.cluster.apply(&deployment.to_string())?;
    let waiting = wait_for("the new Pod is Pending", Duration::from_secs(30), || {
        Ok(scene.pods(&[])?.into_iter().find(is_unschedulable))
    })?;
    let event = scene.wait_event(text(&waiting, "/metadata/name"), "BlockedByOwnPods")?;
    let note = text(&event, "/note");
    for said in ["Deployment biz1", text(&old, "/metadata/name"), "maxUnavailable", "matchLabelKeys"] {
        ensure!(note.contains(said), "{said} is not in {note}");
    }
    ensure!(text(&event, "/type") == "Warning", "{event}");
    // What it advises helps.
    scene.kubectl(&[
        "patch",
        "deployment",
        "biz1",
        "-p",
        r#"{"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}}"#,
    ])?;
    let pods = wait_for("the update is through", Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let done = matches!(&pods[..], [pod] if is_ready(pod) && pod["metadata"]["uid"] == waiting["metadata"]["uid"]);
        ensure!(done, "{:?}", pods.iter().map(summary).collect::<Vec<_>>());
        Ok(Some(pods))
    })?;
    ensure!(pods.len() == 1, "{pods:?}");
    Ok(())
}

/// `VNODE_ZONE_SOURCE=base`: a VNode is in the zone of the machine on which its base's own Pod runs.
#[test]
fn a_vnode_is_in_the_zone_of_its_bases_machine() -> Result<()> {
    const ZONE: &str = "topology.kubernetes.io/zone";
    let scene = Scene::start(Way::Http, &[("VNODE_ZONE_SOURCE", "base")])?;
    let (machine, zone) = (names::unique("machine"), names::unique("zone"));
    let options = scene.base();
    let labels = json!({ZONE: zone});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": machine, "labels": labels}});
    scene.cluster.apply(&node.to_string())?;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": options.hostname, "namespace": scene.namespace},
        "spec": {
            "nodeName": machine,
            "containers": [{"name": "base", "image": "base"}],
            "tolerations": [{"operator": "Exists"}],
        },
    });
    scene.cluster.apply(&pod.to_string())?;
    let base = JavaBase::start(options)?;
    let vnode = scene.wait_node_ready(&base, true)?;
    ensure!(vnode["metadata"]["labels"][ZONE] == zone.as_str(), "{}", vnode["metadata"]["labels"]);
    // A base that is no Pod has no zone.
    let other = &scene.bases(1)?[0];
    let labels = scene.node(other)?["metadata"]["labels"].clone();
    ensure!(labels[ZONE].is_null(), "{labels}");
    scene.cluster.kubectl(&["delete", "node", &machine])?;
    Ok(())
}

fn is_unschedulable(pod: &Value) -> bool {
    pod["status"]["phase"] == "Pending" && condition(pod, "PodScheduled")["reason"] == "Unschedulable"
}
