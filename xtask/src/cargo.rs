//! Cargo, called from its own subcommand.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::{artifacts, cargo};

/// The cargo that runs us, in the root of the repository, with these arguments.
pub(crate) fn command(args: &[&str]) -> Command {
    cargo::command(&artifacts::repository(), args)
}

/// The same in the workspace of the WebAssembly base.
pub(crate) fn command_of_base(args: &[&str]) -> Command {
    cargo::command(&artifacts::repository().join("base"), args)
}

/// Runs it to its end, its output going where ours goes.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let what = format!("cargo {}", args.join(" "));
    let status = command(args).status().with_context(|| what.clone())?;
    ensure!(status.success(), "`{what}` failed ({status})");
    Ok(())
}

/// The same in the workspace of the WebAssembly base.
pub(crate) fn run_in_base(args: &[&str]) -> Result<()> {
    let what = format!("cargo {} in base/", args.join(" "));
    let status = command_of_base(args).status().with_context(|| what.clone())?;
    ensure!(status.success(), "`{what}` failed ({status})");
    Ok(())
}

/// Builds the controller where [`testkit::controller::program`] finds it. With `--workspace`, so that the
/// dependencies are built with the features that every other stage needs too, and only once.
pub(crate) fn build_controller() -> Result<()> {
    run(&["build", "--workspace", "--bin", "module-controller"])
}
