//! A label selector, as every kind writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::nothing;

/// Labels that must have these values, and what else must hold of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SelectorJson {
    #[serde(deserialize_with = "nothing")]
    pub(crate) match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) match_expressions: Vec<RequirementJson>,
}

/// What must hold of a label. A term of a node affinity has the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RequirementJson {
    pub(crate) key: String,
    pub(crate) operator: String,
    #[serde(deserialize_with = "nothing")]
    pub(crate) values: Vec<String>,
}
