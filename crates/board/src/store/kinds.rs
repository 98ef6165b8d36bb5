//! What is kept of each kind.

use std::fmt::Debug;

use ask::read::{Base, Lease, Module, Object, Plan, Pod, Replica, Site, Workload};
use serde::Deserialize;

/// A kind that is kept.
pub(crate) trait Kept: Object + Debug + Clone + Send + Sync + 'static {
    /// One that is not is forgotten at once.
    fn is_kept(&self) -> bool {
        true
    }
}

impl Kept for Lease {}
impl Kept for Module {}
impl Kept for Plan {}
impl Kept for Pod {}
impl Kept for Replica {}

/// The Node of a base: as it is shown, and as the scheduler sees it.
#[derive(Debug, Clone)]
pub(crate) struct NodeOfBase {
    pub(super) base: Base,
    pub(super) site: Site,
    pub(crate) conditions: Vec<Condition>,
}

/// A condition of a Node.
#[derive(Debug, Clone, Default, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    r#type: ask::Text,
    status: ask::Text,
    reason: ask::Text,
    message: ask::Text,
    #[serde(rename(deserialize = "lastTransitionTime"))]
    since: Option<jiff::Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeJson {
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusJson {
    conditions: Vec<Condition>,
}

impl Object for NodeOfBase {
    const NAME: &'static str = Base::NAME;

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        // A base is shown even where somebody else's condition cannot be.
        let conditions = serde_json::from_str::<NodeJson>(json).unwrap_or_default().status.conditions;
        Ok(Self { base: Base::read(json)?, site: Site::read(json)?, conditions })
    }
}

impl Kept for NodeOfBase {}

macro_rules! workloads {
    ($($wrapper:ident: $kind:literal, $name:literal;)+) => {$(
        #[doc = concat!("A ", $kind, ", if it makes modules.")]
        #[derive(Debug, Clone)]
        pub(crate) struct $wrapper(pub(crate) Option<Workload>);

        impl Object for $wrapper {
            const NAME: &'static str = $name;

            fn read(json: &str) -> Result<Self, serde_json::Error> {
                Workload::of(Some($kind), json).map(|workload| Self(workload.filter(Workload::is_meant)))
            }
        }

        impl Kept for $wrapper {
            fn is_kept(&self) -> bool {
                self.0.is_some()
            }
        }
    )+};
}

workloads! {
    DeploymentOfModules: "Deployment", "Deployments";
    DaemonSetOfModules: "DaemonSet", "DaemonSets";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_workloads_of_modules_are_kept() {
        let of = |container: &str| {
            let json = format!(
                r#"{{"metadata": {{"name": "w"}}, "spec": {{"template": {{"spec": {{"containers": [{container}]}}}}}}}}"#
            );
            DeploymentOfModules::read(&json).unwrap().is_kept()
        };
        assert!(of(r#"{"name": "biz1", "env": [{"name": "BIZ_VERSION", "value": "1"}]}"#));
        assert!(!of(r#"{"name": "nginx", "image": "nginx:1"}"#));
    }
}
