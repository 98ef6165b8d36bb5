//! The invariants, one file each.

pub mod budget;
mod commands;
mod converged;
mod drain;
pub mod foreign;
mod gap;
mod intent;
mod owned;
mod owner;
pub mod plans;
mod ready;
pub mod rivals;
mod twice;
mod wanted;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{Command, Outcome};
use engine::view::{ContainerView, EnvValue, Phase, PodView};
use model::{BaseIdentity, BizId, BizState, TunnelKind};

use crate::{
    api::Api,
    base::{Base, Biz, Package, Release, word},
    network::tunnel_of,
    world::World,
};

pub use commands::Commands;
pub use converged::converged;
pub use drain::Drain;
pub use owned::owned;
pub use owner::Owner;
pub use ready::Ready;
pub use rivals::Rivals;
pub use twice::Twice;

/// The biz that a container asks for.
fn biz_of(container: &ContainerView) -> Option<BizId> {
    let version = container.env.iter().find_map(|variable| match &variable.value {
        EnvValue::Literal(version) => Some(version),
        _ => None,
    });
    Some(BizId { name: word(&container.name), version: word(version?) })
}

/// It serves, and no other version of the name does.
fn is_the_last(state: &Base, id: &BizId) -> bool {
    let serves = |biz: &Biz| biz.state == BizState::Activated;
    state.biz.get(id).is_some_and(serves)
        && !state.biz.iter().any(|(other, biz)| other.name == id.name && other != id && serves(biz))
}

/// A base that knows no `installStrategy` holds this, and a live Pod asks for something that has no room beside it: the same
/// from another package, or what serves on the same path. Over MQTT it cannot switch between two either: what is deactivated
/// serves only when it is installed anew, and in the place of what serves. And where a start that fails may mean that there
/// is no room, it is taken so.
fn makes_room(base: &BaseIdentity, id: &BizId, known: &Known<'_>) -> bool {
    let Some(state) = known.bases.get(base).filter(|base| base.has_only_installed) else { return false };
    let Some(held) = state.biz.get(id).or_else(|| state.lost.get(id)) else { return false };
    let cannot_switch = tunnel_of(base) == TunnelKind::Mqtt;
    let node = World::node_of(base);
    let is_live = |pod: &&PodView| {
        let is_over = matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
        pod.node == node && pod.deletion.is_none() && !is_over
    };
    let containers = known.told.values().filter(is_live).flat_map(|pod| &pod.containers);
    containers.filter(|container| container.name == id.name.as_str()).any(|container| {
        let package = Package::of(&container.image);
        match biz_of(container) {
            Some(wanted) if wanted == *id => {
                package != held.package || (cannot_switch && held.state == BizState::Deactivated)
            }
            Some(wanted) => {
                let is_unclear = state.release == Release::OldAndTerse && package == Package::Failing;
                cannot_switch || is_unclear || package.context_path(&wanted) == held.context_path
            }
            None => false,
        }
    })
}

/// What a command is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the process was told of Pods, by UID.
    pub told: &'a BTreeMap<Arc<str>, PodView>,
    /// The API server.
    pub api: &'a Api,
    /// The bases as they really are.
    pub bases: &'a BTreeMap<BaseIdentity, Base>,
}

/// All invariants that hold at every step.
#[derive(Debug, Default)]
pub struct Checks {
    /// One command at a time per base and bizName, and none that the base had to refuse as a repeat.
    pub commands: Commands,
    /// No Pod is Ready without its biz activated.
    pub ready: Ready,
    /// Requests have their time to end.
    pub drain: Drain,
    /// One replica acts for a VNode.
    pub owner: Owner,
    /// No more Pods fail than may where owners ask for one bizName.
    pub rivals: Rivals,
    /// Nothing is installed twice.
    pub twice: Twice,
}

impl Checks {
    /// A command is sent.
    ///
    /// # Errors
    /// The invariant that it breaks.
    pub fn sent(
        &mut self,
        process: u32,
        base: &BaseIdentity,
        command: &Command,
        known: Known<'_>,
        now: Duration,
        deadline: Duration,
    ) -> Result<(), String> {
        wanted::check(base, command, &known, &self.twice, now)?;
        self.twice.check(base, command, &known, now)?;
        gap::check(base, command, &known, now)?;
        plans::check(base, command, &known)?;
        intent::check(base, command, &known)?;
        rivals::check(&self.rivals, base, command, &known, now)?;
        self.drain.check(base, command, &known, now)?;
        self.commands.sent(process, base, command, now, deadline)
    }

    /// A base carried a command out.
    pub fn carried_out(
        &mut self,
        base: &BaseIdentity,
        command: &Command,
        outcome: &Outcome,
        bases: &BTreeMap<BaseIdentity, Base>,
        now: Duration,
    ) {
        let only_installs = bases.get(base).is_some_and(|base| base.release.only_installs());
        self.commands.carried_out(command, outcome, only_installs);
        self.ready.changed(base, bases, now);
    }

    /// A base's process ended, and with it what was at work there.
    pub fn crashed(&mut self, base: &BaseIdentity, bases: &BTreeMap<BaseIdentity, Base>, now: Duration) {
        self.commands.crashed(base);
        self.ready.changed(base, bases, now);
    }
}
