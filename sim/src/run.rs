//! One seed: a plan of what users and faults do, carried out, and checked at every step.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use model::BizId;

use crate::{
    base::{Package, word},
    check::converged,
    deployment::{Deployment, pod},
    world::{Faults, World},
};

/// How long users and faults are at work.
const TROUBLE: Duration = Duration::from_secs(240);
/// How long everything may take to come to rest afterwards: the longest back-off of a container is
/// 5 min, and a silent base is given up after one.
const REST: Duration = Duration::from_secs(900);

/// What fails is tried again for ever, so that it may be at work when all is judged: it gets this long to end.
const MOMENT: Duration = Duration::from_secs(60);

/// What may happen in a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Bases.
    pub bases: u8,
    /// Things that users do.
    pub acts: u8,
    /// Bases crash, pause, say goodbye and are started again; the controller is killed.
    pub crashes: bool,
    /// What goes wrong in between.
    pub faults: Faults,
}

impl Plan {
    /// The plan of a seed: some are quiet, some are wild.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED);
        let wild = rng.u8(0..3);
        Self {
            bases: rng.u8(1..4),
            acts: rng.u8(1..16),
            crashes: wild > 0,
            faults: match wild {
                0 => Faults::NONE,
                1 => Faults { slowest: Duration::from_millis(rng.u64(5..2_000)), ..Faults::NONE },
                _ => Faults {
                    loss: rng.u8(0..25),
                    doubled: rng.u8(0..25),
                    write_errors: rng.u8(0..25),
                    slowest: Duration::from_millis(rng.u64(5..5_000)),
                },
            },
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Installs that bases carried out.
    pub installs: usize,
    /// Status writes.
    pub status_writes: usize,
}

/// Runs one seed.
///
/// # Errors
/// The invariant that broke, and the story that led to it.
pub fn run(seed: u64, plan: Plan) -> Result<Outcome, String> {
    let mut world = World::new(seed);
    let mut forgiven = BTreeSet::new();
    let result = carry_out(&mut world, plan, &mut forgiven);
    result.map_err(|why| format!("seed {seed}: {why}\n{plan:?}\n{}", world.story()))?;
    Ok(Outcome { installs: world.checks.commands.installs, status_writes: world.api.status_writes })
}

fn carry_out(world: &mut World, plan: Plan, forgiven: &mut BTreeSet<BizId>) -> Result<(), String> {
    for base in 0..plan.bases {
        world.start_base(&name_of(base));
    }
    world.run_until(Duration::from_secs(30))?;
    world.faults = plan.faults;
    let mut deployments = Vec::new();
    for act in 0..plan.acts {
        let pause = Duration::from_millis(world.rng().u64(0..30_000));
        let until = (world.now + pause).min(TROUBLE);
        reconcile_until(world, &deployments, until)?;
        match world.rng().u8(0..14) {
            0..=4 => create(world, act, plan.bases),
            5..=6 => delete(world, false),
            7 => delete(world, true),
            10..=13 => deploy(world, &mut deployments),
            _ if plan.crashes => crash(world, plan.bases),
            _ => {}
        }
    }
    let until = world.now.max(TROUBLE);
    reconcile_until(world, &deployments, until)?;
    if plan.crashes {
        // What a package with a wrong manifest brought is known by the base's answer only: lost with
        // the controller that waited for it, it is somebody else's from then on, and shown as such.
        forgiven.insert(BizId { name: word("misnamed"), version: word("misnamed") });
    }
    settle(world, plan.bases);
    let until = world.now + REST;
    reconcile_until(world, &deployments, until)?;
    let bound = world.now + MOMENT;
    while let Some(what) = world.at_work() {
        if world.now >= bound {
            return Err(format!("after all that time something is still at work: {what}"));
        }
        let until = world.now + Duration::from_millis(100);
        reconcile_until(world, &deployments, until)?;
    }
    let quiet = !plan.crashes && plan.faults.loss == 0;
    if quiet && world.checks.commands.repeats > 0 {
        return Err(format!("{} installs were repeats without any fault", world.checks.commands.repeats));
    }
    // With crashes a new controller may repeat what the last one had under way.
    if plan.faults.write_errors == 0 && !plan.crashes && world.api.idle_writes > 0 {
        return Err(format!("{} writes changed nothing", world.api.idle_writes));
    }
    converged(world, &deployments, forgiven)
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

/// A user makes a Deployment, changes its template, or deletes it.
fn deploy(world: &mut World, deployments: &mut Vec<Deployment>) {
    let known = deployments.len();
    if known == 0 || (known < 2 && world.rng().u8(0..3) == 0) {
        let package = if world.rng().bool() { Package::Good } else { Package::OwnPath };
        let name = format!("dep{}", world.api.next_number());
        world.tell(format_args!("a user makes the Deployment {name} ({package:?})"));
        deployments.push(Deployment::new(&name, package));
        return;
    }
    let index = world.rng().usize(0..known);
    if world.rng().u8(0..8) == 0 {
        let gone = deployments.swap_remove(index);
        world.tell(format_args!("a user deletes the Deployment {}", gone.name));
        gone.delete_all(world);
        return;
    }
    let chance = world.rng().u8(0..10);
    let Some(deployment) = deployments.get_mut(index) else { return };
    let usual = deployment.packages.get(&1).copied().unwrap_or(Package::Good);
    let package = match chance {
        0 => Package::Missing,
        1 => Package::Failing,
        _ => usual,
    };
    deployment.update(package);
    let (name, revision) = (deployment.name.clone(), deployment.revision);
    world.tell(format_args!("a user updates the Deployment {name} to {revision} ({package:?})"));
}

fn name_of(base: u8) -> String {
    format!("base-{base}")
}

fn create(world: &mut World, act: u8, bases: u8) {
    let base: model::BaseIdentity = word(&name_of(world.rng().u8(0..bases)));
    let number = world.rng().u8(0..3);
    // One version and package for each name, so that no two Pods of a base contradict each other.
    let package =
        *[Package::Good, Package::Good, Package::OwnPath].get(usize::from(number)).unwrap_or(&Package::Good);
    let (name, package) = match world.rng().u8(0..8) {
        0 => ("missing".to_owned(), Package::Missing),
        1 => ("failing".to_owned(), Package::Failing),
        2 => ("misnamed".to_owned(), Package::Misnamed),
        _ => (format!("biz{number}"), package),
    };
    let pod = pod(world, &format!("pod-{act}"), &base, &name, "1", package);
    world.tell(format_args!("a user makes pod-{act} for {name} on {base}"));
    let event = world.api.create_pod(pod);
    world.inform(event);
}

fn delete(world: &mut World, by_force: bool) {
    let uids: Vec<Arc<str>> = world.api.pods.keys().cloned().collect();
    let Some(uid) = world.rng().choice(uids) else { return };
    world.tell(format_args!("a user deletes {uid}{}", if by_force { " by force" } else { "" }));
    let event = if by_force {
        world.api.delete_pod_by_force(&uid)
    } else {
        let wall = world.wall();
        world.api.delete_pod(&uid, wall)
    };
    if let Some(event) = event {
        world.inform(event);
    }
}

fn crash(world: &mut World, bases: u8) {
    let name = name_of(world.rng().u8(0..bases));
    let identity = word(&name);
    match world.rng().u8(0..5) {
        0 => {
            world.restart_controller();
        }
        1 => {
            world.tell(format_args!("base {name} crashes and is started again"));
            world.crash_base(&identity);
            world.start_base(&name);
        }
        2 => {
            world.tell(format_args!("base {name} is stopped for a while"));
            if let Some(base) = world.bases.get_mut(&identity) {
                base.paused = base.up;
            }
        }
        3 => {
            world.tell(format_args!("base {name} goes on"));
            if let Some(base) = world.bases.get_mut(&identity) {
                base.paused = false;
            }
        }
        _ => world.stop_base(&name),
    }
}

/// The last fault is over: every base runs, and nothing is lost any more.
fn settle(world: &mut World, bases: u8) {
    world.faults = Faults::NONE;
    for base in 0..bases {
        let name = name_of(base);
        let identity = word(&name);
        let up = world.bases.get_mut(&identity).is_some_and(|base| {
            base.paused = false;
            base.up
        });
        if !up {
            world.start_base(&name);
        }
    }
    // Kubernetes collects Pods of Nodes that do not exist; here their bases are back.
    world.tell(format_args!("all faults are over"));
}
