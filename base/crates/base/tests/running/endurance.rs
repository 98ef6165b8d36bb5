//! What a base costs when much has come and gone, and when little is done.

use std::{fs, time::Instant};

use samples::Sample;
use serde_json::json;

use crate::support::Base;

const CYCLES: usize = 1_000;
const WARM: usize = 100;

/// What a process has, by `/proc`.
#[derive(Debug, Clone, Copy)]
struct Usage {
    rss_kib: u64,
    threads: u64,
    descriptors: usize,
}

impl Usage {
    fn of(base: &Base) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", base.id())).unwrap();
        let number = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("/proc/{}/fd", base.id())).unwrap().count();
        Self { rss_kib: number("VmRSS"), threads: number("Threads"), descriptors }
    }
}

/// Install, request, switch, uninstall, again and again: what is gone leaves nothing.
#[test]
fn a_thousand_cycles_leave_nothing() {
    let base = Base::start(&[]);
    let samples = ["1.0.0", "2.0.0"].map(|version| Sample::new("biz1", version));
    let urls = samples.each_ref().map(|sample| base.folder.package(sample));
    let id = |version: &str| json!({"bizName": "biz1", "bizVersion": version});
    let command = |name: &str, body| {
        let answer = base.arklet(name, &body);
        assert_eq!(answer["code"], "SUCCESS", "{name}: {answer}");
    };
    let mut installs = Vec::new();
    let mut warm = None;
    for cycle in 0..CYCLES {
        for url in &urls {
            let start = Instant::now();
            command("installBiz", json!({"bizUrl": url}));
            installs.push(start.elapsed());
        }
        assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
        command("switchBiz", id("2.0.0"));
        assert_eq!(base.serving("biz1").as_deref(), Some("2.0.0"));
        command("uninstallBiz", id("1.0.0"));
        command("uninstallBiz", id("2.0.0"));
        if cycle == WARM {
            warm = Some(Usage::of(&base));
        }
    }
    let (warm, end) = (warm.unwrap(), Usage::of(&base));
    installs.sort();
    println!("after {WARM} {warm:?}, after {CYCLES} {end:?}");
    println!(
        "{} installs from the cache: median {:?}, p99 {:?}",
        installs.len(),
        installs[installs.len() / 2],
        installs[installs.len() * 99 / 100]
    );
    assert!(end.rss_kib < warm.rss_kib + 5 * 1024, "{warm:?} {end:?}");
    // Those that read files come and go, and are four at most.
    assert!(end.threads <= warm.threads + 4, "{warm:?} {end:?}");
    assert!(end.descriptors <= warm.descriptors + 8, "{warm:?} {end:?}");
}

#[test]
fn a_hundred_modules_that_do_nothing_cost_little() {
    let base = Base::start(&[]);
    for number in 0..100 {
        base.installed(&Sample::new(&format!("biz{number}"), "1.0.0"));
    }
    let usage = Usage::of(&base);
    println!("100 modules: {usage:?}");
    assert!(usage.rss_kib < 60 * 1024, "{usage:?}");
}
