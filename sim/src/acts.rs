//! What users and faults do.

use std::{sync::Arc, time::Duration};

use engine::view::PodView;

use crate::{
    base::{Package, word},
    deployment::{Deployment, pod},
    scenario::Scenario,
    world::World,
};

/// One thing that a user does, or that goes wrong.
pub(crate) fn act(world: &mut World, deployments: &mut Vec<Deployment>, act: u8, scenario: &Scenario) {
    let several = scenario.replicas > 1;
    match world.rng().u8(0..if several { 20 } else { 14 }) {
        0..=4 => create(world, act, scenario.bases),
        5..=6 => delete(world, false),
        7 => delete(world, true),
        10..=13 => deploy(world, deployments),
        14.. if scenario.crashes => world.make_trouble(),
        8..=9 if scenario.crashes => crash(world, scenario.bases),
        _ => {}
    }
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

/// The name of a base.
pub(crate) fn name_of(base: u8) -> String {
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
    let held = world.rng().u8(0..4) == 0;
    let pod = PodView { held, ..pod(world, &format!("pod-{act}"), &base, &name, "1", package) };
    let word = if held { ", with a finalizer" } else { "" };
    world.tell(format_args!("a user makes pod-{act} for {name} on {base}{word}"));
    let event = world.api.create_pod(pod);
    world.inform(event);
}

fn delete(world: &mut World, by_force: bool) {
    let uids: Vec<Arc<str>> = world.api.pods.keys().cloned().collect();
    let Some(uid) = world.rng().choice(uids) else { return };
    world.tell(format_args!("a user deletes {uid}{}", if by_force { " by force" } else { "" }));
    let now = world.now;
    let waits = |pod: &PodView| pod.held && pod.deletion.is_some();
    let event = if world.api.pods.get(&uid).is_some_and(waits) {
        world.tell(format_args!("nobody holds {uid} back any more"));
        world.api.let_go(&uid, now)
    } else if by_force {
        world.api.delete_pod_by_force(&uid, now)
    } else {
        world.api.delete_pod(&uid, Duration::ZERO, now)
    };
    if let Some(event) = event {
        world.inform(event);
    }
}

/// Something befalls a base, or the controller.
pub(crate) fn crash(world: &mut World, bases: u8) {
    let name = name_of(world.rng().u8(0..bases));
    let identity = word(&name);
    match world.rng().u8(0..6) {
        5 => (0..5).for_each(|_| drop(world.write_as_another())),
        0 if world.replicas.len() == 1 => {
            world.kill_replica(0);
            world.start_replica(0);
        }
        0 => world.make_trouble(),
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
            world.wake_base(&identity);
        }
        _ => world.stop_base(&name),
    }
}
