//! The controller ends and starts again: nobody notices, and what changed meanwhile is caught up with.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Client, Scene, Snapshot, Way, manifest, scene::node_name};
use serde_json::json;
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
};

/// It has time to do something wrong: it hears its bases within 2 s, asks them, and renews its Leases.
const WATCHED: Duration = Duration::from_secs(5);

#[test]
fn over_http_changes_nothing() -> Result<()> {
    let (mut scene, bases) = start(Way::Http)?;
    let before = restart_by_sigterm(&mut scene, &bases)?;
    restart_by_sigkill(&mut scene, &bases, &before)?;
    what_changed_meanwhile_is_caught_up_with(&mut scene, &bases[0])
}

#[test]
#[ignore = "one broker is enough: `cargo xtask test --long` runs it"]
fn over_mqtt_with_mosquitto_changes_nothing() -> Result<()> {
    let (mut scene, bases) = start(Way::Mosquitto)?;
    let before = restart_by_sigterm(&mut scene, &bases)?;
    restart_by_sigkill(&mut scene, &bases, &before)
}

/// Here the broker goes with the controller, and every base loses its connection.
#[test]
fn over_mqtt_with_the_embedded_broker_changes_nothing() -> Result<()> {
    let (mut scene, bases) = start(Way::Embedded)?;
    let before = restart_by_sigterm(&mut scene, &bases)?;
    restart_by_sigkill(&mut scene, &bases, &before)
}

/// A base with a module that runs, and one that cannot.
fn start(way: Way) -> Result<(Scene, Vec<JavaBase>)> {
    let scene = Scene::start(way, &[])?;
    let bases = scene.bases(1)?;
    let nowhere = manifest::container_of("biz2", "", "file:///biz2.jar");
    scene.cluster.apply(&format!(
        "{}\n{}",
        manifest::pod(&scene, "runs", None, &[manifest::container("biz1", "1.0.0")?]),
        manifest::pod(&scene, "cannot", Some(&node_name(&bases[0])), &[nowhere]),
    ))?;
    scene.wait_waiting("cannot", "OtherUpstream.InvalidParameter")?;
    wait_for("the module serves", Duration::from_secs(60), || {
        Ok((bases[0].serving("biz1")?.as_deref() == Some("1.0.0")).then_some(()))
    })?;
    Ok((scene, bases))
}

fn restart_by_sigterm(scene: &mut Scene, bases: &[JavaBase]) -> Result<Snapshot> {
    let before = Snapshot::when_quiet(scene, bases)?;
    let start = Instant::now();
    let status = scene.controller.stop()?;
    ensure!(status.success(), "SIGTERM: {status}; its log ends\n{}", end_of_log(scene));
    ensure!(start.elapsed() < Duration::from_secs(5), "it took {:?} to end", start.elapsed());
    scene.controller.start_again()?;
    nothing_changes(scene, bases, &before)?;
    Ok(before)
}

fn restart_by_sigkill(scene: &mut Scene, bases: &[JavaBase], before: &Snapshot) -> Result<()> {
    scene.controller.kill()?;
    scene.controller.start_again()?;
    nothing_changes(scene, bases, before)
}

fn nothing_changes(scene: &Scene, bases: &[JavaBase], before: &Snapshot) -> Result<()> {
    wait_for("the base is heard and asked again", Duration::from_secs(20), || {
        let heard = scene.metric("module_controller_heartbeats_total", "")?;
        let asked = scene.metric("module_controller_commands_total", "")?;
        ensure!(heard > 0 && asked > 0, "{heard} heartbeats, {asked} commands");
        Ok(Some(()))
    })?;
    stays("the scene after the restart", WATCHED, before, || Snapshot::take(scene, bases))?;
    for page in ["/healthz", "/readyz"] {
        let answer = scene.controller.admin(page)?;
        ensure!(answer.status == 200, "{page}: {answer:?}");
    }
    Ok(())
}

fn what_changed_meanwhile_is_caught_up_with(scene: &mut Scene, base: &JavaBase) -> Result<()> {
    scene.controller.kill()?;
    scene.kubectl(&["delete", "pod", "runs", "cannot", "--wait=false"])?;
    let late = manifest::pod(scene, "late", Some(&node_name(base)), &[manifest::container("biz2", "1.0.0")?]);
    scene.cluster.apply(&late.to_string())?;
    scene.controller.start_again()?;
    scene.wait_pods_ready(1)?;
    let biz: Vec<String> = base.query_all_biz()?.into_iter().map(|biz| biz.name).collect();
    ensure!(biz == ["biz2"], "{biz:?}");
    Ok(())
}

/// After so many changes of Pods since an update began the controller is killed: somewhere between the first
/// new Pod and the end of the last old one: an update of two Pods makes fourteen.
const MOMENTS: [usize; 4] = [3, 6, 9, 11];

#[test]
fn killed_in_the_middle_of_updates_it_costs_no_request_and_they_end_as_they_should() -> Result<()> {
    let (mut scene, bases) = crate::rolling::deployed(Way::Http)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1v3", "biz1"])).collect();
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let version = if round.is_multiple_of(2) { "3.0.0" } else { "1.0.0" };
        let recording = scene.record_pods()?;
        let before = recording.changes()?.len();
        let patch =
            json!({"spec": {"template": {"spec": {"containers": [manifest::container("biz1", version)?]}}}});
        scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch.to_string()])?;
        wait_for(&format!("{moment} changes"), Duration::from_secs(60), || {
            let changes = recording.changes()?.len() - before;
            ensure!(changes >= moment, "{changes} changes");
            Ok(Some(()))
        })?;
        scene.controller.kill()?;
        scene.controller.start_again()?;
        scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=120s"])?;
        crate::rolling::check_versions(&scene, &bases, version)
            .with_context(|| format!("killed after {moment} changes"))?;
        println!("{} changes in all", recording.changes()?.len() - before);
    }
    for client in clients {
        let (requests, gaps) = client.stop()?;
        ensure!(requests > 100 && gaps.is_empty(), "{requests} requests, {gaps:?}");
    }
    Ok(())
}

fn end_of_log(scene: &Scene) -> String {
    let log = scene.controller.log();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
