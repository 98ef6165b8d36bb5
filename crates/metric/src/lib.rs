//! Ring 2: asks Prometheus for the metrics that operation plans depend on.
//!
//! ```text
//! engine --AskMetric--> Asker --POST /api/v1/query--> Prometheus --values or an error--> Event::Metric --> engine
//! ```
//!
//! What keeps this crate honest:
//! - It decides nothing: whether a value is as it must be is the plan's matter (`crates/plan`, rule P10).
//! - It asks only servers that the settings name, whatever a plan says and however far it is.
//! - A server is a stranger: its answer has a limit in size, number and time, and it is never followed elsewhere.
//! - What it signs in with is sent to the one server that it is for, and told nobody else.
//! - An answer of which a part may be missing is no answer.
//! - Every question has one answer, or none where the controller ends.

mod answer;
mod ask;
mod login;

pub use ask::Asker;
pub use login::Login;
