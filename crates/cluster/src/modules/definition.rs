//! The definition of Module objects, generated from the Rust types below.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::marked;

/// The revision of the types below: whoever changes the definition counts it up.
const OURS: u32 = 1;

/// One module (biz) on one base, kept by the module controller: what was put there, for whom, and
/// how it stands. Objects of the V1 controller, whose definition has the same name, are left as
/// they are.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "koupleless.io",
    version = "v1alpha1",
    kind = "Module",
    plural = "modules",
    shortname = "md",
    namespaced,
    status = "ModuleObjectStatus",
    printcolumn = r#"{"name":"Biz","type":"string","jsonPath":".spec.name"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.status"}"#,
    printcolumn = r#"{"name":"Error","type":"string","jsonPath":".status.errorCode"}"#,
    printcolumn = r#"{"name":"Pod","type":"string","jsonPath":".spec.pod"}"#,
    printcolumn = r#"{"name":"VNode","type":"string","jsonPath":".spec.vnode"}"#,
    printcolumn = r#"{"name":"URL","type":"string","priority":1,"jsonPath":".spec.url"}"#,
    printcolumn = r#"{"name":"Managed","type":"boolean","priority":1,"jsonPath":".spec.managed"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ModuleObjectSpec {
    /// The module's name (bizName).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The module's version (bizVersion).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where its package came from, without credentials and query; empty where nobody knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The name of the Pod that asks for it, in this namespace; empty where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The name of the Node that stands for the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vnode: Option<String>,
    /// The controller answers for it: it was installed for a Pod, or a Pod has asked for it. Else it
    /// was put there by somebody else and is only shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
    /// It was on the base when the base was first seen, as a statically merged module is. It is never
    /// uninstalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place: Option<bool>,
    /// Kubernetes took its Pod away while no controller ran, or the base was silent: it stays for a minute, to be
    /// adopted by the Pod's replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
}

/// How a module stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ModuleObjectStatus {
    /// `Pending` (waits), `Prepare` (installed beside the version that serves), `Upgrading` (is
    /// being installed), `Completing` (serves, its Pod is about to be Ready), `Available` (serves),
    /// `Deactivated` (another version serves), `Failed`, `Terminating` (is being uninstalled).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The error code of a failure, as `module-controller explain` explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What to do about the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// When `status` changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
    /// One condition, `Ready`: its reason is the state or the error code, its message the cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ModuleObjectCondition>,
}

/// A condition, as every kind of Kubernetes has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleObjectCondition {
    /// `Ready`.
    pub r#type: String,
    /// `True` or `False`.
    pub status: String,
    /// The state, or the error code.
    #[serde(default)]
    pub reason: String,
    /// The cause of a failure, with its meaning and what to do.
    #[serde(default)]
    pub message: String,
    /// When `status` changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
}

/// The definition as it is to be in the cluster.
///
/// A new object is being installed and says so without a write of its own: that is the default of
/// its status.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Module::crd();
    for version in &mut definition.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|schema| schema.properties.as_mut());
        if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
            let default = serde_json::json!({ "status": engine::view::ModuleState::Upgrading.as_str() });
            status.default = Some(JSON(default));
        }
    }
    marked(definition, OURS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::digest;

    /// A definition that is changed under its old revision would be written back and forth by two versions.
    #[test]
    fn another_definition_has_another_revision() {
        assert_eq!((OURS, &*digest(&definition())), (1, "3d0e18491248fce8"), "count OURS up with the digest");
    }
}
