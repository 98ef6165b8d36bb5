//! `cargo xtask sim`: many seeds, the long run.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use sim::{
    Scenario,
    many::{Tally, run_all},
    run,
};

/// Seeds of the simulation: several real engines against a model of everything around them.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Run this one only, and print its story where it breaks an invariant.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first"])]
    replay: Option<u64>,
}

fn main() -> ExitCode {
    let Arguments { seeds, first, replay: again } = Arguments::parse();
    if let Some(seed) = again {
        return replay(seed);
    }
    let start = Instant::now();
    println!("seeds {first} to {}", first.saturating_add(seeds));
    let tally =
        run_all(first..first.saturating_add(seeds), |tally| println!("{}", line(tally, start.elapsed())));
    println!("{}", line(&tally, start.elapsed()));
    let Some((seed, story)) = tally.broken.first_key_value() else {
        println!("ok: no invariant was broken");
        return ExitCode::SUCCESS;
    };
    println!("{story}");
    for reason in tally.reasons() {
        println!("BROKEN {reason}");
    }
    println!("again: cargo xtask sim --replay {seed}");
    ExitCode::FAILURE
}

fn replay(seed: u64) -> ExitCode {
    match run(seed, Scenario::of(seed)) {
        Ok(outcome) => {
            println!("ok: {outcome:?}");
            ExitCode::SUCCESS
        }
        Err(story) => {
            println!("{story}");
            ExitCode::FAILURE
        }
    }
}

fn line(tally: &Tally, time: Duration) -> String {
    let Tally { seeds, with_replicas, quiet, installs, owned_acts, broken } = tally;
    format!(
        "{:6.1} s: {seeds} seeds, {with_replicas} with several replicas, {quiet} quiet at the end; {installs} installs, {owned_acts} acts of owners; {} broken {:?}",
        time.as_secs_f64(),
        broken.len(),
        broken.keys().collect::<Vec<_>>(),
    )
}
