//! An uninstallation: silence, then no more requests, then the end of those at work.

use model::{BizId, BizState};

use super::{Lifecycle, Op, Step, refuse};
use crate::{
    event::{Action, CommandKind, Instance, OpId},
    failure::Refusal,
};

const COMMAND: CommandKind = CommandKind::UninstallBiz;

impl Lifecycle {
    pub(super) fn uninstall(&mut self, op: OpId, id: &BizId, now_ms: i64) -> Vec<Action> {
        if let Some(refusal) = self.conflict(id, COMMAND) {
            return refuse(op, refusal);
        }
        self.mended(&id.name);
        let Some(biz) = self.biz.iter_mut().find(|biz| biz.id == *id) else {
            return refuse(op, Refusal::NotFound(COMMAND, id.clone()));
        };
        let instance = biz.instance;
        if biz.state == BizState::Broken {
            self.biz.retain(|biz| biz.instance != instance);
            return vec![Action::Finish(op, Ok(None))];
        }
        biz.is_leaving = true;
        let is_silent_first = self.config.is_silent_first && biz.state == BizState::Activated;
        let name = Some(id.name.clone());
        self.ops.insert(op, Op { command: COMMAND, name, step: Step::Silence(instance) });
        if is_silent_first { vec![Action::KeepSilent(op)] } else { self.silent(op, now_ms) }
    }

    /// The silence is over: no more requests from now on.
    pub(super) fn silent(&mut self, op: OpId, now_ms: i64) -> Vec<Action> {
        let Some(running) = self.ops.get_mut(&op) else { return Vec::new() };
        let Step::Silence(instance) = running.step else { return Vec::new() };
        running.step = Step::Draining(instance);
        let mut actions = Vec::new();
        if let Some(biz) = self.biz.iter_mut().find(|biz| biz.instance == instance)
            && biz.state == BizState::Activated
        {
            biz.become_state(BizState::Deactivated, "Uninstalling", String::new(), now_ms);
            actions.push(Action::Close { web_context_path: biz.web_context_path.clone() });
        }
        actions.push(Action::Drain(instance));
        actions
    }

    pub(super) fn drained(&mut self, instance: Instance) -> Vec<Action> {
        if let Some(at) = self.draining.iter().position(|one| *one == instance) {
            self.draining.swap_remove(at);
            return vec![Action::Drop(instance)];
        }
        let waits = |op: &Op| matches!(op.step, Step::Draining(one) if one == instance);
        let Some(op) = self.ops.iter().find(|(_, op)| waits(op)).map(|(op, _)| *op) else {
            return Vec::new();
        };
        self.ops.remove(&op);
        self.biz.retain(|biz| biz.instance != instance);
        vec![Action::Drop(instance), Action::Finish(op, Ok(None))]
    }
}
