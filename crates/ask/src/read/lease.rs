//! Leases: of a base's Node, and of a replica of the controller.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Object,
    json::{Meta, nothing},
};
use crate::text::Text;

/// The Lease of a Node: who acts for its base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    pub node: Text,
    pub holder: Text,
    pub renewed: Option<Timestamp>,
}

/// A replica of the controller, where several share the bases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    pub namespace: Text,
    pub env: Text,
    pub client_id: Text,
    /// What it writes into the Leases of its bases.
    pub incarnation: Text,
    /// `living`, or how it ended: `released`, `killed`.
    pub state: Text,
    /// It says that it reaches no base.
    pub cut_off: bool,
    /// It says that it knows operation plans.
    #[serde(skip)]
    pub knows_plans: bool,
    pub renewed: Option<Timestamp>,
}

#[derive(Deserialize)]
struct LeaseJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: LeaseSpec,
}

/// Who holds it, and when the holder renewed it by its own clock.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaseSpec {
    #[serde(default, deserialize_with = "nothing")]
    pub(crate) holder_identity: Text,
    pub(crate) renew_time: Option<Timestamp>,
}

impl Object for Lease {
    const NAME: &'static str = "Leases of bases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let LeaseJson { metadata, spec } = serde_json::from_str(json)?;
        Ok(Self { node: metadata.name, holder: spec.holder_identity, renewed: spec.renew_time })
    }
}

impl Object for Replica {
    const NAME: &'static str = "Leases of the controller's replicas";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let LeaseJson { metadata, spec } = serde_json::from_str(json)?;
        let ours = |key: &str| metadata.annotation(&format!("module-controller.koupleless.io/{key}"));
        Ok(Self {
            env: metadata.label("module-controller.koupleless.io/env"),
            incarnation: ours("incarnation"),
            state: ours("state"),
            cut_off: &*ours("cut-off-from-bases") == "true",
            knows_plans: &*ours("knows") == "operation-plans",
            client_id: spec.holder_identity,
            renewed: spec.renew_time,
            namespace: metadata.namespace,
        })
    }
}
