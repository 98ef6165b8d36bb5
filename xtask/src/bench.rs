//! `cargo xtask bench` and `cargo xtask bench-base`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};
use testkit::{artifacts, cargo::target_dir};

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
        // It is in the program, which a browser looks at.
        artifacts::page()?;
        cargo::run(&["build", "--release", "--package", "bench", "--package", "controller"])?;
        let built = released(&repository);
        // What was just built, and nothing that is built again while the time is measured.
        let controller = built.join("module-controller");
        let program = built.join("bench");
        let mut command = process::Command::new(&program);
        let error = command.args(&self.arguments).env("MODULE_CONTROLLER_BIN", controller).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}

/// Measures the WebAssembly base: what it promises, and how fast it is beside `wasmtime serve`.
///
/// Builds it in release mode first, which takes minutes. `cargo xtask bench-base --help` builds it too, and then shows the
/// options.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct BenchBase {
    /// The benchmark's own arguments, for example --size 10 --wasmtime ~/.cargo/bin/wasmtime.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl BenchBase {
    /// As [`Bench::run`].
    pub(crate) fn run(&self) -> Result<()> {
        cargo::run_in_base(&["build", "--release", "--workspace", "--bins"])?;
        let program = released(&artifacts::repository().join("base")).join("bench");
        let error = process::Command::new(&program).args(&self.arguments).exec();
        Err(error).with_context(|| format!("starting {}", program.display()))
    }
}

/// Where the programs of a workspace are.
fn released(workspace: &Path) -> PathBuf {
    target_dir(workspace).join("release")
}
