//! One command at a time per base and bizName; nothing is installed twice.

use std::{collections::BTreeMap, time::Duration};

use arklet::{AnswerKey, CallError, Command, CommandKind, Failure, FailureKind, Outcome};
use model::{BaseIdentity, BizName};

/// What is at work.
#[derive(Debug, Default)]
pub struct Commands {
    open: BTreeMap<(BaseIdentity, BizName), (AnswerKey, Duration)>,
    /// Installs that a base refused because the very biz was there.
    pub repeats: usize,
    /// Installs that a base carried out.
    pub installs: usize,
}

impl Commands {
    pub(super) fn sent(
        &mut self,
        base: &BaseIdentity,
        command: &Command,
        now: Duration,
        deadline: Duration,
    ) -> Result<(), String> {
        let Some(id) = command.biz() else { return Ok(()) };
        let place = (base.clone(), id.name.clone());
        let key = AnswerKey { command: command.kind(), biz: Some(id.clone()) };
        match self.open.insert(place, (key, now + deadline)) {
            Some((open, until)) if now < until => {
                Err(format!("{base} gets {} {id} while {open:?} is at work", command.kind()))
            }
            _ => Ok(()),
        }
    }

    /// The controller was told the end of a command.
    pub fn ended(&mut self, base: &BaseIdentity, key: &AnswerKey) {
        if let Some(id) = &key.biz {
            let place = (base.clone(), id.name.clone());
            if self.open.get(&place).is_some_and(|(open, _)| open == key) {
                self.open.remove(&place);
            }
        }
    }

    pub(super) fn carried_out(&mut self, command: &Command, outcome: &Outcome) {
        match (command.kind(), outcome) {
            (CommandKind::InstallBiz, Ok(_)) => self.installs += 1,
            (_, Err(CallError::Refused(Failure { kind: FailureKind::RepeatBiz, .. }))) => self.repeats += 1,
            _ => {}
        }
    }

    /// What is at work on these bases is nobody's any more.
    pub fn given_up(&mut self, bases: impl Fn(&BaseIdentity) -> bool) {
        self.open.retain(|(base, _), _| !bases(base));
    }

    pub(super) fn restarted(&mut self) {
        self.open.clear();
    }
}
