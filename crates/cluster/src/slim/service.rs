//! A Service, from JSON to [`ServiceView`].

use std::collections::BTreeMap;

use engine::view::ServiceView;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{Kind, Unreadable, meta::MetaJson, nothing, version};

#[derive(Deserialize)]
struct ServiceJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    selector: BTreeMap<String, String>,
    #[serde(default, rename = "clusterIP", deserialize_with = "nothing")]
    cluster_ip: String,
}

/// Says that a Service leads to the kubelet API, as the Go controller has it.
const KUBELET: &str = "virtual-kubelet.koupleless.io/kubelet-proxy-service";

impl Kind for ServiceView {
    const KIND: &'static str = "Service";
    const PLURAL: &'static str = "services";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let ServiceJson { metadata, spec } = serde_json::from_str(json)?;
        let leads_to_kubelet = metadata.labels.get(KUBELET).is_some_and(|value| &**value == "true");
        Ok(Self {
            // A Service without an address of its own has the word `None`.
            kubelet: leads_to_kubelet.then(|| spec.cluster_ip.parse().ok()).flatten(),
            namespace: metadata.namespace.ok_or(Unreadable::Missing("namespace"))?,
            uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            resource_version: version(&metadata.resource_version),
            selector: spec.selector,
        })
    }
}
