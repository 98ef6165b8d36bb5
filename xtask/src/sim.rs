//! `cargo xtask sim`.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::cargo;

/// Runs seeds of the simulation, a hundred thousand where not told otherwise.
///
/// `cargo xtask sim --help` shows the options.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Sim {
    /// The run's own arguments, for example --seeds 5000 --first 100000.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Sim {
    /// Becomes the run. It is built as tests are: a number that overflows is then a panic.
    pub(crate) fn run(&self) -> Result<()> {
        cargo::run(&["build", "--workspace", "--bin", "sim"])?;
        let program = env::current_exe().context("where this program is")?.with_file_name("sim");
        let error = std::process::Command::new(&program).args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}
