//! Ring 1: operation plans. In which order the bases of a workload get a version of a module, and who says when it goes on.
//!
//! ```text
//! Draft --Spec::of--> Spec --\
//! Status, Facts, Steering ----+--advance--> Status, next wake, questions for metrics and for health
//! Spec, Status, one base -----+--hold-----> released, or held and why
//! ```
//!
//! A plan never edits a workload. The Pod template names its plan, and whoever installs asks [`hold`](hold()) for each base.
//! All that this needs is in the plan's spec and status, so that every replica comes to the same answer. Only the replica that
//! leads calls [`advance`](advance()) and writes the status.
//!
//! Nothing here knows Kubernetes, the clock or a base's protocol. The rules are in `docs/design/plans.md` (P1 …).

mod advance;
mod batches;
mod gate;
mod health;
mod hold;
mod metric;
mod order;
mod selector;
mod spec;
mod status;

pub use advance::{Advanced, Facts, Memory, Template, advance};
pub use batches::{Base, Condition, batch_of, preview};
pub use gate::{MetricAnswer, MetricStatus, Question, Reading};
pub use health::{DraftHealth, HealthAnswers, HealthEndpoint, HealthQuestion, HealthStatus};
pub use hold::{Held, Release, has_succeeded, hold};
pub use metric::{Comparison, DraftMetric, Metric, MetricServer};
pub use order::rank;
pub use selector::{Operator, Requirement, Selector};
pub use spec::{Amount, Batch, Draft, DraftBatch, Invalid, LONGEST, MOST_BATCHES, Share, Spec, Steering};
pub use status::{BatchPhase, BatchStatus, Failure, MOST_FAILURES, Phase, Status};
