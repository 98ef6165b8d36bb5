//! Objects of a watch, each read as the few things of it that are shown. One that cannot be read never ends the watch.

use std::borrow::Cow;

use ask::read::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Resource,
    core::{ApiResource, DynamicResourceScope},
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One object, or none where it cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Watched<T> {
    meta: ObjectMeta,
    pub(crate) body: Option<T>,
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    metadata: Names,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Names {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
}

impl<T> Watched<T> {
    /// `namespace/name`.
    pub(crate) fn key(&self) -> Box<str> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", text(&self.meta.namespace), text(&self.meta.name)).into()
    }
}

impl<'de, T: Object> Deserialize<'de> for Watched<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let named = serde_json::from_str::<Named>(raw.get()).unwrap_or_default().metadata;
        let meta = ObjectMeta {
            name: named.name,
            namespace: named.namespace,
            resource_version: named.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, body: T::read(raw.get()).ok() })
    }
}

impl<T> Resource for Watched<T> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
