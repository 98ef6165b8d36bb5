//! Writes stay within budget: a world in which nothing happens renews Leases and does nothing else, and a module's life
//! costs a few writes.

use std::{collections::BTreeMap, time::Duration};

use engine::view::ConditionStatus;

use super::converged::is_held_at_its_end;
use crate::world::World;

/// How long a world is watched in which nothing happens.
pub const QUIET: Duration = Duration::from_secs(120);
/// A VNode's Lease is renewed every 10 s, a replica's own every 2 s, on clocks up to a tenth off.
const PERIODS_S: [(&str, u32); 2] = [("RenewLease", 10), ("WriteMember", 2)];
/// Status writes of one Pod's life without faults: waiting, Ready, not Ready, and one more where it waits for another.
const WRITES_OF_A_POD: usize = 5;

/// What was written so far.
pub type Writes = BTreeMap<&'static str, usize>;

/// Nothing is left that fails and is tried again.
pub fn is_content(world: &World) -> bool {
    world.api.pods.values().all(|pod| {
        let is_ready =
            pod.status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True);
        (pod.deletion.is_none() && is_ready) || is_held_at_its_end(pod)
    })
}

/// Compares what was written in [`QUIET`] with what must be.
///
/// # Errors
/// What was written beside, or too often, or too rarely.
pub fn quiet(world: &World, before: &Writes, commands_before: usize) -> Result<(), String> {
    let during = |kind: &str| {
        let count = |writes: &Writes| writes.get(kind).copied().unwrap_or(0);
        count(&world.api.writes).saturating_sub(count(before))
    };
    let members = if world.replicas.len() > 1 { world.replicas.len() } else { 0 };
    let expected = [world.api.nodes.len(), members];
    for ((kind, period), each) in PERIODS_S.iter().zip(expected) {
        let seconds = usize::try_from(QUIET.as_secs()).unwrap_or(usize::MAX);
        let period = usize::try_from(*period).unwrap_or(usize::MAX).max(1);
        let (least, most) = (seconds * 85 / 100 / period - 1, seconds * 115 / 100 / period + 2);
        let written = during(kind);
        if written < each * least || written > each * most {
            return Err(format!(
                "{written} of {kind} in {QUIET:?} for {each}, not {least} to {most} for each"
            ));
        }
    }
    let renewals = ["RenewLease", "WriteMember"];
    let beside = world.api.writes.keys().filter(|kind| !renewals.contains(kind) && during(kind) > 0);
    let beside: Vec<_> = beside.map(|kind| (kind, during(kind))).collect();
    let commands = world.checks.commands.sent - commands_before;
    if !beside.is_empty() || commands > 0 {
        return Err(format!("nothing happened for {QUIET:?}, but {beside:?} and {commands} commands"));
    }
    Ok(())
}

/// What Pods cost where nothing went wrong: each is told a few times, and each try that fails once more.
///
/// # Errors
/// How many writes there were for how many Pods.
pub fn lives(world: &World) -> Result<(), String> {
    let (written, pods, tries) = (world.api.status_writes, world.api.pods_made, &world.checks.commands);
    let tries = tries.installs + tries.failures;
    if written > pods * WRITES_OF_A_POD + tries {
        return Err(format!("{written} status writes for {pods} Pods and {tries} installs"));
    }
    Ok(())
}
