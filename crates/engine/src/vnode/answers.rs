//! What the answers of a base mean for what is known of it.

use std::{sync::Arc, time::Duration};

use arklet::{Answer, AnswerKey, CallError, CommandKind, Failure, FailureKind, Outcome};
use model::{
    Bilingual, BizId, BizName, BizStatus, ErrorCode, ErrorSource, ErrorType, Fault, InstallStrategy,
    Language, bilingual,
};

use super::{Context, Op, VNode, announce::Origin, explained::Said, pods::installing, room};
use crate::{backoff, pod::Container};

impl VNode {
    /// What is being done while its list is asked for.
    fn listing(&self) -> Bilingual {
        bilingual!("asking {base} for its modules", "查询 {base} 的模块列表", base = self.identity)
    }

    /// `queryAllBiz` ended.
    pub(super) fn listed(&mut self, outcome: Outcome, ctx: &mut Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        let list = match outcome {
            Ok(Answer::Biz(list)) => self.as_named(list),
            outcome => return self.did_not_list(&outcome, ctx),
        };
        let changing = list.iter().any(|biz| {
            use model::BizState::{Resolved, Unresolved};
            matches!(biz.state, Resolved | Unresolved) && !self.ops.contains_key(&biz.id.name)
        });
        let urgent = changing || self.playback.is_under_way(now) || self.life.wants_asking(now, times);
        let period = if urgent { times.inventory_urgent } else { times.inventory_period };
        // Without a question of ours it is an answer from long ago, and says nothing about now.
        let Some(asked) = self.inventory_query.answered(now, period) else { return };
        let ops = &self.ops;
        self.inventory.replace(list, asked, |id| ops.get(&id.name).is_some_and(|op| op.changes(id)));
        self.explain(ctx);
        self.note_in_place(now, ctx.config);
        self.playback.shown(&self.inventory);
    }

    /// A list with the names and versions that are kept here anyway: each list has its own.
    fn as_named(&self, mut list: Vec<BizStatus>) -> Vec<BizStatus> {
        for biz in &mut list {
            if let Some((id, _)) = self.managed.get_key_value(&biz.id) {
                biz.id = id.clone();
            }
        }
        list
    }

    /// `queryAllBiz` brought no list.
    fn did_not_list(&mut self, outcome: &Outcome, ctx: &mut Context<'_>) {
        if let Err(error @ CallError::Malformed(_)) = outcome {
            // It has answered, so it is there. Of strangers people are told in the log: there may be any number.
            if self.inventory_query.unreadable(ctx.now.mono) && self.node.is_some() {
                let doing = self.listing();
                let fault = error.to_fault(CommandKind::QueryAllBiz, doing);
                self.announce_fault_of_base("Ask", Origin::Question, &fault, ctx);
            }
            return;
        }
        if let Some(sent) = self.inventory_query.failed(ctx.now.mono) {
            self.life.unanswered(sent);
        }
        // Where it never answered it has no Node to say so.
        if let (Err(error @ CallError::NotArklet(_)), 1) = (outcome, self.inventory_query.failures()) {
            let fault = error.to_fault(CommandKind::QueryAllBiz, self.listing());
            self.announce_fault_of_base("Ask", Origin::Question, &fault, ctx);
        }
    }

    /// `health` ended.
    pub(super) fn examined(&mut self, outcome: Outcome, ctx: &mut Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        let health = match outcome {
            Ok(Answer::Health(health)) => health,
            Err(CallError::Malformed(_)) => {
                self.health_query.unreadable(now);
                return;
            }
            _ => {
                if let Some(sent) = self.health_query.failed(now) {
                    self.life.unanswered(sent);
                }
                return;
            }
        };
        // Without a limit on metaspace there is nothing that changes in it.
        let period =
            if health.max_metaspace_bytes.is_some() { times.health_period } else { Duration::MAX / 2 };
        self.health_query.answered(now, period);
        self.health = Some(health);
    }

