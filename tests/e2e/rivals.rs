//! The same biz from several owners on one base (the manual's 5.2, rule O13): the newer Pod
//! takes over, and what it took over from does not fight back.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail, ensure};
use e2e::{
    Scene, Simulated, Way, manifest,
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

/// Their controllers would make Pods without end if both went on losing.
#[test]
fn of_two_deployments_with_one_version_and_two_urls_the_newer_wins_once() -> Result<()> {
    let (scene, bases) = two_bases()?;
    let namespace = scene.namespace.as_str();
    scene.cluster.apply(&scattered(&scene, namespace, "first", "one"))?;
    stand(&scene, namespace, "first", [2, 0, 0])?;
    scene.cluster.apply(&scattered(&scene, namespace, "second", "two"))?;
    stand(&scene, namespace, "second", [2, 0, 0])?;
    stand(&scene, namespace, "first", [0, 2, 2])?;
    nothing_moves(&scene, &[namespace], &bases)?;
    for base in &bases {
        let done = base.done();
        let expected = ["installBiz biz1:1.0.0", "uninstallBiz biz1:1.0.0", "installBiz biz1:1.0.0"];
        ensure!(done == expected, "{done:?}");
    }
    scene.kubectl(&["delete", "deployment", "second", "--wait=false"])?;
    stand(&scene, namespace, "first", [2, 0, 2])
}

#[test]
fn a_biz_name_belongs_to_the_namespace_that_serves_it() -> Result<()> {
    let (scene, bases) = two_bases()?;
    let (namespace, other) = (scene.namespace.as_str(), scene.cluster.namespace("rivals")?);
    scene.cluster.apply(&scattered(&scene, namespace, "first", "one"))?;
    stand(&scene, namespace, "first", [2, 0, 0])?;
    scene.cluster.apply(&scattered(&scene, &other, "second", "two"))?;
    stand(&scene, &other, "second", [0, 2, 0])?;
    for pod in pods(&scene, &other, "second")? {
        let told = text(&pod, "/status/message");
        ensure!(told.contains(&format!("belongs to namespace {namespace}")), "{told}");
    }
    nothing_moves(&scene, &[namespace, &other], &bases)?;
    stand(&scene, namespace, "first", [2, 0, 0])?;
    scene.kubectl(&["delete", "deployment", "first", "--wait=false"])?;
    stand(&scene, &other, "second", [2, 0, 0])
}

fn two_bases() -> Result<(Scene, Vec<Simulated>)> {
    let scene = Scene::start(Way::Http, &[])?;
    let tunnel = scene.controller.http_tunnel();
    let start = |_| Simulated::start(&tunnel, &scene.base_version);
    let bases = (0..2).map(start).collect::<Result<Vec<Simulated>>>()?;
    wait_for("both bases have Nodes", Duration::from_secs(60), || {
        Ok((scene.nodes()?.len() == 2).then_some(()))
    })?;
    Ok((scene, bases))
}

/// A Deployment of two Pods for biz1:1.0.0 from a package of its own, each on a base of its own.
fn scattered(scene: &Scene, namespace: &str, name: &str, package: &str) -> String {
    let biz = manifest::container_of("biz1", "1.0.0", &format!("file:///packages/{package}.jar"));
    let mut deployment = manifest::deployment(scene, name, 2, &[biz]);
    deployment["metadata"]["namespace"] = json!(namespace);
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": name}},
            "topologyKey": "topology.kubernetes.io/zone",
        }],
    });
    deployment.to_string()
}

fn pods(scene: &Scene, namespace: &str, app: &str) -> Result<Vec<Value>> {
    let list = scene.cluster.kubectl_json(&["-n", namespace, "get", "pods", "-l", &format!("app={app}")])?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// So many Pods of it are Ready, wait and have failed, at most one on each base, and there are no others.
fn stand(scene: &Scene, namespace: &str, app: &str, expected: [usize; 3]) -> Result<()> {
    wait_for(&format!("{app}: ready, waiting, failed {expected:?}"), Duration::from_secs(90), || {
        let pods = pods(scene, namespace, app)?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let has_failed = |pod: &&Value| pod["status"]["phase"] == "Failed";
        let mut failed = BTreeMap::<&str, usize>::new();
        for pod in pods.iter().filter(has_failed) {
            ensure!(text(pod, "/status/reason") == "BizDeactivate", "{}", pod["status"]);
            *failed.entry(text(pod, "/spec/nodeName")).or_default() += 1;
        }
        let counts = [
            pods.iter().filter(|pod| is_ready(pod)).count(),
            pods.iter().filter(|pod| is_waiting(pod)).count(),
            pods.iter().filter(has_failed).count(),
        ];
        ensure!(counts == expected && pods.len() == counts.iter().sum::<usize>(), "{seen:?}");
        ensure!(failed.values().all(|count| *count == 1), "{failed:?}");
        Ok(Some(()))
    })
}

/// No Pod comes, goes or changes, and no command is sent, until the controller has asked each base once more for all it has.
fn nothing_moves(scene: &Scene, namespaces: &[&str], bases: &[Simulated]) -> Result<()> {
    let look = || -> Result<(Vec<Vec<String>>, Vec<String>)> {
        let mut seen = Vec::new();
        for namespace in namespaces {
            let list = scene.cluster.kubectl_json(&["-n", namespace, "get", "pods"])?;
            let all = list["items"].as_array().cloned().unwrap_or_default();
            seen.extend(all.iter().map(|pod| format!("{} {}", summary(pod), text(pod, "/status/message"))));
        }
        seen.sort();
        Ok((bases.iter().map(Simulated::commands).collect(), seen))
    };
    let (before, asked) = (look()?, bases.iter().map(Simulated::questions).collect::<Vec<_>>());
    let changed = wait_for("each base was asked again", Duration::from_secs(90), || {
        let now = look()?;
        if now != before {
            return Ok(Some(Some(now)));
        }
        let again = bases.iter().zip(&asked).all(|(base, asked)| base.questions() > *asked);
        Ok(again.then_some(None))
    })?;
    match changed {
        None => Ok(()),
        Some(now) => bail!("{before:?} became {now:?}"),
    }
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
