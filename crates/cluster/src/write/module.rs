//! Writes to Module objects.

use engine::{
    WriteError,
    view::{ModuleRef, ModuleStatus, ModuleView},
};
use serde_json::{Map, Value, json};

use super::{
    api::{Api, Collection, How},
    pod::{condition, or_null, seconds},
};
use crate::{
    modules::{ENV, MANAGED_BY},
    slim::module::Module,
};

/// The replica that wrote an object last, where there are several. A patch that changes nothing else then changes the
/// version all the same, and whoever meant to delete the object as it was does not.
const WRITTEN_BY: &str = "module-controller.koupleless.io/written-by";

impl Api {
    /// Creates the object. One that exists is told and left as it is.
    pub(crate) async fn create_module(&self, desired: &ModuleView, env: &str) -> Result<(), WriteError> {
        let place = Collection::modules(&desired.module.namespace);
        match self.create::<Module>(&place, &new_module(desired, env)).await {
            Ok(module) => {
                self.tell_module(module).await;
                Ok(())
            }
            Err(WriteError::Conflict(reason)) => {
                match self.get::<Module>(&place, &desired.module.name).await {
                    // Without our labels no watch of ours tells it, and whoever runs the controller next knows nothing of it.
                    Ok(module) => {
                        let uid = module.meta.uid.clone().unwrap_or_default();
                        let labels = json!({ MANAGED_BY.0: MANAGED_BY.1, ENV: env });
                        let body = json!({ "metadata": { "uid": uid, "labels": labels } });
                        let module = match is_labelled(&module, env) {
                            true => module,
                            false => self.patch(&place, &desired.module.name, How::Merge, &body).await?,
                        };
                        self.tell_module(module).await;
                    }
                    // Gone again; the conflict is told anyway, and the engine looks again.
                    Err(WriteError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
                Err(WriteError::Conflict(reason))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn patch_module(
        &self,
        desired: &ModuleView,
        env: &str,
        by: Option<&str>,
    ) -> Result<(), WriteError> {
        let mut metadata = json!({ "uid": desired.module.uid, "labels": labels(desired, env) });
        if let (Some(by), Value::Object(metadata)) = (by, &mut metadata) {
            metadata.insert("annotations".to_owned(), json!({ WRITTEN_BY: by }));
        }
        let body = json!({ "metadata": metadata, "spec": spec(desired) });
        let place = Collection::modules(&desired.module.namespace);
        let module = self.patch(&place, &desired.module.name, How::Merge, &body).await?;
        self.tell_module(module).await;
        Ok(())
    }

    pub(crate) async fn patch_module_status(
        &self,
        module: &ModuleRef,
        status: &ModuleStatus,
    ) -> Result<(), WriteError> {
        let body = json!({ "metadata": { "uid": module.uid }, "status": status_json(status) });
        let place = Collection::modules(&module.namespace);
        let module = self.patch_status(&place, &module.name, How::Merge, &body).await?;
        self.tell_module(module).await;
        Ok(())
    }

    /// Deletes the object of this UID. That it is gone already, is another one, or has another version where only one
    /// is meant, is as good.
    pub(crate) async fn delete_module(
        &self,
        module: &ModuleRef,
        version: Option<u64>,
    ) -> Result<(), WriteError> {
        let place = Collection::modules(&module.namespace);
        let result = match version {
            Some(version) => self.delete_version(&place, &module.name, &module.uid, version).await,
            None => self.delete(&place, &module.name, &module.uid).await,
        };
        match result {
            Ok(()) | Err(WriteError::NotFound(_) | WriteError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_labelled(module: &Module, env: &str) -> bool {
    let Ok(view) = &module.body else { return true };
    let has = |key: &str, value: &str| view.labels.get(key).is_some_and(|label| label == value);
    has(MANAGED_BY.0, MANAGED_BY.1) && has(ENV, env)
}

fn new_module(desired: &ModuleView, env: &str) -> Value {
    json!({
        "apiVersion": "koupleless.io/v1alpha1",
        "kind": "Module",
        "metadata": {
            "namespace": desired.module.namespace,
            "name": desired.module.name,
            "labels": labels(desired, env),
        },
        "spec": spec(desired),
    })
}

/// Where the base is, and those by which we find our objects.
fn labels(desired: &ModuleView, env: &str) -> Map<String, Value> {
    let mut labels: Map<String, Value> =
        desired.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.into());
    labels.insert(ENV.to_owned(), env.into());
    labels
}

fn spec(desired: &ModuleView) -> Value {
    json!({
        "name": desired.key.id.name.as_str(),
        "version": desired.key.id.version.as_str(),
        "url": desired.url,
        "pod": desired.pod,
        "vnode": desired.key.vnode,
        "managed": desired.managed,
        "inPlace": desired.in_place,
        "kept": desired.kept,
    })
}

fn status_json(status: &ModuleStatus) -> Value {
    json!({
        "status": status.state.map(engine::view::ModuleState::as_str),
        "errorCode": or_null(&status.error_code),
        "suggestion": or_null(&status.suggestion),
        "lastTransitionTime": status.changed.map(seconds),
        "conditions": status.conditions.iter().map(condition).collect::<Value>(),
    })
}
