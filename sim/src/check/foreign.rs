//! After one write of somebody else's to one field of any object two of ours follow at most, and what is theirs stays.

use std::time::Duration;

use crate::{check::budget::Writes, foreign::Foreign, world::World};

/// How long it is looked at what follows.
pub const AFTER: Duration = Duration::from_secs(60);
/// What may follow: one that sets what is ours, and one more that tells of it.
const MOST: usize = 2;
/// What is written anyway.
const RENEWALS: [&str; 2] = ["RenewLease", "WriteMember"];

/// Compares what was written in [`AFTER`] with what may be.
///
/// # Errors
/// What was written beside, and what was taken away.
pub fn followed(
    world: &World,
    foreign: &Foreign,
    before: &Writes,
    commands_before: usize,
) -> Result<(), String> {
    let during = |kind: &str| {
        let count = |writes: &Writes| writes.get(kind).copied().unwrap_or(0);
        count(&world.api.writes).saturating_sub(count(before))
    };
    let ours = world.api.writes.keys().filter(|kind| !RENEWALS.contains(kind) && during(kind) > 0);
    let ours: Vec<_> = ours.map(|kind| (kind, during(kind))).collect();
    let commands = world.checks.commands.sent - commands_before;
    if ours.iter().map(|(_, count)| count).sum::<usize>() > MOST || commands > 0 {
        return Err(format!("after somebody wrote {}: {ours:?} and {commands} commands", foreign.what));
    }
    match &foreign.stays {
        Some(stays) if !stays(&world.api) => {
            Err(format!("somebody wrote {}, and it was taken away", foreign.what))
        }
        _ => Ok(()),
    }
}
