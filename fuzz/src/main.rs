//! `cargo xtask fuzz`: the long run.

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Parser;
use fuzz::{Broken, Tally, run};

/// How often progress is shown.
const PERIOD: Duration = Duration::from_secs(5);

/// Hostile messages, made of recorded ones, against everything that reads them and against the engine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask fuzz", bin_name = "cargo xtask fuzz")]
struct Arguments {
    /// How many messages.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Which ones: the same seed sends the same messages. Chosen at random where none is given.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| u64::from(fastrand::u32(..)));
    let messages = arguments.messages;
    println!("seed {seed}, {messages} messages");
    let (start, mut shown) = (Instant::now(), Instant::now());
    let before = resident_mib()?;
    let result = run(seed, messages, |tally| {
        if shown.elapsed() >= PERIOD {
            shown = Instant::now();
            println!("{}", line(tally, start.elapsed()));
        }
    })
    .context("the corpus")?;
    let tally = match result {
        Ok(tally) => tally,
        Err(Broken { seed, number, message, why }) => {
            println!("BROKEN at message {number} of seed {seed}: {why}");
            println!("{}", message.unwrap_or_default());
            println!("again: cargo xtask fuzz --seed {seed} --messages {number}");
            return Ok(ExitCode::FAILURE);
        }
    };
    println!("{}", line(&tally, start.elapsed()));
    let [first, flooded, last] = tally.state_bytes.map(|bytes| bytes / 1024);
    println!("state of the engine as text: {first} KiB before, {flooded} KiB in the flood, {last} KiB after");
    println!("memory: {before:.1} MiB before, {:.1} MiB after", resident_mib()?);
    println!("ok: 0 panics, honest bases unaffected");
    Ok(ExitCode::SUCCESS)
}

fn line(tally: &Tally, time: Duration) -> String {
    let Tally { messages, told, announced, most_strangers, turned_away, .. } = tally;
    let seconds = time.as_secs();
    format!(
        "{seconds:>5} s: {messages} messages, {told} of them told to the engine, {announced} announcements, {most_strangers} strangers at a time, {turned_away} heartbeats turned away"
    )
}

/// What this process holds in memory.
fn resident_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().context("VmRSS")?;
    Ok(kib / 1024.0)
}
