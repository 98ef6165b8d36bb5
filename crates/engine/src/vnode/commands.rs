//! Commands and questions to the base: sending them, and taking their ends.

use std::{sync::Arc, time::Duration};

use arklet::{AnswerKey, CallError, Command, CommandKind, Outcome, WireStrategy};
use model::{BizId, PackageUrl, TunnelKind};

use super::{Context, Liveness, VNode};
use crate::{
    action::{Action, ToBase},
    trace::TraceId,
};

/// A command at work, one at a time per bizName.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) key: AnswerKey,
    /// For whom: the Pod's UID and the container's place in its spec.
    pub(super) claim: Option<(Arc<str>, usize)>,
    /// It may end a version that serves.
    pub(super) displacing: bool,
    /// An install that tells the base to uninstall other versions first.
    pub(super) replaces: bool,
    /// What an install is from. Its Pod may ask for another package, or be gone, before it ends.
    pub(super) package: Option<PackageUrl>,
    pub(super) sent: Duration,
    /// By which way.
    pub(super) tunnel: TunnelKind,
    pub(super) deadline: Duration,
    pub(super) trace: TraceId,
}

impl Op {
    /// It may change what is there of this biz.
    pub(super) fn changes(&self, id: &BizId) -> bool {
        self.displacing || self.key.biz.as_ref() == Some(id)
    }
}

impl VNode {
    /// Commands and queries whose end the tunnel never told: the engine says it itself.
    pub(super) fn end_lost_commands(&mut self, ctx: &mut Context<'_>) {
        let (now, grace) = (ctx.now.mono, ctx.config.times.answer_grace);
        let lost: Vec<AnswerKey> = self
            .ops
            .values()
            .filter(|op| now >= op.sent + op.deadline + grace)
            .map(|op| op.key.clone())
            .chain(self.lost_queries(now, ctx))
            .collect();
        for key in lost {
            self.answer(&key, Err(CallError::TimedOut), ctx);
        }
    }

    fn lost_queries(&self, now: Duration, ctx: &Context<'_>) -> impl Iterator<Item = AnswerKey> + use<> {
        let limit = ctx.config.times.query_deadline + ctx.config.times.answer_grace;
        let inventory = self.inventory_query.is_lost(now, limit).then_some(CommandKind::QueryAllBiz);
        let health = self.health_query.is_lost(now, limit).then_some(CommandKind::Health);
        [inventory, health].into_iter().flatten().map(|command| AnswerKey { command, biz: None })
    }

    /// Sends the queries that are due.
    pub(super) fn ask(&mut self, ctx: &mut Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        if self.life.liveness(now, times) == Liveness::Gone {
            return;
        }
        if self.inventory.has_doubt() && self.inventory_query.failures() == 0 {
            self.inventory_query.want(now);
        }
        let Some(target) = self.target(ctx.config) else { return };
        let mut due = Vec::new();
        if self.inventory_query.is_due(now) {
            self.inventory_query.sent(now, target.tunnel);
            due.push(Command::QueryAllBiz);
        }
        if self.health_query.is_due(now) {
            self.health_query.sent(now, target.tunnel);
            due.push(Command::Health);
        }
        for command in due {
            let (trace, deadline) = (self.trace_of(&command, ctx.now), times.query_deadline);
            ctx.out.push(Action::Base(ToBase::Call { target: target.clone(), command, deadline, trace }));
        }
    }

    /// Sends a command that is about a biz.
    pub(super) fn send(
        &mut self,
        command: Command,
        claim: Option<(Arc<str>, usize)>,
        displacing: bool,
        ctx: &mut Context<'_>,
    ) {
        let times = &ctx.config.times;
        let Some(target) = self.target(ctx.config) else { return };
        let Some(id) = command.biz().cloned() else { return };
        let deadline = match command.kind() {
            CommandKind::InstallBiz => times.install_deadline,
            _ => times.uninstall_deadline,
        };
        if command.kind() == CommandKind::InstallBiz {
            self.modules.installs(&id, ctx.now.mono, ctx.now.mono + deadline);
        }
        let key = AnswerKey { command: command.kind(), biz: Some(id.clone()) };
        self.inventory.touch(&id.name, ctx.now.mono);
        self.unexplained.remove(&id.name);
        let replaces =
            matches!(command, Command::InstallBiz { strategy: WireStrategy::UninstallThenInstall, .. });
        let package = match &command {
            Command::InstallBiz { spec, .. } => Some(spec.url.clone()),
            _ => None,
        };
        let trace = self.trace_of(&command, ctx.now);
        let op = Op {
            key,
            claim,
            displacing,
            replaces,
            package,
            sent: ctx.now.mono,
            tunnel: target.tunnel,
            deadline,
            trace,
        };
        self.ops.insert(id.name, Box::new(op));
        ctx.out.push(Action::Base(ToBase::Call { target, command, deadline, trace }));
    }

    /// An answer came, or the news that none will.
    pub(crate) fn answer(&mut self, key: &AnswerKey, outcome: Outcome, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        match &outcome {
            Ok(_) | Err(CallError::Refused(_) | CallError::Malformed(_)) => {
                if self.life.is_assumed(now, &ctx.config.times) {
                    // What waited for a sign of life goes on, whatever this one is about.
                    self.defer();
                }
                self.life.answered(now);
            }
            // Whatever answers at its port, it is not the base.
            Err(CallError::Unreachable(_) | CallError::NotArklet(_) | CallError::TimedOut) => {}
        }
        match key.command {
            CommandKind::QueryAllBiz => self.listed(outcome, ctx),
            CommandKind::Health => self.examined(outcome, ctx),
            CommandKind::BatchInstallBiz => self.played_back(outcome, ctx),
            _ => self.ended(key, outcome, ctx),
        }
    }
}