    /// A command about a biz ended.
    pub(super) fn ended(&mut self, key: &AnswerKey, outcome: Outcome, ctx: &mut Context<'_>) {
        let Some(id) = &key.biz else { return };
        self.concerns_biz(id);
        let now = ctx.now.mono;
        self.playback.ended(&id.name);
        match self.ops.get(&id.name) {
            Some(op) if op.key == *key => {}
            other => {
                // Late, doubled or somebody else's: something changed, so look. A command at work
                // will itself tell what became of it. Of a biz that nothing is known of nothing is
                // kept: a base may tell of as many as it likes.
                match other {
                    None if self.is_about(&id.name) => self.inventory.doubt(&id.name, now),
                    None => self.inventory_query.hint(now),
                    Some(_) => {}
                }
                return;
            }
        }
        let Some(op) = self.ops.remove(&id.name) else { return };
        room::give_back(&mut self.ops);
        if let Err(CallError::Unreachable(_) | CallError::NotArklet(_)) = &outcome {
            self.life.unanswered(op.sent);
        }
        match (key.command, outcome) {
            (CommandKind::InstallBiz, Ok(Answer::Installed(biz))) => self.installed(id, biz, op, ctx),
            (CommandKind::UninstallBiz, Ok(Answer::Uninstalled)) => {
                self.begin_gap(id, op.sent, now);
                self.uninstalled(id, now);
            }
            (
                CommandKind::UninstallBiz,
                Err(CallError::Refused(Failure { kind: FailureKind::NotFoundBiz, .. })),
            ) => {
                self.uninstalled(id, now);
            }
            (CommandKind::InstallBiz, Err(error)) => self.install_failed(id, &error, op, ctx),
            (CommandKind::UninstallBiz, Err(error)) => self.uninstall_failed(id, &error, &op, ctx),
            (_, Err(CallError::Unreachable(_) | CallError::NotArklet(_))) => {
                self.inventory.touch(&id.name, now);
            }
            // A switch, or an answer of another kind than was asked for: the list tells the truth.
            (_, result) => {
                self.inventory.doubt(&id.name, now);
                if let (Err(_), Some((uid, index))) = (result, op.claim)
                    && let Some(container) = self.container(&uid, index)
                {
                    container.run.postpone(now, None);
                }
            }
        }
    }

    /// A Pod names it, the base holds it, or this controller answers for it.
    fn is_about(&self, name: &BizName) -> bool {
        self.inventory.of(name).next().is_some()
            || self.managed.keys().any(|id| id.name == *name)
            || self.pods.values().any(|pod| pod.biz().any(|id| id.name == *name))
    }

    fn installed(&mut self, id: &BizId, biz: Vec<BizStatus>, op: Box<Op>, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        // What does not serve where it was to take the place of others stands beside them.
        let serves = biz.iter().any(|biz| biz.id == *id && biz.state == model::BizState::Activated);
        let asked_for = biz.iter().any(|biz| biz.id == *id);
        if biz.is_empty() || (op.replaces && op.displacing && asked_for && !serves) {
            self.find_out(op, Said::Done, now);
            return;
        }
        self.concerns(biz.iter().map(|biz| biz.id.name.clone()));
        self.inventory.touch(&id.name, now);
        let right = biz.iter().any(|biz| biz.id == *id);
        let found: Vec<BizId> = biz.iter().map(|biz| biz.id.clone()).collect();
        if op.displacing && op.replaces {
            // The base uninstalled them first.
            self.inventory.remove_all(&id.name);
        }
        for biz in biz {
            self.takes_up(&biz.id, biz.id != *id);
            self.inventory.touch(&biz.id.name, now);
            self.inventory.put(biz);
        }
        // A base has one version serve: another that is known to has gone by itself.
        let serving = self.inventory.of(&id.name).filter(|biz| biz.state == model::BizState::Activated);
        if serving.count() > 1 {
            self.inventory.doubt(&id.name, now);
        }
        if op.claim.is_none() {
            return;
        }
        if right {
            self.came_for(id, &op);
            return;
        }
        self.came_instead(id, &found, &op, ctx);
    }

    /// Whatever came by our command is ours to remove, under whatever name.
    fn takes_up(&mut self, id: &BizId, is_stray: bool) {
        self.managed.entry(id.clone()).or_default().stray |= is_stray;
        self.modules.came(id);
    }

