//! A Pod that may be a base's own, with the few fields that tell.

use std::{collections::BTreeMap, sync::Arc};

use engine::view::{Phase, PodRef};
use kube::core::NamespaceResourceScope;
use serde::Deserialize;

use super::{Kind, Unreadable, meta::MetaJson, nothing, pod::phase};

/// A Pod that has a base's address.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) pod: PodRef,
    pub(crate) node: Arc<str>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) host_network: bool,
    pub(crate) phase: Phase,
}

#[derive(Deserialize)]
struct PodJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    node_name: Arc<str>,
    #[serde(default, deserialize_with = "nothing")]
    host_network: bool,
}

#[derive(Default, Deserialize)]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    phase: String,
}

impl Kind for Candidate {
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let PodJson { metadata, spec, status } = serde_json::from_str(json)?;
        Ok(Self {
            pod: PodRef {
                namespace: metadata.namespace.ok_or(Unreadable::Missing("namespace"))?,
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
            node: spec.node_name,
            labels: metadata.labels,
            host_network: spec.host_network,
            phase: phase(&status.phase),
        })
    }
}
