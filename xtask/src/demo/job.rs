//! The main job over one tunnel: online, serving, scaled, updated, offline.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Way, manifest, narration::Narration, parts::Parts, update};

/// A base starts in some 5 s; its Node follows its first heartbeat.
const NODES: Duration = Duration::from_secs(30);
/// An install takes a second or two; this allows for a busy machine.
const PODS: Duration = Duration::from_secs(60);
/// An uninstall takes less.
const GONE: Duration = Duration::from_secs(30);

/// Shows it, from the start of two bases until their module is gone again.
pub(crate) fn show(narration: &mut Narration, parts: &mut Parts, way: Way) -> Result<()> {
    nodes(narration, parts, way)?;
    online(narration, parts)?;
    scaled(narration, parts)?;
    let version = match parts.stack.updates_to(way) {
        Some(to) => {
            update::show(narration, parts, to)?;
            to
        }
        None => update::FROM,
    };
    offline(narration, parts, version)
}

fn nodes(narration: &mut Narration, parts: &mut Parts, way: Way) -> Result<()> {
    let name = parts.stack.name();
    narration.step(format!(
        "Two real {name} bases start, find the controller over {} and become Nodes",
        way.name()
    ));
    parts.start_bases(way, 2)?;
    let parts = &*parts;
    narration.wait("both Nodes to be Ready", NODES, || {
        for base in &parts.bases {
            let node = parts.cluster.kubectl_json(&["get", "node", &base.node()])?;
            ensure!(is_ready(&node), "{} is not Ready", base.node());
        }
        Ok(Some(()))
    })?;
    let command =
        "get nodes -L base.koupleless.io/stack,base.koupleless.io/version,vnode.koupleless.io/tunnel";
    show_kubectl(narration, parts, command)?;
    narration.done("each base is a Node");
    Ok(())
}

fn online(narration: &mut Narration, parts: &Parts) -> Result<()> {
    narration.step("A module goes online: the manual's Deployment is applied");
    let file = parts.dir.join("module-deployment.yaml");
    fs::write(&file, manifest::deployment(parts.stack, update::FROM, 1)?)
        .with_context(|| format!("writing {}", file.display()))?;
    let applied = parts.cluster.kubectl(&["apply", "-f", &file.display().to_string()])?;
    narration.show("kubectl apply -f module-deployment.yaml", &applied);
    let ready = pods_ready(narration, parts, update::FROM, 1)?;
    show_kubectl(narration, parts, "get pods -o wide")?;
    narration.done("the base has installed biz1:1.0.0, so its Pod is Ready");

    narration.step("The module serves");
    for pod in &ready {
        let base = parts.base_of(pod)?;
        let answer = base.http_get("/biz1/who")?;
        ensure!(answer.status == 200, "/biz1/who on {}: {answer:?}", base.identity());
        narration.show(&format!("curl http://{}:{}/biz1/who", base.ip(), base.web_port()), &answer.body);
    }
    narration.done("answered by the module, inside the base");
    Ok(())
}

fn scaled(narration: &mut Narration, parts: &Parts) -> Result<()> {
    narration.step("It is scaled to two");
    let command = format!("scale deployments/{} --replicas=2", manifest::NAME);
    show_kubectl(narration, parts, &command)?;
    pods_ready(narration, parts, update::FROM, 2)?;
    show_kubectl(narration, parts, "get pods -o wide")?;
    for base in &parts.bases {
        let serving = base.serving("biz1")?;
        ensure!(serving.as_deref() == Some(update::FROM), "{} serves {serving:?}", base.identity());
    }
    narration.done("both bases serve it");
    Ok(())
}

fn offline(narration: &mut Narration, parts: &Parts, version: &str) -> Result<()> {
    narration.step("It goes offline: the Deployment is deleted");
    show_kubectl(narration, parts, &format!("delete deployments/{} --wait=false", manifest::NAME))?;
    narration.wait("the module to leave both bases", GONE, || {
        for base in &parts.bases {
            base.holds(&[])?;
        }
        Ok(Some(()))
    })?;
    narration.wait("the Pods to go", GONE, || {
        let left = pods(parts)?;
        ensure!(left.is_empty(), "{} Pods are left", left.len());
        Ok(Some(()))
    })?;
    narration.done(format!("the bases have uninstalled biz1:{version}, and the Pods are gone"));
    Ok(())
}

/// The bases stop, and say so.
pub(crate) fn leave(narration: &mut Narration, parts: &mut Parts) -> Result<()> {
    narration.step("The bases stop: they say goodbye, and their Nodes go");
    for base in &mut parts.bases {
        base.stop()?;
    }
    parts.bases.clear();
    let parts = &*parts;
    narration.wait("the Nodes to go", GONE, || {
        let nodes = parts.cluster.kubectl(&["get", "nodes", "-o", "name"])?;
        ensure!(nodes.trim().is_empty(), "left: {}", nodes.trim());
        Ok(Some(()))
    })?;
    narration.done("no Node is left");
    Ok(())
}

/// Waits until exactly so many Pods are there, all of this version and all Ready.
pub(super) fn pods_ready(
    narration: &Narration,
    parts: &Parts,
    version: &str,
    count: usize,
) -> Result<Vec<Value>> {
    let what = format!("{count} Ready Pods of biz1:{version}");
    narration.wait(&what, PODS, || {
        let pods = pods(parts)?;
        let right = |pod: &&Value| is_ready(pod) && version_of(pod) == version;
        let as_wanted = pods.len() == count && pods.iter().filter(right).count() == count;
        ensure!(as_wanted, "{}", pods.iter().map(summary).collect::<Vec<_>>().join("\n        "));
        Ok(Some(pods))
    })
}

fn pods(parts: &Parts) -> Result<Vec<Value>> {
    let list = parts.cluster.kubectl_json(&["get", "pods", "-l", &format!("app={}", manifest::NAME)])?;
    Ok(list.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
}

pub(super) fn show_kubectl(narration: &Narration, parts: &Parts, command: &str) -> Result<()> {
    let args: Vec<&str> = command.split(' ').collect();
    narration.show(&format!("kubectl {command}"), &parts.cluster.kubectl(&args)?);
    Ok(())
}

pub(super) fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let of = |condition: &Value, key: &str, value: &str| condition.get(key).is_some_and(|seen| seen == value);
    conditions.is_some_and(|all| all.iter().any(|one| of(one, "type", "Ready") && of(one, "status", "True")))
}

fn version_of(pod: &Value) -> &str {
    pod.pointer("/spec/containers/0/env/0/value").and_then(Value::as_str).unwrap_or_default()
}

fn summary(pod: &Value) -> String {
    let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or("?");
    let waiting = pod.pointer("/status/containerStatuses/0/state/waiting");
    let reason = waiting.and_then(|waiting| waiting.get("reason")).and_then(Value::as_str);
    let ready = if is_ready(pod) { "Ready" } else { "not Ready" };
    format!(
        "{} ({}) on {}: {}, {ready}{}",
        text("/metadata/name"),
        version_of(pod),
        text("/spec/nodeName"),
        text("/status/phase"),
        reason.map(|reason| format!(", {reason}")).unwrap_or_default()
    )
}
