//! Nothing is uninstalled that a live Pod names, as far as the controller has been told.

use std::{collections::BTreeMap, sync::Arc};

use arklet::Command;
use engine::view::{EnvValue, Phase, PodView};
use model::BaseIdentity;

use crate::world::World;

pub(super) fn check(
    base: &BaseIdentity,
    command: &Command,
    told: &BTreeMap<Arc<str>, PodView>,
) -> Result<(), String> {
    let Command::UninstallBiz(id) = command else { return Ok(()) };
    let node = World::node_of(base);
    let names = |pod: &&PodView| {
        pod.node == node
            && pod.deletion.is_none()
            && !matches!(pod.status.phase, Phase::Failed | Phase::Succeeded)
            && pod.containers.iter().any(|container| {
                container.name == id.name.as_str()
                    && container.env.iter().any(|v| v.value == EnvValue::Literal(id.version.to_string()))
            })
    };
    match told.values().find(names) {
        Some(pod) => Err(format!("{base} is told to uninstall {id}, which {} names", pod.pod)),
        None => Ok(()),
    }
}
