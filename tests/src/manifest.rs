//! Manifests as the manual has them.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use testkit::artifacts;

use crate::Scene;

/// The URL of a package that this repository builds.
pub fn file_url(name: &str, version: &str) -> Result<String> {
    Ok(format!("file://{}", artifacts::java()?.package(name, version)?.display()))
}

/// A container that asks for a module by file URL.
pub fn container(name: &str, version: &str) -> Result<Value> {
    Ok(container_of(name, version, &file_url(name, version)?))
}

/// A container that asks for a module of this URL.
pub fn container_of(name: &str, version: &str, url: &str) -> Value {
    json!({"name": name, "image": url, "env": [{"name": "BIZ_VERSION", "value": version}]})
}

/// The Pod template of the manual's 5.1 (its label typo corrected), for the bases of a scene.
pub fn template(scene: &Scene, app: &str, containers: &[Value]) -> Value {
    let one_of = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
    json!({
        "metadata": {"labels": {"module-controller.koupleless.io/component": "module", "app": app}},
        "spec": {
            "containers": containers,
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [
                    one_of("base.koupleless.io/stack", "java"),
                    one_of("base.koupleless.io/version", &scene.base_version),
                    one_of("base.koupleless.io/name", "base"),
                ]},
            ]}}},
            "tolerations": [{
                "key": "schedule.koupleless.io/virtual-node", "operator": "Equal", "value": "True", "effect": "NoExecute",
            }],
        },
    })
}

/// The Deployment of the manual's 5.1.
pub fn deployment(scene: &Scene, name: &str, replicas: u32, containers: &[Value]) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": "30%", "maxUnavailable": "30%"}, "type": "RollingUpdate"},
            "template": template(scene, name, containers),
        },
    })
}

/// Another kind of workload around the template of [`template`]: a DaemonSet, StatefulSet or Job, with these further
/// fields in its spec.
pub fn workload(scene: &Scene, kind: &str, name: &str, containers: &[Value], more: &Value) -> Value {
    let mut spec = json!({"template": template(scene, name, containers)});
    let group = match kind {
        "Job" => {
            spec["template"]["spec"]["restartPolicy"] = json!("Never");
            "batch"
        }
        _ => {
            spec["selector"] = json!({"matchLabels": {"app": name}});
            "apps"
        }
    };
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let metadata = json!({"name": name, "namespace": scene.namespace});
    json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata, "spec": spec})
}

/// A bare module Pod, bound to a Node where one is given.
pub fn pod(scene: &Scene, name: &str, node: Option<&str>, containers: &[Value]) -> Value {
    let mut pod = template(scene, name, containers);
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = json!(scene.namespace);
    if let Some(node) = node {
        pod["spec"]["nodeName"] = json!(node);
    }
    pod
}

/// With annotations `module-controller.koupleless.io/<key>`.
#[must_use]
pub fn annotated(mut pod: Value, annotations: &[(&str, &str)]) -> Value {
    for (key, value) in annotations {
        pod["metadata"]["annotations"][format!("module-controller.koupleless.io/{key}")] = json!(value);
    }
    pod
}

/// One that stays for 300 s on a Node that is not Ready, as every Pod of an ordinary cluster does: the
/// cluster of the tests evicts after 5.
#[must_use]
pub fn patient(pod: Value) -> Value {
    tolerating(pod, Duration::from_secs(300))
}

/// One that stays for so long on a Node that is not Ready.
#[must_use]
pub fn tolerating(mut pod: Value, time: Duration) -> Value {
    // A Pod, or a workload with its template.
    let spec = if pod["spec"]["template"].is_object() { "/spec/template/spec" } else { "/spec" };
    if let Some(tolerations) = pod.pointer_mut(spec).and_then(|spec| spec["tolerations"].as_array_mut()) {
        for key in ["not-ready", "unreachable"] {
            tolerations.push(json!({
                "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": time.as_secs(),
            }));
        }
    }
    pod
}
