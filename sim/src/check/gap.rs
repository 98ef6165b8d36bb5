//! A base that serves a module, and has a newer Pod of it that may come, is never left without it
//! by an uninstall (rule O11).

use std::time::Duration;

use arklet::Command;
use engine::view::{Phase, PodView};
use model::BaseIdentity;

use super::{Known, biz_of, is_the_last, makes_room};
use crate::{base::Package, world::World};

pub(super) fn check(
    base: &BaseIdentity,
    command: &Command,
    known: &Known<'_>,
    now: Duration,
) -> Result<(), String> {
    let Known { told, bases, api, .. } = *known;
    let (Command::UninstallBiz(id), Some(state)) = (command, bases.get(base)) else { return Ok(()) };
    // Where it has no room for both, the newer can come no other way.
    if makes_room(base, id, known) {
        return Ok(());
    }
    let node = World::node_of(base);
    let of_name = |pod: &&PodView| {
        pod.node == node && pod.containers.iter().any(|container| container.name == id.name.as_str())
    };
    // Only a package that can come is worth waiting for, and only as long as there is time.
    let comes = |pod: &&PodView| {
        pod.deletion.is_none()
            && !matches!(pod.status.phase, Phase::Failed | Phase::Succeeded)
            && pod.containers.iter().any(|container| {
                [Package::Good, Package::OwnPath].iter().any(|package| package.url() == container.image)
            })
    };
    // Who deletes the last Pod of a version by force has it uninstalled, whatever other versions' Pods still have.
    let names = |pod: &&PodView| pod.containers.iter().filter_map(biz_of).any(|named| named == *id);
    let in_time = told.values().filter(of_name).filter(names).any(|pod| api.has_time(pod, now));
    match told.values().filter(of_name).find(comes) {
        Some(pod) if is_the_last(state, id) && in_time => Err(format!(
            "{base} is told to uninstall {id}, the only version that serves, before {} does",
            pod.pod
        )),
        _ => Ok(()),
    }
}
