//! A ReplicaSet, of which only the metadata is asked for.

use std::sync::Arc;

use k8s_openapi::{api::apps::v1::ReplicaSet as Whole, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use serde::Deserialize;

use super::{Kind, Slim, Unreadable};

/// Where the Deployment controller keeps the revision.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What orders the Pods of a Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaSet {
    /// `metadata.uid`.
    pub(crate) uid: Arc<str>,
    /// The revision; none where no Deployment has set one.
    pub(crate) revision: Option<u64>,
}

impl Kind for ReplicaSet {
    const KIND: &'static str = "ReplicaSet";
    const GROUP: &'static str = "apps";
    const PLURAL: &'static str = "replicasets";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Json {
            metadata: ObjectMeta,
        }
        read(&serde_json::from_str::<Json>(json)?.metadata)
    }
}

impl From<PartialObjectMeta<Whole>> for Slim<ReplicaSet> {
    fn from(object: PartialObjectMeta<Whole>) -> Self {
        let body = read(&object.metadata);
        Self { meta: object.metadata, body }
    }
}

fn read(meta: &ObjectMeta) -> Result<ReplicaSet, Unreadable> {
    let annotation = meta.annotations.as_ref().and_then(|annotations| annotations.get(REVISION));
    Ok(ReplicaSet {
        uid: meta.uid.as_deref().ok_or(Unreadable::Missing("uid"))?.into(),
        revision: annotation.and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_an_annotation() {
        let read = |annotations: &str| {
            ReplicaSet::read(&format!(r#"{{"metadata": {{"uid": "u", "annotations": {annotations}}}}}"#))
                .unwrap()
        };
        assert_eq!(read(r#"{"deployment.kubernetes.io/revision": "12"}"#).revision, Some(12));
        assert_eq!(read(r#"{"deployment.kubernetes.io/revision": "x"}"#).revision, None);
        assert_eq!(read("null").revision, None);
    }
}
