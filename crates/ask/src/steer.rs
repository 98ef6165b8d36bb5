//! What people do with an operation plan while it runs: one field of its spec, and when that may be written.

use std::fmt;

use http::Request;
use serde_json::{Value, json};

use crate::{
    client::chain,
    read::{Failure, Plan},
};

/// Where operation plans are.
pub const PLANS: &str = "/apis/koupleless.io/v1alpha1";

/// What somebody wants of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// The batch that waits is confirmed: by the number that was seen, or by whichever the plan offers.
    Confirm(Option<u64>),
    /// Nothing more is released.
    Pause,
    /// It goes on after a pause.
    Resume,
    /// It goes on after a failure.
    Retry,
    /// It ends.
    Abort,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This is written into its spec.
    Write(Value),
    /// It is so already.
    Already,
    /// It cannot be now.
    Not(NotNow),
}

/// Why something cannot be done with a plan now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNow {
    /// Nothing waits for a confirmation; what the plan says of itself.
    NothingToConfirm(String),
    /// Another number is offered than the one that was seen.
    Stale {
        /// The number of the plan.
        offered: u64,
        /// The number that was seen.
        given: u64,
    },
    /// It has not failed; what the plan says of itself.
    NotFailed(String),
    /// It has ended.
    Over,
}

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToConfirm(said) => write!(f, "it waits for no confirmation: {said}"),
            Self::Stale { offered, given } => {
                write!(f, "it offers number {offered} now, and not {given}: look at it again")
            }
            Self::NotFailed(said) => write!(f, "it has not failed: {said}"),
            Self::Over => f.write_str("it has ended"),
        }
    }
}

impl Steer {
    /// What has to be written so that it is done.
    pub fn decide(self, plan: &Plan) -> Change {
        let over = plan.is_over();
        match self {
            Self::Confirm(number) => confirm(plan, number),
            Self::Pause if plan.steering.paused => Change::Already,
            Self::Pause if over => Change::Not(NotNow::Over),
            Self::Pause => Change::Write(json!({ "paused": true })),
            Self::Resume if !plan.steering.paused => Change::Already,
            Self::Resume => Change::Write(json!({ "paused": null })),
            Self::Retry if &*plan.status.phase != "Failed" => {
                Change::Not(NotNow::NotFailed(plan.status.message.to_string()))
            }
            Self::Retry => Change::Write(json!({ "attempt": next_attempt(plan) })),
            Self::Abort if !plan.steering.stop.is_empty() => Change::Already,
            Self::Abort if over => Change::Not(NotNow::Over),
            Self::Abort => Change::Write(json!({ "stop": "Abort" })),
        }
    }

    /// What is said where it is so already.
    pub fn already(self) -> &'static str {
        match self {
            Self::Confirm(_) => "it is confirmed already",
            Self::Pause => "it is paused already",
            Self::Resume => "it is not paused",
            Self::Retry => "it is tried again already",
            Self::Abort => "it is aborted already",
        }
    }

    /// What is said once it is written into a plan that was as this one.
    pub fn done(self, plan: &Plan) -> String {
        match self {
            Self::Confirm(_) => format!("confirmed: {}", plan.status.batch),
            Self::Pause => "paused: nothing more is released".to_owned(),
            Self::Resume => "it goes on".to_owned(),
            Self::Retry => format!("attempt {} begins", next_attempt(plan)),
            Self::Abort => {
                "aborted: bases that were released stay, the others keep what they have".to_owned()
            }
        }
    }

    /// The word of `kubectl koupleless plan` for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirm(_) => "confirm",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Abort => "abort",
        }
    }
}

fn confirm(plan: &Plan, number: Option<u64>) -> Change {
    match (plan.status.confirmable, number) {
        (None, _) => Change::Not(NotNow::NothingToConfirm(plan.status.message.to_string())),
        (Some(offered), Some(given)) if offered != given => Change::Not(NotNow::Stale { offered, given }),
        (Some(offered), _) => Change::Write(json!({ "confirmed": offered })),
    }
}

/// The number of the attempt that a retry begins.
pub fn next_attempt(plan: &Plan) -> u64 {
    plan.status.attempt.max(plan.steering.attempt) + 1
}

/// The request that writes it. With `unchanged` only where the plan is still as it was read.
///
/// # Errors
/// The plan has a name that no URL can have.
pub fn request(plan: &Plan, spec: &Value, unchanged: bool) -> Result<Request<Vec<u8>>, Failure> {
    let path = format!("{PLANS}/namespaces/{}/operationplans/{}", plan.namespace, plan.name);
    // The UID keeps a plan of the same name that was made anew from being steered in the place of the one that was seen.
    let metadata = match unchanged {
        true => json!({ "uid": &*plan.uid, "resourceVersion": &*plan.resource_version }),
        false => json!({ "uid": &*plan.uid }),
    };
    let body = json!({ "metadata": metadata, "spec": spec });
    Request::patch(path)
        .header("content-type", "application/merge-patch+json")
        .body(body.to_string().into_bytes())
        .map_err(|error| Failure::Refused(chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Object;

    fn plan(spec: &Value, status: &Value) -> Plan {
        Plan::read(&json!({ "metadata": { "name": "p" }, "spec": spec, "status": status }).to_string())
            .unwrap()
    }

    fn written(steer: Steer, plan: &Plan) -> Option<Value> {
        match steer.decide(plan) {
            Change::Write(spec) => Some(spec),
            Change::Already | Change::Not(_) => None,
        }
    }

    #[test]
    fn only_the_number_that_is_offered_is_confirmed() {
        let waiting = plan(&json!({}), &json!({"confirmable": 3, "batch": "beta (1/2)"}));
        assert_eq!(written(Steer::Confirm(None), &waiting), Some(json!({"confirmed": 3})));
        assert_eq!(written(Steer::Confirm(Some(3)), &waiting), Some(json!({"confirmed": 3})));
        let stale = NotNow::Stale { offered: 3, given: 2 };
        assert_eq!(Steer::Confirm(Some(2)).decide(&waiting), Change::Not(stale), "of an earlier batch");
        assert_eq!(written(Steer::Confirm(None), &plan(&json!({}), &json!({}))), None);
    }

    #[test]
    fn what_is_so_already_is_not_written_again() {
        let paused = plan(&json!({"paused": true, "stop": "Abort"}), &json!({}));
        assert_eq!(Steer::Pause.decide(&paused), Change::Already);
        assert_eq!(written(Steer::Resume, &paused), Some(json!({"paused": null})));
        assert_eq!(Steer::Abort.decide(&paused), Change::Already);
        let running = plan(&json!({"paused": null}), &json!({"phase": "Running"}));
        assert_eq!(Steer::Resume.decide(&running), Change::Already);
        assert_eq!(written(Steer::Retry, &running), None);
        let failed = plan(&json!({"attempt": 1}), &json!({"phase": "Failed", "attempt": 1}));
        assert_eq!(written(Steer::Retry, &failed), Some(json!({"attempt": 2})));
    }

    #[test]
    fn a_plan_that_has_ended_is_neither_paused_nor_aborted() {
        for phase in ["Succeeded", "Aborted", "RolledBack", "Superseded"] {
            let over = plan(&json!({}), &json!({"phase": phase}));
            assert_eq!(Steer::Pause.decide(&over), Change::Not(NotNow::Over));
            assert_eq!(Steer::Abort.decide(&over), Change::Not(NotNow::Over));
        }
    }
}
