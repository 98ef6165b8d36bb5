//! Whatever Kubernetes makes Pods of may make module Pods.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
    scene::node_name,
    seen::{is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::{java_base::JavaBase, wait::wait_for};

#[test]
fn a_daemon_set_with_each_of_its_strategies() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    let rolling = |surge: u32| {
        let rolling = json!({"maxSurge": surge, "maxUnavailable": 1 - surge});
        json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}})
    };
    let apply = |version: &str, more: &Value| {
        let biz = manifest::container("biz1", version)?;
        let set = manifest::workload(&scene, "DaemonSet", "each", &[biz], more);
        scene.cluster.apply(&set.to_string())
    };
    // Kubernetes deletes first.
    apply("1.0.0", &rolling(0))?;
    all_serve(&scene, &bases, "1.0.0")?;
    apply("2.0.0", &rolling(0))?;
    all_serve(&scene, &bases, "2.0.0")?;
    for pod in scene.pods(&[])? {
        let event = scene.wait_event(text(&pod, "/metadata/name"), "ServedNothing")?;
        ensure!(text(&event, "/note").contains("nothing of biz1 for "), "{event}");
        ensure!(event["series"]["count"].as_u64().unwrap_or(1) == 1, "{event}");
    }
    // The newer Pod comes first and takes the base over.
    apply("1.0.0", &rolling(1))?;
    all_serve(&scene, &bases, "1.0.0")?;
    let events = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "events.events.k8s.io"])?;
    let pods = scene.pods(&[])?;
    let of_gap = |event: &Value| {
        event["reason"] == "ServedNothing"
            && pods.iter().any(|pod| pod["metadata"]["uid"] == event["regarding"]["uid"])
    };
    let gap = events["items"].as_array().and_then(|all| all.iter().find(|event| of_gap(event)));
    ensure!(gap.is_none(), "a gap that nobody made: {gap:?}");

    // Nothing happens until somebody deletes the Pods.
    apply("2.0.0", &json!({"updateStrategy": {"type": "OnDelete"}}))?;
    wait_for("the DaemonSet controller has seen it", Duration::from_secs(20), || {
        let set = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "daemonset", "each"])?;
        Ok((set["status"]["observedGeneration"] == set["metadata"]["generation"]).then_some(()))
    })?;
    all_serve(&scene, &bases, "1.0.0")?;
    scene.kubectl(&["delete", "pods", "-l", "app=each", "--wait=false"])?;
    all_serve(&scene, &bases, "2.0.0")
}

/// One Pod on each base, all Ready, and each base serves this version and holds nothing else.
fn all_serve(scene: &Scene, bases: &[JavaBase], version: &str) -> Result<()> {
    wait_for(&format!("every base serves {version}"), Duration::from_secs(90), || {
        let pods = scene.pods(&[])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        ensure!(pods.len() == bases.len() && pods.iter().all(is_ready), "{seen:?}");
        for base in bases {
            let on_it = pods.iter().filter(|pod| text(pod, "/spec/nodeName") == node_name(base)).count();
            let biz = base.query_all_biz()?;
            ensure!(on_it == 1 && biz.len() == 1 && biz[0].version == version, "{biz:?} {seen:?}");
            ensure!(base.serving("biz1")?.as_deref() == Some(version), "{biz:?} {seen:?}");
        }
        Ok(Some(()))
    })
}

/// From the last to the first, each only after the one before is Ready.
#[test]
fn a_stateful_set_is_updated_in_its_order() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    let apply = |version: &str| {
        let biz = manifest::container("biz1", version)?;
        let more = json!({"replicas": 2, "serviceName": "row"});
        let mut set = manifest::workload(&scene, "StatefulSet", "row", &[biz], &more);
        set["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = one_a_base("row");
        scene.cluster.apply(&set.to_string())
    };
    let recording = scene.record_pods()?;
    apply("1.0.0")?;
    all_serve(&scene, &bases, "1.0.0")?;
    apply("2.0.0")?;
    all_serve(&scene, &bases, "2.0.0")?;
    let changes = recording.changes()?;
    let first = |name: &str, version: &str, ready: bool| {
        changes.iter().find(|change| {
            text(&change.object, "/metadata/name") == name
                && text(&change.object, "/spec/containers/0/env/0/value") == version
                && (is_ready(&change.object) || !ready)
        })
    };
    let at = |name: &str, version: &str, ready: bool| first(name, version, ready).map(|change| change.at);
    let row = [
        at("row-0", "1.0.0", true),
        at("row-1", "1.0.0", false),
        at("row-1", "2.0.0", true),
        at("row-0", "2.0.0", false),
    ];
    ensure!(row.iter().all(Option::is_some) && row.is_sorted(), "{row:?}");
    Ok(())
}

fn one_a_base(app: &str) -> Value {
    json!({"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "topology.kubernetes.io/zone"},
    ]})
}

/// A Java base forgets a module that stops; a base of another stack tells it `STOPPED`.
#[test]
fn a_job_completes_when_its_module_stops() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    for (job, policy) in [("once", "Never"), ("again", "OnFailure")] {
        let biz = manifest::container_of(job, "1", "file:///job.jar");
        let mut manifest = manifest::workload(&scene, "Job", job, &[biz], &json!({}));
        manifest["spec"]["template"]["spec"]["restartPolicy"] = json!(policy);
        scene.cluster.apply(&manifest.to_string())?;
    }
    scene.wait_pods_ready(2)?;
    // The controller asks for the list every now and then.
    for biz in ["once:1", "again:1"] {
        base.put(biz, "stopped");
    }
    for job in ["once", "again"] {
        let condition = "--for=condition=Complete";
        scene.kubectl(&["wait", condition, &format!("job/{job}"), "--timeout=90s"])?;
        let pod = &scene.pods(&["-l", &format!("app={job}")])?[0];
        let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        ensure!(pod["status"]["phase"] == "Succeeded" && ended["exitCode"] == 0, "{}", pod["status"]);
    }
    wait_for("what has stopped is taken away", Duration::from_secs(30), || {
        Ok(base.biz().is_empty().then_some(()))
    })?;
    let installs = base.commands().iter().filter(|command| command.starts_with("installBiz")).count();
    ensure!(installs == 2, "{:?}", base.commands());
    Ok(())
}

#[test]
fn what_fails_under_never_and_on_failure() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    // The Job gives up after its first Pod.
    let biz = manifest::container("failing", "1.0.0")?;
    let job = manifest::workload(&scene, "Job", "job", &[biz], &json!({"backoffLimit": 0}));
    // The Pod tries again.
    let biz = manifest::container_of("biz2", "1.0.0", "file:///nowhere/biz2.jar");
    let mut again = manifest::pod(&scene, "again", Some(&node_name(base)), &[biz]);
    again["spec"]["restartPolicy"] = json!("OnFailure");
    scene.cluster.apply(&format!("{job}\n{again}"))?;
    scene.kubectl(&["wait", "--for=condition=Failed", "job/job", "--timeout=60s"])?;
    let pod = &scene.pods(&["-l", "app=job"])?[0];
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    ensure!(
        pod["status"]["phase"] == "Failed" && ended["reason"] == "User.InstallBizUserError",
        "{}",
        pod["status"]
    );
    scene.wait_waiting("again", "Arklet.PullBizError")?;
    wait_for("the Pod under OnFailure is tried again", Duration::from_secs(60), || {
        let pod = scene.pod("again")?;
        let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
        ensure!(restarts >= Some(1), "{}", pod["status"]);
        ensure!(pod["status"]["phase"] == "Pending", "{}", pod["status"]);
        Ok(Some(()))
    })
}
