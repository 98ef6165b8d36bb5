//! The same biz from several owners on one base (the manual's 5.2, rule O13): the newer Pod
//! takes over, and what it took over from does not fight back.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    scene::node_name,
    seen::{is_ready, summary, text},
    snapshot::commands,
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
};

/// Long enough for several replacements of a war, at 1 to 2 s each.
const WATCHED: Duration = Duration::from_secs(6);

#[test]
fn the_newer_owner_takes_over_and_the_older_waits() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];

    scene.cluster.apply(&deployment(&scene, "first", "1.0.0")?)?;
    wins(&scene, base, "first", "1.0.0")?;
    scene.cluster.apply(&deployment(&scene, "second", "2.0.0")?)?;
    wins(&scene, base, "second", "2.0.0")?;
    waits(&scene, "first")?;
    no_war(&scene, base)?;

    let third = manifest::container("biz1", "3.0.0")?;
    scene.cluster.apply(&manifest::pod(&scene, "bare", Some(&node_name(base)), &[third]).to_string())?;
    wins(&scene, base, "bare", "3.0.0")?;
    waits(&scene, "second")?;
    no_war(&scene, base)?;

    scene.kubectl(&["delete", "deployment", "first", "--wait=false"])?;
    scene.cluster.apply(&daemon_set(&scene, "each", "1.0.0")?)?;
    wins(&scene, base, "each", "1.0.0")?;
    let bare = wait_for("the bare Pod has failed", Duration::from_secs(20), || {
        let pod = scene.pod("bare")?;
        Ok((pod["status"]["phase"] == "Failed").then_some(pod))
    })?;
    ensure!(text(&bare, "/status/reason") == "BizDeactivate", "{}", bare["status"]);
    // Its Pod that waited may have lost to this one too, and is replaced then.
    wait_for("of second all but one have lost, and that one waits", Duration::from_secs(30), || {
        let pods = scene.pods(&["-l", "app=second"])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let left: Vec<&Value> = pods.iter().filter(|pod| pod["status"]["phase"] != "Failed").collect();
        ensure!(left.len() == 1 && is_waiting(left[0]), "{seen:?}");
        Ok(Some(()))
    })?;
    no_war(&scene, base)?;
    Ok(())
}

/// The DaemonSet controller deletes its failed Pods and makes others: what they lost to is remembered.
#[test]
fn a_daemon_set_that_lost_waits_too() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    scene.cluster.apply(&daemon_set(&scene, "each", "1.0.0")?)?;
    wins(&scene, base, "each", "1.0.0")?;
    let lost = text(&scene.pods(&["-l", "app=each"])?[0], "/metadata/uid").to_owned();
    scene.cluster.apply(&deployment(&scene, "second", "2.0.0")?)?;
    wins(&scene, base, "second", "2.0.0")?;
    wait_for("the DaemonSet has another Pod, which waits", Duration::from_secs(60), || {
        let pods = scene.pods(&["-l", "app=each"])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        ensure!(pods.iter().any(|pod| text(pod, "/metadata/uid") != lost && is_waiting(pod)), "{seen:?}");
        Ok(Some(()))
    })?;
    no_war(&scene, base)?;
    wins(&scene, base, "second", "2.0.0")?;
    scene.controller.kill()?;
    scene.controller.start_again()?;
    no_war(&scene, base)?;
    // Once the winner is gone, the other serves again.
    scene.kubectl(&["delete", "deployment", "second", "--wait=false"])?;
    wins(&scene, base, "each", "1.0.0")
}

fn deployment(scene: &Scene, name: &str, version: &str) -> Result<String> {
    Ok(manifest::deployment(scene, name, 1, &[manifest::container("biz1", version)?]).to_string())
}

fn daemon_set(scene: &Scene, name: &str, version: &str) -> Result<String> {
    let biz = manifest::container("biz1", version)?;
    Ok(manifest::workload(scene, "DaemonSet", name, &[biz], &json!({})).to_string())
}

/// Its Pod is Ready, no other is, and its version serves.
fn wins(scene: &Scene, base: &JavaBase, owner: &str, version: &str) -> Result<()> {
    wait_for(&format!("{owner} serves {version}"), Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let ready: Vec<&Value> = pods.iter().filter(|pod| is_ready(pod)).collect();
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let alone = ready.len() == 1 && text(ready[0], "/metadata/name").starts_with(owner);
        ensure!(alone, "{seen:?}");
        let serving = base.serving(if version == "3.0.0" { "biz1v3" } else { "biz1" })?;
        ensure!(serving.as_deref() == Some(version), "it serves {serving:?}; {seen:?}");
        Ok(Some(()))
    })
}

/// The Pod that lost is Failed for good, and the one that its ReplicaSet made for it waits.
fn waits(scene: &Scene, owner: &str) -> Result<()> {
    wait_for(&format!("{owner} has lost and waits"), Duration::from_secs(30), || {
        let pods = scene.pods(&["-l", &format!("app={owner}")])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let failed: Vec<&Value> = pods.iter().filter(|pod| pod["status"]["phase"] == "Failed").collect();
        ensure!(failed.len() == 1 && text(failed[0], "/status/reason") == "BizDeactivate", "{seen:?}");
        ensure!(pods.len() == 2 && pods.iter().any(is_waiting), "{seen:?}");
        Ok(Some(()))
    })
}

fn is_waiting(pod: &Value) -> bool {
    let reason = text(pod, "/status/containerStatuses/0/state/waiting/reason");
    pod["status"]["phase"] == "Pending" && reason == "BizDeactivate"
}

/// The base is told to do nothing any more, and no Pod comes or goes.
fn no_war(scene: &Scene, base: &JavaBase) -> Result<()> {
    let look = || {
        let pods = scene.pods(&[])?;
        let mut names: Vec<String> = pods.iter().map(summary).collect();
        names.sort();
        Ok((commands(base), names))
    };
    stays("commands and Pods", WATCHED, &look()?, look)
}