    /// Something else came than was asked for: the package's manifest decides.
    pub(super) fn came_instead(&mut self, id: &BizId, found: &[BizId], op: &Op, ctx: &mut Context<'_>) {
        found.iter().for_each(|came| self.takes_up(came, true));
        let found = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let code = ErrorCode::new(ErrorSource::OtherUpstream, ErrorType::InvalidParameter);
        let cause = bilingual!(
            "the package's manifest says {found}; name the container and BIZ_VERSION after it",
            "模块包的清单中写的是 {found}，请让容器名和 BIZ_VERSION 与之一致"
        );
        self.fail(op, Fault::new(code, installing(id), cause), ctx);
        self.bar(op);
    }

    /// It is there, from the package that was asked for.
    pub(super) fn came_for(&mut self, id: &BizId, op: &Op) {
        if let Some(package) = &op.package {
            self.modules.installed(id, package);
        }
        let Some((uid, index)) = &op.claim else { return };
        if let Some(container) = self.container(uid, *index) {
            container.run.installed();
        }
    }

    fn install_failed(&mut self, id: &BizId, error: &CallError, op: Box<Op>, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let (kind, reached) = match error {
            CallError::Refused(failure) => (Some(failure.kind), true),
            CallError::Unreachable(_) | CallError::NotArklet(_) => (None, false),
            CallError::TimedOut | CallError::Malformed(_) => (None, true),
        };
        if let (true, None, Some(package)) = (reached, kind, &op.package) {
            self.may_have_installed(id, package, now + ctx.config.times.install_deadline);
        }
        if reached {
            self.inventory.doubt(&id.name, now);
        } else {
            self.inventory.touch(&id.name, now);
        }
        // Whatever is at work there may put it there after the Pod that asked for it is gone.
        if kind == Some(FailureKind::Conflict) || *error == CallError::TimedOut {
            self.modules.may_come(id, now + ctx.config.times.install_deadline);
        }
        let Some((uid, index)) = op.claim.clone() else { return };
        let another_serves =
            self.inventory.of(&id.name).any(|biz| biz.id != *id && biz.state == model::BizState::Activated);
        let fault = error.to_fault(CommandKind::InstallBiz, installing(id));
        match kind {
            // A base that knows no strategy answers one that is to replace so; and a failure without a cause may be this.
            Some(kind @ (FailureKind::RepeatBiz | FailureKind::ContextPathTaken)) if op.replaces => {
                self.find_out(op, Said::Refused(kind, fault), now);
            }
            Some(kind @ FailureKind::Unclear) => self.find_out(op, Said::Refused(kind, fault), now),
            Some(FailureKind::RepeatBiz) => {
                if let Some(container) = self.container(&uid, index) {
                    container.run.hindered(now, fault);
                }
            }
            // Something is at work there: the list says what became of it.
            Some(FailureKind::Conflict) => {
                if let Some(container) = self.container(&uid, index) {
                    container.run.postpone(now, None);
                }
            }
            // The base holds one version only, and may be asked to replace it (rule O6).
            Some(FailureKind::ContextPathTaken) if another_serves && self.may_replace(&uid, index) => {
                if let Some(container) = self.container(&uid, index) {
                    container.run.replace();
                }
            }
            None if !reached => {
                if let Some(container) = self.container(&uid, index) {
                    container.run.postpone(now, Some(fault));
                }
            }
            _ => {
                self.fail(&op, fault, ctx);
                // Where the base said nothing, its list will tell whether it failed.
                if kind.is_some() {
                    self.bar(&op);
                }
            }
        }
    }

    pub(super) fn may_replace(&mut self, uid: &Arc<str>, index: usize) -> bool {
        let wanted = self.container(uid, index).and_then(|container| container.wanted.as_ref().ok());
        wanted.is_some_and(|spec| spec.strategy != InstallStrategy::InstallOnly)
    }

    fn uninstalled(&mut self, id: &BizId, now: Duration) {
        self.inventory.touch(&id.name, now);
        self.inventory.remove(id);
        self.managed.remove(id);
        self.modules.removed(id);
    }

