//! Nothing is installed that has long been serving, from the same package.

use std::time::Duration;

use arklet::Command;
use engine::view::{ContainerView, ModuleKey, PodView};
use model::{BaseIdentity, BizState};

use super::{Known, biz_of};
use crate::{base::Package, world::World};

/// How long a controller may not know of it: the period of its list, and what a slow network adds.
const LAG: Duration = Duration::from_secs(60);

pub(super) fn check(
    base: &BaseIdentity,
    command: &Command,
    known: &Known<'_>,
    now: Duration,
) -> Result<(), String> {
    let Command::InstallBiz { spec, .. } = command else { return Ok(()) };
    let is_asked_otherwise = |pod: &PodView| {
        let same = |one: &&ContainerView| biz_of(one).as_ref() == Some(&spec.id);
        pod.containers.iter().filter(same).any(|one| one.image != spec.url.as_written())
    };
    let held = known.bases.get(base).and_then(|base| base.biz.get(&spec.id));
    // The answer to another package's install was lost, and nobody has had reason to write down that it came.
    let key = ModuleKey { vnode: World::node_of(base), id: spec.id.clone() };
    let told = known.api.modules.get(&key).map(|module| Package::of(&module.url));
    match held {
        Some(biz) if told.is_some_and(|told| told != biz.package) => Ok(()),
        // A base does not tell from which package it has it: where the answer was lost it is not known which of two came.
        Some(_)
            if known.told.values().filter(|pod| pod.node == World::node_of(base)).any(is_asked_otherwise) =>
        {
            Ok(())
        }
        Some(biz)
            if biz.state == BizState::Activated
                && biz.package == Package::of(spec.url.as_written())
                && now >= biz.activated + LAG =>
        {
            Err(format!("{base} is told to install {}, which serves since {:?}", spec.id, biz.activated))
        }
        _ => Ok(()),
    }
}
