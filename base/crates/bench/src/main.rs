//! Measures a base: what SPECIFICATION says of it in figures, and how fast it is beside `wasmtime serve`.

mod base;
mod client;
mod folder;
mod phase;
mod server;
mod table;
mod times;
mod usage;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};

use self::{
    phase::{cycles, idle, install, neighbours, throughput},
    table::Table,
};

/// Measures a WebAssembly base, and says what is held of what it promises.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// How much is done, in percent of what the promises speak of.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    size: u32,
    /// Only these.
    #[arg(long, value_delimiter = ',', default_values_t = Phase::value_variants().to_vec(), hide_default_value = true)]
    only: Vec<Phase>,
    /// The program of the base; the one beside this one where it is not given.
    #[arg(long)]
    base: Option<PathBuf>,
    /// The program of wasmtime 48: `cargo install wasmtime-cli --version 48.0.8 --locked`.
    #[arg(long)]
    wasmtime: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// How long an install takes, from the cache and compiled.
    Install,
    /// What modules that misbehave do to others.
    Neighbours,
    /// What is left after modules came and went.
    Cycles,
    /// What modules cost that do nothing.
    Idle,
    /// Requests a second, beside `wasmtime serve`.
    Throughput,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", clap::builder::PossibleValue::get_name))
    }
}

/// So much of a number, and one at the least.
#[derive(Debug, Clone, Copy)]
struct Size(u32);

impl Size {
    fn of(self, number: u32) -> u32 {
        (number * self.0 / 100).max(1)
    }
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(table) => {
            println!("\n{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Table> {
    let program = match &arguments.base {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("where this program is")?.with_file_name("base"),
    };
    ensure!(program.is_file(), "{} is not there: build the base, or name it with --base", program.display());
    // One thread: the processors are the base's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (size, mut table) = (Size(arguments.size), Table::default());
    for phase in &arguments.only {
        eprintln!("{phase} ...");
        let rows = runtime.block_on(async {
            match phase {
                Phase::Install => install::measure(&program, size).await,
                Phase::Neighbours => neighbours::measure(&program, size).await,
                Phase::Cycles => cycles::measure(&program, size).await,
                Phase::Idle => idle::measure(&program).await,
                Phase::Throughput => throughput::measure(&program, arguments.wasmtime.as_deref(), size).await,
            }
        });
        table.add(rows.with_context(|| phase.to_string())?);
    }
    Ok(table)
}
