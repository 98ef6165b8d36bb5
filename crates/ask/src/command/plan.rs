//! `plan`: shows operation plans, and lets people steer them.

use std::process::ExitCode;

use clap::Subcommand;
use http::Request;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{format::Format, new_plan::New, preview_plan::Preview, say_not_shown, style_of};
use crate::{
    client::{Cluster, Connection, Unreachable, chain, complain},
    output::{NOT_SEEN, NOT_WELL, print},
    read::{Failure, Object, Plan, list, raw},
    screen::plans,
};

const PLANS: &str = "/apis/koupleless.io/v1alpha1";

/// Shows operation plans and steers them: which bases get a version of a module in which order, and who says when it goes on.
///
/// A command that steers a plan changes one field of its spec with the rights of whoever gives it, and only where the plan is
/// still as it was read. Ends with 1 where the plan does not wait for that, 3 where it could not be read or written.
#[derive(Debug, clap::Args)]
pub struct PlanCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists plans, one on a line
    List {
        #[command(flatten)]
        connection: Connection,
    },
    New(New),
    Preview(Preview),
    /// Shows one plan: its batches, what failed, and what to do next
    Show(Named),
    /// Confirms the batch that waits for it
    Confirm {
        #[command(flatten)]
        named: Named,
        /// Only where this number is the one that the plan offers [default: whichever it offers]
        #[arg(long)]
        number: Option<u64>,
    },
    /// Releases nothing more until it is resumed
    Pause(Named),
    /// Goes on after a pause
    Resume(Named),
    /// Goes on after a failure, once what failed is mended
    Retry(Named),
    /// Ends it: bases that were released stay, the others keep what they have
    Abort(Named),
}

/// A plan that somebody names.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The plan
    #[arg(value_name = "PLAN")]
    name: String,
    #[command(flatten)]
    connection: Connection,
}

/// What steering a plan comes to.
enum Change {
    /// This is written into its spec, and this is said.
    Write(Value, String),
    /// It is so already.
    Is(String),
    /// It cannot be; why.
    Not(String),
}

impl PlanCommand {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        match &self.what {
            What::List { connection } => list_all(connection).await,
            What::New(new) => Ok(new.run()),
            What::Preview(preview) => preview.run().await,
            What::Show(named) => {
                let cluster = named.open().await?;
                Ok(match named.read(&cluster).await? {
                    Ok(plan) => print(&plans::show(&plan, style_of(Format::Table))),
                    Err(ended) => ended,
                })
            }
            What::Confirm { named, number } => named.steer(|plan| confirm(plan, *number)).await,
            What::Pause(named) => named.steer(|plan| pause(plan, true)).await,
            What::Resume(named) => named.steer(|plan| pause(plan, false)).await,
            What::Retry(named) => named.steer(retry).await,
            What::Abort(named) => named.steer(abort).await,
        }
    }
}

fn confirm(plan: &Plan, number: Option<u64>) -> Change {
    let Some(offer) = plan.status.confirmable else {
        return Change::Not(format!("it waits for no confirmation: {}", &*plan.status.message));
    };
    match number.filter(|number| *number != offer) {
        Some(number) => {
            Change::Not(format!("it offers number {offer} now, and not {number}: look at it again"))
        }
        None => Change::Write(json!({ "confirmed": offer }), format!("confirmed: {}", &*plan.status.batch)),
    }
}

fn pause(plan: &Plan, paused: bool) -> Change {
    match (plan.steering.paused, paused) {
        (true, true) => Change::Is("it is paused already".to_owned()),
        (false, false) => Change::Is("it is not paused".to_owned()),
        (_, true) => Change::Write(json!({ "paused": true }), "paused: nothing more is released".to_owned()),
        (_, false) => Change::Write(json!({ "paused": null }), "it goes on".to_owned()),
    }
}

fn retry(plan: &Plan) -> Change {
    if &*plan.status.phase != "Failed" {
        return Change::Not(format!("it has not failed: {}", &*plan.status.message));
    }
    let attempt = plan.status.attempt.max(plan.steering.attempt) + 1;
    Change::Write(json!({ "attempt": attempt }), format!("attempt {attempt} begins"))
}

fn abort(plan: &Plan) -> Change {
    match plan.steering.stop.some() {
        Some(_) => Change::Is("it is aborted already".to_owned()),
        None => Change::Write(
            json!({ "stop": "Abort" }),
            "aborted: bases that were released stay, the others keep what they have".to_owned(),
        ),
    }
}

impl Named {
    pub(super) async fn open(&self) -> Result<Cluster, Unreachable> {
        self.connection.open().await
    }

    fn path(&self, cluster: &Cluster) -> String {
        let namespace = self.connection.namespace.as_deref().unwrap_or(&cluster.own_namespace);
        format!("{PLANS}/namespaces/{namespace}/operationplans/{}", self.name)
    }

