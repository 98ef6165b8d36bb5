//! `cargo xtask bench`.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;

use anyhow::{Context, Result};
use testkit::artifacts;

use crate::cargo;

/// Measures the controller against a bare client of the same API server.
///
/// Builds both in release mode first. `cargo xtask bench --help` builds them too, and then shows the options.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Bench {
    /// The benchmark's own arguments, for example --bases 20 --modules 5 --tunnel http.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Bench {
    /// Becomes the benchmark, so that Ctrl-C reaches it alone.
    pub(crate) fn run(&self) -> Result<()> {
        let repository = artifacts::repository();
        cargo::run(&["build", "--release", "--package", "bench", "--package", "controller"])?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
        let program = target.join("release/bench");
        // What was just built, and nothing that is built again while the time is measured.
        let controller = target.join("release/module-controller");
        let mut command = process::Command::new(&program);
        let error = command.args(&self.arguments).env("MODULE_CONTROLLER_BIN", controller).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}
