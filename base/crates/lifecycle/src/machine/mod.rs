//! The state machine: what there is, what is at work, and the rules.

mod install;
#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
mod uninstall;

use std::collections::BTreeMap;

use model::{BizId, BizName, BizState};

use crate::{
    biz::Biz,
    event::{Action, CommandKind, Event, Instance, OpId, Strategy},
    failure::Refusal,
};

/// What is set for a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// A biz whose start failed stays in the list as broken (`sofa.ark.auto.uninstall.when.failed.enable=false`).
    pub keeps_broken: bool,
    /// There is a time of silence before an uninstallation.
    pub is_silent_first: bool,
    /// The most modules.
    pub max_biz: usize,
}

/// The modules of a base.
#[derive(Debug)]
pub struct Lifecycle {
    config: Config,
    /// In the order in which they came.
    biz: Vec<Biz>,
    ops: BTreeMap<OpId, Op>,
    /// What ends by itself, because something else serves in its place.
    draining: Vec<Instance>,
    /// What failed to start and was neither started nor uninstalled since.
    failed: Vec<BizId>,
}

/// An operation at work.
#[derive(Debug)]
struct Op {
    command: CommandKind,
    /// None as long as it is not known.
    name: Option<BizName>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Fetching { wanted: Option<BizId>, strategy: Strategy },
    Loading { id: BizId, web_context_path: String, strategy: Strategy },
    Silence(Instance),
    Draining(Instance),
}

impl Lifecycle {
    /// A base without modules.
    pub fn new(config: Config) -> Self {
        Self { config, biz: Vec::new(), ops: BTreeMap::new(), draining: Vec::new(), failed: Vec::new() }
    }

    /// The installations that failed, until one of the same name succeeds or is uninstalled. At most as many as modules.
    pub fn failed(&self) -> impl Iterator<Item = &BizId> {
        self.failed.iter()
    }

    /// The modules, in the order in which they came.
    pub fn biz(&self) -> &[Biz] {
        &self.biz
    }

    /// Takes an event at a time, in milliseconds since 1970. The actions are to be carried out in their order. An event
    /// of an operation that is not at work says nothing.
    pub fn step(&mut self, event: Event, now_ms: i64) -> Vec<Action> {
        match event {
            Event::Install(op, order) => self.install(op, order),
            Event::Uninstall(op, id) => self.uninstall(op, &id, now_ms),
            Event::Switch(op, id) => self.switch(op, &id, now_ms),
            Event::Fetched(op, result) => self.fetched(op, result, now_ms),
            Event::Loaded(op, result) => self.loaded(op, result, now_ms),
            Event::Silent(op) => self.silent(op, now_ms),
            Event::Drained(instance) => self.drained(instance),
        }
    }

    fn switch(&mut self, op: OpId, id: &BizId, now_ms: i64) -> Vec<Action> {
        let command = CommandKind::SwitchBiz;
        let Some(to) = self.biz.iter().find(|biz| biz.id == *id) else {
            return refuse(op, Refusal::NotFound(command, id.clone()));
        };
        if let Some(refusal) = self.conflict(id, command) {
            return refuse(op, refusal);
        }
        match to.state {
            BizState::Activated => return vec![Action::Finish(op, Ok(Some(to.clone())))],
            BizState::Deactivated => {}
            state => return refuse(op, Refusal::CannotServe(id.clone(), state)),
        }
        let mut actions = Vec::new();
        let from = self.serving(&id.name).map(|biz| biz.id.clone());
        if let Some(from) = &from {
            let message = format!("switch to new version {id}");
            self.change(from, BizState::Deactivated, "Switched", message, now_ms);
        }
        let message =
            from.as_ref().map_or_else(String::new, |from| format!("switch from old version: {from}"));
        self.change(id, BizState::Activated, "Switched", message, now_ms);
        actions.extend(self.take_over(id, from.as_ref()));
        actions.push(Action::Finish(op, Ok(self.find(id).cloned())));
        actions
    }

    /// Requests go to this biz from now on, and to the other one no more.
    fn take_over(&self, to: &BizId, from: Option<&BizId>) -> Vec<Action> {
        let Some(to) = self.find(to) else { return Vec::new() };
        let web_context_path = to.web_context_path.clone();
        let old = from.and_then(|from| self.find(from)).map(|from| from.web_context_path.clone());
        let mut actions = vec![Action::Serve { web_context_path, instance: to.instance }];
        if let Some(old) = old.filter(|old| *old != to.web_context_path) {
            actions.push(Action::Close { web_context_path: old });
        }
        actions
    }

    /// The refusal of a command because of another one.
    fn conflict(&self, id: &BizId, command: CommandKind) -> Option<Refusal> {
        let running = self.ops.values().find(|op| op.name.as_ref() == Some(&id.name))?.command;
        Some(Refusal::Conflict { id: id.clone(), command, running })
    }

    /// The latest of a name counts, and the oldest of all is forgotten where there are too many.
    fn note_failure(&mut self, id: BizId) {
        self.mended(&id.name);
        if self.failed.len() >= self.config.max_biz {
            self.failed.remove(0);
        }
        self.failed.push(id);
    }

    fn mended(&mut self, name: &BizName) {
        self.failed.retain(|failed| failed.name != *name);
    }

    fn find(&self, id: &BizId) -> Option<&Biz> {
        self.biz.iter().find(|biz| biz.id == *id)
    }

    /// The version of a name that serves.
    fn serving(&self, name: &BizName) -> Option<&Biz> {
        self.biz.iter().find(|biz| biz.id.name == *name && biz.state == BizState::Activated)
    }

    fn change(&mut self, id: &BizId, state: BizState, reason: &'static str, message: String, now_ms: i64) {
        if let Some(biz) = self.biz.iter_mut().find(|biz| biz.id == *id) {
            biz.become_state(state, reason, message, now_ms);
        }
    }
}

fn refuse(op: OpId, refusal: Refusal) -> Vec<Action> {
    vec![Action::Finish(op, Err(refusal))]
}
