//! The update of a Deployment by an operation plan, beside the same without one.

use std::thread;

use anyhow::Result;

use super::{Metered, SETTLE, Scenario};
use crate::floor::Writes as FloorWrites;
use crate::metrics::Counts;
use crate::phase::planned::{self, Batch, Fleet};
use crate::phase::rollout;
use crate::plan_watch::PlanWatch;
use crate::report::{Cost, Unit};
use crate::stats::millis;

/// How the phases are called.
const WITHOUT: &str = "update without a plan";
const BY_PLAN: &str = "update by a plan";

/// What the controller writes of modules: what it writes whatever they do (Leases, Nodes, Events) stands apart.
const OF_MODULES: [&str; 4] = ["pods", "pods/status", "modules", "modules/status"];

impl Scenario<'_> {
    /// A Deployment with a Pod on each base is updated twice: without a plan, and by one that waits for a person on its way.
    pub(super) fn planned(&mut self, fleet: Fleet) -> Result<()> {
        let compared = self.compared()?;
        let stage = self.stage(&self.plane.cluster.namespace("planned")?)?;
        let bases = stage.places.len();
        self.say("a Deployment with a Pod on each base");
        self.plane.runtime.block_on(planned::without(&stage, fleet, "1.0.0"))?;
        self.rig.until_written()?;
        thread::sleep(SETTLE);
        self.idle("idle, no plan")?;
        self.requests("idle, no plan");

        self.say(WITHOUT);
        let plain = self.metered(WITHOUT, bases, planned::without(&stage, fleet, "2.0.0"))?;
        let Metered { measured, cost, .. } = plain;
        let what = format!("a Deployment of {bases}, maxSurge 100%");
        self.report.figure(WITHOUT, &what, Unit::Millis, millis(measured), compared);
        let written = of_modules(&cost.controller);
        self.commands(WITHOUT, written, &cost);
        self.report.costs.push(cost);

        self.say(BY_PLAN);
        let meter = self.rig.meter()?;
        let watch = self.plane.runtime.block_on(planned::hold(&stage, fleet, "3.0.0"))?;
        self.rig.until_written()?;
        thread::sleep(SETTLE);
        self.idle("idle, a plan waits for a person")?;
        self.requests("idle, a plan waits for a person");
        let batches = self.plane.runtime.block_on(planned::go_on(&stage, &watch, "3.0.0"))?;
        self.rig.until_written()?;
        let cost = meter.end(&self.rig, BY_PLAN, bases)?;
        self.by_plan(&batches, &watch, compared);
        let by_plan = of_modules(&cost.controller);
        self.commands(BY_PLAN, by_plan, &cost);
        // Far below 2^53.
        let more = (by_plan as f64 - written as f64) / bases as f64;
        self.report.figure(BY_PLAN, "writes beyond those without a plan", Unit::PerModule, more, None);
        let status = cost.controller.iter().filter(|(what, _)| what.contains(" operationplans/status"));
        let status: u64 = status.map(|(_, count)| count).sum();
        self.report.figure(BY_PLAN, "writes of the plan's status", Unit::Count, status as f64, None);
        self.report.costs.push(cost);
        self.plane.runtime.block_on(planned::end(&stage))
    }

    /// What the same update takes of a client that only turns Pods Ready and ends deletions, in milliseconds.
    fn compared(&self) -> Result<Option<f64>> {
        if !self.plan.floor {
            return Ok(None);
        }
        self.say("the comparator");
        let bare = self.floor(FloorWrites::PodsOnly)?;
        // Its Nodes are fewer where there are many bases, and what it does is for each Pod.
        let update = rollout::run(&bare.stage, "the comparator", usize::try_from(self.plan.bases)?, "100%");
        let took = self.plane.runtime.block_on(update)?;
        self.plane.runtime.block_on(bare.end())?;
        Ok(Some(millis(took)))
    }

    /// What was asked of the API server in the phase before, by the controller.
    fn requests(&mut self, phase: &str) {
        let Some(cost) = self.report.costs.last() else { return };
        let (mut leases, mut writes, mut reads) = (0, 0, 0);
        for (what, count) in &cost.controller {
            match what.split(' ').collect::<Vec<_>>()[..] {
                ["get" | "list", ..] => reads += count,
                [_, "leases", ..] => leases += count,
                _ => writes += count,
            }
        }
        let seconds = cost.usage.seconds.max(1e-9);
        for (what, count) in [("writes of Leases", leases), ("other writes", writes), ("reads", reads)] {
            // Far below 2^53.
            self.report.figure(phase, what, Unit::PerSecond, count as f64 / seconds, None);
        }
    }

    /// What each module cost, beside its time.
    fn commands(&mut self, phase: &str, written: u64, cost: &Cost) {
        let each = |count: u64| count as f64 / cost.modules.max(1) as f64;
        let installs = cost.bases.get("installBiz").copied().unwrap_or_default();
        let report = &mut *self.report;
        report.figure(phase, "writes of Pods and Module objects", Unit::PerModule, each(written), None);
        report.figure(phase, "installBiz at the base", Unit::PerModule, each(installs), None);
    }

    /// What became of the batches.
    fn by_plan(&mut self, batches: &[Batch], watch: &PlanWatch, compared: Option<f64>) {
        let report = &mut *self.report;
        for Batch { name, bases, took } in batches.iter().filter(|batch| batch.bases > 0) {
            let what = format!("batch {name}, release to the last Ready, of {bases}");
            report.figure(BY_PLAN, &what, Unit::Millis, millis(*took), None);
        }
        let all = batches.iter().map(|batch| batch.took).sum();
        let what = "all batches together, each from its release to its last Ready";
        report.figure(BY_PLAN, what, Unit::Millis, millis(all), compared);
        let failed = f64::from(watch.seen().failed);
        report.figure(BY_PLAN, "bases that failed or were late", Unit::Count, failed, None);
    }
}

/// How many writes were of modules.
fn of_modules(counts: &Counts) -> u64 {
    let is_one = |what: &str| {
        let mut words = what.split(' ');
        let verb = words.next().unwrap_or_default();
        !matches!(verb, "get" | "list") && words.next().is_some_and(|what| OF_MODULES.contains(&what))
    };
    counts.iter().filter(|(what, _)| is_one(what)).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_modules_is_counted_and_nothing_else() {
        let counts: Counts = [
            ("patch pods/status", 3),
            ("patch pods/status (conflict)", 1),
            ("create modules", 2),
            ("get pods", 9),
            ("update leases", 9),
            ("patch operationplans/status", 9),
        ]
        .map(|(what, count)| (what.to_owned(), count))
        .into();
        assert_eq!(of_modules(&counts), 6);
    }
}
