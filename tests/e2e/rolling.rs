//! The lossless rolling update (the manual's 5.1), on real bases, under requests without pause.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Client, Gap, Scene, Way, manifest, seen::text};
use serde_json::json;
use testkit::{java_base::JavaBase, wait::wait_for};

/// Sets the Deployment to a version and waits until the update is complete.
pub(crate) fn update(scene: &Scene, version: &str) -> Result<()> {
    let container = manifest::container("biz1", version)?;
    let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}}).to_string();
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch])?;
    let rollout = scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=120s"]);
    rollout.map(drop).map_err(|error| match scene.pods(&[]) {
        Ok(pods) => error.context(format!("{:#?}", pods.iter().map(e2e::seen::summary).collect::<Vec<_>>())),
        Err(_) => error,
    })
}

/// Two bases with one Pod of the Deployment `biz1` each, and no Pod may be missing in an update.
pub(crate) fn deployed(way: Way) -> Result<(Scene, Vec<JavaBase>)> {
    let scene = Scene::start(way, &[])?;
    let bases = scene.bases(2)?;
    let mut deployment = manifest::deployment(&scene, "biz1", 2, &[manifest::container("biz1", "1.0.0")?]);
    deployment["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": "100%", "maxUnavailable": 0});
    // One Pod of each revision on each base, as the manual's strong scatter has it.
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": "biz1"}},
            "matchLabelKeys": ["pod-template-hash"],
            "topologyKey": "topology.kubernetes.io/zone",
        }],
    });
    scene.cluster.apply(&deployment.to_string())?;
    scene.wait_pods_ready(2)?;
    Ok((scene, bases))
}

/// After an update both bases hold this version and nothing else.
pub(crate) fn check_versions(scene: &Scene, bases: &[JavaBase], version: &str) -> Result<()> {
    for base in bases {
        wait_for("only the new version is left", Duration::from_secs(20), || {
            let biz = base.query_all_biz()?;
            let right = biz.len() == 1 && biz[0].version == version && biz[0].state == "activated";
            ensure!(right, "{biz:?}");
            Ok(Some(()))
        })?;
    }
    let pods = scene.wait_pods_ready(2)?;
    let nodes: std::collections::BTreeSet<&str> =
        pods.iter().map(|pod| text(pod, "/spec/nodeName")).collect();
    ensure!(nodes.len() == 2, "both on one base: {nodes:?}");
    Ok(())
}

#[test]
fn no_request_fails_where_the_base_holds_both_versions() -> Result<()> {
    let (scene, bases) = deployed(Way::Http)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1v3", "biz1"])).collect();
    update(&scene, "3.0.0")?;
    check_versions(&scene, &bases, "3.0.0")?;
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=120s"])?;
    check_versions(&scene, &bases, "1.0.0")?;
    for client in clients {
        let (requests, gaps) = client.stop()?;
        println!("{requests} requests, {} gaps", gaps.len());
        ensure!(requests > 100, "only {requests} requests were sent");
        ensure!(gaps.is_empty(), "{:?}", gaps.iter().map(|gap| gap.to - gap.from).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn where_the_base_must_replace_only_one_base_at_a_time_has_a_gap_over_http() -> Result<()> {
    replaced(Way::Http)
}

#[test]
fn where_the_base_must_replace_only_one_base_at_a_time_has_a_gap_over_mqtt() -> Result<()> {
    replaced(Way::Mosquitto)
}

fn replaced(way: Way) -> Result<()> {
    let (scene, bases) = deployed(way)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1"])).collect();
    update(&scene, "2.0.0")?;
    check_versions(&scene, &bases, "2.0.0")?;
    let mut all: Vec<Vec<Gap>> = Vec::new();
    for client in clients {
        let (requests, gaps) = client.stop()?;
        println!(
            "{requests} requests, gaps {:?}",
            gaps.iter().map(|gap| gap.to - gap.from).collect::<Vec<_>>()
        );
        ensure!(gaps.len() <= 1, "a base was replaced {} times", gaps.len());
        all.push(gaps);
    }
    let (first, second) = (&all[0], &all[1]);
    let overlap = first.iter().any(|gap| second.iter().any(|other| gap.overlaps(other)));
    ensure!(!overlap, "both bases had a gap at once: {all:?}");
    Ok(())
}

#[test]
fn a_version_that_fails_never_costs_the_one_that_serves() -> Result<()> {
    let (scene, bases) = deployed(Way::Http)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1"])).collect();
    // A package that is not there.
    let missing = manifest::container_of("biz1", "9.0.0", "file:///nowhere/biz1-9.0.0.jar");
    let patch = json!({"spec": {"template": {"spec": {"containers": [missing]}}}}).to_string();
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch])?;
    wait_for("the failure is told", Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let seen: Vec<String> = pods.iter().map(e2e::seen::summary).collect();
        let told = seen.iter().any(|pod| pod.contains("Arklet.PullBizError"));
        ensure!(told && pods.iter().filter(|pod| e2e::seen::is_ready(pod)).count() == 2, "{seen:?}");
        Ok(Some(()))
    })?;
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=60s"])?;
    check_versions(&scene, &bases, "1.0.0")?;
    for client in clients {
        let (_, gaps) = client.stop()?;
        ensure!(gaps.is_empty(), "the older version stopped serving: {gaps:?}");
    }
    Ok(())
}
