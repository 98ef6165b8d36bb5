//! The commands: what each takes, and what it does with the picture.

mod baseline;
mod check;
mod cleanup;
mod describe;
mod format;
mod man;
mod names;
mod new_plan;
mod plan;
mod preview_plan;
mod report;
mod show;
mod status;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;
use model::Language;
use serde_json::Value;

use self::format::Format;
use crate::{
    client::{Cluster, Connection, Unreachable, complain},
    complete::Completion,
    output::NOT_SEEN,
    picture::{NotShown, Picture},
    read,
    screen::{Filter, table::Style},
};

/// What the commands need to know of the program that they are in.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its whole command line, for completion and manual pages.
    pub command: fn() -> clap::Command,
    /// The definitions of our own kinds that belong to this version.
    pub definitions: fn() -> Vec<Value>,
    /// The roles of the controller's account.
    pub roles: fn() -> Roles,
    /// The language of whoever asks.
    pub language: fn() -> Language,
}

/// The roles that `install` gives the controller's account, as objects of Kubernetes.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// Those of every controller.
    pub base: Vec<Value>,
    /// What peer Deployments and the baseline need beside.
    pub peers: Vec<Value>,
    /// What the kubelet API needs beside.
    pub kubelet: Vec<Value>,
    /// What several replicas need beside.
    pub replicas: Vec<Value>,
}

/// What is asked of a cluster.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each is told of at its own type, which is what --help shows")]
pub enum Command {
    Tree(show::Tree),
    Bases(show::Bases),
    Modules(show::Modules),
    Baseline(baseline::Baseline),
    Describe(describe::Describe),
    Status(status::Status),
    Check(Box<check::Check>),
    Plan(Box<plan::PlanCommand>),
    Cleanup(cleanup::Cleanup),
    Report(report::Report),
    Completion(Completion),
    Man(man::Man),
}

/// What is read, and how it is shown.
#[derive(Debug, Clone, clap::Args)]
struct View {
    #[command(flatten)]
    connection: Connection,
    /// Only bases of this environment. [default: all]
    #[arg(long, help_heading = "Cluster")]
    env: Option<String>,
    /// How it is shown
    #[arg(long, short, value_enum, default_value = "table")]
    output: Format,
}

impl Command {
    /// Does it.
    pub fn run(&self, program: &Program) -> ExitCode {
        let asked = async {
            match self {
                Self::Tree(tree) => tree.run().await,
                Self::Bases(bases) => bases.run().await,
                Self::Modules(modules) => modules.run().await,
                Self::Baseline(baseline) => baseline.run().await,
                Self::Describe(describe) => describe.run().await,
                Self::Status(status) => status.run().await,
                Self::Check(check) => check.run(program).await,
                Self::Plan(plan) => plan.run().await,
                Self::Cleanup(cleanup) => cleanup.run().await,
                Self::Report(report) => report.run(program).await,
                Self::Man(man) => Ok(man.run(program)),
                Self::Completion(completion) => Ok(completion.run(program)),
            }
        };
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(asked).unwrap_or_else(|unreachable| {
                complain(&unreachable);
                ExitCode::from(NOT_SEEN)
            }),
            Err(error) => {
                complain(&format!("it cannot wait for answers of the network: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

impl View {
    async fn open(&self) -> Result<Cluster, Unreachable> {
        self.connection.open().await
    }

    async fn picture(&self, cluster: &Cluster) -> Result<Picture, Unreachable> {
        read::picture(cluster, &self.connection, self.env.as_deref()).await
    }

    /// As a person on this output sees it, now.
    fn style(&self) -> Style {
        style_of(self.output)
    }
}

/// As a person on this output sees it, now.
fn style_of(output: Format) -> Style {
    Style { colour: format::colour(), wide: output == Format::Wide, now: jiff::Timestamp::now() }
}

/// Says what could not be shown, where it is in nobody's way.
fn say_not_shown(not_shown: &[NotShown]) {
    for not in not_shown {
        complain(&format!("not shown: {}: {}", not.what, not.why));
    }
}

fn filter(names: &[String], problems: bool) -> Filter {
    Filter { names: names.to_vec(), problems }
}
