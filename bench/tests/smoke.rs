//! The benchmark itself works: every phase, over both ways, with little of each. Nothing is judged by its time.

#![allow(missing_docs, reason = "tests")]

use anyhow::{Context, Result, ensure};
use bench::metrics::Counts;
use bench::settings::Settings;
use clap::Parser;

#[test]
fn over_http() -> Result<()> {
    smoke("http")
}

#[test]
fn over_mqtt() -> Result<()> {
    smoke("mqtt")
}

fn smoke(tunnel: &str) -> Result<()> {
    let arguments =
        ["bench", "--bases=3", "--modules=2", "--samples=4", "--idle-seconds=1", "--tunnel", tunnel];
    let report = bench::run::run(&Settings::try_parse_from(arguments)?)?;
    println!("{report}");
    let way = report.ways.first().context("no way")?;
    ensure!(way.way.as_str() == tunnel);
    let phases: Vec<&str> = way.costs.iter().map(|cost| cost.phase.as_str()).collect();
    let expected =
        ["discover", "idle, no modules", "one by one", "all online", "idle, all modules", "all offline"];
    ensure!(phases == expected, "{phases:?}");
    ensure!(way.figures.iter().all(|figure| figure.value.is_finite()), "a figure is none");
    // What every module must cost, whatever else the controller does. That it costs no more is told, not judged here.
    let least = |phase: &str, counts: fn(&bench::report::Cost) -> &Counts, what: &str| {
        let cost = way.costs.iter().find(|cost| cost.phase == phase).context("no such phase")?;
        let count = counts(cost).get(what).copied().unwrap_or(0);
        ensure!(count >= 6, "{phase}: {count} {what}, for 6 modules");
        Ok(())
    };
    let (online, offline) = (&way.writes.online, &way.writes.offline);
    for (writes, what) in [(online, "patch pods/status"), (offline, "delete pods")] {
        ensure!(writes.modules == 6 && writes.counts.get(what) >= Some(&6), "{what}: {writes:?}");
    }
    ensure!(!online.counts.contains_key("post pods"), "making a Pod is no write of ours: {online:?}");
    least("all online", |cost| &cost.bases, "installBiz")?;
    least("all online", |cost| &cost.controller, "patch pods/status")?;
    least("all offline", |cost| &cost.bases, "uninstallBiz")?;
    least("all offline", |cost| &cost.controller, "delete pods")
}
