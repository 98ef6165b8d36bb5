//! The project's own commands: `cargo xtask <command>`. One file per command.

mod bench;
mod cluster;
mod setup;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Setup(setup::Setup),
    Cluster(cluster::Cluster),
    Bench(bench::Bench),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup(command) => command.run(),
        Command::Cluster(command) => command.run(),
        Command::Bench(command) => command.run(),
    }
}
