//! What most kinds of objects have.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::text::Text;

/// `null` is as good as nothing.
pub(crate) fn nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The metadata of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    #[serde(default)]
    pub(crate) name: Text,
    #[serde(default)]
    pub(crate) namespace: Text,
    #[serde(default)]
    pub(crate) uid: Text,
    #[serde(default)]
    pub(crate) resource_version: Text,
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) labels: BTreeMap<Text, Text>,
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) annotations: BTreeMap<Text, Text>,
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) owner_references: Vec<Reference>,
    pub(crate) creation_timestamp: Option<Timestamp>,
    pub(crate) deletion_timestamp: Option<Timestamp>,
}

impl Meta {
    pub(crate) fn label(&self, key: &str) -> Text {
        self.labels.get(&Text::from(key)).cloned().unwrap_or_default()
    }

    pub(crate) fn annotation(&self, key: &str) -> Text {
        self.annotations.get(&Text::from(key)).cloned().unwrap_or_default()
    }
}

/// Who made it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reference {
    #[serde(default)]
    pub(super) kind: Text,
    #[serde(default)]
    pub(super) name: Text,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) controller: bool,
}

/// A condition, as every kind has them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(default)]
    pub(super) r#type: Text,
    #[serde(default)]
    pub(super) status: Text,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) reason: Text,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) message: Text,
    pub(super) last_transition_time: Option<Timestamp>,
}

/// The condition of a type.
pub(super) fn condition<'a>(all: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    all.iter().find(|condition| &*condition.r#type == kind)
}
