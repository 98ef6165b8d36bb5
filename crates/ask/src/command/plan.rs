//! `plan`: shows operation plans, and lets people steer them.

use std::process::ExitCode;

use clap::Subcommand;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    format::Format, names, new_plan::New, preview_plan::Preview, say_not_shown, style_of, watch::follow,
};
use crate::{
    client::{Cluster, Connection, Unreachable, complain},
    output::{NOT_SEEN, NOT_WELL, print},
    read::{Failure, Object, Plan, list, raw},
    screen::plans,
    steer::{self, Change, PLANS, Steer},
};

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
    Show {
        #[command(flatten)]
        named: Named,
        /// Show it again whenever it changes, until it is over or Ctrl-C
        #[arg(long, short)]
        watch: bool,
    },
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
    #[arg(value_name = "PLAN", add = names::plans())]
    name: String,
    #[command(flatten)]
    connection: Connection,
}

impl PlanCommand {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        match &self.what {
            What::List { connection } => list_all(connection).await,
            What::New(new) => Ok(new.run()),
            What::Preview(preview) => preview.run().await,
            What::Show { named, watch } => named.show(*watch).await,
            What::Confirm { named, number } => named.steer(Steer::Confirm(*number)).await,
            What::Pause(named) => named.steer(Steer::Pause).await,
            What::Resume(named) => named.steer(Steer::Resume).await,
            What::Retry(named) => named.steer(Steer::Retry).await,
            What::Abort(named) => named.steer(Steer::Abort).await,
        }
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

    async fn show(&self, watch: bool) -> Result<ExitCode, Unreachable> {
        let cluster = self.open().await?;
        let style = || style_of(Format::Table);
        if watch {
            return follow(async || self.read(&cluster).await, style, plans::show, Plan::is_over).await;
        }
        Ok(match self.read(&cluster).await? {
            Ok(plan) => print(&plans::show(&plan, style())),
            Err(ended) => ended,
        })
    }

    async fn steer(&self, steer: Steer) -> Result<ExitCode, Unreachable> {
        let cluster = self.open().await?;
        let plan = match self.read(&cluster).await? {
            Ok(plan) => plan,
            Err(ended) => return Ok(ended),
        };
        Ok(match steer.decide(&plan) {
            Change::Already => print(&format!("plan {}: {}\n", self.name, steer.already())),
            Change::Not(why) => {
                complain(&format!("plan {}: {why}", self.name));
                ExitCode::from(NOT_WELL)
            }
            Change::Write(spec) => match self.write(&cluster, &plan, &spec).await {
                Ok(()) => print(&format!("plan {}: {}\n", self.name, steer.done(&plan))),
                Err(failure) => {
                    complain(&format!("plan {} was not changed: {}", self.name, failure.why()));
                    ExitCode::from(NOT_SEEN)
                }
            },
        })
    }

    /// Only where it is still as it was read.
    async fn write(&self, cluster: &Cluster, plan: &Plan, spec: &Value) -> Result<(), Failure> {
        let request = steer::request(plan, spec, true)?;
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
