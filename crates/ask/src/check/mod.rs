//! `check`: what is wrong with a cluster, the controllers in it and the manifests of modules, before anybody has to find
//! out. Evidence is gathered first; what is wrong with it is decided by pure functions.

mod broker;
mod clock;
mod cluster;
mod code;
mod controller;
mod evidence;
mod modules;
pub(crate) mod permissions;
mod ports;
mod report;
mod surroundings;

use serde::{Serialize, Serializer};
use serde_json::Value;

pub use self::code::page;
pub(crate) use self::{
    broker::Broker,
    code::Code,
    controller::Controller,
    evidence::{Evidence, Wants},
    report::Report,
};
use crate::text::Text;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    #[serde(serialize_with = "as_text")]
    pub(crate) code: Code,
    /// The object, or the part, that it is wrong with.
    pub(crate) about: Text,
    pub(crate) message: Text,
}

fn as_text<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Finding {
    fn new(code: Code, about: Text, message: String) -> Self {
        Self { code, about, message: message.into() }
    }
}

/// All that is wrong, the worst first. With a manifest only what is wrong with that.
pub(crate) fn findings(evidence: &Evidence, definitions: &[Value]) -> Vec<Finding> {
    let mut found = evidence.found.clone();
    if !evidence.of_manifest {
        cluster::findings(evidence, definitions, &mut found);
    }
    for workload in &evidence.workloads {
        modules::of_itself(workload, &mut found);
        modules::with_its_cluster(workload, evidence, &mut found);
    }
    found.sort_by(|a, b| (a.code.severity(), a).cmp(&(b.code.severity(), b)));
    found.dedup();
    found
}

#[cfg(test)]
mod tests;
