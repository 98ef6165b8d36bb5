//! One command at a time per base and bizName of each owner; nothing is installed twice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{AnswerKey, CallError, Command, CommandKind, Failure, FailureKind, Outcome, WireStrategy};
use engine::{Event, ReplicaEvent, TunnelEvent, Write};
use model::{BaseIdentity, BizName};

use crate::world::World;

/// Whose command, at which base, for which name.
type Place = (u32, BaseIdentity, BizName);

/// What is at work.
#[derive(Debug, Default)]
pub struct Commands {
    open: BTreeMap<Place, (AnswerKey, Duration)>,
    /// Commands about biz that were sent.
    pub sent: usize,
    /// Installs that a base refused because the very biz was there.
    pub repeats: usize,
    /// Installs that a base carried out.
    pub installs: usize,
    /// Installs that a base refused, for whatever reason.
    pub failures: usize,
}

impl Commands {
    pub(super) fn sent(
        &mut self,
        process: u32,
        base: &BaseIdentity,
        command: &Command,
        now: Duration,
        deadline: Duration,
    ) -> Result<(), String> {
        let Some(id) = command.biz() else { return Ok(()) };
        self.sent += 1;
        let place = (process, base.clone(), id.name.clone());
        let key = AnswerKey { command: command.kind(), biz: Some(id.clone()) };
        // By a clock that goes a tenth too fast.
        match self.open.insert(place, (key, now + deadline * 9 / 10)) {
            Some((open, until)) if now < until => {
                Err(format!("{base} gets {} {id} while {open:?} is at work", command.kind()))
            }
            _ => Ok(()),
        }
    }

    /// A process was told something: the end of a command, or that its base is another's or another.
    pub(crate) fn told(&mut self, process: u32, who: &Arc<str>, event: &Event) {
        match event {
            Event::Tunnel(TunnelEvent::Answer { base, key, .. }) => self.ended(process, base, key),
            Event::Tunnel(TunnelEvent::BaselineQuery { query, .. }) => {
                self.given_up(process, |base| *base == query.identity)
            }
            Event::Replica(ReplicaEvent::Lease(lease)) if lease.holder != *who => {
                self.given_up(process, |base| World::node_of(base) == lease.node);
            }
            Event::Replica(ReplicaEvent::LeaseGone { node, .. })
            | Event::Written { write: Write::TakeLease { node, .. }, .. } => {
                self.given_up(process, |base| World::node_of(base) == *node);
            }
            _ => {}
        }
    }

    fn ended(&mut self, process: u32, base: &BaseIdentity, key: &AnswerKey) {
        if let Some(id) = &key.biz {
            let place = (process, base.clone(), id.name.clone());
            if self.open.get(&place).is_some_and(|(open, _)| open == key) {
                self.open.remove(&place);
            }
        }
    }

    /// Of a base that knows no `installStrategy` (`only_installs`) a refusal is how that is learnt.
    pub(super) fn carried_out(&mut self, command: &Command, outcome: &Outcome, only_installs: bool) {
        let is_told_to_replace =
            matches!(command, Command::InstallBiz { strategy: WireStrategy::UninstallThenInstall, .. });
        match (command.kind(), outcome) {
            (CommandKind::InstallBiz, Ok(_)) => self.installs += 1,
            (kind, Err(error)) => {
                self.failures += usize::from(kind == CommandKind::InstallBiz);
                let repeat = FailureKind::RepeatBiz;
                let repeats = matches!(error, CallError::Refused(Failure { kind, .. }) if *kind == repeat);
                self.repeats += usize::from(repeats && !(only_installs && is_told_to_replace));
            }
            _ => {}
        }
    }

    /// What a process has at work on these bases is nobody's any more.
    pub fn given_up(&mut self, process: u32, bases: impl Fn(&BaseIdentity) -> bool) {
        self.open.retain(|(of, base, _), _| *of != process || !bases(base));
    }

    pub(super) fn crashed(&mut self, base: &BaseIdentity) {
        self.open.retain(|(_, other, _), _| other != base);
    }

    /// A process ended, or was ended by another: it waits for nothing any more.
    pub fn ended_with(&mut self, process: u32) {
        self.open.retain(|(of, ..), _| *of != process);
    }
}
