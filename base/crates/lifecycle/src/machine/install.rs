//! An installation: fetch, load, and then serve.

use model::{BizId, BizState};

use super::{Lifecycle, Op, Step, refuse};
use crate::{
    biz::Biz,
    event::{Action, CommandKind, Fetched, Install, Instance, OpId, Strategy},
    failure::{Failure, Refusal},
};

const COMMAND: CommandKind = CommandKind::InstallBiz;

impl Lifecycle {
    pub(super) fn install(&mut self, op: OpId, order: Install) -> Vec<Action> {
        // What can be refused at once costs nobody a download.
        if let Some(refusal) = order.id.as_ref().and_then(|id| self.refusal(id, order.strategy)) {
            return refuse(op, refusal);
        }
        let step = Step::Fetching { wanted: order.id.clone(), strategy: order.strategy };
        self.ops.insert(op, Op { command: COMMAND, name: order.id.map(|id| id.name), step });
        vec![Action::Fetch { op, url: order.url }]
    }

    pub(super) fn fetched(&mut self, op: OpId, result: Result<Fetched, Failure>, now_ms: i64) -> Vec<Action> {
        let Some(Step::Fetching { wanted, strategy }) = self.ops.get(&op).map(|op| &op.step) else {
            return Vec::new();
        };
        let (wanted, strategy) = (wanted.clone(), *strategy);
        // What it is at work on is decided anew, by what the package says.
        self.ops.remove(&op);
        match self.admit(wanted.as_ref(), strategy, result) {
            Err(refusal) => {
                if let (Refusal::Failed(_), Some(wanted)) = (&refusal, wanted) {
                    self.note_failure(wanted);
                }
                let mut actions = vec![Action::Discard(op)];
                actions.extend(refuse(op, refusal));
                actions
            }
            Ok(Fetched { id, web_context_path }) => {
                // The same name and version stays as it is until the new one is known to work.
                if self.find(&id).is_none() {
                    let instance = Instance(op.0);
                    self.biz.push(Biz::created(id.clone(), web_context_path.clone(), instance, now_ms));
                }
                let name = Some(id.name.clone());
                let step = Step::Loading { id, web_context_path, strategy };
                self.ops.insert(op, Op { command: COMMAND, name, step });
                vec![Action::Load { op }]
            }
        }
    }

    /// Whether what was fetched may be loaded.
    fn admit(
        &self,
        wanted: Option<&BizId>,
        strategy: Strategy,
        result: Result<Fetched, Failure>,
    ) -> Result<Fetched, Refusal> {
        let fetched = result?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != fetched.id) {
            let what = format!("the package is of {}, and {wanted} was asked for", fetched.id);
            return Err(Failure::BadPackage(what).into());
        }
        if let Some(refusal) = self.refusal(&fetched.id, strategy) {
            return Err(refusal);
        }
        let path = &fetched.web_context_path;
        // A broken one serves nowhere.
        let is_other = |biz: &&Biz| {
            biz.id.name != fetched.id.name && biz.web_context_path == *path && biz.state != BizState::Broken
        };
        // What is being loaded in the place of an entry has none of its own: a broken entry says nothing of it.
        let is_loading = |op: &Op| match &op.step {
            Step::Loading { id, web_context_path, .. } => {
                (id.name != fetched.id.name && web_context_path == path).then(|| id.clone())
            }
            _ => None,
        };
        let owner = self.biz.iter().find(is_other).map(|other| other.id.clone());
        if let Some(owner) = owner.or_else(|| self.ops.values().find_map(is_loading)) {
            return Err(Failure::PathTaken { path: path.clone(), owner }.into());
        }
        if self.biz.len() >= self.config.max_biz && self.find(&fetched.id).is_none() {
            return Err(Failure::Full(self.biz.len()).into());
        }
        Ok(fetched)
    }

    /// Why a biz cannot be installed now, whatever its package is.
    fn refusal(&self, id: &BizId, strategy: Strategy) -> Option<Refusal> {
        self.conflict(id, COMMAND).or_else(|| {
            let is_there = strategy == Strategy::InstallOnly && self.find(id).is_some();
            is_there.then(|| Refusal::Repeat(id.clone()))
        })
    }

    pub(super) fn loaded(&mut self, op: OpId, result: Result<(), Failure>, now_ms: i64) -> Vec<Action> {
        let Some(Step::Loading { id, web_context_path, strategy }) = self.ops.get(&op).map(|op| &op.step)
        else {
            return Vec::new();
        };
        let (id, path, strategy) = (id.clone(), web_context_path.clone(), *strategy);
        self.ops.remove(&op);
        let instance = Instance(op.0);
        if result.is_ok() {
            self.mended(&id.name);
        }
        match result {
            Err(failure) => self.did_not_start(op, &id, failure, now_ms),
            Ok(()) if strategy == Strategy::UninstallThenInstall => {
                self.replace(op, id, path, instance, now_ms)
            }
            Ok(()) => {
                let mut actions = Vec::new();
                if self.serving(&id.name).is_some() {
                    let message = "start but is deactivated".to_owned();
                    self.change(&id, BizState::Deactivated, "Started", message, now_ms);
                } else {
                    self.change(&id, BizState::Activated, "Started", String::new(), now_ms);
                    actions.push(Action::Serve { web_context_path: path, instance });
                }
                actions.push(Action::Finish(op, Ok(self.find(&id).cloned())));
                actions
            }
        }
    }

    fn did_not_start(&mut self, op: OpId, id: &BizId, failure: Failure, now_ms: i64) -> Vec<Action> {
        let instance = Instance(op.0);
        self.note_failure(id.clone());
        // A biz that was there before is not this one, and stays as it was.
        if self.find(id).is_some_and(|biz| biz.instance == instance) {
            if self.config.keeps_broken {
                self.change(id, BizState::Broken, "Install Failed", failure.to_string(), now_ms);
            } else {
                self.biz.retain(|biz| biz.instance != instance);
            }
        }
        vec![Action::Drop(instance), Action::Finish(op, Err(failure.into()))]
    }

    /// The new one takes the place of all others of its name, and they go.
    fn replace(&mut self, op: OpId, id: BizId, path: String, instance: Instance, now_ms: i64) -> Vec<Action> {
        let (others, mut rest): (Vec<Biz>, Vec<Biz>) = std::mem::take(&mut self.biz)
            .into_iter()
            .partition(|biz| biz.id.name == id.name && biz.instance != instance);
        // Where the same version was there, its entry is the old one's.
        if !rest.iter().any(|biz| biz.instance == instance) {
            rest.push(Biz::created(id.clone(), path.clone(), instance, now_ms));
        }
        self.biz = rest;
        self.change(&id, BizState::Activated, "Started", String::new(), now_ms);
        let mut actions = vec![Action::Serve { web_context_path: path.clone(), instance }];
        for other in others {
            if other.state == BizState::Activated && other.web_context_path != path {
                actions.push(Action::Close { web_context_path: other.web_context_path });
            }
            // A broken one has no code any more.
            if other.state != BizState::Broken {
                self.draining.push(other.instance);
                actions.push(Action::Drain(other.instance));
            }
        }
        actions.push(Action::Finish(op, Ok(self.find(&id).cloned())));
        actions
    }
}
