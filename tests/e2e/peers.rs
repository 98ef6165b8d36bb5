//! Peer Deployments: as many replicas as there are bases.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Simulated, Way, manifest, seen::text};
use serde_json::{Value, json};
use testkit::wait::wait_for;

const ON: (&str, &str) = ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");
const OURS: &str = "module-controller.koupleless.io";
const UPSTREAM: &str = "virtual-kubelet.koupleless.io";

/// What is promised is a second; kubectl, the scheduler and a machine that is busy take theirs.
const SOON: Duration = Duration::from_secs(15);

/// A peer Deployment of the manual's 5.2, for the bases of a scene. Its environment keeps it from the
/// controllers of other tests.
fn peer(scene: &Scene, name: &str, replicas: u32, labels: &[(&str, &str)]) -> Result<Value> {
    let mut deployment =
        manifest::deployment(scene, name, replicas, &[manifest::container("biz1", "1.0.0")?]);
    deployment["metadata"]["labels"] = json!({"module-controller.koupleless.io/env": scene.env});
    for (key, value) in labels {
        deployment["metadata"]["labels"][key] = json!(value);
    }
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": name}},
            "topologyKey": "topology.kubernetes.io/zone",
        }],
    });
    Ok(deployment)
}

fn component(family: &str) -> String {
    format!("{family}/component")
}

fn replicas(scene: &Scene, name: &str) -> Result<u64> {
    let deployment = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "deployment", name])?;
    deployment["spec"]["replicas"].as_u64().context("replicas")
}

fn wait_replicas(scene: &Scene, name: &str, wanted: u64) -> Result<()> {
    wait_for(&format!("{name} with {wanted} replicas"), SOON, || {
        let found = replicas(scene, name)?;
        ensure!(found == wanted, "{found}");
        Ok(Some(()))
    })
}

fn simulated(scene: &Scene, count: usize, version: &str) -> Result<Vec<Simulated>> {
    (0..count).map(|_| Simulated::start(&scene.controller.http_tunnel(), version)).collect()
}

#[test]
fn on_real_bases_each_gets_the_module_when_it_comes_and_replicas_fall_when_it_leaves() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let label = [(&*component(OURS), "module-deployment")];
    scene.cluster.apply(&peer(&scene, "biz1", 1, &label)?.to_string())?;
    wait_replicas(&scene, "biz1", 0)?;
    let mut bases = scene.bases(2)?;
    scene.wait_pods_ready(2)?;
    for base in &bases {
        ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{} serves nothing", base.identity());
    }
    let mut leaving = bases.remove(0);
    leaving.stop()?;
    wait_replicas(&scene, "biz1", 1)?;
    let pods = scene.wait_pods_ready(1)?;
    ensure!(text(&pods[0], "/spec/nodeName") == e2e::scene::node_name(&bases[0]), "{}", pods[0]["spec"]);
    scene.wait_event("biz1", "PeerReplicas")?;
    Ok(())
}

#[test]
fn from_none_to_twelve_at_once_and_back() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let labels = [(&*component(UPSTREAM), "module-deployment"), (&*format!("{UPSTREAM}/strategy"), "peer")];
    scene.cluster.apply(&peer(&scene, "biz1", 5, &labels)?.to_string())?;
    wait_replicas(&scene, "biz1", 0)?;
    let mut bases = simulated(&scene, 12, &scene.base_version)?;
    let pods = scene.wait_pods_ready(12)?;
    let nodes: std::collections::BTreeSet<&str> =
        pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
    ensure!(nodes.len() == 12, "{nodes:?}");
    // Joins that come together are written together.
    let writes = scene.metric("module_controller_api_requests_total", "resource=\"deployments/scale\"")?;
    ensure!(writes <= 12, "{writes} writes");
    for base in &mut bases {
        base.say_goodbye()?;
    }
    wait_replicas(&scene, "biz1", 0)
}

