//! A Service, from JSON to [`ServiceView`].

use std::{collections::BTreeMap, sync::Arc};

use engine::view::ServiceView;
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{Kind, Unreadable, nothing, version};

#[derive(Deserialize)]
struct ServiceJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaJson {
    namespace: Option<Arc<str>>,
    uid: Option<Arc<str>>,
    #[serde(default, deserialize_with = "nothing")]
    resource_version: String,
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
