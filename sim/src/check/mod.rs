//! The invariants, one file each.

pub mod budget;
mod commands;
mod converged;
mod drain;
mod gap;
mod intent;
mod owned;
mod owner;
mod ready;
mod twice;
mod wanted;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{Command, Outcome};
use engine::view::{ContainerView, EnvValue, PodView};
use model::{BaseIdentity, BizId};

use crate::{
    api::Api,
    base::{Base, word},
};

pub use commands::Commands;
pub use converged::converged;
pub use drain::Drain;
pub use owned::owned;
pub use owner::Owner;
pub use ready::Ready;

/// The biz that a container asks for.
fn biz_of(container: &ContainerView) -> Option<BizId> {
    let version = container.env.iter().find_map(|variable| match &variable.value {
        EnvValue::Literal(version) => Some(version),
        _ => None,
    });
    Some(BizId { name: word(&container.name), version: word(version?) })
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
        wanted::check(base, command, &known, now)?;
        twice::check(base, command, &known, now)?;
        gap::check(base, command, &known, now)?;
        intent::check(base, command, &known)?;
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
        self.commands.carried_out(command, outcome);
        self.ready.changed(base, bases, now);
    }

    /// A base's process ended, and with it what was at work there.
    pub fn crashed(&mut self, base: &BaseIdentity, bases: &BTreeMap<BaseIdentity, Base>, now: Duration) {
        self.commands.crashed(base);
        self.ready.changed(base, bases, now);
    }
}
