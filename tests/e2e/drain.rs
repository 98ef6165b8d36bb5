//! Rule 10: what a Service sends requests to is not taken away while requests are under way.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Way, manifest, scene::node_name, seen::is_ready};
use serde_json::json;
use testkit::wait::wait_for;

/// Longer than the default, so that a slow machine cannot be mistaken for it.
const DRAIN: Duration = Duration::from_secs(4);

#[test]
fn a_served_module_goes_only_after_its_pod_was_not_ready_for_a_while() -> Result<()> {
    let drain = DRAIN.as_millis().to_string();
    let scene = Scene::start(Way::Http, &[("MODULE_DRAIN_MS", &drain)])?;
    let base = &scene.bases(1)?[0];
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "biz1", "namespace": scene.namespace},
        "spec": {"selector": {"app": "served"}, "ports": [{"port": 80, "targetPort": base.web_port()}]},
    });
    let node = node_name(base);
    let served = manifest::pod(&scene, "served", Some(&node), &[manifest::container("biz1", "1.0.0")?]);
    let alone = manifest::pod(&scene, "alone", Some(&node), &[manifest::container("biz2", "1.0.0")?]);
    scene.cluster.apply(&format!("{service}\n{served}\n{alone}"))?;
    scene.wait_pods_ready(2)?;

    let recording = scene.record_pods()?;
    scene.kubectl(&["delete", "pod", "served", "alone", "--wait=false"])?;
    wait_for("the Pod is not Ready, and its module serves", Duration::from_secs(20), || {
        let pod = scene.pod("served")?;
        ensure!(!is_ready(&pod), "{}", pod["status"]);
        Ok(Some(()))
    })?;
    let unready = Instant::now();
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "it went at once");
    wait_for("both Pods are gone", Duration::from_secs(30), || {
        Ok(scene.pods(&[])?.is_empty().then_some(()))
    })?;
    // It was seen a little after it was written.
    ensure!(unready.elapsed() > DRAIN - Duration::from_secs(1), "after {:?}", unready.elapsed());
    ensure!(base.query_all_biz()?.is_empty(), "{:?}", base.query_all_biz()?);

    let first_unready = recording.first("alone", |change| !is_ready(&change.object))?;
    let of_served = recording.first("served", |change| !is_ready(&change.object))?;
    ensure!(first_unready.is_none(), "nobody sends requests to it: {first_unready:?}");
    let reason = of_served.context("it was never told")?;
    let ready = e2e::seen::condition(&reason.object, "Ready").clone();
    ensure!(ready["reason"] == "ModuleLeaves", "{ready}");
    Ok(())
}
