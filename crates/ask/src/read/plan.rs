//! An operation plan.

use serde::Deserialize;

use super::{
    Object,
    json::{Meta, nothing},
    plan_spec::{BatchJson, Written},
};
use crate::text::Text;

/// In which order the bases of a workload get a version, and how far that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) namespace: Text,
    pub(crate) name: Text,
    pub(crate) uid: Text,
    pub(crate) resource_version: Text,
    pub(crate) target: String,
    pub(crate) module: String,
    /// What it releases, as somebody wrote it.
    pub(crate) written: Written,
    pub(crate) steering: Steering,
    pub(crate) status: Status,
}

/// What people set while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Steering {
    #[serde(deserialize_with = "nothing")]
    pub(crate) attempt: u64,
    #[serde(deserialize_with = "nothing")]
    pub(crate) paused: bool,
    #[serde(deserialize_with = "nothing")]
    pub(crate) stop: Text,
}

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    #[serde(deserialize_with = "nothing")]
    pub(crate) phase: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) message: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) code: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) suggestion: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) batch: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) attempt: u64,
    pub(crate) confirmable: Option<u64>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) bases: u64,
    #[serde(deserialize_with = "nothing")]
    pub(crate) ready: u64,
    #[serde(deserialize_with = "nothing")]
    pub(crate) unavailable: u64,
    #[serde(deserialize_with = "nothing")]
    pub(crate) batches: Vec<Batch>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) failures: Vec<Failed>,
    #[serde(deserialize_with = "nothing")]
    pub(crate) metrics: Vec<Read>,
}

/// How one batch stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Batch {
    #[serde(deserialize_with = "nothing")]
    pub(crate) name: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) phase: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) bases: u64,
    #[serde(deserialize_with = "nothing")]
    pub(crate) ready: u64,
    pub(crate) threshold: Option<u64>,
}

/// On which base it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Failed {
    #[serde(deserialize_with = "nothing")]
    pub(crate) base: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) code: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) message: Text,
}

/// What was read of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Read {
    #[serde(deserialize_with = "nothing")]
    pub(crate) name: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) reading: Text,
    #[serde(deserialize_with = "nothing")]
    pub(crate) message: Text,
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
            written: Written { module: (spec.module.name, spec.module.version), batches: spec.batches },
            steering: spec.steering,
            status,
        })
    }
}
