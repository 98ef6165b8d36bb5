//! A run: for each way a fresh control plane, the floor on it, then the controller.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::floor::Floor;
use crate::phase::alone::{self, Alone};
use crate::phase::discover::{self, node_name};
use crate::phase::together::{self, Together};
use crate::report::{Report, Unit, WayReport};
use crate::rig::{BASE_VERSION, Plane, Rig};
use crate::settings::{Settings, Way};
use crate::stage::{Place, Stage};
use crate::stats::millis;
use crate::watch::Watch;
use crate::writes::Writes;

/// What the first minute of everything still writes has come by then: health, labels, first Leases.
const SETTLE: Duration = Duration::from_secs(3);

/// The label that a VNode carries.
const VNODE: &str = "virtual-kubelet.koupleless.io/component=vnode";

/// Measures all that the settings ask for.
pub fn run(settings: &Settings) -> Result<Report> {
    let mut report = Report {
        began: Timestamp::now().to_string(),
        processors: thread::available_parallelism().map_or(0, usize::from),
        load_before: load(),
        settings: settings.clone(),
        ways: Vec::new(),
    };
    for way in settings.ways() {
        let measured = one_way(settings, way).with_context(|| format!("over {}", way.as_str()))?;
        report.ways.push(measured);
    }
    Ok(report)
}

/// The load average over a minute; 0 where the system does not tell.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// What the floor and the controller are both asked for.
struct Figures {
    alone: Alone,
    online: Together,
    offline: Together,
}

fn one_way(settings: &Settings, way: Way) -> Result<WayReport> {
    say(way, "starting the control plane");
    let plane = Plane::start()?;
    let floor = floor(settings, way, &plane)?;
    say(way, "starting the controller");
    let mut rig = Rig::start(&plane, way)?;
    match controller(settings, way, &plane, &mut rig, &floor) {
        Ok(report) => Ok(report),
        Err(error) => Err(rig.explain(error)),
    }
}

fn floor(settings: &Settings, way: Way, plane: &Plane) -> Result<Figures> {
    let namespace = plane.cluster.namespace("floor")?;
    let bases = usize::try_from(settings.bases)?;
    plane
        .runtime
        .block_on(async {
            let floor = Floor::start(plane.server.clone(), &namespace, bases).await?;
            let stage = &floor.stage;
            say(way, "the floor: one module after the other");
            let alone = alone::run(stage, usize::try_from(settings.samples)?).await?;
            say(way, "the floor: all modules at once");
            let pods = stage.modules(usize::try_from(settings.modules)? * bases / stage.places.len());
            let online = together::online(stage, &pods).await?;
            let offline = together::offline(stage, &pods).await?;
            floor.end().await?;
            anyhow::Ok(Figures { alone, online, offline })
        })
        .context("the floor")
}

