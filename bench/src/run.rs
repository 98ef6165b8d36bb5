//! A run: scenario after scenario, each on a fresh control plane.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::plan::{Plan, plans};
use crate::report::{Report, WayReport};
use crate::rig::{Plane, Rig};
use crate::scenario::Scenario;
use crate::settings::Settings;

/// Measures all that the settings ask for. What a scenario found is told to `keep` when it has ended, however it ended:
/// one that fails says so in its result, and the next one begins.
pub fn run(settings: &Settings, mut keep: impl FnMut(&Report) -> Result<()>) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report {
        began: Timestamp::now().to_string(),
        processors: thread::available_parallelism().map_or(0, usize::from),
        load_before: load(),
        settings: settings.clone(),
        ways: Vec::new(),
    };
    let limit = Duration::from_secs(60) * settings.minutes;
    for plan in plans(settings) {
        let mut found = WayReport::new(&plan);
        let title = plan.title();
        if began.elapsed() > limit {
            found.failed = Some(format!("left out: {} minutes are over", settings.minutes));
        } else if let Err(error) = measure(&plan, settings, &mut found) {
            eprintln!("bench: {title} failed: {error:#}");
            found.failed = Some(format!("{error:#}"));
        }
        eprintln!("bench: {title}: ended after {:.0} s of the run", began.elapsed().as_secs_f64());
        report.ways.push(found);
        keep(&report)?;
    }
    Ok(report)
}

/// The load average over a minute; 0 where the system does not tell.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn measure(plan: &Plan, settings: &Settings, report: &mut WayReport) -> Result<()> {
    eprintln!("bench: {}: starting the control plane and the controller", plan.title());
    let plane = Plane::start(plan)?;
    // Watches begin on the runtime.
    let _inside = plane.runtime.enter();
    let rig = Rig::start(&plane, plan)?;
    let mut scenario = Scenario { plan, settings, plane: &plane, rig, report };
    match scenario.run() {
        Ok(()) => Ok(()),
        Err(error) => Err(scenario.rig.explain(error)).context(plan.title()),
    }
}
