//! An operation plan.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Object,
    json::{Meta, nothing},
    plan_spec::{BatchJson, HealthJson, Written},
};
use crate::text::Text;

/// In which order the bases of a workload get a version, and how far that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub namespace: Text,
    pub name: Text,
    pub uid: Text,
    pub resource_version: Text,
    pub target: String,
    pub module: String,
    /// What it releases, as somebody wrote it.
    pub written: Written,
    pub metrics: Vec<Metric>,
    pub created: Option<Timestamp>,
    pub steering: Steering,
    pub status: Status,
}

/// What people set while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Steering {
    #[serde(deserialize_with = "nothing")]
    pub attempt: u64,
    #[serde(deserialize_with = "nothing")]
    pub paused: bool,
    #[serde(deserialize_with = "nothing")]
    pub stop: Text,
}

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    #[serde(deserialize_with = "nothing")]
    pub phase: Text,
    #[serde(deserialize_with = "nothing")]
    pub message: Text,
    #[serde(deserialize_with = "nothing")]
    pub code: Text,
    #[serde(deserialize_with = "nothing")]
    pub suggestion: Text,
    #[serde(deserialize_with = "nothing")]
    pub batch: Text,
    #[serde(deserialize_with = "nothing")]
    pub attempt: u64,
    pub confirmable: Option<u64>,
    #[serde(deserialize_with = "nothing")]
    pub bases: u64,
    #[serde(deserialize_with = "nothing")]
    pub ready: u64,
    #[serde(deserialize_with = "nothing")]
    pub unavailable: u64,
    #[serde(deserialize_with = "nothing")]
    pub batches: Vec<Batch>,
    #[serde(deserialize_with = "nothing")]
    pub failures: Vec<Failed>,
    #[serde(deserialize_with = "nothing")]
    pub metrics: Vec<Reading>,
    pub health: Option<Health>,
}

/// What the bases of the batch at work said of the module's health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Health {
    pub up: u64,
    pub down: u64,
    pub unknown: u64,
    #[serde(deserialize_with = "nothing")]
    pub message: Text,
}

/// How one batch stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Batch {
    #[serde(deserialize_with = "nothing")]
    pub name: Text,
    #[serde(deserialize_with = "nothing")]
    pub phase: Text,
    #[serde(deserialize_with = "nothing")]
    pub bases: u64,
    #[serde(deserialize_with = "nothing")]
    pub ready: u64,
    pub threshold: Option<u64>,
}

/// On which base it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Failed {
    #[serde(deserialize_with = "nothing")]
    pub base: Text,
    #[serde(deserialize_with = "nothing")]
    pub code: Text,
    #[serde(deserialize_with = "nothing")]
    pub message: Text,
}

/// What a metric has to be for the plan to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metric {
    #[serde(deserialize_with = "nothing")]
    pub name: Text,
    #[serde(deserialize_with = "nothing")]
    pub server: Text,
    #[serde(deserialize_with = "nothing")]
    pub query: Text,
    #[serde(deserialize_with = "nothing")]
    pub condition: Text,
}

/// What was read of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Reading {
    #[serde(deserialize_with = "nothing")]
    pub name: Text,
    #[serde(deserialize_with = "nothing")]
    pub reading: Text,
    #[serde(deserialize_with = "nothing")]
    pub message: Text,
}

#[derive(Deserialize)]
struct PlanJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecJson {
    #[serde(deserialize_with = "nothing")]
    target: TargetJson,
    #[serde(deserialize_with = "nothing")]
    module: ModuleJson,
    #[serde(deserialize_with = "nothing")]
    batches: Vec<BatchJson>,
    #[serde(deserialize_with = "nothing")]
    metrics: Vec<Metric>,
    health: Option<HealthJson>,
    #[serde(flatten)]
    steering: Steering,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TargetJson {
    kind: Text,
    name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ModuleJson {
    name: Text,
    version: Text,
}

impl Object for Plan {
    const NAME: &'static str = "operation plans";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let PlanJson { metadata, spec, status } = serde_json::from_str(json)?;
        Ok(Self {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            target: format!("{}/{}", &*spec.target.kind, &*spec.target.name),
            module: format!("{}:{}", &*spec.module.name, &*spec.module.version),
            written: Written {
                module: (spec.module.name, spec.module.version),
                batches: spec.batches,
                health: spec.health,
            },
            metrics: spec.metrics,
            created: metadata.creation_timestamp,
            steering: spec.steering,
            status,
        })
    }
}