    fn uninstall_failed(&mut self, id: &BizId, error: &CallError, op: &Op, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let reached = !matches!(error, CallError::Unreachable(_) | CallError::NotArklet(_));
        if reached {
            self.inventory.doubt(&id.name, now);
        } else {
            self.inventory.touch(&id.name, now);
        }
        let managed = self.managed.entry(id.clone()).or_default();
        managed.failures = managed.failures.saturating_add(1);
        let wait =
            if reached { backoff::restart(managed.failures) } else { backoff::reach(managed.failures) };
        managed.next_try = now + wait;
        let fault = error.to_fault(CommandKind::UninstallBiz, bilingual!("uninstalling {id}", "卸载 {id}"));
        managed.fault = Some(Box::new(fault.clone()));
        if op.claim.is_some() {
            return self.is_in_the_way(id, &fault, reached, op, ctx);
        }
        if !reached {
            return;
        }
        let leaving: Vec<Arc<str>> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.is_deleting() && pod.biz().any(|biz| biz == id))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in &leaving {
            self.announce_fault(uid, "Uninstall", Origin::Command(op), &fault, ctx);
        }
        if leaving.is_empty() {
            self.announce_fault_of_base("Uninstall", Origin::Command(op), &fault, ctx);
        }
    }

    /// What was to make room for an install did not go: the Pod that waits for it says so, and it is tried again later.
    fn is_in_the_way(&mut self, id: &BizId, why: &Fault, reached: bool, op: &Op, ctx: &mut Context<'_>) {
        let Some((uid, index)) = op.claim.clone() else { return };
        let Some(container) = self.container(&uid, index) else { return };
        let Ok(spec) = &container.wanted else { return };
        if !reached {
            return container.run.postpone(ctx.now.mono, Some(why.clone()));
        }
        let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::InstallBizTimedOut);
        let cause = bilingual!("{id} is in its way and cannot be uninstalled", "{id} 占着位置且无法卸载");
        let cause = cause.with(&why.cause);
        let fault = Fault { detail: why.detail.clone(), ..Fault::new(code, installing(&spec.id), cause) };
        container.run.hindered(ctx.now.mono, fault.clone());
        self.announce_fault(&uid, "Install", Origin::Command(op), &fault, ctx);
    }

    /// A container's install failed: keep it, tell it, try again later.
    pub(super) fn fail(&mut self, op: &Op, fault: Fault, ctx: &mut Context<'_>) {
        let Some((uid, index)) = &op.claim else { return };
        self.announce_fault(uid, "Install", Origin::Command(op), &fault, ctx);
        let Some(container) = self.container(uid, *index) else { return };
        container.run.failed(ctx.now.mono, fault.clone());
        if container.run.is_first_of_the_rarest() {
            let code = ErrorCode::new(ErrorSource::ModuleController, ErrorType::RetryTimesExceeded);
            let (steps, wait) = (backoff::STEPS, backoff::restart(backoff::STEPS).as_secs());
            let last = fault.code;
            let cause = Bilingual::each(|language| {
                let why = fault.cause.of(language);
                match language {
                    Language::English => format!(
                        "it failed {steps} times in a row, and is tried only every {wait} s from now on; the last time: {why} ({last})"
                    ),
                    Language::Chinese => {
                        format!("连续失败 {steps} 次，此后每 {wait} 秒才重试一次；最近一次：{why}（{last}）")
                    }
                }
            });
            let fault = Fault { detail: fault.detail, ..Fault::new(code, fault.doing, cause) };
            self.announce_fault(uid, "Install", Origin::Command(op), &fault, ctx);
        }
    }

    /// What failed in the place of a version that served is not tried over one again (rule O9).
    pub(super) fn bar(&mut self, op: &Op) {
        if let (true, Some((uid, index))) = (op.displacing, &op.claim)
            && let Some(container) = self.container(uid, *index)
        {
            container.run.bar();
        }
    }

    /// A container of a Pod, or what stands in for it, by its place.
    pub(super) fn container(&mut self, uid: &Arc<str>, place: usize) -> Option<&mut Container> {
        self.pods.get_mut(uid)?.all_mut().find(|container| container.place == place)
    }
}
