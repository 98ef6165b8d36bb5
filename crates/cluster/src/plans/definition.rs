//! The definition of operation plans, generated from the Rust types below.

use std::collections::BTreeMap;

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::definition::marked;

/// The revision of the types below: whoever changes the definition counts it up.
const OURS: u32 = 3;

/// In which order the bases of a workload get a version of a module, and who says when it goes on. A Pod template names its
/// plan by the annotation `module-controller.koupleless.io/operation-plan`; whatever the plan has not released is held.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "koupleless.io",
    version = "v1alpha1",
    kind = "OperationPlan",
    plural = "operationplans",
    shortname = "plan",
    namespaced,
    status = "OperationPlanStatus",
    printcolumn = r#"{"name":"Module","type":"string","jsonPath":".spec.module.name"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.module.version"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Batch","type":"string","jsonPath":".status.batch"}"#,
    printcolumn = r#"{"name":"Ready","type":"integer","jsonPath":".status.ready"}"#,
    printcolumn = r#"{"name":"Bases","type":"integer","jsonPath":".status.bases"}"#,
    printcolumn = r#"{"name":"Confirm","type":"integer","jsonPath":".status.confirmable"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message"}"#,
    printcolumn = r#"{"name":"Code","type":"string","priority":1,"jsonPath":".status.code"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct OperationPlanSpec {
    /// Whose Pods it releases: a workload of the same namespace.
    pub target: PlanTargetSpec,
    /// What it releases.
    pub module: PlanModule,
    /// One after the other. The first whose selector matches a base has it; what none matches is in the last, which takes all
    /// that is left.
    #[schemars(length(min = 1, max = 100))]
    pub batches: Vec<PlanBatch>,
    /// So long may a base take from when it begins, in seconds.
    #[serde(default = "ready_timeout_seconds")]
    pub ready_timeout_seconds: i64,
    /// On so many bases of a batch it may fail.
    #[serde(default)]
    pub max_failed: i32,
    /// What has to hold of metrics before a batch is done, each asked once the batch has soaked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub metrics: Vec<PlanMetric>,
    /// Where the module tells its health, which every base of a batch is asked for once the batch has soaked. Where it is absent nobody
    /// is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<PlanHealth>,
    /// The number by which a person confirms the batch that waits for it: the one that `status.confirmable` offers, and no other.
    /// Set while the plan runs, and absent from manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<i64>,
    /// One more than before: a failed plan goes on. Set while the plan runs, and absent from manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// Nothing more is released. Set while the plan runs, and absent from manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// `Abort` ends the plan: bases that were released stay, the others wait until the template changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<PlanStop>,
}

fn ready_timeout_seconds() -> i64 {
    600
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanTargetSpec {
    /// `Deployment` or `DaemonSet`.
    pub kind: PlanTargetKind,
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// The kinds of workload that a plan can release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlanTargetKind {
    /// One replica on each base.
    Deployment,
    /// A Pod on each base.
    DaemonSet,
}

/// A module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanModule {
    /// Its name (bizName).
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its version (bizVersion).
    #[schemars(length(min = 1))]
    pub version: String,
}

/// Bases that are released together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanBatch {
    /// Its name; of several parts each has a number behind it.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// By which labels of VNodes a base may be in it; all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<PlanSelector>,
    /// How many bases: a number, or a share such as `25%` of those that the selector selects. All of them where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int_or_string")]
    pub size: Option<IntOrString>,
    /// In so many equal parts, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i32>,
    /// How long all of its bases must serve without a break before it goes on, in seconds.
    #[serde(default)]
    pub soak_seconds: i64,
    /// A person confirms before it goes on.
    #[serde(default)]
    pub confirm: bool,
    /// How many of its bases may be without the module at once, where a base cannot hold two versions: a number, or a share such
    /// as `10%`. One where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int_or_string")]
    pub max_unavailable: Option<IntOrString>,
}

/// A metric that a batch has to pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanMetric {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The Prometheus server that is asked, as `http://prometheus.monitoring:9090`: one of `PLAN_METRIC_SERVERS` of the controller.
    pub server: String,
    /// What is asked, in PromQL.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// What every value of the answer must be: one of `<`, `<=`, `>`, `>=`, `==`, `!=` and a number, as `< 0.01`.
    pub condition: String,
}

fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

/// A label selector, as Kubernetes has them. An empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSelector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// What else must hold of labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<PlanRequirement>,
}

/// What must hold of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRequirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: PlanOperator,
    /// With what; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlanOperator {
    /// It is one of the values.
    In,
    /// It is none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// Where a module tells its health: `http://<base>:<port>/<webContextPath>/actuator/health`, as Spring Boot's actuator does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanHealth {
    /// The port of the base that its modules serve on.
    pub port: i32,
    /// The module's `webContextPath`; its name where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_context_path: Option<String>,
}

/// How a plan is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlanStop {
    /// Nothing more is released.
    Abort,
}

/// How a plan stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationPlanStatus {
    /// `Pending`, `Running`, `AwaitingConfirm`, `Paused`, `Succeeded`, `Failed`, `Refused`, `RolledBack`, `Superseded` or
    /// `Aborted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it does or waits for, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is wrong, as `module-controller explain` explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The environment whose controller moves it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Names all of the spec that may not change once the plan has begun; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The attempt that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// The number to write into `spec.confirmed`, while the plan waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmable: Option<i64>,
    /// The greatest number that was offered so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<i64>,
    /// The batch that is at work, with its number: `az1 (2/4)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Every batch and every part, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<PlanBatchStatus>,
    /// How many bases the workload has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bases: Option<i32>,
    /// How many of them serve the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
    /// How many of them are not there, or serve nothing although they should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<i32>,
    /// On how many bases the batch at work failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<PlanFailure>,
    /// What was read of the metrics last, for the batch that is at work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<PlanMetricStatus>,
    /// What the bases of the batch at work said of the module's health last; absent where they were not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<PlanHealthStatus>,
    /// What may keep the plan from its end although nothing is wrong for sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// `ModulesHealthy`: `Unknown` with the reason `HealthUnknown` where a module was not asked or did not say; `Warning`; and `Reconciling` and `Stalled`, as kstatus has them: a tool that waits for the plan knows when it is over and when it is stuck.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<PlanCondition>,
}

/// How a batch stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanBatchStatus {
    /// Its name.
    pub name: String,
    /// `Waiting`, `Releasing`, `Soaking`, `Gating`, `AwaitingConfirm`, `Done` or `Failed`.
    #[serde(default)]
    pub phase: String,
    /// Bases up to this place in the plan's order are in it; absent before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// How many bases are in it.
    #[serde(default)]
    pub bases: i32,
    /// How many of them serve the version.
    #[serde(default)]
    pub ready: i32,
}

/// What was read of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanMetricStatus {
    /// Its name.
    pub name: String,
    /// `Passed`, `Failed` or `Missing`.
    #[serde(default)]
    pub reading: String,
    /// The value, or why there is none.
    #[serde(default)]
    pub message: String,
}

/// What bases said of the health of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanHealthStatus {
    /// On how many it is UP.
    #[serde(default)]
    pub up: i32,
    /// On how many it is DOWN.
    #[serde(default)]
    pub down: i32,
    /// Of how many nobody knows.
    #[serde(default)]
    pub unknown: i32,
    /// One that is not UP, and why.
    #[serde(default)]
    pub message: String,
}

/// On which base it failed, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanFailure {
    /// The base.
    pub base: String,
    /// The code.
    #[serde(default)]
    pub code: String,
    /// The cause.
    #[serde(default)]
    pub message: String,
}

/// A condition, as every kind of Kubernetes has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanCondition {
    /// `Reconciling`, `Stalled`, `ModulesHealthy` or `Warning`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The phase, or the code.
    #[serde(default)]
    pub reason: String,
    /// As `message` of the status.
    #[serde(default)]
    pub message: String,
}

/// The definition as it is to be in the cluster. It has no bounds of numbers: they would be written with a fraction, which the API
/// server drops, and whoever applies it again would find it changed. A number that makes no sense is refused in the status.
pub fn definition() -> CustomResourceDefinition {
    marked(OperationPlan::crd(), OURS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::digest;

    /// A definition that is changed under its old revision would be written back and forth by two versions.
    #[test]
    fn another_definition_has_another_revision() {
        assert_eq!((OURS, &*digest(&definition())), (3, "5498790ff1b15ecb"), "count OURS up with the digest");
    }
}
