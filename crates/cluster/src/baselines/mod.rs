//! ModuleBaseline objects: their definition.

mod definition;

use crate::definition::Own;

pub use self::definition::{
    BaselineCondition, BaselineSample, ModuleBaseline, ModuleBaselineSpec, ModuleBaselineStatus, definition,
};

/// ModuleBaseline objects, and what is needed of them.
pub fn own() -> Own {
    Own { definition: definition(), verbs: &[("list", ""), ("patch", "status"), ("watch", "")] }
}
