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
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    selector: BTreeMap<String, String>,
}

impl Kind for ServiceView {
    const KIND: &'static str = "Service";
    const PLURAL: &'static str = "services";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let ServiceJson { metadata, spec } = serde_json::from_str(json)?;
        Ok(Self {
            namespace: metadata.namespace.ok_or(Unreadable::Missing("namespace"))?,
            uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            resource_version: version(&metadata.resource_version),
            selector: spec.selector,
        })
    }
}
