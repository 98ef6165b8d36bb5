//! The definitions of our own kinds of object, and how they come into the cluster.

mod install;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use sha2::{Digest, Sha256};

pub use self::install::{Availability, Own, install};

/// Says which definition a cluster has; a change of the Rust types behind it changes it.
const DIGEST: &str = "module-controller.koupleless.io/definition";

/// Counts the definitions of a kind that there were, so that an older controller leaves a later one alone.
const REVISION: &str = "module-controller.koupleless.io/definition-revision";

/// All definitions, as they are to be in the cluster.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![crate::modules::definition(), crate::plans::definition(), crate::baselines::definition()]
}

/// A definition that says which it is.
pub(crate) fn marked(mut definition: CustomResourceDefinition, revision: u32) -> CustomResourceDefinition {
    let digest = digest(&definition);
    let annotations = definition.metadata.annotations.get_or_insert_default();
    annotations.insert(DIGEST.to_owned(), digest);
    annotations.insert(REVISION.to_owned(), revision.to_string());
    definition
}

/// Names the content, so that a cluster's definition is replaced only where it is another one.
pub(crate) fn digest(definition: &CustomResourceDefinition) -> String {
    fingerprint(&serde_json::to_string(&definition.spec).unwrap_or_default())
}

/// Sixteen digits by which a text is known again.
pub(crate) fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