fn controller(
    settings: &Settings,
    way: Way,
    plane: &Plane,
    rig: &mut Rig<'_>,
    floor: &Figures,
) -> Result<WayReport> {
    let mut report = WayReport::new(way);
    let namespace = plane.cluster.namespace("modules")?;
    // Watches begin on the runtime.
    let _inside = plane.runtime.enter();
    let nodes = Watch::nodes(plane.server.client.clone(), VNODE);

    say(way, "bases become Nodes");
    let meter = rig.meter()?;
    let began = rig.start_fleet(settings)?;
    let fleet = rig.fleet()?;
    let discovered = plane.runtime.block_on(discover::run(fleet, &nodes, began))?;
    report.costs.push(meter.end(rig, "discover", 0)?);
    let all = format!("all {} Nodes Ready", settings.bases);
    report.figure("discover", &all, Unit::Millis, millis(discovered.took), None);
    report.latency("discover", "heartbeat to Node Ready", &discovered.latency, None);

    thread::sleep(SETTLE);
    idle(settings, way, rig, "idle, no modules", &mut report)?;

    let places = fleet
        .members()
        .iter()
        .map(|member| Place { node: node_name(&member.identity), member: Some(member.clone()) })
        .collect();
    let stage = Stage {
        server: plane.server.clone(),
        pods: Watch::pods(plane.server.client.clone(), &namespace),
        namespace,
        base_version: BASE_VERSION.to_owned(),
        places,
    };

    say(way, "one module after the other");
    let samples = usize::try_from(settings.samples)?;
    let meter = rig.meter()?;
    let measured = plane.runtime.block_on(alone::run(&stage, samples))?;
    report.costs.push(meter.end(rig, "one by one", samples)?);
    alone_figures(&mut report, &measured, &floor.alone);

    say(way, "all modules at once");
    let pods = stage.modules(usize::try_from(settings.modules)?);
    let meter = rig.meter()?;
    let online = plane.runtime.block_on(together::online(&stage, &pods))?;
    let cost = meter.end(rig, "all online", pods.len())?;
    report.writes.online = Writes::online(&cost.server, cost.modules);
    report.costs.push(cost);
    let words = [
        "bound to Ready, less the base's time",
        "  bound to command at the base",
        "  answer of the base to Ready",
    ];
    together_figures(&mut report, "all online", words, &online, &floor.online);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    report.figure("all online", "Pods that flapped", Unit::Count, online.flapped as f64, None);

    thread::sleep(SETTLE);
    idle(settings, way, rig, "idle, all modules", &mut report)?;

    say(way, "all modules offline");
    let meter = rig.meter()?;
    let offline = plane.runtime.block_on(together::offline(&stage, &pods))?;
    let cost = meter.end(rig, "all offline", pods.len())?;
    report.writes.offline = Writes::offline(&cost.server, cost.modules);
    report.costs.push(cost);
    let words = [
        "deletion to gone, less the base's time",
        "  deletion to command at the base",
        "  answer of the base to gone",
    ];
    together_figures(&mut report, "all offline", words, &offline, &floor.offline);
    let left = rig.fleet()?.activated();
    anyhow::ensure!(left == 0, "all Pods are gone, and {left} biz are still activated on the bases");
    Ok(report)
}

fn idle(settings: &Settings, way: Way, rig: &Rig<'_>, phase: &str, report: &mut WayReport) -> Result<()> {
    say(way, phase);
    let meter = rig.meter()?;
    let until = Instant::now() + Duration::from_secs(settings.idle_seconds.into());
    thread::sleep(until.saturating_duration_since(Instant::now()));
    report.costs.push(meter.end(rig, phase, 0)?);
    Ok(())
}

fn alone_figures(report: &mut WayReport, measured: &Alone, floor: &Alone) {
    let phase = "one by one";
    report.latency(phase, "create to bound (the scheduler)", &measured.scheduled, Some(&floor.scheduled));
    report.latency(phase, "bound to Ready, less the base's time", &measured.online, Some(&floor.online));
    if let Some(latency) = &measured.commanded {
        report.latency(phase, "  bound to command at the base", latency, None);
    }
    if let Some(latency) = &measured.told {
        report.latency(phase, "  answer of the base to Ready", latency, None);
    }
    report.latency(phase, "deletion to gone, less the base's time", &measured.offline, Some(&floor.offline));
    if let Some(latency) = &measured.released {
        report.latency(phase, "  deletion to command at the base", latency, None);
    }
}

fn together_figures(
    report: &mut WayReport,
    phase: &str,
    words: [&str; 3],
    measured: &Together,
    floor: &Together,
) {
    report.figure(phase, "Pods", Unit::PerSecond, measured.per_second, Some(floor.per_second));
    let [whole, first, second] = words;
    report.latency(phase, whole, &measured.latency, Some(&floor.latency));
    if let (Some(commanded), Some(told)) = (&measured.commanded, &measured.told) {
        report.latency(phase, first, commanded, None);
        report.latency(phase, second, told, None);
    }
}

fn say(way: Way, what: &str) {
    eprintln!("bench: {}: {what}", way.as_str());
}