#[test]
fn a_mass_loss_takes_nothing_away_even_from_a_controller_that_starts_anew() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[ON])?;
    scene.cluster.apply(
        &manifest::patient(peer(&scene, "biz1", 0, &[(&*component(OURS), "module-deployment")])?).to_string(),
    )?;
    let mut bases = simulated(&scene, 4, &scene.base_version)?;
    wait_replicas(&scene, "biz1", 4)?;
    scene.wait_pods_ready(4)?;
    let record = e2e::Recording::start(
        &scene.cluster,
        &format!("/apis/apps/v1/namespaces/{}/deployments", scene.namespace),
        1,
    )?;
    for base in &mut bases {
        base.fall_silent();
    }
    // The whole minute after which a single base would be given up.
    for base in &bases {
        scene.wait_event_within(Duration::from_secs(100), &base.node(), "BlastRadius")?;
    }
    scene.controller.stop()?;
    scene.controller.start_again()?;
    // A base that joins shows that the controller writes replicas again: one more, not one.
    let _joins = simulated(&scene, 1, &scene.base_version)?;
    wait_replicas(&scene, "biz1", 5)?;
    let fell = record.first("biz1", |change| change.object["spec"]["replicas"].as_u64() < Some(4))?;
    ensure!(fell.is_none(), "{fell:?}");
    ensure!(scene.nodes()?.len() == 5, "Nodes were deleted");
    Ok(())
}

#[test]
fn only_bases_that_match_count_and_what_is_taken_out_of_our_hands_is_left() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let other = format!("{}-other", scene.base_version);
    let label = [(&*component(OURS), "module-deployment")];
    let mut paused = peer(&scene, "paused", 3, &label)?;
    paused["spec"]["paused"] = json!(true);
    let mut skipped = peer(&scene, "skipped", 3, &label)?;
    skipped["metadata"]["labels"][format!("{OURS}/replicas-control")] = json!("true");
    let scatter = peer(&scene, "scatter", 3, &[label[0], (&*format!("{OURS}/strategy"), "scatter")])?;
    let half = peer(&scene, "half", 3, &[(&*component(UPSTREAM), "module-deployment")])?;
    let mut foreign = peer(&scene, "foreign", 3, &label)?;
    foreign["metadata"]["labels"][format!("{OURS}/env")] = json!("another");
    for deployment in [&paused, &skipped, &scatter, &half, &foreign, &peer(&scene, "biz1", 3, &label)?] {
        scene.cluster.apply(&deployment.to_string())?;
    }
    let mut bases = simulated(&scene, 2, &scene.base_version)?;
    bases.extend(simulated(&scene, 3, &other)?);
    wait_for("five Nodes", SOON, || Ok((scene.nodes()?.len() == 5).then_some(())))?;
    wait_replicas(&scene, "biz1", 2)?;
    for name in ["paused", "skipped", "scatter", "half", "foreign"] {
        ensure!(replicas(&scene, name)? == 3, "{name} was scaled");
    }
    scene.kubectl(&["rollout", "resume", "deployment/paused"])?;
    wait_replicas(&scene, "paused", 2)?;
    scene.kubectl(&["label", "deployment", "skipped", &format!("{OURS}/replicas-control-")])?;
    wait_replicas(&scene, "skipped", 2)?;
    // A template for the others: it is matched anew.
    let patch = json!([{
        "op": "replace",
        "path": "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions/1/values",
        "value": [other],
    }]);
    scene.kubectl(&["patch", "deployment", "biz1", "--type=json", "-p", &patch.to_string()])?;
    wait_replicas(&scene, "biz1", 3)
}

#[test]
#[ignore = "waits at real deadlines: `cargo xtask test --long` runs it"]
fn whoever_sets_replicas_back_for_ever_is_told_and_not_fought() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    scene
        .cluster
        .apply(&peer(&scene, "biz1", 0, &[(&*component(OURS), "module-deployment")])?.to_string())?;
    let _bases = simulated(&scene, 1, &scene.base_version)?;
    wait_replicas(&scene, "biz1", 1)?;
    for _ in 0..4 {
        scene.kubectl(&["scale", "deployment/biz1", "--replicas=2"])?;
        if scene.wait_event_within(Duration::from_millis(1), "biz1", "PeerReplicasContested").is_err() {
            wait_for("ours again, or the contest told", SOON, || {
                let contested =
                    scene.wait_event_within(Duration::from_millis(1), "biz1", "PeerReplicasContested");
                ensure!(replicas(&scene, "biz1")? == 1 || contested.is_ok(), "still 2");
                Ok(Some(()))
            })?;
        }
    }
    scene.wait_event("biz1", "PeerReplicasContested")?;
    let told = Instant::now();
    ensure!(replicas(&scene, "biz1")? == 2, "it was set back at once");
    wait_for(
        "a slow answer",
        Duration::from_secs(90),
        || Ok((replicas(&scene, "biz1")? == 1).then_some(())),
    )?;
    ensure!(told.elapsed() > Duration::from_secs(20), "after {:?}", told.elapsed());
    Ok(())
}
