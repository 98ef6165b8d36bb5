//! Operation plans: their definition.

mod definition;

use crate::definition::Own;

pub use self::definition::{
    OperationPlan, OperationPlanSpec, OperationPlanStatus, PlanBatch, PlanBatchStatus, PlanCondition,
    PlanFailure, PlanHealth, PlanHealthStatus, PlanMetric, PlanMetricStatus, PlanModule, PlanOperator,
    PlanRequirement, PlanSelector, PlanStop, PlanTargetKind, PlanTargetSpec, definition,
};

/// Operation plans, and what is needed of them.
pub fn own() -> Own {
    Own { definition: definition(), verbs: &[("list", ""), ("patch", "status"), ("watch", "")] }
}
