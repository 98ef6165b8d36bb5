//! `cargo xtask test`.

mod end_to_end;
mod stage;
mod stages;
mod tally;
mod times;

use std::{env, os::unix::process::CommandExt, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use testkit::artifacts::KUBERNETES;

use stage::{Outcome, Stage};
use stages::Length;
use tally::Counts;

/// Sets everything up and runs every check and test of the project, one after the other.
///
/// What is missing is built or installed first (see `cargo xtask setup`). A stage that fails does not keep the others
/// from running, save those that need it. At the end stands a table, and the sum as the last line.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Leave out what takes minutes: the end-to-end tests and the demo.
    #[arg(long)]
    quick: bool,
    /// Run also what takes hours, as before a release: all seeds, every story over every broker, and waits as long as the promises that
    /// they hold.
    #[arg(long, conflicts_with = "quick")]
    long: bool,
    /// Run only the end-to-end tests, and build nothing else.
    #[arg(long, conflicts_with = "quick")]
    end_to_end: bool,
    /// Run on this release of Kubernetes instead of the usual one: one of devcluster/releases, such as 1.34.
    #[arg(long, value_name = "RELEASE")]
    kubernetes: Option<String>,
    /// Run only tests with this in their name, and no checks.
    filter: Option<String>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(release) = &self.kubernetes
            && env::var(KUBERNETES).ok().as_ref() != Some(release)
        {
            return run_on(release);
        }
        let filter = self.filter.as_deref();
        let length = match (self.quick, self.long) {
            (true, _) => Length::Quick,
            (false, true) => Length::Long,
            (false, false) => Length::Usual,
        };
        let plan = match self.end_to_end {
            true => stages::only_end_to_end(length, filter),
            false => stages::plan(length, filter),
        };
        let sum = run(plan);
        ensure!(self.filter.is_none() || sum.passed + sum.failed > 0, "no test has that in its name");
        end(sum)
    }
}

/// The same command once more, all of whose processes run on another release of Kubernetes.
fn run_on(release: &str) -> Result<()> {
    let program = env::current_exe().context("finding this program")?;
    let error = Command::new(program).args(env::args_os().skip(1)).env(KUBERNETES, release).exec();
    Err(error).context("starting this program anew")
}

/// Runs what a change is looked at with again and again: format, clippy, tidy and the unit tests.
///
/// It needs no dev cluster, no Java and no broker. All else is run by `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check;

impl Check {
    pub(crate) fn run(&self) -> Result<()> {
        end(run(stages::check()))
    }
}

/// Runs stages in their order, and closes with a table and the sum.
fn run(plan: Vec<Stage>) -> Counts {
    let start = Instant::now();
    let mut outcomes: Vec<(Stage, Outcome)> = Vec::new();
    let all = plan.len();
    for (index, stage) in plan.into_iter().enumerate() {
        println!("\n[{}/{all}] {}: {}", index + 1, stage.name, stage.what);
        let lacking = outcomes.iter().find(|(done, outcome)| stage.needs(done) && !outcome.is_ok());
        let outcome = match lacking {
            Some((lacking, _)) => Outcome::not_run(lacking.name),
            None => stage.run(),
        };
        println!("[{}/{all}] {}: {outcome}", index + 1, stage.name);
        outcomes.push((stage, outcome));
    }
    let sum = tally::sum(outcomes.iter().map(|(_, outcome)| outcome));
    println!("\n{}", tally::table(&outcomes));
    println!("{}", tally::closing_line(sum, start.elapsed()));
    sum
}

fn end(sum: Counts) -> Result<()> {
    if sum.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}
