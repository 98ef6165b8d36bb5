//! A base that takes WebAssembly modules while it runs.

mod arklet;
mod fetch;
mod health;
mod identity;
mod modules;
mod playback;
mod run;
mod server;
mod settings;
mod stamp;
mod trust;
mod tunnel;
mod web;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use host::CompilerLimits;
use tikv_jemallocator::Jemalloc;

/// An instance for each request is many small pieces that live for a moment, on all threads: that is what it is good at.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A base that takes WebAssembly modules while it runs.
#[derive(Debug, Parser)]
#[command(name = "base", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the base.
    Run {
        /// A file of properties, `name=value` in lines.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Properties, `--name=value`: see `base properties`. They go before the environment, and that before the file.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        properties: Vec<String>,
    },
    /// Print all properties.
    Properties,
    /// Make a package of a component: say which biz it is.
    Stamp(stamp::Arguments),
    /// Compile a component: what a running base starts for each new package.
    #[command(hide = true)]
    Compile {
        #[arg(long)]
        memory_mib: u32,
        #[arg(long)]
        cpu_seconds: u64,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { config, properties } => run::run(config.as_deref(), &properties),
        Command::Stamp(arguments) => stamp::stamp(&arguments),
        Command::Properties => {
            print!("{}", settings::help());
            Ok(())
        }
        Command::Compile { memory_mib, cpu_seconds } => {
            let limits = CompilerLimits {
                memory_mib,
                cpu: Duration::from_secs(cpu_seconds),
                ..CompilerLimits::default()
            };
            host::compile(&limits).map_err(anyhow::Error::msg)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
