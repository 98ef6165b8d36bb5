//! The kubelet API: `kubectl logs` of modules, figures of bases, and who may have them. The API server is the real one, which
//! looks for a Node's address in the stock order.

mod access;
mod figures;
mod java;
mod logs;
mod replicas;

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scene, Way, manifest, seen};
use serde_json::Value;
use testkit::{
    artifacts, cluster::Cluster, http::Answer, names, tls::Caller, wait::wait_for, wasm_base::WasmBase,
};

/// The settings by which a controller of this host serves the kubelet API to the cluster of all tests, on this port.
fn settings(port: u16) -> Result<Vec<(&'static str, String)>> {
    let ca = Cluster::shared()?.pki("ca.crt");
    Ok(vec![
        ("KUBELET_PROXY_ENABLED", "true".to_owned()),
        ("KUBELET_PROXY_PORT", port.to_string()),
        ("KUBELET_PROXY_ADDRESS", "127.0.0.1".to_owned()),
        ("KUBELET_PROXY_CLIENT_CA_PATH", ca.display().to_string()),
    ])
}

/// A scene with these, and the port.
fn scene(way: Way, more: &[(&str, &str)]) -> Result<(Scene, u16)> {
    let port = names::free_port()?;
    let settings = settings(port)?;
    let all: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
    Ok((Scene::start(way, &all)?, port))
}

/// A WebAssembly base of the scene, its Node Ready.
fn base(scene: &Scene) -> Result<WasmBase> {
    let base = WasmBase::start(scene.wasm_base())?;
    wait_for(&format!("{} Ready", base.node()), Duration::from_secs(30), || {
        let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
        let ready = seen::condition(&node, "Ready")["status"].clone();
        ensure!(ready == "True", "Ready is {ready}; the base says: {}", base.log());
        Ok(Some(()))
    })?;
    Ok(base)
}

/// A container of one of the base's samples.
fn container(name: &str) -> Result<Value> {
    let package = artifacts::wasm_base()?.package(name, "1.0.0")?;
    Ok(manifest::container_of(name, "1.0.0", &format!("file://{}", package.display())))
}

/// A Pod of these modules on a base, which runs.
fn pod(scene: &Scene, base: &WasmBase, modules: &[&str]) -> Result<()> {
    let containers = modules.iter().map(|name| container(name)).collect::<Result<Vec<_>>>()?;
    let mut pod = manifest::patient(manifest::pod(scene, "p", Some(&base.node()), &containers));
    pod["spec"]["affinity"] = Value::Null;
    scene.cluster.apply(&pod.to_string())?;
    scene.kubectl(&["wait", "--for=condition=Ready", "pod/p", "--timeout=60s"]).map(drop)
}

/// The module prints a line.
fn print(base: &WasmBase, module: &str, line: &str) -> Result<()> {
    let answer = base.http_get(&format!("/{module}/print-{line}"))?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// What kubectl says against it.
fn refusal(scene: &Scene, args: &[&str]) -> Result<String> {
    let output = scene.cluster.kubectl_output(&[&["-n", &scene.namespace], args].concat(), "")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!output.status.success(), "kubectl {args:?} printed {printed:?}");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The API server's own user at kubelets.
fn api_server(scene: &Scene) -> Caller {
    let file = |end: &str| scene.cluster.pki(&format!("apiserver-kubelet-client.{end}"));
    Caller { certificate: Some((file("crt"), file("key"))), ..Caller::default() }
}

/// What the kubelet API at a port answers to a caller of its own.
fn get(caller: &Caller, port: u16, path: &str) -> Result<Answer> {
    caller.get(&format!("https://127.0.0.1:{port}{path}"))
}

/// The body of an answer that has this status.
fn answered(status: u16, answer: Result<Answer>) -> Result<String> {
    let answer = answer?;
    ensure!(answer.status == status, "{answer:?}");
    Ok(answer.body)
}
