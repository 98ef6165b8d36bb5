//! What of an ordinary Pod means something for a module, and what does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    seen::{condition, is_ready, text},
};
use serde_json::{Value, json};
use testkit::wait::{stays, wait_for};

const GATE: &str = "example.com/gate";

#[test]
fn probes_are_ignored_and_gates_and_foreign_conditions_respected() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[])?;
    let _bases = scene.bases(1)?;
    let mut probed = manifest::container("biz1", "1.0.0")?;
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probed[probe] =
            json!({"httpGet": {"path": "/nowhere", "port": 1}, "periodSeconds": 1, "failureThreshold": 1});
    }
    let mut gated = manifest::pod(&scene, "gated", None, &[manifest::container("biz2", "1.0.0")?]);
    gated["spec"]["readinessGates"] = json!([{"conditionType": GATE}]);
    let probed = manifest::pod(&scene, "probed", None, &[probed]);
    scene.cluster.apply(&format!("{probed}\n{gated}"))?;

    wait_for("the Pod with probes is Ready", Duration::from_secs(60), || {
        let pod = scene.pod("probed")?;
        ensure!(is_ready(&pod), "{}", pod["status"]);
        Ok(Some(()))
    })?;
    wait_for("the Pod with a gate waits for that only", Duration::from_secs(60), || {
        let pod = scene.pod("gated")?;
        let (ready, containers) = (condition(&pod, "Ready"), condition(&pod, "ContainersReady"));
        let waits = ready["reason"] == "ReadinessGatesNotReady" && text(ready, "/message").contains(GATE);
        ensure!(waits && containers["status"] == "True", "{}", pod["status"]);
        Ok(Some(()))
    })?;
    // A Service would follow it at once.
    for status in ["True", "False", "True"] {
        set_condition(&scene, "gated", GATE, status)?;
        wait_for(&format!("Ready follows the gate to {status}"), Duration::from_secs(20), || {
            let pod = scene.pod("gated")?;
            ensure!(condition(&pod, "Ready")["status"] == status, "{}", pod["status"]);
            Ok(Some(()))
        })?;
    }

    // What others write stays, also when a controller that never saw it written takes over.
    set_condition(&scene, "probed", "example.com/foreign", "False")?;
    scene.controller.kill()?;
    scene.controller.start_again()?;
    let look = || {
        let (probed, gated) = (scene.pod("probed")?, scene.pod("gated")?);
        let kept = [condition(&probed, "example.com/foreign"), condition(&gated, GATE)];
        let kept = kept.map(|condition| text(condition, "/status").to_owned());
        Ok((kept, is_ready(&probed), is_ready(&gated), told(&scene)?))
    };
    let expected = (["False", "True"].map(str::to_owned), true, true, vec!["probed".to_owned()]);
    stays("conditions, Pods and what was told of probes", Duration::from_secs(5), &expected, look)
}

fn set_condition(scene: &Scene, pod: &str, kind: &str, status: &str) -> Result<()> {
    let patch =
        json!({"status": {"conditions": [{"type": kind, "status": status, "reason": "Test"}]}}).to_string();
    scene.kubectl(&["patch", "pod", pod, "--subresource=status", "--type=strategic", "-p", &patch]).map(drop)
}

/// The Pods of which it was told that their probes are ignored, once for each time.
fn told(scene: &Scene) -> Result<Vec<String>> {
    let events = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "events.events.k8s.io"])?;
    let all = events["items"].as_array().cloned().unwrap_or_default();
    let of = |event: &&Value| event["reason"] == "ProbesIgnored";
    let times = |event: &Value| {
        let count = event["series"]["count"].as_u64().unwrap_or(1);
        let pod = text(event, "/regarding/name").to_owned();
        (0..count).map(move |_| pod.clone()).collect::<Vec<_>>()
    };
    Ok(all.iter().filter(of).flat_map(times).collect())
}
