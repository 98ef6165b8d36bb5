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

/// What a plan costs beside the same update without one is told; that it ends, and how, is judged.
#[test]
fn by_a_plan() -> Result<()> {
    let arguments = ["bench", "--preset=plans", "--bases=6", "--idle-seconds=1"];
    let report = bench::run::run(&Settings::try_parse_from(arguments)?, |_| Ok(()))?;
    println!("{report}");
    let titles: Vec<String> = report.ways.iter().map(|way| way.plan.title()).collect();
    ensure!(titles == ["http 6x1 by a plan", "http 2x1 by a plan, one version at a time"], "{titles:?}");
    for way in &report.ways {
        ensure!(way.failed.is_none(), "{:?}", way.failed);
        let figure = |phase: &str, what: &str| {
            let found = way.figures.iter().find(|figure| figure.phase == phase && figure.what == what);
            found.with_context(|| format!("no figure {what:?} of {phase:?}"))
        };
        let by_plan = |what: &str| figure("update by a plan", what);
        ensure!(by_plan("bases that failed or were late")?.value == 0.0, "a base failed");
        ensure!(by_plan("writes of Pods and Module objects")?.value >= 5.0, "less than a module's life");
        ensure!(by_plan("writes of the plan's status")?.value >= 2.0, "it was never told");
        let together = by_plan("all batches together, each from its release to its last Ready")?;
        ensure!(together.value > 0.0 && together.floor.is_some(), "{together:?}");
        figure("idle, a plan waits for a person", "other writes")?;
        ensure!(way.figures.iter().all(|figure| figure.value.is_finite()), "a figure is none");
    }
    Ok(())
}

fn smoke(tunnel: &str) -> Result<()> {
    let arguments = [
        "bench",
        "--bases=6",
        "--modules=2",
        "--samples=4",
        "--rounds=2",
        "--idle-seconds=1",
        "--tunnel",
        tunnel,
    ];
    let mut kept = 0;
    let report = bench::run::run(&Settings::try_parse_from(arguments)?, |_| {
        kept += 1;
        Ok(())
    })?;
    println!("{report}");
    ensure!(kept == 1, "one scenario was kept {kept} times");
    let way = report.ways.first().context("no scenario")?;
    ensure!(way.failed.is_none(), "{:?}", way.failed);
    ensure!(way.plan.title() == format!("{tunnel} 6x2"), "{}", way.plan.title());
    let phases: Vec<&str> = way.costs.iter().map(|cost| cost.phase.as_str()).collect();
    let expected = [
        "discover",
        "idle, no modules",
        "one by one",
        "all online",
        "idle, all modules",
        "board",
        "restart after SIGTERM",
        "restart after SIGKILL",
        "replica loss",
        "update in place",
        "all offline",
        "rolling update",
    ];
    ensure!(phases == expected, "{phases:?}");
    let figure = |phase: &str, what: &str| {
        let found = way.figures.iter().find(|figure| figure.phase == phase && figure.what == what);
        found.with_context(|| format!("no figure {what:?} of {phase:?}"))
    };
    for end in ["restart after SIGTERM", "restart after SIGKILL", "replica loss"] {
        for what in ["commands that change something", "writes of Pods and Module objects"] {
            ensure!(figure(end, what)?.value == 0.0, "{end}: {what}");
        }
    }
    ensure!(figure("all online", "Pods")?.floor.is_some(), "the floor was not measured");
    ensure!(figure("board", "matrix: answers, compressed")?.value > 0.0, "the browser got nothing");
    ensure!(bench::html::page(&report).contains("rolling update"), "the page tells all phases");
    ensure!(way.figures.iter().all(|figure| figure.value.is_finite()), "a figure is none");
    // What every module must cost, whatever else the controller does. That it costs no more is told, not judged here.
    let least = |phase: &str, counts: fn(&bench::report::Cost) -> &Counts, what: &str| {
        let cost = way.costs.iter().find(|cost| cost.phase == phase).context("no such phase")?;
        let count = counts(cost).get(what).copied().unwrap_or(0);
        ensure!(count >= 12, "{phase}: {count} {what}, for 12 modules");
        Ok(())
    };
    let (online, offline) = (&way.writes.online, &way.writes.offline);
    for (writes, what) in [(online, "patch pods/status"), (offline, "delete pods")] {
        ensure!(writes.modules == 12 && writes.counts.get(what) >= Some(&12), "{what}: {writes:?}");
    }
    ensure!(!online.counts.contains_key("post pods"), "making a Pod is no write of ours: {online:?}");
    least("all online", |cost| &cost.bases, "installBiz")?;
    least("all online", |cost| &cost.controller, "patch pods/status")?;
    least("all offline", |cost| &cost.bases, "uninstallBiz")?;
    least("all offline", |cost| &cost.controller, "delete pods")
}
