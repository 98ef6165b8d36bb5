//! Cargo, called from its own subcommand.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::artifacts;

/// What cargo tells a program that it runs begins with this. Build scripts look at some of it (that of `ring` does), and
/// would be run anew, with all that depends on them, each time a cargo is started by a cargo.
const TOLD: [&str; 5] = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// The cargo that runs us, in the root of the repository, with these arguments.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(args).current_dir(artifacts::repository());
    let told = |name: &OsStr| TOLD.iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
    for (name, _) in env::vars_os().filter(|(name, _)| told(name)) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end, its output going where ours goes.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let what = format!("cargo {}", args.join(" "));
    let status = command(args).status().with_context(|| what.clone())?;
    ensure!(status.success(), "`{what}` failed ({status})");
    Ok(())
}

/// Builds the controller where [`testkit::controller::program`] finds it. With `--workspace`, so that the
/// dependencies are built with the features that every other stage needs too, and only once.
pub(crate) fn build_controller() -> Result<()> {
    run(&["build", "--workspace", "--bin", "module-controller"])
}
