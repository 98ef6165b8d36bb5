//! One seed: a scenario of what users and faults do, carried out, and checked at every step.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use model::BizId;

use crate::{
    acts::{act, name_of},
    base::word,
    check::{budget, converged, foreign, owned},
    deployment::Deployment,
    plans, rivals,
    scenario::{Faults, Scenario},
    world::World,
};

/// How long users and faults are at work.
pub(crate) const TROUBLE: Duration = Duration::from_secs(240);
/// How long everything may take to come to rest afterwards: the longest back-off of a container is
/// 5 min, and a silent base is given up after one.
pub(crate) const REST: Duration = Duration::from_secs(900);
/// After so much of it every VNode has an owner that runs: a dead one is known to be after 10 s of its finder's time, a Lease
/// of nobody's after 20.
pub(crate) const OWNED: Duration = Duration::from_secs(60);
/// Before that something may still come of before the last fault: a base finds its broker after 128 s at most, and an install
/// that was sent then takes 3 min at most, and once more where it was refused because another was at work.
pub(crate) const FIRST_LOOK: Duration = Duration::from_secs(500);
/// How often it is looked from then on whether all has come to rest.
pub(crate) const LOOK: Duration = Duration::from_secs(120);
/// What fails is tried again for ever, so that it may be at work when all is judged: it gets this long to end.
const MOMENT: Duration = Duration::from_secs(60);

/// How often somebody else writes to something when all is at rest.
const FOREIGN_WRITES: u8 = 4;

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Installs that bases carried out.
    pub installs: usize,
    /// Status writes.
    pub status_writes: usize,
    /// Commands and writes that one of several replicas was entitled to.
    pub owned_acts: usize,
    /// It was watched whether a world in which nothing happens is quiet.
    pub was_quiet: bool,
}

/// Runs one seed.
///
/// # Errors
/// The invariant that broke, and the story that led to it.
pub fn run(seed: u64, scenario: Scenario) -> Result<Outcome, String> {
    let mut world = World::new(seed, scenario.replicas, scenario.plans);
    // An assertion of the engine that fails is told as an invariant that breaks, with its story.
    let result = catch_unwind(AssertUnwindSafe(|| carry_out(&mut world, scenario)));
    let result = result.unwrap_or_else(|panic| Err(asserted(panic.as_ref())));
    let was_quiet = result.map_err(|why| format!("seed {seed}: {why}\n{scenario:?}\n{}", world.story()))?;
    Ok(Outcome {
        installs: world.checks.commands.installs,
        status_writes: world.api.status_writes,
        owned_acts: world.checks.owner.acts,
        was_quiet,
    })
}

fn asserted(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("an assertion failed: {}", said.unwrap_or("no words"))
}

fn carry_out(world: &mut World, scenario: Scenario) -> Result<bool, String> {
    if scenario.replicas > 1 {
        world.let_clocks_drift();
    }
    for base in 0..scenario.bases {
        world.start_base(&name_of(base));
    }
    world.run_until(Duration::from_secs(30))?;
    world.faults = scenario.faults;
    if scenario.rivals {
        return rivals::carry_out(world, &scenario);
    }
    if scenario.plans {
        return plans::carry_out(world, &scenario);
    }
    let mut deployments = Vec::new();
    for number in 0..scenario.acts {
        let pause = Duration::from_millis(world.rng().u64(0..30_000));
        let until = (world.now + pause).min(TROUBLE);
        reconcile_until(world, &deployments, until)?;
        act(world, &mut deployments, number, &scenario);
    }
    let until = world.now.max(TROUBLE);
    reconcile_until(world, &deployments, until)?;
    settle(world, scenario.bases);
    let (soon, until) = (world.now + OWNED, world.now + REST);
    reconcile_until(world, &deployments, soon)?;
    owned(world)?;
    let first = world.now + FIRST_LOOK;
    reconcile_until(world, &deployments, first)?;
    while world.now < until && judge(world, &scenario, &deployments).is_err() {
        let step = (world.now + LOOK).min(until);
        reconcile_until(world, &deployments, step)?;
    }
    come_to_rest(world, |world, until| reconcile_until(world, &deployments, until))?;
    judge(world, &scenario, &deployments)?;
    if !budget::is_content(world) {
        return Ok(false);
    }
    let (before, commands) = (world.api.writes.clone(), world.checks.commands.sent);
    let until = world.now + budget::QUIET;
    reconcile_until(world, &deployments, until)?;
    budget::quiet(world, &before, commands)?;
    for _ in 0..FOREIGN_WRITES {
        let (before, commands) = (world.api.writes.clone(), world.checks.commands.sent);
        let Some(written) = world.write_as_another() else { continue };
        let until = world.now + foreign::AFTER;
        reconcile_until(world, &deployments, until)?;
        foreign::followed(world, &written, &before, commands)?;
    }
    // All that is ours is as it was.
    judge(world, &scenario, &deployments)?;
    Ok(true)
}

/// Lets what is at work end, in a world that `go_on` lets go on until a time.
pub(crate) fn come_to_rest(
    world: &mut World,
    mut go_on: impl FnMut(&mut World, Duration) -> Result<(), String>,
) -> Result<(), String> {
    let bound = world.now + MOMENT;
    while let Some(what) = world.at_work() {
        if world.now >= bound {
            return Err(format!("after all that time something is still at work: {what}"));
        }
        let until = world.now + Duration::from_millis(100);
        go_on(world, until)?;
    }
    Ok(())
}

fn judge(world: &World, scenario: &Scenario, deployments: &[Deployment]) -> Result<(), String> {
    let repeats = world.checks.commands.repeats;
    if !scenario.crashes && scenario.faults.loss == 0 && repeats > 0 {
        return Err(format!("{repeats} installs were repeats without any fault"));
    }
    // With crashes a new controller may repeat what the last one had under way.
    if scenario.replicas == 1
        && scenario.faults.write_errors == 0
        && !scenario.crashes
        && world.api.idle_writes > 0
    {
        return Err(format!("{} writes changed nothing", world.api.idle_writes));
    }
    if scenario.is_quiet() {
        budget::lives(world)?;
    }
    let mut forgiven: BTreeSet<BizId> = BTreeSet::new();
    if scenario.crashes {
        // What a package with a wrong manifest brought is known by the base's answer only: lost with
        // the controller that waited for it, it is somebody else's from then on, and shown as such.
        forgiven.insert(BizId { name: word("misnamed"), version: word("misnamed") });
    }
    owned(world)?;
    converged(world, deployments, &forgiven)
}

/// Lets time pass, with the Deployment controller at work once a second.
fn reconcile_until(world: &mut World, deployments: &[Deployment], until: Duration) -> Result<(), String> {
    while world.now < until {
        for deployment in deployments {
            deployment.reconcile(world);
        }
        let next =
            if deployments.is_empty() { until } else { (world.now + Duration::from_secs(1)).min(until) };
        world.run_until(next)?;
    }
    Ok(())
}

/// The last fault is over: all that there is runs and is reached, and nothing is lost any more.
pub(crate) fn settle(world: &mut World, bases: u8) {
    world.faults = Faults::NONE;
    for base in 0..bases {
        let name = name_of(base);
        let identity = word(&name);
        world.wake_base(&identity);
        if !world.bases.get(&identity).is_some_and(|base| base.up) {
            world.start_base(&name);
        }
    }
    world.mend_all();
    // Kubernetes collects Pods of Nodes that do not exist; here their bases are back.
    world.tell(format_args!("all faults are over"));
}
