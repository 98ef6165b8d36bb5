//! Writes to Deployments: their replicas and nothing else.

use engine::{WriteError, view::WorkloadRef};
use serde_json::{Value, json};

use super::api::{Api, Collection};

impl Api {
    /// Sets the replicas of a Deployment that is still of this version. The subresource `scale` is
    /// all that the controller needs a right to: it can never touch a template. The version holds
    /// for the UID too, because no two objects ever have the same.
    pub(crate) async fn scale_deployment(
        &self,
        deployment: &WorkloadRef,
        replicas: i32,
        resource_version: u64,
    ) -> Result<(), WriteError> {
        let place = Collection::scales(&deployment.namespace);
        self.patch_scale(&place, &deployment.name, &patch(replicas, resource_version)).await
    }
}

/// A version that could not be read (0) is no precondition.
fn patch(replicas: i32, resource_version: u64) -> Value {
    let version = (resource_version != 0).then(|| resource_version.to_string());
    match version {
        Some(version) => {
            json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": replicas } })
        }
        None => json!({ "spec": { "replicas": replicas } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_precondition() {
        assert_eq!(patch(3, 7), json!({ "metadata": { "resourceVersion": "7" }, "spec": { "replicas": 3 } }));
        assert_eq!(patch(3, 0), json!({ "spec": { "replicas": 3 } }));
    }
}
