//! How the replicas are reached, by whom, and what keeps some of them running.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Install, NAME, embedded, selector};

/// Service and NetworkPolicy; for several replicas also what a drain and the API server are told of them.
pub(super) fn objects(install: &Install) -> Result<Vec<Value>> {
    let mut objects = vec![service(install), policy(install)];
    objects.extend(install.kubelet_api.then(|| kubelet_service(install)));
    if install.several() {
        objects.extend([disruption_budget(install), flow_schema(install)?]);
    }
    Ok(objects)
}

/// Where bases send heartbeats, any replica takes them; and where metrics are.
fn service(install: &Install) -> Value {
    let mut ports = Vec::new();
    let mut port = |name: &str, number: u16, target: &str| {
        ports.push(json!({"name": name, "port": number, "protocol": "TCP", "targetPort": target}));
    };
    if install.http() {
        port("httptunnel", 7777, "httptunnel");
    }
    if let Some(number) = install.embedded_broker() {
        port("mqtt", number, "mqtt");
    }
    port("metrics", 9090, "admin");
    object(install, "v1", "Service", json!({"selector": selector(), "ports": ports}))
}

/// Where API servers reach the kubelet API: any replica serves any VNode.
fn kubelet_service(install: &Install) -> Value {
    let port = json!({"name": "kubelet", "port": 10_250, "protocol": "TCP", "targetPort": "kubelet"});
    let spec = json!({"selector": selector(), "ports": [port]});
    let labels = json!({"virtual-kubelet.koupleless.io/kubelet-proxy-service": "true"});
    let metadata =
        json!({"name": format!("{NAME}-kubelet"), "namespace": install.namespace, "labels": labels});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

/// Bases and API servers may be anywhere, metrics are for the cluster, and replicas alone talk to replicas.
fn policy(install: &Install) -> Value {
    let port = |name: &str| json!([{"port": name, "protocol": "TCP"}]);
    let mut ingress = Vec::new();
    if install.http() {
        ingress.push(json!({"ports": port("httptunnel")}));
    }
    if install.embedded_broker().is_some() {
        ingress.push(json!({"ports": port("mqtt")}));
    }
    ingress.push(json!({"from": [{"namespaceSelector": {}}], "ports": port("admin")}));
    if install.kubelet_api {
        ingress.push(json!({"ports": port("kubelet")}));
    }
    if install.several() && install.http() {
        ingress
            .push(json!({"from": [{"podSelector": {"matchLabels": selector()}}], "ports": port("forward")}));
    }
    let pods = json!({"matchLabels": selector()});
    let spec = json!({"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress});
    object(install, "networking.k8s.io/v1", "NetworkPolicy", spec)
}

fn disruption_budget(install: &Install) -> Value {
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": selector()}});
    object(install, "policy/v1", "PodDisruptionBudget", spec)
}

fn flow_schema(install: &Install) -> Result<Value> {
    let mut object = embedded::flow_schema()?;
    let all = object.pointer_mut("/spec/rules");
    let account = all.and_then(|all| all.pointer_mut("/0/subjects/0/serviceAccount"));
    *account.context("the account of the FlowSchema")? =
        json!({"name": NAME, "namespace": install.namespace});
    let name = object.pointer_mut("/metadata/name").context("the name of the FlowSchema")?;
    *name = format!("{}-leases", install.name_outside()).into();
    Ok(object)
}

fn object(install: &Install, api: &str, kind: &str, spec: Value) -> Value {
    let metadata = json!({"name": NAME, "namespace": install.namespace});
    json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec})
}
