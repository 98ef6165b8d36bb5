//! How a Pod that is deleted goes: as a kubelet has it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::wait::{stays, wait_for};

/// Nobody sends requests to it, so that nothing else tells it as not Ready.
#[test]
fn one_that_a_finalizer_holds_back_is_told_as_ended_and_deleted_once() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let biz = manifest::container_of("biz1", "1.0.0", "file:///biz1.jar");
    let mut held = manifest::pod(&scene, "held", None, &[biz]);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    scene.cluster.apply(&held.to_string())?;
    scene.wait_pods_ready(1)?;

    scene.kubectl(&["delete", "pod", "held", "--wait=false"])?;
    let pod = wait_for("the Pod is told as ended, and its module is off", Duration::from_secs(20), || {
        let pod = scene.pod("held")?;
        let no_time_left = pod["metadata"]["deletionGracePeriodSeconds"] == 0;
        let has_ended = pod["status"]["phase"] == "Failed" && !is_ready(&pod) && base.biz().is_empty();
        ensure!(no_time_left && has_ended, "{} {:?}", pod["status"], base.biz());
        Ok(Some(pod))
    })?;
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    ensure!(ended["exitCode"] == 143 && ended["reason"] == "Uninstalled", "{ended}");
    ensure!(!text(ended, "/finishedAt").is_empty(), "{ended}");
    ensure!(condition(&pod, "Ready")["reason"] == "PodFailed", "{}", pod["status"]);

    // Somebody else writes to it meanwhile; before, it was deleted again every ten seconds.
    scene.kubectl(&["annotate", "pod", "held", "example.com/seen=true"])?;
    let version = |pod: &Value| text(pod, "/metadata/resourceVersion").to_owned();
    let at_rest = (1, version(&scene.pod("held")?));
    let deletes =
        || scene.metric("module_controller_api_requests_total", "verb=\"delete\",resource=\"pods\"");
    stays("deletions, and the Pod", Duration::from_secs(25), &at_rest, || {
        Ok((deletes()?, version(&scene.pod("held")?)))
    })?;
    scene.kubectl(&["patch", "pod", "held", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])?;
    wait_for("it goes when nobody holds it back any more", Duration::from_secs(20), || {
        Ok(scene.pods(&[])?.is_empty().then_some(()))
    })
}

/// Both kinds of Job wait for a phase that is final before they make another Pod.
#[test]
fn a_jobs_deleted_pod_is_told_as_failed_and_replaced() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let _base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let policy = json!({"podFailurePolicy": {"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]}});
    let cases = [("policy", policy), ("replacing", json!({"podReplacementPolicy": "Failed"}))];
    for (job, more) in &cases {
        let biz = manifest::container_of(job, "1", "file:///job.jar");
        scene.cluster.apply(&manifest::workload(&scene, "Job", job, &[biz], more).to_string())?;
    }
    let first = scene.wait_pods_ready(2)?;
    let recording = scene.record_pods()?;
    for pod in &first {
        scene.kubectl(&["delete", "pod", text(pod, "/metadata/name"), "--wait=false"])?;
    }
    // The Job controller takes ten seconds before it tries again what failed.
    wait_for("each Job has another Pod, which is Ready", Duration::from_secs(90), || {
        let pods = scene.pods(&[])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let is_old = |pod: &Value| first.iter().any(|old| old["metadata"]["uid"] == pod["metadata"]["uid"]);
        ensure!(pods.len() == 2 && pods.iter().all(|pod| is_ready(pod) && !is_old(pod)), "{seen:?}");
        Ok(Some(()))
    })?;
    for pod in &first {
        let name = text(pod, "/metadata/name");
        let failed = recording.first(name, |change| change.object["status"]["phase"] == "Failed")?;
        let failed = failed.with_context(|| format!("{name} was never told as failed"))?;
        let ended = &failed.object["status"]["containerStatuses"][0]["state"]["terminated"];
        ensure!(ended["exitCode"] == 143, "{}", failed.object["status"]);
        let gone = recording.first(name, |change| change.kind == "DELETED")?;
        let gone = gone.with_context(|| format!("{name} is still there"))?;
        ensure!(failed.at < gone.at, "{name} went before it was told as failed");
    }
    Ok(())
}