    /// The plan, or with which code the command ends.
    pub(super) async fn read(&self, cluster: &Cluster) -> Result<Result<Plan, ExitCode>, Unreachable> {
        let text = raw::text(&cluster.client, &self.path(cluster)).await;
        let text = answered(cluster, text, &format!("plan {}", self.name))?;
        Ok(text.and_then(|text| {
            Plan::read(&text).map_err(|error| {
                complain(&format!("plan {} cannot be read: {error}", self.name));
                ExitCode::from(NOT_SEEN)
            })
        }))
    }

    async fn steer(&self, decide: impl FnOnce(&Plan) -> Change) -> Result<ExitCode, Unreachable> {
        let cluster = self.open().await?;
        let plan = match self.read(&cluster).await? {
            Ok(plan) => plan,
            Err(ended) => return Ok(ended),
        };
        Ok(match decide(&plan) {
            Change::Is(what) => print(&format!("plan {}: {what}\n", self.name)),
            Change::Not(why) => {
                complain(&format!("plan {}: {why}", self.name));
                ExitCode::from(NOT_WELL)
            }
            Change::Write(spec, what) => match self.write(&cluster, &plan, &spec).await {
                Ok(()) => print(&format!("plan {}: {what}\n", self.name)),
                Err(failure) => {
                    complain(&format!("plan {} was not changed: {}", self.name, failure.why()));
                    ExitCode::from(NOT_SEEN)
                }
            },
        })
    }

    /// Only where it is still as it was read.
    async fn write(&self, cluster: &Cluster, plan: &Plan, spec: &Value) -> Result<(), Failure> {
        let body = json!({ "metadata": { "resourceVersion": &*plan.resource_version }, "spec": spec });
        let request = Request::patch(self.path(cluster))
            .header("content-type", "application/merge-patch+json")
            .body(body.to_string().into_bytes())
            .map_err(|error| Failure::Refused(chain(&error)))?;
        cluster.client.request::<IgnoredAny>(request).await.map(drop).map_err(Failure::of)
    }
}

async fn list_all(connection: &Connection) -> Result<ExitCode, Unreachable> {
    let cluster = connection.open().await?;
    let path = match connection.namespace.as_deref() {
        Some(namespace) => format!("{PLANS}/namespaces/{namespace}/operationplans"),
        None if connection.all_namespaces => format!("{PLANS}/operationplans"),
        None => format!("{PLANS}/namespaces/{}/operationplans", cluster.own_namespace),
    };
    let found = answered(&cluster, list::<Plan>(&cluster.client, &path, "").await, "operation plans")?;
    Ok(match found {
        Ok(found) => {
            say_not_shown(&found.missing());
            print(&plans::list(&found.items, style_of(Format::Table)))
        }
        Err(ended) => ended,
    })
}

/// What the API server answered of this, or with which code the command ends.
pub(super) fn answered<T>(
    cluster: &Cluster,
    answer: Result<T, Failure>,
    of: &str,
) -> Result<Result<T, ExitCode>, Unreachable> {
    answer.map(Ok).or_else(|failure| match failure {
        Failure::Away(_) | Failure::Unauthorized(_) => Err(failure.unreachable(cluster.server.clone())),
        failure => {
            complain(&format!("{of}: {}", failure.why()));
            Ok(Err(ExitCode::from(NOT_SEEN)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(spec: &Value, status: &Value) -> Plan {
        Plan::read(&json!({ "metadata": { "name": "p" }, "spec": spec, "status": status }).to_string())
            .unwrap()
    }

    fn written(change: Change) -> Option<Value> {
        match change {
            Change::Write(spec, _) => Some(spec),
            Change::Is(_) | Change::Not(_) => None,
        }
    }

    #[test]
    fn only_the_number_that_is_offered_is_confirmed() {
        let waiting = plan(&json!({}), &json!({"confirmable": 3, "batch": "beta (1/2)"}));
        assert_eq!(written(confirm(&waiting, None)), Some(json!({"confirmed": 3})));
        assert_eq!(written(confirm(&waiting, Some(3))), Some(json!({"confirmed": 3})));
        assert_eq!(written(confirm(&waiting, Some(2))), None, "a number of an earlier batch");
        assert_eq!(written(confirm(&plan(&json!({}), &json!({})), None)), None);
    }

    #[test]
    fn what_is_so_already_is_not_written_again() {
        let paused = plan(&json!({"paused": true, "stop": "Abort"}), &json!({}));
        assert_eq!(written(pause(&paused, true)), None);
        assert_eq!(written(pause(&paused, false)), Some(json!({"paused": null})));
        assert_eq!(written(abort(&paused)), None);
        let running = plan(&json!({"paused": null}), &json!({"phase": "Running"}));
        assert_eq!(written(pause(&running, false)), None);
        assert_eq!(written(retry(&running)), None);
        let failed = plan(&json!({"attempt": 1}), &json!({"phase": "Failed", "attempt": 1}));
        assert_eq!(written(retry(&failed)), Some(json!({"attempt": 2})));
    }
}
