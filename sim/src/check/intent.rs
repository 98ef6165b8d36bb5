//! Intent before action: what is about to be installed is written down before it is.

use arklet::Command;
use engine::view::ModuleKey;
use model::BaseIdentity;

use super::Known;
use crate::world::World;

pub(super) fn check(base: &BaseIdentity, command: &Command, known: &Known<'_>) -> Result<(), String> {
    let Command::InstallBiz { spec, .. } = command else { return Ok(()) };
    let key = ModuleKey { vnode: World::node_of(base), id: spec.id.clone() };
    match known.api.modules.get(&key) {
        Some(module) if module.managed => Ok(()),
        found => Err(format!("{base} is told to install {}, and what is written down is {found:?}", spec.id)),
    }
}
