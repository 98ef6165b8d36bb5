//! `metadata`, as far as it is needed of objects of any kind.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, de::IgnoredAny};

use super::nothing;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaJson {
    pub(super) namespace: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
    pub(super) uid: Option<Arc<str>>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) resource_version: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) generation: i64,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) creation_timestamp: Option<String>,
    pub(super) deletion_timestamp: Option<String>,
    pub(super) deletion_grace_period_seconds: Option<i64>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) finalizers: Vec<IgnoredAny>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) owner_references: Vec<OwnerJson>,
}

#[derive(Deserialize)]
pub(super) struct OwnerJson {
    #[serde(default, deserialize_with = "nothing")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) name: String,
    pub(super) uid: Option<Arc<str>>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) controller: bool,
}
