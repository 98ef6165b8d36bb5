//! One scenario: its phases in their order, and what becomes a figure of each.

mod planned;
mod rounds;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::floor::{Floor, Writes as FloorWrites};
use crate::objects::ModulePod;
use crate::phase::alone::{self, Alone};
use crate::phase::discover::{self, node_name};
use crate::phase::doings::Doings;
use crate::phase::replicas::{FEWEST_BASES, Replicas};
use crate::phase::restart::{self, End};
use crate::phase::together;
use crate::phase::{board, rollout, steady, update};
use crate::plan::Plan;
use crate::report::{Cost, Unit, WayReport};
use crate::rig::{BASE_VERSION, Plane, Rig};
use crate::settings::Settings;
use crate::stage::{Stage, Target};
use crate::stats::{median, millis};
use crate::watch::Watch;
use crate::writes::Writes;

use rounds::Rounds;

/// What the first minute of everything still writes has come by then: health, labels, first Leases.
const SETTLE: Duration = Duration::from_secs(3);

/// How many more Pods there may be while a Deployment is updated.
const SURGE: &str = "30%";

/// The label that a VNode carries.
const VNODE: &str = "virtual-kubelet.koupleless.io/component=vnode";

/// What runs, and where its figures go.
pub(crate) struct Scenario<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) settings: &'a Settings,
    pub(crate) plane: &'a Plane,
    pub(crate) rig: Rig<'a>,
    pub(crate) report: &'a mut WayReport,
}

/// A phase, and what it cost.
struct Metered<T> {
    measured: T,
    /// From its beginning until the controller had written all that it meant to.
    written: Duration,
    cost: Cost,
}

