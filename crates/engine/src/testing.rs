//! Samples for the tests of this crate.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{BaseReport, BaseState};

use crate::view::{ContainerView, EnvValue, EnvVar, NodeView, PodRef, PodStatus, PodView, RestartPolicy};

/// A container that asks for `name:version`.
pub(crate) fn container(name: &str, version: &str) -> ContainerView {
    ContainerView {
        name: name.into(),
        image: format!("file:///packages/{name}-{version}.jar"),
        env: vec![EnvVar { name: "BIZ_VERSION".into(), value: EnvValue::Literal(version.into()) }],
        has_probes: false,
    }
}

/// A module Pod of one container, bound to `virtual-node-b`.
pub(crate) fn pod(pod: &str, biz: &str, version: &str) -> PodView {
    PodView {
        pod: PodRef { namespace: "default".into(), name: pod.into(), uid: format!("uid-{pod}").into() },
        resource_version: 1,
        node: "virtual-node-b".into(),
        labels: BTreeMap::from([("module-controller.koupleless.io/component".into(), "module".into())]),
        annotations: BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
        deletion: None,
        owner: None,
        controller: None,
        restart_policy: RestartPolicy::Always,
        containers: vec![container(biz, version)],
        readiness_gates: Vec::new(),
        status: PodStatus::default(),
    }
}

/// The Node of a base that an earlier controller reached over MQTT.
pub(crate) fn node(base: &str) -> NodeView {
    let labels = [("module-controller.koupleless.io/env", "dev"), ("vnode.koupleless.io/tunnel", "mqtt")];
    NodeView {
        name: format!("virtual-node-{base}").into(),
        uid: format!("uid-{base}").into(),
        resource_version: 1,
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..NodeView::default()
    }
}

/// What the base `b` says of itself.
pub(crate) fn report(port: Option<u16>, state: BaseState) -> BaseReport {
    BaseReport {
        identity: "b".parse().unwrap(),
        name: Some("base".into()),
        version: "1".into(),
        cluster: "".into(),
        stack: "java".into(),
        host_name: "host-b".into(),
        ip: "192.0.2.2".parse().ok(),
        peer: None,
        port,
        state,
    }
}
