//! The baseline: a base that starts asks what it shall have, and the Pods that come later adopt it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    scene::node_name,
    seen::{condition, is_ready, text},
    snapshot::{commands, starts},
};
use serde_json::{Value, json};
use testkit::{
    artifacts,
    java_base::JavaBase,
    wait::{stays, wait_for},
    work_dir::WorkDir,
};

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

/// Waits until what a workload's Pods are made of was rolled out, and that is written down.
fn wait_rolled_out(scene: &Scene, workload: &str, said: &str) -> Result<()> {
    wait_for(&format!("{workload} says that {said} was rolled out"), Duration::from_secs(60), || {
        let seen = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", workload])?;
        let rolled_out = condition(&seen, "module-controller.koupleless.io/RolledOut");
        ensure!(text(rolled_out, "/message").contains(said), "{}", seen["status"]);
        Ok(Some(()))
    })
}

/// Waits until every module Pod on a base is Ready, and there are so many.
fn wait_ready_on(scene: &Scene, node: &str, count: usize) -> Result<()> {
    let select = format!("spec.nodeName={node}");
    wait_for(&format!("{count} Pods Ready on {node}"), Duration::from_secs(60), || {
        let pods = scene.pods(&["--field-selector", &select])?;
        let seen: Vec<String> = pods.iter().map(e2e::seen::summary).collect();
        ensure!(pods.len() == count && pods.iter().all(is_ready), "{seen:?}");
        Ok(Some(()))
    })
}

#[test]
fn a_java_base_over_mqtt_installs_it_and_the_pods_adopt_what_is_there() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &[ON])?;
    scene.cluster.apply(&peer(&scene, manifest::container("biz1", "1.0.0")?).to_string())?;
    scene.cluster.apply(&daemon_set(&scene, manifest::container("biz2", "1.0.0")?).to_string())?;
    let first = scene.bases(1)?;
    scene.wait_pods_ready(2)?;
    wait_rolled_out(&scene, "deployment/biz1", "1.0.0")?;
    wait_rolled_out(&scene, "daemonset/biz2", "1.0.0")?;
    ensure!(commands(&first[0]).len() == 2, "one by one: {:?}", commands(&first[0]));
    let base = scene.bases(1)?.remove(0);
    scene.wait_pods_ready(4)?;
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
    let repository = WorkDir::new("repository")?;
    let package = repository.join("biz1.jar");
    std::fs::copy(artifacts::java()?.package("biz1", "1.0.0")?, &package)?;
    let container = manifest::container_of("biz1", "1.0.0", &format!("file://{}", package.display()));
    scene.cluster.apply(&peer(&scene, container).to_string())?;
    let _first = scene.bases(1)?;
    scene.wait_pods_ready(1)?;
    wait_rolled_out(&scene, "deployment/biz1", "1.0.0")?;
    std::fs::remove_file(&package)?;
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
        let mut peer = peer(&scene, manifest::container("biz1", "1.0.0")?);
        peer["spec"]["replicas"] = json!(1);
        scene.cluster.apply(&peer.to_string())?;
        scene.cluster.apply(&daemon_set(&scene, manifest::container("biz2", "1.0.0")?).to_string())?;
        let first = Simulated::start(&tunnel, &scene.base_version)?;
        wait_ready_on(&scene, &first.node(), 2)?;
        if more.is_empty() {
            let base = Simulated::play_back(&tunnel, &scene.base_version)?;
            ensure!(base.biz().is_empty(), "{:?}", base.biz());
            continue;
        }
        wait_rolled_out(&scene, "deployment/biz1", "1.0.0")?;
        wait_rolled_out(&scene, "daemonset/biz2", "1.0.0")?;
        let other = Simulated::play_back(&tunnel, "another")?;
        ensure!(other.biz().is_empty(), "{:?}", other.biz());
        let base = Simulated::play_back(&tunnel, &scene.base_version)?;
        let all: BTreeMap<String, String> =
            expected.iter().map(|name| (format!("{name}:1.0.0"), "activated".to_owned())).collect();
        ensure!(base.biz() == all, "{:?}", base.biz());
        wait_ready_on(&scene, &base.node(), 2)?;
        ensure!(base.biz() == all && base.commands().is_empty(), "{:?} {:?}", base.biz(), base.commands());
    }
    Ok(())
}

/// What a base that starts now is told: `name:version`.
fn baseline(scene: &Scene) -> Result<Vec<String>> {
    let identity = testkit::names::unique("starts");
    let query = json!({"identity": identity, "name": "base", "version": scene.base_version});
    let url = format!("{}/queryBaseline", scene.controller.http_tunnel());
    let answer = testkit::http::post(&url, &query, Duration::from_secs(10))?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    let told: Vec<Value> = serde_json::from_str(&answer.body)?;
    let word = |module: &Value, key: &str| module[key].as_str().unwrap_or_default().to_owned();
    Ok(told
        .iter()
        .map(|module| format!("{}:{}", word(module, "bizName"), word(module, "bizVersion")))
        .collect())
}

/// A paused Deployment with no replicas is made in an instant, and would be told to every base of the cluster.
#[test]
fn what_was_never_rolled_out_or_is_paused_is_told_to_no_base() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let mut paused = peer(&scene, manifest::container_of("biz2", "6.6.6", "file:///elsewhere/biz2.jar"));
    paused["metadata"]["namespace"] = json!(scene.cluster.namespace("others")?);
    paused["spec"]["paused"] = json!(true);
    let good = |version: &str| manifest::container("biz1", version);
    scene.cluster.apply(&format!("{paused}\n{}", peer(&scene, good("1.0.0")?)))?;
    let first = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    first.fail_at_start("biz1:2.0.0");
    wait_ready_on(&scene, &first.node(), 1)?;
    wait_rolled_out(&scene, "deployment/biz1", "1.0.0")?;
    ensure!(baseline(&scene)? == ["biz1:1.0.0"], "{:?}", baseline(&scene)?);

    // One that fails comes on top of it.
    scene.cluster.apply(&peer(&scene, good("2.0.0")?).to_string())?;
    wait_for("the base refused the later version", Duration::from_secs(60), || {
        ensure!(first.commands().iter().any(|told| told.contains("biz1:2.0.0")), "{:?}", first.commands());
        Ok(Some(()))
    })?;
    stays("what a base is told", Duration::from_secs(3), &vec!["biz1:1.0.0".to_owned()], || baseline(&scene))
}

/// The second failure: nothing is Ready, and whoever saw it Ready is not there any more.
#[test]
fn what_was_rolled_out_is_told_by_the_next_controller_though_nothing_is_ready() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[ON])?;
    scene.cluster.apply(&daemon_set(&scene, manifest::container("biz1", "1.0.0")?).to_string())?;
    let first = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    wait_ready_on(&scene, &first.node(), 1)?;
    wait_rolled_out(&scene, "daemonset/biz1", "1.0.0")?;
    first.fail_at_start("biz1:1.0.0");
    first.start_anew();
    wait_for("nothing is Ready", Duration::from_secs(60), || {
        let seen = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "daemonset", "biz1"])?;
        ensure!(seen["status"]["numberUnavailable"] == 1, "{}", seen["status"]);
        Ok(Some(()))
    })?;
    scene.controller.kill()?;
    scene.controller.start_again()?;
    wait_for("the baseline is known", Duration::from_secs(20), || {
        let told = baseline(&scene)?;
        ensure!(told == ["biz1:1.0.0"], "{told:?}");
        Ok(Some(()))
    })
}
