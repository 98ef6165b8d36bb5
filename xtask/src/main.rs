//! The project's own commands: `cargo xtask <command>`. One file or folder per command.

mod bench;
mod book;
mod cargo;
mod cluster;
mod demo;
mod fuzz;
mod page;
mod release;
mod setup;
mod sim;
mod test;
mod tidy;

use std::process::ExitCode;

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
    Demo(demo::Demo),
    Check(test::Check),
    Test(test::Test),
    Tidy(tidy::Tidy),
    Setup(setup::Setup),
    Cluster(cluster::Cluster),
    Bench(bench::Bench),
    Book(book::Book),
    BenchBase(bench::BenchBase),
    Fuzz(fuzz::Fuzz),
    Page(page::Page),
    Sim(sim::Sim),
    Release(release::Release),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Tidy(command) => command.run(),
        Command::Setup(command) => command.run(),
        Command::Cluster(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Book(command) => command.run(),
        Command::BenchBase(command) => command.run(),
        Command::Fuzz(command) => command.run(),
        Command::Page(command) => command.run(),
        Command::Sim(command) => command.run(),
        Command::Release(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Its own text, and not the backtrace that it may carry.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
