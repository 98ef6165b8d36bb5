//! Module objects: their definition, and whether this cluster has it and lets us write them.

mod definition;
mod install;

pub use self::{
    definition::{Module, ModuleObjectCondition, ModuleObjectSpec, ModuleObjectStatus, definition},
    install::{Availability, install},
};

/// What our objects carry: those of the V1 controller do not.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "module-controller");
/// The environment that the VNode belongs to.
pub(crate) const ENV: &str = "module-controller.koupleless.io/env";
