//! A Module object, from JSON to [`ModuleView`].

use engine::view::{ModuleKey, ModuleRef, ModuleState, ModuleStatus, ModuleView};
use kube::core::NamespaceResourceScope;
use model::BizId;
use serde::Deserialize;

use super::{ConditionJson, Kind, Slim, Unreadable, each, meta::MetaJson, nothing, time, version};

/// A Module object of a watch, a list or a response.
pub(crate) type Module = Slim<ModuleView>;

#[derive(Deserialize)]
struct ModuleJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    name: String,
    #[serde(default, deserialize_with = "nothing")]
    version: String,
    #[serde(default, deserialize_with = "nothing")]
    url: String,
    #[serde(default, deserialize_with = "nothing")]
    pod: String,
    #[serde(default, deserialize_with = "nothing")]
    vnode: String,
    #[serde(default, deserialize_with = "nothing")]
    managed: bool,
    #[serde(default, deserialize_with = "nothing")]
    in_place: bool,
    #[serde(default, deserialize_with = "nothing")]
    kept: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    status: String,
    #[serde(default, deserialize_with = "nothing")]
    error_code: String,
    #[serde(default, deserialize_with = "nothing")]
    suggestion: String,
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<ConditionJson>,
    last_transition_time: Option<String>,
}

impl Kind for ModuleView {
    const KIND: &'static str = "Module";
    const GROUP: &'static str = "koupleless.io";
    const VERSION: &'static str = "v1alpha1";
    const PLURAL: &'static str = "modules";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let ModuleJson { metadata, spec, status } = serde_json::from_str(json)?;
        let word = |error: model::biz::WordError| Unreadable::Json(format!("spec: {error}"));
        let id =
            BizId { name: spec.name.parse().map_err(word)?, version: spec.version.parse().map_err(word)? };
        Ok(Self {
            module: ModuleRef {
                namespace: metadata.namespace.ok_or(Unreadable::Missing("namespace"))?,
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
            key: ModuleKey { vnode: spec.vnode.into(), id },
            resource_version: version(&metadata.resource_version),
            labels: metadata.labels.into(),
            url: spec.url.into(),
            pod: spec.pod.into(),
            managed: spec.managed,
            in_place: spec.in_place,
            kept: spec.kept,
            status: ModuleStatus {
                state: ModuleState::ALL.into_iter().find(|state| state.as_str() == status.status),
                error_code: status.error_code.into(),
                suggestion: status.suggestion.into(),
                conditions: each(status.conditions, Into::into),
                changed: time(status.last_transition_time.as_deref()),
            },
            deleting: metadata.deletion_timestamp.is_some(),
        })
    }
}
