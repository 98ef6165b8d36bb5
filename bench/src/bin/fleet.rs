//! Simulated bases for a controller that runs already, until they are killed. The demo shows KouplelessBoard with them.

use std::time::Duration;

use anyhow::{Context, Result};
use bench::fleet::{Fleet, FleetOptions, Link};
use clap::Parser;

/// Runs simulated bases that talk to a controller over HTTP.
#[derive(Debug, Parser)]
struct Options {
    /// How many bases.
    #[arg(long)]
    bases: usize,
    /// Where the controller takes heartbeats: host and port.
    #[arg(long)]
    controller: String,
    /// The environment of controller and bases.
    #[arg(long)]
    env: String,
    /// The version that the bases report.
    #[arg(long)]
    version: String,
}

/// As a small module takes.
const INSTALL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

#[tokio::main]
async fn main() -> Result<()> {
    let Options { bases, controller, env, version } = Options::parse();
    let link = Link::Http(controller);
    let options = FleetOptions { bases, link, env, version, install: INSTALL, holds_one: false };
    let fleet = Fleet::start(&options).await?;
    println!("{} bases run", fleet.members().len());
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}
