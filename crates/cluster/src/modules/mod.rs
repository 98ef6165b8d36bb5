//! Module objects: their definition, and what they carry.

mod definition;

use crate::definition::Own;

pub use self::definition::{Module, ModuleObjectCondition, ModuleObjectSpec, ModuleObjectStatus, definition};

/// What our objects carry: those of the V1 controller do not.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "module-controller");
/// The environment that the VNode belongs to.
pub(crate) const ENV: &str = "module-controller.koupleless.io/env";

/// Module objects, and what is needed of them.
pub fn own() -> Own {
    Own {
        definition: definition(),
        verbs: &[
            ("create", ""),
            ("delete", ""),
            ("list", ""),
            ("patch", ""),
            ("patch", "status"),
            ("watch", ""),
        ],
    }
}
