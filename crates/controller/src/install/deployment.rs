//! The Deployment: that of `deploy/overlays/cluster`, for one replica or for several.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::{Install, NAME, embedded, label, selector};

/// What only replicas that share the bases are told.
const OF_SEVERAL: [&str; 4] = ["IS_CLUSTER", "POD_UID", "POD_IP", "FORWARD_PORT"];
/// Which of these only matters where bases are heard over HTTP.
const TO_SEND_ON: [&str; 2] = ["POD_IP", "FORWARD_PORT"];

/// The Deployment.
pub(super) fn object(install: &Install) -> Result<Value> {
    let mut object = embedded::deployment()?;
    let labels = json!({"metadata": {"labels": selector()}});
    put(&mut object, "/metadata", "labels", json!({}))?;
    put(&mut object, "/metadata", "namespace", json!(install.namespace))?;
    put(&mut object, "/spec", "replicas", json!(install.replicas))?;
    put(&mut object, "/spec/selector", "matchLabels", selector())?;
    put(&mut object, "/spec/template", "metadata", labels.get("metadata").cloned().unwrap_or_default())?;
    label(object.pointer_mut("/spec/template").context("no template")?)?;
    put(&mut object, "/spec/template/spec", "serviceAccountName", json!(NAME))?;
    if install.several() {
        let spread = "/spec/template/spec/topologySpreadConstraints/0/labelSelector";
        put(&mut object, spread, "matchLabels", selector())?;
    } else {
        // Two that do not share the bases must not run at once.
        put(&mut object, "/spec", "strategy", json!({"type": "Recreate"}))?;
        map(&mut object, "/spec/template/spec")?.remove("topologySpreadConstraints");
    }
    let container = "/spec/template/spec/containers/0";
    put(&mut object, container, "image", json!(install.image))?;
    put(&mut object, container, "ports", ports(install))?;
    let env = map(&mut object, container)?.get_mut("env").and_then(Value::as_array_mut).context("no env")?;
    variables(install, env);
    if let Some(secret) = &install.env_from_secret {
        put(&mut object, container, "envFrom", json!([{"secretRef": {"name": secret}}]))?;
    }
    Ok(object)
}

fn ports(install: &Install) -> Value {
    let mut ports = Vec::new();
    let mut port = |name: &str, number: u16| {
        ports.push(json!({"name": name, "containerPort": number, "protocol": "TCP"}));
    };
    if install.http() {
        port("httptunnel", 7777);
    }
    if let Some(number) = install.embedded_broker() {
        port("mqtt", number);
    }
    port("admin", 9090);
    if install.kubelet_api {
        port("kubelet", 10_250);
    }
    if install.several() && install.http() {
        port("forward", 7778);
    }
    ports.into()
}

/// Those of `deploy/`, as the flags want them, then those that were given.
fn variables(install: &Install, env: &mut Vec<Value>) {
    let name = |variable: &Value| variable.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    env.retain(|variable| {
        let name = &*name(variable);
        (install.several() || !OF_SEVERAL.contains(&name)) && (install.http() || !TO_SEND_ON.contains(&name))
    });
    for (variable, value) in super::check::by_flags(install).into_iter().chain(install.env.clone()) {
        env.retain(|there| name(there) != variable);
        env.push(json!({"name": variable, "value": value}));
    }
}

fn put(object: &mut Value, at: &str, key: &str, value: Value) -> Result<()> {
    map(object, at)?.insert(key.to_owned(), value);
    Ok(())
}

fn map<'a>(object: &'a mut Value, at: &str) -> Result<&'a mut Map<String, Value>> {
    object.pointer_mut(at).and_then(Value::as_object_mut).with_context(|| format!("no object at {at}"))
}
