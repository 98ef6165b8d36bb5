//! `cargo xtask fuzz`.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::cargo;

/// Sends hostile messages, a million where not told otherwise, to everything that reads them and to the engine.
///
/// `cargo xtask fuzz --help` shows the options.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Fuzz {
    /// The run's own arguments, for example --messages 10000 --seed 7.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Fuzz {
    /// Becomes the run. It is built as tests are: a number that overflows is then a panic.
    pub(crate) fn run(&self) -> Result<()> {
        cargo::run(&["build", "--workspace", "--bin", "fuzz"])?;
        let program = env::current_exe().context("where this program is")?.with_file_name("fuzz");
        let error = std::process::Command::new(&program).args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}
