//! Nothing is uninstalled that a live Pod names: neither as far as the process has been told, nor one that has been
//! there for so long that it must have been told.

use std::time::Duration;

use arklet::Command;
use engine::view::{Phase, PodView};
use jiff::SignedDuration;
use model::BaseIdentity;

use super::{Known, Twice, biz_of, makes_room};
use crate::{base::Base, clock::true_wall, world::World};

/// How long a process that acts may not know of a Pod: the longest that its watch lags or is closed.
const LAG: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn check(
    base: &BaseIdentity,
    command: &Command,
    known: &Known<'_>,
    twice: &Twice,
    now: Duration,
) -> Result<(), String> {
    let Command::UninstallBiz(id) = command else { return Ok(()) };
    let old = known.bases.get(base).filter(|base| base.has_only_installed);
    // Such a base gets another package, or the one that it may not have, in two commands; where a copy of the first was
    // there before, nothing is taken from anybody.
    let is_gone = |base: &Base| !base.biz.contains_key(id) && !base.lost.contains_key(id);
    if makes_room(base, id, known)
        || old.is_some_and(|old| is_gone(old) || twice.is_uncertain(base, id, known))
    {
        return Ok(());
    }
    let node = World::node_of(base);
    let names = |pod: &&PodView| {
        pod.node == node
            && pod.deletion.is_none()
            && !matches!(pod.status.phase, Phase::Failed | Phase::Succeeded)
            && pod.containers.iter().filter_map(biz_of).any(|named| named == *id)
    };
    let is_long_there = |pod: &&PodView| true_wall(now).duration_since(pod.created) > LAG;
    let told = known.told.values().find(names);
    match told.or_else(|| known.api.pods.values().filter(is_long_there).find(names)) {
        Some(pod) => Err(format!("{base} is told to uninstall {id}, which {} names", pod.pod)),
        None => Ok(()),
    }
}
