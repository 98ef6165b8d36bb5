//! A Module object.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Object,
    json::{Condition, Meta, condition, nothing},
};
use crate::text::Text;

/// What the controller has written down of a module on a base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    pub namespace: Text,
    pub name: Text,
    pub version: Text,
    pub url: Text,
    pub pod: Text,
    pub node: Text,
    pub managed: bool,
    pub in_place: bool,
    pub state: Text,
    pub code: Text,
    pub suggestion: Text,
    pub message: Text,
    pub since: Option<Timestamp>,
    pub deleting: bool,
}

#[derive(Deserialize)]
struct ModuleJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(deserialize_with = "nothing")]
    name: Text,
    #[serde(deserialize_with = "nothing")]
    version: Text,
    #[serde(deserialize_with = "nothing")]
    url: Text,
    #[serde(deserialize_with = "nothing")]
    pod: Text,
    #[serde(deserialize_with = "nothing")]
    vnode: Text,
    #[serde(deserialize_with = "nothing")]
    managed: bool,
    #[serde(deserialize_with = "nothing")]
    in_place: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusJson {
    #[serde(deserialize_with = "nothing")]
    status: Text,
    #[serde(deserialize_with = "nothing")]
    error_code: Text,
    #[serde(deserialize_with = "nothing")]
    suggestion: Text,
    #[serde(deserialize_with = "nothing")]
    conditions: Vec<Condition>,
    last_transition_time: Option<Timestamp>,
}

impl Object for Module {
    const NAME: &'static str = "Module objects";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let ModuleJson { metadata, spec, status } = serde_json::from_str(json)?;
        let ready = condition(&status.conditions, "Ready");
        Ok(Self {
            namespace: metadata.namespace,
            name: spec.name,
            version: spec.version,
            url: spec.url,
            pod: spec.pod,
            node: spec.vnode,
            managed: spec.managed,
            in_place: spec.in_place,
            state: status.status,
            message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
            code: status.error_code,
            suggestion: status.suggestion,
            since: status.last_transition_time,
            deleting: metadata.deletion_timestamp.is_some(),
        })
    }

    fn common_texts(&mut self) -> Vec<&mut Text> {
        vec![
            &mut self.namespace,
            &mut self.name,
            &mut self.version,
            &mut self.url,
            &mut self.node,
            &mut self.state,
            &mut self.code,
            &mut self.suggestion,
            &mut self.message,
        ]
    }
}
