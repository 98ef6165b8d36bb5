//! The benchmark itself works: every phase, over both ways, with little of each. Nothing is judged by its time.

#![allow(missing_docs, reason = "tests")]

use bench::settings::{Settings, Way};
use clap::Parser;

fn smoke(tunnel: &str) {
    let arguments =
        ["bench", "--bases=3", "--modules=2", "--samples=4", "--idle-seconds=1", "--tunnel", tunnel];
    let settings = Settings::try_parse_from(arguments).unwrap();
    let report = bench::run::run(&settings).unwrap();
    let way = &report.ways[0];
    println!("{report}");
    let phases: Vec<&str> = way.costs.iter().map(|cost| cost.phase.as_str()).collect();
    let expected =
        ["discover", "idle, no modules", "one by one", "all online", "idle, all modules", "all offline"];
    assert_eq!(phases, expected);
    let cost = |phase: &str| way.costs.iter().find(|cost| cost.phase == phase).unwrap();
    // What each module costs, and nothing is sent twice.
    assert_eq!(cost("all online").bases["installBiz"], 6);
    assert_eq!(cost("all online").controller["patch pods/status"], 6);
    assert_eq!(cost("all offline").bases["uninstallBiz"], 6);
    assert_eq!(cost("all offline").controller["delete pods"], 6);
    assert!(way.figures.iter().all(|figure| figure.value.is_finite()), "{report}");
    assert_eq!(way.way == Way::Http, tunnel == "http");
}

#[test]
fn over_http() {
    smoke("http");
}

#[test]
fn over_mqtt() {
    smoke("mqtt");
}
