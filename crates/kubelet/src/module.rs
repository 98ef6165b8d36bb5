//! From the path of a request to a module, and to the base that it runs on.

use std::net::{IpAddr, SocketAddr};

use engine::{
    BaseAddress,
    view::{ContainerState, PodView},
};
use model::BizId;
use serde::Deserialize;

use crate::{api::Api, refusal::Refusal};

/// The labels that say of which environment a VNode is.
const ENV: [&str; 2] = ["module-controller.koupleless.io/env", "virtual-kubelet.koupleless.io/env"];
const STACK: &str = "base.koupleless.io/stack";
const HOST_NAME: &str = "base.koupleless.io/host-name";
/// The port of Arklet where nothing else was set.
const ARKLET: u16 = 1238;
const ADDRESS: &str = "base.koupleless.io/address";

/// A Node, as far as it tells of its base.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

impl Node {
    /// A VNode of this environment.
    pub(crate) async fn find(api: &Api, name: &str, env: &str) -> Result<Option<Self>, Refusal> {
        let Some(json) = api.get(&format!("/api/v1/nodes/{name}")).await? else { return Ok(None) };
        let node: Self = serde_json::from_str(&json).map_err(unreadable)?;
        let is_ours =
            ENV.iter().any(|label| node.metadata.labels.get(*label).is_some_and(|value| value == env));
        Ok(is_ours.then_some(node))
    }

    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    fn label(&self, key: &str) -> &str {
        self.metadata.labels.get(key).map_or("", String::as_str)
    }

    /// Its base says itself what a module printed.
    pub(crate) fn keeps_logs(&self) -> bool {
        self.label(STACK) == "wasm"
    }

    /// Where its base's Arklet listens over HTTP: a Java base that talks over MQTT tells no port, and is taken to have the
    /// usual one.
    pub(crate) fn arklet(&self) -> Option<SocketAddr> {
        let told = self.metadata.annotations.get(ADDRESS)?;
        let usual = || told.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, ARKLET));
        told.parse().ok().or_else(usual)
    }

    /// By what the Pod of its base is found.
    pub(crate) fn base(&self) -> BaseAddress {
        let ip = self.arklet().map(|address| address.ip());
        BaseAddress { ip, host_name: self.label(HOST_NAME).into() }
    }
}

/// A Pod of this name.
pub(crate) async fn pod(api: &Api, namespace: &str, name: &str) -> Result<Option<PodView>, Refusal> {
    let Some(json) = api.get(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).await? else {
        return Ok(None);
    };
    cluster::read_pod(&json).map(Some).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    Refusal::unavailable(format!("the API server answered what cannot be read: {error}"))
}

/// A name as Kubernetes has them, of namespaces, Pods and containers: it cannot lead a request elsewhere.
pub(crate) fn is_name(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    (1..=253).contains(&name.len()) && name.bytes().all(legal) && !name.starts_with('.')
}

/// The module that a container stands for, where it has begun to run.
pub(crate) fn started(pod: &PodView, container: &str) -> Result<BizId, Refusal> {
    let name = &pod.pod.name;
    let is_there = pod.containers.iter().any(|there| *there.name == *container);
    let biz = match engine::biz_of(pod, container) {
        Some(biz) => biz,
        None if is_there || pod.aside.iter().any(|aside| **aside == *container) => {
            return Err(Refusal::bad(format!(
                "container {container:?} in pod {name:?} is no module, so the base does not run it and it has no log"
            )));
        }
        None => return Err(Refusal::not_found(format!("container {container:?} not found in pod {name:?}"))),
    };
    let waits = |why: &str| {
        Refusal::bad(format!("container {container:?} in pod {name:?} is waiting to start: {why}"))
    };
    let biz = biz.map_err(|fault| waits(fault.cause.english()))?;
    match pod.status.container(0, container).map(|status| &status.state) {
        Some(ContainerState::Running { .. } | ContainerState::Terminated { .. }) => Ok(biz),
        Some(ContainerState::Waiting { reason, message }) if !message.is_empty() => {
            Err(waits(&format!("{reason}: {message}")))
        }
        Some(ContainerState::Waiting { reason, .. }) if !reason.is_empty() => Err(waits(reason)),
        Some(ContainerState::Waiting { .. }) | None => Err(waits("ContainerCreating")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn view(state: Value) -> PodView {
        let container =
            |name: &str, image: &str, env: Value| json!({"name": name, "image": image, "env": env});
        let pod = json!({
            "metadata": {
                "name": "p", "namespace": "ns", "uid": "u",
                "labels": {"module-controller.koupleless.io/component": "module"},
            },
            "spec": {
                "nodeName": "virtual-node-b",
                "initContainers": [{"name": "init", "image": "busybox"}],
                "containers": [
                    container("biz1", "file:///biz1.jar", json!([{"name": "BIZ_VERSION", "value": "1.0.0"}])),
                    container("bad", "file:///bad.jar", json!([])),
                    container("proxy", "envoy", json!([])),
                ],
            },
            "status": {"containerStatuses": [{"name": "biz1", "state": state}]},
        });
        cluster::read_pod(&pod.to_string()).unwrap()
    }

    #[test]
    fn a_module_that_runs_has_a_log_and_what_has_none_is_said_as_a_kubelet_says_it() {
        let running = view(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(started(&running, "biz1").unwrap().to_string(), "biz1:1.0.0");
        let said = |pod: &PodView, container: &str| started(pod, container).unwrap_err().message;
        assert_eq!(said(&running, "other"), "container \"other\" not found in pod \"p\"");
        for none in ["proxy", "init"] {
            assert!(said(&running, none).contains("is no module, so the base does not run it"), "{none}");
        }
        let bad = said(&running, "bad");
        assert!(
            bad.starts_with("container \"bad\" in pod \"p\" is waiting to start: ")
                && bad.contains("BIZ_VERSION")
        );
        for (state, why) in [
            (json!({}), "ContainerCreating"),
            (json!({"waiting": {"reason": "Installing"}}), "Installing"),
            (json!({"waiting": {"reason": "Code", "message": "it failed"}}), "Code: it failed"),
        ] {
            assert_eq!(
                said(&view(state), "biz1"),
                format!("container \"biz1\" in pod \"p\" is waiting to start: {why}")
            );
        }
    }

    #[test]
    fn only_names_are_looked_for() {
        assert!(is_name("virtual-node-10.0.0.1") && is_name("biz1"));
        for bad in ["", "..", "a/b", "A", "a?b", "a%2fb", ".a"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_node_tells_where_its_base_is() {
        let node = |address: &str| {
            let node = json!({"metadata": {"name": "n", "labels": {(STACK): "wasm", (HOST_NAME): "h"},
                "annotations": {(ADDRESS): address}}});
            serde_json::from_value::<Node>(node).unwrap()
        };
        let with_port = node("[fd00::1]:1238");
        assert_eq!(with_port.arklet(), "[fd00::1]:1238".parse().ok());
        assert_eq!(with_port.base().ip, "fd00::1".parse().ok());
        assert!(with_port.keeps_logs());
        let without = node("10.0.0.1");
        assert_eq!(without.arklet(), "10.0.0.1:1238".parse().ok());
        assert_eq!(without.base().ip, "10.0.0.1".parse().ok());
        assert_eq!(&*without.base().host_name, "h");
    }
}