impl Scenario<'_> {
    pub(crate) fn run(&mut self) -> Result<()> {
        let nodes = Watch::nodes(self.plane.server.client.clone(), VNODE);
        self.discover(&nodes)?;
        if let Some(fleet) = self.plan.planned() {
            return self.planned(fleet);
        }
        if self.plan.modules == 0 {
            return self.steady(&nodes);
        }
        if self.plan.samples > 0 && self.plan.idle_seconds > 0 {
            self.idle("idle, no modules")?;
        }
        let stage = self.stage(&self.plane.cluster.namespace("modules")?)?;
        let floor = match self.plan.floor {
            true => Some(self.floor(FloorWrites::All)?),
            false => None,
        };
        if self.plan.samples > 0 {
            self.alone(&stage, floor.as_ref())?;
        }
        self.rounds(&stage, floor.as_ref(), &nodes)?;
        if let Some(floor) = floor {
            self.plane.runtime.block_on(floor.end())?;
        }
        if self.plan.rollout {
            self.rollout()?;
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        eprintln!("bench: {}: {what}", self.plan.title());
    }

    fn discover(&mut self, nodes: &Watch) -> Result<()> {
        self.say("bases become Nodes");
        let meter = self.rig.meter()?;
        let began = self.rig.start_fleet(self.plan, self.settings)?;
        let fleet = self.rig.fleet()?;
        let discovered = self.plane.runtime.block_on(discover::run(fleet, nodes, began))?;
        self.report.costs.push(meter.end(&self.rig, "discover", 0)?);
        let all = format!("all {} Nodes Ready", self.plan.bases);
        self.report.figure("discover", &all, Unit::Millis, millis(discovered.took), None);
        self.report.latency("discover", "heartbeat to Node Ready", &discovered.latency, None);
        thread::sleep(SETTLE);
        Ok(())
    }

    fn stage(&self, namespace: &str) -> Result<Stage> {
        let fleet = self.rig.fleet()?;
        let place = |member: &std::sync::Arc<crate::fleet::Member>| Target {
            node: node_name(&member.identity),
            member: Some(member.clone()),
        };
        Ok(Stage {
            server: self.plane.server.clone(),
            pods: Watch::pods(self.plane.server.client.clone(), namespace),
            namespace: namespace.to_owned(),
            base_version: BASE_VERSION.to_owned(),
            places: fleet.members().iter().map(place).collect(),
        })
    }

    fn floor(&self, which: FloorWrites) -> Result<Floor> {
        let namespace = self.plane.cluster.namespace("floor")?;
        let bases = usize::try_from(self.plan.bases)?;
        let start = Floor::start(self.plane.server.clone(), &namespace, bases, which);
        self.plane.runtime.block_on(start).context("the floor")
    }

    /// Measures what nobody is asked for: processor time, memory, requests.
    fn idle(&mut self, phase: &str) -> Result<()> {
        self.say(phase);
        let meter = self.rig.meter()?;
        thread::sleep(Duration::from_secs(self.plan.idle_seconds.into()));
        let cost = meter.end(&self.rig, phase, 0)?;
        self.report.figure(
            phase,
            "the controller's processor time",
            Unit::Percent,
            cost.usage.controller_cores * 100.0,
            None,
        );
        self.memory(phase, &cost);
        self.report.costs.push(cost);
        Ok(())
    }

    fn memory(&mut self, phase: &str, cost: &Cost) {
        self.report.figure(
            phase,
            "the controller's memory (RSS)",
            Unit::Mib,
            cost.usage.controller_rss_mib,
            None,
        );
        self.report.figure(
            phase,
            "the most that it was so far",
            Unit::Mib,
            cost.usage.controller_peak_mib,
            None,
        );
    }

    fn steady(&mut self, nodes: &Watch) -> Result<()> {
        let phase = "steady";
        self.say(phase);
        let length = Duration::from_secs(self.plan.steady_seconds.into());
        let meter = self.rig.meter()?;
        let server = &self.plane.server;
        let found = self.plane.runtime.block_on(steady::run(server, nodes, length))?;
        let cost = meter.end(&self.rig, phase, 0)?;
        let seconds = self.plan.steady_seconds;
        self.report.figure(
            phase,
            &format!("the oldest Lease within {seconds} s"),
            Unit::Millis,
            found.oldest_ms,
            None,
        );
        self.report.figure(
            phase,
            "Nodes that became NotReady",
            Unit::Count,
            f64::from(found.not_ready),
            None,
        );
        self.report.figure(phase, "Nodes Ready, the fewest", Unit::Count, found.fewest_ready as f64, None);
        self.report.figure(
            phase,
            "the controller's processor time",
            Unit::Percent,
            cost.usage.controller_cores * 100.0,
            None,
        );
        self.memory(phase, &cost);
        self.report.costs.push(cost);
        Ok(())
    }

    fn alone(&mut self, stage: &Stage, floor: Option<&Floor>) -> Result<()> {
        let samples = usize::try_from(self.plan.samples)?;
        let bare = match floor {
            Some(floor) => {
                self.say("the floor: one module after the other");
                let measured = alone::run(&floor.stage, samples);
                Some(self.plane.runtime.block_on(measured).context("the floor")?)
            }
            None => None,
        };
        self.say("one module after the other");
        let meter = self.rig.meter()?;
        let measured = self.plane.runtime.block_on(alone::run(stage, samples))?;
        self.report.costs.push(meter.end(&self.rig, "one by one", samples)?);
        alone_figures(self.report, &measured, bare.as_ref());
        Ok(())
    }

    /// The floor and the controller in turn; what else is done with all modules online is done in the last round.
    fn rounds(&mut self, stage: &Stage, floor: Option<&Floor>, nodes: &Watch) -> Result<()> {
        let pods = stage.modules(usize::try_from(self.plan.modules)?);
        let mut rounds = Rounds::default();
        for round in 1..=self.plan.rounds {
            if let Some(floor) = floor {
                self.say(&format!("the floor: all modules at once, round {round}"));
                let places = floor.stage.places.len();
                let pods = floor.stage.modules(usize::try_from(self.plan.total())?.div_ceil(places));
                let (online, offline) = self
                    .plane
                    .runtime
                    .block_on(async {
                        let online = together::online(&floor.stage, &pods, usize::MAX).await?;
                        anyhow::Ok((online, together::offline(&floor.stage, &pods).await?))
                    })
                    .context("the floor")?;
                rounds.floor_online.push(online);
                rounds.floor_offline.push(offline);
            }
            self.say(&format!("all modules at once, round {round}"));
            let last = round == self.plan.rounds;
            let at_once = self.plan.at_once.map_or(Ok(usize::MAX), usize::try_from)?;
            let online = self.metered("all online", pods.len(), together::online(stage, &pods, at_once))?;
            let cost = rounds.online.push(online, pods.len());
            if last {
                self.report.writes.online = Writes::online(&cost.server, cost.modules);
                self.memory("all online", &cost);
                self.report.costs.push(cost);
                self.with_all_online(stage, &pods, nodes)?;
            }
            if self.plan.at_once.is_some() {
                continue;
            }
            let offline = self.metered("all offline", pods.len(), together::offline(stage, &pods))?;
            let cost = rounds.offline.push(offline, pods.len());
            if last {
                self.report.writes.offline = Writes::offline(&cost.server, cost.modules);
                self.report.costs.push(cost);
            }
            let left = self.rig.fleet()?.activated();
            ensure!(left == 0, "all Pods are gone, and {left} biz are still activated on the bases");
        }
        rounds.tell(self.report);
        Ok(())
    }

    fn metered<T>(
        &self,
        phase: &str,
        modules: usize,
        work: impl Future<Output = Result<T>>,
    ) -> Result<Metered<T>> {
        let (meter, began) = (self.rig.meter()?, Instant::now());
        let measured = self.plane.runtime.block_on(work)?;
        self.rig.until_written()?;
        let written = began.elapsed();
        Ok(Metered { measured, written, cost: meter.end(&self.rig, phase, modules)? })
    }

    fn with_all_online(&mut self, stage: &Stage, pods: &[(ModulePod, Target)], nodes: &Watch) -> Result<()> {
        if self.plan.idle_seconds > 0 {
            thread::sleep(SETTLE);
            self.idle("idle, all modules")?;
        }
        if self.plan.board {
            self.board()?;
        }
        if self.plan.restart {
            self.restart(End::Stopped)?;
            self.restart(End::Killed)?;
            self.replica_loss(stage)?;
        }
        if self.plan.update {
            self.update(stage, pods)?;
        }
        if self.plan.steady_seconds > 0 {
            self.steady(nodes)?;
        }
        Ok(())
    }

    fn board(&mut self) -> Result<()> {
        let phase = "board";
        self.say(phase);
        let meter = self.rig.meter()?;
        let idle_for = Duration::from_secs(self.settings.idle_seconds.into());
        let found = board::run(&self.plane.cluster, self.plan.bases, idle_for)?;
        self.report.costs.push(meter.end(&self.rig, phase, 0)?);
        for (what, unit, value) in found {
            self.report.figure(phase, &what, unit, value, None);
        }
        Ok(())
    }

    fn restart(&mut self, end: End) -> Result<()> {
        let phase = match end {
            End::Stopped => "restart after SIGTERM",
            End::Killed => "restart after SIGKILL",
        };
        self.say(phase);
        let meter = self.rig.meter()?;
        let found = restart::run(&mut self.rig, end)?;
        let cost = meter.restarted(&self.rig, phase)?;
        self.report.figure(phase, "ready", Unit::Millis, millis(found.ready), None);
        self.report.figure(
            phase,
            "in charge: all Leases renewed, all bases asked",
            Unit::Millis,
            millis(found.in_charge),
            None,
        );
        self.doings(phase, found.doings);
        self.memory(phase, &cost);
        self.report.costs.push(cost);
        Ok(())
    }

    fn replica_loss(&mut self, stage: &Stage) -> Result<()> {
        let phase = "replica loss";
        if stage.places.len() < FEWEST_BASES {
            self.say(&format!("{phase} is left out: it takes {FEWEST_BASES} bases"));
            return Ok(());
        }
        self.say(phase);
        let mut replicas = Replicas::start(&mut self.rig, self.plane)?;
        let meter = self.rig.meter()?;
        let found = replicas.lose_one(&self.rig, self.plane, &stage.pods)?;
        let cost = meter.end(&self.rig, phase, 0)?;
        replicas.end(&mut self.rig)?;
        self.report.figure(phase, "every base has an owner again", Unit::Millis, millis(found.owned), None);
        self.report.figure(phase, "Pods that became NotReady", Unit::Count, f64::from(found.not_ready), None);
        self.doings(phase, found.doings);
        self.memory(phase, &cost);
        self.report.costs.push(cost);
        Ok(())
    }

    fn doings(&mut self, phase: &str, found: Doings) {
        self.report.figure(phase, "commands that change something", Unit::Count, found.commands as f64, None);
        self.report.figure(
            phase,
            "writes of Pods and Module objects",
            Unit::Count,
            found.writes as f64,
            None,
        );
    }

    fn update(&mut self, stage: &Stage, pods: &[(ModulePod, Target)]) -> Result<()> {
        let phase = "update in place";
        self.say(phase);
        let Metered { measured, cost, .. } = self.metered(phase, pods.len(), update::run(stage, pods))?;
        self.report.figure(phase, "Pods", Unit::PerSecond, measured.per_second, None);
        self.report.figure(
            phase,
            "the controller's processor time for each",
            Unit::Millis,
            cost.cpu_ms_per_module(),
            None,
        );
        self.report.costs.push(cost);
        Ok(())
    }

    /// The comparator and the controller in turn.
    fn rollout(&mut self) -> Result<()> {
        let phase = "rolling update";
        let stage = self.stage(&self.plane.cluster.namespace("rolling")?)?;
        let replicas = stage.places.len();
        let (mut compared, mut took) = (Vec::new(), Vec::new());
        for round in 1..=self.plan.rounds {
            self.say(&format!("rolling update, the comparator, round {round}"));
            // Its Nodes are in nobody's way when the controller's turn comes.
            let bare = self.floor(FloorWrites::PodsOnly)?;
            let comparator = rollout::run(&bare.stage, "the comparator", replicas, SURGE);
            compared.push(millis(self.plane.runtime.block_on(comparator)?));
            self.plane.runtime.block_on(bare.end())?;
            self.say(&format!("{phase}, round {round}"));
            let meter = self.rig.meter()?;
            let controller = rollout::run(&stage, "the controller", replicas, SURGE);
            took.push(millis(self.plane.runtime.block_on(controller)?));
            if round == self.plan.rounds {
                self.report.costs.push(meter.end(&self.rig, phase, replicas)?);
            }
        }
        let what = format!("a Deployment of {replicas}, maxSurge {SURGE}");
        self.report.figure(phase, &what, Unit::Millis, median(took), Some(median(compared)));
        Ok(())
    }
}

fn alone_figures(report: &mut WayReport, measured: &Alone, floor: Option<&Alone>) {
    let phase = "one by one";
    let of = |part: fn(&Alone) -> &crate::stats::Latency| floor.map(part);
    report.latency(
        phase,
        "create to bound (the scheduler)",
        &measured.scheduled,
        of(|floor| &floor.scheduled),
    );
    report.latency(
        phase,
        "bound to Ready, less the base's time",
        &measured.online,
        of(|floor| &floor.online),
    );
    if let Some(latency) = &measured.commanded {
        report.latency(phase, "  bound to command at the base", latency, None);
    }
    if let Some(latency) = &measured.told {
        report.latency(phase, "  answer of the base to Ready", latency, None);
    }
    report.latency(
        phase,
        "deletion to gone, less the base's time",
        &measured.offline,
        of(|floor| &floor.offline),
    );
    if let Some(latency) = &measured.released {
        report.latency(phase, "  deletion to command at the base", latency, None);
    }
}
