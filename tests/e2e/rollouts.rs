//! What `kubectl rollout` can do with a Deployment it can do with a module's.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Client, Scene, Way, manifest,
    scene::node_name,
    seen::{is_ready, summary, text},
};
use serde_json::json;
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
};

use crate::rolling::{check_versions, deployed, update};

fn set_strategy(scene: &Scene, surge: u32, unavailable: u32) -> Result<()> {
    let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
    let patch = json!({"spec": {"strategy": {"rollingUpdate": rolling}}}).to_string();
    scene.kubectl(&["patch", "deployment", "biz1", "-p", &patch]).map(drop)
}

fn set_version(scene: &Scene, version: &str) -> Result<()> {
    let patch =
        json!({"spec": {"template": {"spec": {"containers": [manifest::container("biz1", version)?]}}}});
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch.to_string()]).map(drop)
}

fn rollout(scene: &Scene, args: &[&str]) -> Result<String> {
    scene.kubectl(&[&["rollout"], args].concat())
}

#[test]
fn history_undo_pause_and_resume() -> Result<()> {
    let (scene, bases) = deployed(Way::Http)?;
    // Kubernetes deletes before it makes.
    set_strategy(&scene, 0, 1)?;
    update(&scene, "2.0.0")?;
    check_versions(&scene, &bases, "2.0.0")?;
    update(&scene, "3.0.0")?;
    let history = rollout(&scene, &["history", "deployment/biz1"])?;
    let revisions: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(revisions.ends_with(&["1", "2", "3"]), "{history}");
    let second = rollout(&scene, &["history", "deployment/biz1", "--revision=2"])?;
    ensure!(second.contains("2.0.0"), "{second}");
    rollout(&scene, &["undo", "deployment/biz1", "--to-revision=1"])?;
    rollout(&scene, &["status", "deployment/biz1", "--timeout=120s"])?;
    check_versions(&scene, &bases, "1.0.0")?;

    set_strategy(&scene, 2, 0)?;
    rollout(&scene, &["pause", "deployment/biz1"])?;
    set_version(&scene, "2.0.0")?;
    let versions = || bases.iter().map(|base| base.serving("biz1")).collect::<Result<Vec<_>>>();
    let first = Some("1.0.0".to_owned());
    stays("what serves while paused", Duration::from_secs(3), &vec![first.clone(), first], versions)?;
    rollout(&scene, &["resume", "deployment/biz1"])?;
    rollout(&scene, &["status", "deployment/biz1", "--timeout=120s"])?;
    check_versions(&scene, &bases, "2.0.0")
}

/// The one in the middle is overtaken.
#[test]
fn two_updates_in_quick_succession_end_with_the_second() -> Result<()> {
    let (scene, bases) = deployed(Way::Http)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1", "biz1v3"])).collect();
    set_version(&scene, "3.0.0")?;
    wait_for("the first update has begun", Duration::from_secs(30), || {
        Ok((scene.pods(&[])?.len() > 2).then_some(()))
    })?;
    // As an undo would, and forth again at once.
    set_version(&scene, "1.0.0")?;
    set_version(&scene, "3.0.0")?;
    rollout(&scene, &["status", "deployment/biz1", "--timeout=120s"])?;
    check_versions(&scene, &bases, "3.0.0")?;
    for client in clients {
        let (requests, gaps) = client.stop()?;
        println!(
            "{requests} requests, gaps {:?}",
            gaps.iter().map(|gap| gap.to - gap.from).collect::<Vec<_>>()
        );
        ensure!(gaps.is_empty(), "the base held both versions: {gaps:?}");
    }
    // These two cannot be held at once, so that nothing is promised but the end.
    set_version(&scene, "2.0.0")?;
    set_version(&scene, "1.0.0")?;
    rollout(&scene, &["status", "deployment/biz1", "--timeout=120s"])?;
    check_versions(&scene, &bases, "1.0.0")
}

/// The newer Pod lands where the older version never was.
#[test]
fn an_update_that_moves_to_another_base() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    let on = |base: &JavaBase, version: &str| {
        let biz = manifest::container("biz1", version)?;
        let mut deployment = manifest::deployment(&scene, "biz1", 1, &[biz]);
        deployment["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 1, "maxUnavailable": 0});
        deployment["spec"]["template"]["spec"]["nodeSelector"] =
            json!({"kubernetes.io/hostname": node_name(base)});
        scene.cluster.apply(&deployment.to_string())
    };
    on(&bases[0], "1.0.0")?;
    scene.wait_pods_ready(1)?;
    let recording = scene.record_pods()?;
    on(&bases[1], "2.0.0")?;
    rollout(&scene, &["status", "deployment/biz1", "--timeout=60s"])?;
    wait_for("the older version is gone and the newer serves", Duration::from_secs(30), || {
        let (old, new) = (bases[0].query_all_biz()?, bases[1].serving("biz1")?);
        ensure!(old.is_empty() && new.as_deref() == Some("2.0.0"), "{old:?}, {new:?}");
        Ok(Some(()))
    })?;
    let changes = recording.changes()?;
    let ready = |version: &str, ready: bool, after: u64| {
        let of = |pod: &serde_json::Value| text(pod, "/spec/containers/0/env/0/value") == version;
        let found = changes
            .iter()
            .find(|change| change.at > after && of(&change.object) && is_ready(&change.object) == ready);
        found.map(|change| change.at)
    };
    let newer = ready("2.0.0", true, 0);
    let older = ready("1.0.0", false, 0);
    let seen: Vec<String> = changes.iter().map(|change| summary(&change.object)).collect();
    ensure!(newer.is_some() && older.is_none_or(|older| newer < Some(older)), "{seen:#?}");
    Ok(())
}
