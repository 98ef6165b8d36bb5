//! The definition of ModuleBaseline objects, generated from the Rust types below.

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{definition::marked, plans::PlanSelector};

/// The revision of the types below: whoever changes the definition counts it up.
const OURS: u32 = 1;

/// Whose modules are held against what Pods, peer Deployments and DaemonSets want of them. The controller writes the status, and
/// mends nothing. It belongs to no namespace: it names modules of all tenants, as their bases' Nodes do.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "koupleless.io",
    version = "v1alpha1",
    kind = "ModuleBaseline",
    plural = "modulebaselines",
    status = "ModuleBaselineStatus",
    printcolumn = r#"{"name":"Bases","type":"integer","jsonPath":".status.bases"}"#,
    printcolumn = r#"{"name":"Missing","type":"integer","jsonPath":".status.missing"}"#,
    printcolumn = r#"{"name":"Wrong","type":"integer","jsonPath":".status.wrongVersion"}"#,
    printcolumn = r#"{"name":"NotActive","type":"integer","jsonPath":".status.notActive"}"#,
    printcolumn = r#"{"name":"Extra","type":"integer","jsonPath":".status.extra"}"#,
    printcolumn = r#"{"name":"UnderPlan","type":"integer","jsonPath":".status.underPlan"}"#,
    printcolumn = r#"{"name":"NotReady","type":"integer","jsonPath":".status.notReady"}"#,
    printcolumn = r#"{"name":"Since","type":"date","jsonPath":".status.conditions[?(@.type=='Consistent')].lastTransitionTime"}"#,
    printcolumn = r#"{"name":"Code","type":"string","priority":1,"jsonPath":".status.code"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ModuleBaselineSpec {
    /// By which labels of VNodes bases are looked at; all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<PlanSelector>,
    /// The environment whose bases they are. Where it is absent, the first controller that has bases for it takes it: only where
    /// a cluster has several does it have to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// In what these bases differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleBaselineStatus {
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The environment whose controller writes this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How many bases were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bases: Option<i32>,
    /// On how many of them an operation plan is at work: its module is left out there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_plan: Option<i32>,
    /// How many more are not Ready, and were left out: what they have nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<i32>,
    /// How many modules are wanted on a base and are not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<i32>,
    /// How many serve in another version than is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong_version: Option<i32>,
    /// How many are there and do not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_active: Option<i32>,
    /// How many are there and nobody wants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<i32>,
    /// The first of these; `kubectl koupleless baseline` shows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<BaselineSample>,
    /// `KouplelessBoard.BaselineInconsistency` where any differs, as `module-controller explain` explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `Consistent`; and `Reconciling` and `Stalled`, as kstatus has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<BaselineCondition>,
}

/// A difference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineSample {
    /// The Node of the base.
    pub base: String,
    /// The module.
    #[serde(default)]
    pub module: String,
    /// `Missing`, `WrongVersion`, `NotActive` or `Extra`.
    #[serde(default)]
    pub difference: String,
    /// The version that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The version that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// A condition, as every kind of Kubernetes has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaselineCondition {
    /// `Consistent`, `Reconciling` or `Stalled`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// In one word.
    #[serde(default)]
    pub reason: String,
    /// In a sentence.
    #[serde(default)]
    pub message: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time")]
    pub last_transition_time: Option<Timestamp>,
}

fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The definition as it is to be in the cluster.
pub fn definition() -> CustomResourceDefinition {
    marked(ModuleBaseline::crd(), OURS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::digest;

    /// A definition that is changed under its old revision would be written back and forth by two versions.
    #[test]
    fn another_definition_has_another_revision() {
        assert_eq!((OURS, &*digest(&definition())), (1, "7cecc900a0594596"), "count OURS up with the digest");
    }
}
