//! What of an ordinary Pod means something for a module, and what does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
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

/// As a mesh does it, and whoever debugs.
#[test]
fn what_is_injected_is_named_and_holds_nothing_back() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let proxy = json!({
        "name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.27.3",
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}},
    });
    let biz = manifest::container_of("biz1", "1.0.0", "https://repo.example.org/biz1-ark-biz.jar?sig=a%2Fb");
    let mut deployment = manifest::deployment(&scene, "meshed", 1, &[proxy, biz]);
    deployment["spec"]["template"]["spec"]["initContainers"] = json!([
        {"name": "istio-init", "image": "docker.io/istio/proxyv2:1.27.3"},
        {"name": "filebeat", "image": "registry:5000/app.jar-tool:1.2", "restartPolicy": "Always"},
    ]);
    scene.cluster.apply(&deployment.to_string())?;
    scene.kubectl(&["rollout", "status", "deployment/meshed", "--timeout=60s"])?;
    let pod = scene.wait_pods_ready(1)?.remove(0);
    let name = text(&pod, "/metadata/name").to_owned();
    let statuses = &pod["status"]["containerStatuses"];
    ensure!(statuses[0]["state"]["waiting"]["reason"] == "NotAModule", "{statuses}");
    ensure!(statuses[0]["ready"] == false && statuses[1]["ready"] == true, "{statuses}");
    for kind in ["PodScheduled", "Initialized", "ContainersReady"] {
        ensure!(condition(&pod, kind)["status"] == "True", "{kind}: {}", pod["status"]);
    }
    let note = text(&scene.wait_event(&name, "NotAModule")?, "/note").to_owned();
    ensure!(note.contains("[istio-proxy istio-init filebeat]"), "{note}");
    // As the guide has it: a native sidecar counts as a container.
    let line = scene.kubectl(&["get", "pods", "--no-headers"])?;
    ensure!(line.contains("1/3") && line.contains("NotAModule"), "{line}");

    // The mesh is updated in place, and somebody wants to look into the Pod.
    let image =
        r#"{"spec":{"containers":[{"name":"istio-proxy","image":"docker.io/istio/proxyv2:1.28.0"}]}}"#;
    scene.kubectl(&["patch", "pod", &name, "-p", image])?;
    scene.kubectl(&["debug", &name, "--image=busybox:1", "--container=debugger", "--attach=false"])?;
    wait_for("both are seen", Duration::from_secs(20), || {
        let pod = scene.pod(&name)?;
        let image = &pod["status"]["containerStatuses"][0]["image"];
        ensure!(*image == "docker.io/istio/proxyv2:1.28.0" && is_ready(&pod), "{}", pod["status"]);
        let events = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "events.events.k8s.io"])?;
        let all = events["items"].as_array().cloned().unwrap_or_default();
        let told = all
            .iter()
            .any(|event| event["reason"] == "NotAModule" && text(event, "/note").contains("[debugger]"));
        ensure!(told, "nothing is told of the debugger");
        Ok(Some(()))
    })?;
    ensure!(base.commands() == ["installBiz biz1:1.0.0"], "{:?}", base.commands());

    let web = json!({"name": "web", "image": "nginx:1"});
    scene.cluster.apply(&manifest::pod(&scene, "no-module", Some(&base.node()), &[web]).to_string())?;
    let note = text(&scene.wait_event("no-module", "OtherUpstream.InvalidParameter")?, "/note").to_owned();
    ensure!(note.contains("none of its containers is a module"), "{note}");
    wait_for("a Pod without a module says so", Duration::from_secs(20), || {
        let pod = scene.pod("no-module")?;
        let ready = condition(&pod, "Ready");
        ensure!(ready["status"] == "False" && ready["reason"] == "NoModule", "{}", pod["status"]);
        Ok(Some(()))
    })
}

/// Its base does one thing at a time, and takes its time.
#[test]
fn what_takes_long_says_since_when_and_for_what_it_waits() -> Result<()> {
    let scene = Scene::start(Way::Http, &[("VNODE_WORKER_NUM", "1")])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    base.take(Duration::from_secs(20));
    let pod = |name: &str| {
        let biz = manifest::container_of(name, "1.0.0", "file:///biz.jar");
        manifest::pod(&scene, name, None, &[biz]).to_string()
    };
    let recording = scene.record_pods()?;
    scene.cluster.apply(&format!("{}\n{}", pod("one"), pod("two")))?;
    scene.wait_pods_ready(2)?;
    let mut told: Vec<String> = Vec::new();
    for change in recording.changes()? {
        let waiting = &change.object["status"]["containerStatuses"][0]["state"]["waiting"];
        if waiting["reason"] == "Installing" {
            told.push(text(waiting, "/message").to_owned());
        }
    }
    told.dedup();
    for what in
        ["it waits for the base to carry installBiz out", "it waits for its turn: 1 commands are at work"]
    {
        let is_told = |message: &String| message.starts_with("since 20") && message.contains(what);
        ensure!(told.iter().any(is_told), "nobody said {what:?}: {told:?}");
    }
    ensure!(told.len() <= 4, "the words changed while nothing else did: {told:?}");
    Ok(())
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
