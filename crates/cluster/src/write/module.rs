//! Writes to Module objects.

use engine::{
    WriteError,
    view::{ModuleRef, ModuleStatus, ModuleView},
};
use serde_json::{Map, Value, json};

use super::{
    api::{Api, How, Place},
    pod::{condition, or_null, seconds},
};
use crate::{
    modules::{ENV, MANAGED_BY},
    slim::module::Module,
};

impl Api {
    /// Creates the object. One that exists is told and left as it is.
    pub(crate) async fn create_module(&self, desired: &ModuleView, env: &str) -> Result<(), WriteError> {
        let place = Place::modules(&desired.module.namespace);
        match self.create::<Module>(&place, &new_module(desired, env)).await {
            Ok(module) => {
                self.tell_module(module).await;
                Ok(())
            }
            Err(WriteError::Conflict(reason)) => {
                match self.get::<Module>(&place, &desired.module.name).await {
                    Ok(module) => self.tell_module(module).await,
                    // Gone again; the conflict is told anyway, and the engine looks again.
                    Err(WriteError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
                Err(WriteError::Conflict(reason))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn patch_module(&self, desired: &ModuleView) -> Result<(), WriteError> {
        let body = json!({
            "metadata": { "uid": desired.module.uid, "labels": *desired.labels },
            "spec": spec(desired),
        });
        let place = Place::modules(&desired.module.namespace);
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
        let place = Place::modules(&module.namespace);
        let module = self.patch_status(&place, &module.name, How::Merge, &body).await?;
        self.tell_module(module).await;
        Ok(())
    }

    /// Deletes the object of this UID. That it is gone already, or is another one, is as good.
    pub(crate) async fn delete_module(&self, module: &ModuleRef) -> Result<(), WriteError> {
        match self.delete(&Place::modules(&module.namespace), &module.name, &module.uid).await {
            Ok(()) | Err(WriteError::NotFound(_) | WriteError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn new_module(desired: &ModuleView, env: &str) -> Value {
    let mut labels: Map<String, Value> =
        desired.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.into());
    labels.insert(ENV.to_owned(), env.into());
    json!({
        "apiVersion": "koupleless.io/v1alpha1",
        "kind": "Module",
        "metadata": {
            "namespace": desired.module.namespace,
            "name": desired.module.name,
            "labels": labels,
        },
        "spec": spec(desired),
    })
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
