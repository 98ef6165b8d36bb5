//! Ends of installs that only the base's list explains: a success that does not say what came, and a refusal that may
//! have several causes. They are found out by what is there, not by words.

use std::time::Duration;

use arklet::FailureKind;
use model::{BizId, BizState, BizStatus, ErrorCode, ErrorSource, ErrorType, Fault, TunnelKind, bilingual};

use super::{Context, Op, VNode, pods::installing};

/// What a base said of an install that ended.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// That it is done.
    Done,
    /// That it did not do it, and what that would mean by itself.
    Refused(FailureKind, Fault),
}

/// An install that ended, one at a time per bizName.
#[derive(Debug, Clone)]
pub(super) struct Unexplained {
    op: Box<Op>,
    said: Said,
    /// What was known to be there under its name.
    known: Vec<BizId>,
}

/// Whether a base uninstalls other versions where an install says so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replacing {
    ignored: u8,
}

impl Replacing {
    /// Until it is known otherwise.
    pub(super) fn is_known(self) -> bool {
        self.ignored < 2
    }

    /// An install that was to replace others ended, and others are there. Over MQTT an answer does not say which command it
    /// is to: a late one to an earlier install ends this one before the base begins it. So the base is asked once more.
    fn was_ignored(&mut self, tunnel: TunnelKind) {
        let counts = if tunnel == TunnelKind::Mqtt { 1 } else { 2 };
        self.ignored = self.ignored.saturating_add(counts);
    }
}

impl VNode {
    /// The list is asked at once, and nothing is done under the name before it comes.
    pub(super) fn find_out(&mut self, op: Box<Op>, said: Said, now: Duration) {
        let Some(id) = op.key.biz.clone() else { return };
        let known = self.inventory.of(&id.name).map(|biz| biz.id.clone()).collect();
        self.inventory.doubt(&id.name, now);
        self.unexplained.insert(id.name, Box::new(Unexplained { op, said, known }));
    }

    /// The base's list was read.
    pub(super) fn explain(&mut self, ctx: &mut Context<'_>) {
        let inventory = &self.inventory;
        let known: Vec<_> =
            self.unexplained.keys().filter(|name| !inventory.is_doubtful(name)).cloned().collect();
        for name in known {
            let Some(ended) = self.unexplained.remove(&name) else { continue };
            let Unexplained { op, said, known } = *ended;
            match said {
                Said::Done => self.was_done(&op, &known, ctx),
                Said::Refused(kind, fault) => self.was_refused(&op, kind, fault, ctx),
            }
        }
    }

    fn was_done(&mut self, op: &Op, known: &[BizId], ctx: &mut Context<'_>) {
        let Some(id) = &op.key.biz else { return };
        if op.replaces && self.inventory.of(&id.name).any(|biz| biz.id != *id) {
            self.replacing.was_ignored(op.tunnel);
        }
        if self.inventory.find(id).is_some() {
            self.managed.entry(id.clone()).or_default();
            self.modules.came(id);
            self.came_for(id, op);
            return;
        }
        // What came instead is what the package says.
        let came = |biz: &&BizStatus| !known.contains(&biz.id) && !self.managed.contains_key(&biz.id);
        let came: Vec<BizId> = self.inventory.of(&id.name).filter(came).map(|biz| biz.id.clone()).collect();
        if !came.is_empty() {
            return self.came_instead(id, &came, op, ctx);
        }
        let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::InstallBizFailed);
        let cause = bilingual!(
            "the base says that it is done, and its list does not have it: compare the package's own name and \
             version, and see the base's log",
            "基座回答已完成，但它的模块列表中没有这个模块：请核对模块包自身的名称和版本，并查看基座日志"
        );
        self.fail(op, Fault::new(code, installing(id), cause), ctx);
        self.bar(op);
    }

    fn was_refused(&mut self, op: &Op, kind: FailureKind, fault: Fault, ctx: &mut Context<'_>) {
        let Some(id) = &op.key.biz else { return };
        let Some((uid, index)) = op.claim.clone() else { return };
        // All of this name was to be uninstalled first. A start that failed may have left something.
        let is_left = self.inventory.of(&id.name).any(|biz| biz.state != BizState::Broken);
        let knows_no_strategy = op.replaces && is_left;
        if knows_no_strategy {
            self.replacing.was_ignored(op.tunnel);
        }
        let serves = |biz: &BizStatus| biz.id != *id && biz.state == BizState::Activated;
        let another_serves = self.inventory.of(&id.name).any(serves);
        // The path that it wants is the other's, for all that is known. Where it is not, the bar will say so.
        let is_in_the_way = !op.displacing && another_serves && kind == FailureKind::Unclear;
        if knows_no_strategy || (is_in_the_way && self.may_replace(&uid, index)) {
            if let Some(container) = self.container(&uid, index) {
                container.run.replace();
            }
            return;
        }
        if kind == FailureKind::RepeatBiz {
            if let Some(container) = self.container(&uid, index) {
                container.run.hindered(ctx.now.mono, fault);
            }
            return;
        }
        self.fail(op, fault, ctx);
        self.bar(op);
    }
}

#[cfg(test)]
mod tests;
