//! The baseline: a base that starts asks what it shall have, and the Pods that come later adopt it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    scene::node_name,
    seen::text,
    snapshot::{commands, starts},
};
use serde_json::{Value, json};
use testkit::{java_base::JavaBase, wait::wait_for};

const ON: (&str, &str) = ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");

/// A peer Deployment of one module for the bases of a scene.
fn peer(scene: &Scene, container: Value) -> Value {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let mut deployment = manifest::deployment(scene, &name, 0, &[container]);
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": name}},
            "topologyKey": "topology.kubernetes.io/zone",
        }],
    });
    deployment["metadata"]["labels"] = json!({
        "module-controller.koupleless.io/component": "module-deployment",
        "module-controller.koupleless.io/env": scene.env,
    });
    deployment
}

/// A DaemonSet of one module for the bases of a scene.
fn daemon_set(scene: &Scene, container: Value) -> Value {
    let mut set = peer(scene, container);
    set["kind"] = json!("DaemonSet");
    if let Some(spec) = set["spec"].as_object_mut() {
        spec.remove("replicas");
        spec.remove("strategy");
    }
    set
}

#[test]
fn a_java_base_over_mqtt_installs_it_and_the_pods_adopt_what_is_there() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &[ON])?;
    scene.cluster.apply(&peer(&scene, manifest::container("biz1", "1.0.0")?).to_string())?;
    scene.cluster.apply(&daemon_set(&scene, manifest::container("biz2", "1.0.0")?).to_string())?;
    let mut bases = scene.bases(1)?;
    scene.wait_pods_ready(2)?;
    let base = bases.remove(0);
    for name in ["biz1", "biz2"] {
        ensure!(base.serving(name)?.as_deref() == Some("1.0.0"), "{name} does not serve");
    }
    let told = commands(&base);
    ensure!(told.len() == 2 && starts(&base) == 2, "a second install: {told:?}");
    for pod in scene.pods(&[])? {
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        ensure!(restarts == 0, "{}", pod["status"]);
    }
    // What a base has of its baseline is as much ours as what it was told one by one.
    scene.kubectl(&["delete", "deployment", "biz1", "--wait=false"])?;
    wait_for("what nobody asks for any more is uninstalled", Duration::from_secs(30), || {
        let biz: Vec<String> = base.query_all_biz()?.into_iter().map(|biz| biz.name).collect();
        ensure!(biz == ["biz2"], "{biz:?}");
        Ok(Some(()))
    })
}

#[test]
fn what_a_base_cannot_install_of_it_is_told_on_its_node_with_the_code() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &[ON])?;
    let missing = manifest::container_of("biz1", "1.0.0", "file:///nowhere/biz1.jar");
    scene.cluster.apply(&peer(&scene, missing).to_string())?;
    let base = JavaBase::start(scene.base())?;
    let event = scene.wait_event(&node_name(&base), "Arklet.PullBizError")?;
    ensure!(text(&event, "/action") == "Baseline" && text(&event, "/type") == "Warning", "{event}");
    Ok(())
}

#[test]
fn over_http_the_answer_is_what_matches_and_nothing_where_it_is_off() -> Result<()> {
    for (more, expected) in [(&[ON][..], &["biz1", "biz2"][..]), (&[], &[])] {
        let scene = Scene::start(Way::Http, more)?;
        let tunnel = scene.controller.http_tunnel();
        scene.cluster.apply(&peer(&scene, manifest::container("biz1", "1.0.0")?).to_string())?;
        scene.cluster.apply(&daemon_set(&scene, manifest::container("biz2", "1.0.0")?).to_string())?;
        testkit::wait::wait_for("the workloads are known", std::time::Duration::from_secs(10), || {
            let base = Simulated::play_back(&tunnel, &scene.base_version)?;
            base.say_goodbye()?;
            ensure!(base.biz().len() == expected.len(), "{:?}", base.biz());
            Ok(Some(()))
        })?;
        let other = Simulated::play_back(&tunnel, "another")?;
        ensure!(other.biz().is_empty(), "{:?}", other.biz());
        if more.is_empty() {
            continue;
        }
        let base = Simulated::play_back(&tunnel, &scene.base_version)?;
        let node = format!("spec.nodeName={}", base.node());
        testkit::wait::wait_for("both Pods are Ready on it", std::time::Duration::from_secs(60), || {
            let pods = scene.pods(&["--field-selector", &node])?;
            ensure!(pods.len() == 2 && pods.iter().all(e2e::seen::is_ready), "{} Pods", pods.len());
            Ok(Some(()))
        })?;
        let all: BTreeMap<String, String> =
            expected.iter().map(|name| (format!("{name}:1.0.0"), "activated".to_owned())).collect();
        ensure!(base.biz() == all && base.commands().is_empty(), "{:?} {:?}", base.biz(), base.commands());
    }
    Ok(())
}
