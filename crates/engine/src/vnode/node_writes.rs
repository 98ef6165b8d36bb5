//! When a VNode's Node is written.

use model::bilingual;
use std::time::Duration;

use super::{
    Context, Liveness, VNode,
    announce::News,
    node_differences::{has_addresses, mark_of_metadata, mark_of_status, metadata, status},
};
use crate::{
    action::Action,
    contest::{Contest, LONGEST},
    request::{Request, Write, WriteError},
    view::{ConditionStatus, NodeView},
};

/// Without the base's own name its Node would get no modules by name: so long it is asked.
const NAME_ATTEMPTS: u32 = 3;
/// What is written of a Node that is, whatever else is: that it exists.
const EXISTS: u64 = 1;
/// Kubernetes deletes the Pods of a Node that it takes for lost: that its base lives is never put off for longer.
const LOST_WAITS: Duration = Duration::from_secs(10);

/// What others change back on a Node.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeContests {
    existence: Contest,
    metadata: Contest,
    status: Contest,
}

impl NodeContests {
    /// A write of the Node ended.
    pub(super) fn ended(&mut self, write: &Write, result: &Result<(), WriteError>) {
        match write {
            Write::CreateNode(_) => self.existence.ended(result),
            Write::PatchNode(_) => self.metadata.ended(result),
            Write::PatchNodeStatus(_) => self.status.ended(result),
            _ => {}
        }
    }

    /// When what waits may be written.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Duration> {
        let status = [LONGEST, LOST_WAITS].into_iter().filter_map(|longest| self.status.wake(longest));
        self.existence.wake(LONGEST).into_iter().chain(self.metadata.wake(LONGEST)).chain(status)
    }
}

impl VNode {
    /// Creates the Node, or writes what is not as it shall be.
    pub(super) fn write_node(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let waits = self.life.is_assumed(now, &ctx.config.times) || self.leaving.is_under_way();
        if waits || !self.node_slot.is_free(now) {
            return;
        }
        let Some(seen) = &self.node else { return self.create_node(ctx) };
        if seen.deleting {
            return;
        }
        let Some(desired) = self.desired_node(ctx) else { return };
        if !self.write_metadata(&desired, ctx) && self.may_tell_node(ctx) {
            self.write_status(desired, ctx);
        }
    }

    /// True where it is written.
    fn write_metadata(&mut self, desired: &NodeView, ctx: &mut Context<'_>) -> bool {
        let now = ctx.now.mono;
        let Some(seen) = self.node.as_ref().filter(|_| !self.was_given_up()) else { return false };
        let (fields, mark) = (metadata(desired, seen), mark_of_metadata(desired));
        if fields.is_empty() || now < self.node_contests.metadata.due(mark, LONGEST, now) {
            return false;
        }
        if self.node_contests.metadata.sent(mark, now) {
            self.tell_contest(&fields, ctx);
        }
        self.node_slot.sent();
        ctx.out.push(Action::Request(Request::PatchNode { desired: Box::new(desired.clone()) }));
        true
    }

    fn write_status(&mut self, mut desired: NodeView, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let Some(seen) = &self.node else { return };
        let (fields, mark) = (status(&desired, seen), mark_of_status(&desired));
        let longest = if self.was_given_up() { LOST_WAITS } else { LONGEST };
        if fields.is_empty() || now < self.node_contests.status.due(mark, longest, now) {
            return;
        }
        if has_addresses(&desired, seen) {
            desired.addresses.clear();
        }
        self.tell_readiness(&desired, ctx);
        if self.node_contests.status.sent(mark, now) {
            self.tell_contest(&fields, ctx);
        }
        self.node_slot.sent();
        ctx.out.push(Action::Request(Request::PatchNodeStatus { desired: Box::new(desired) }));
    }

    /// A Node is made for a base that has answered, so that what is scheduled to it can be
    /// installed, and whose name is known.
    fn create_node(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let alive = self.life.liveness(now, &ctx.config.times) == Liveness::Alive;
        let named = self.health.is_some()
            || self.report.as_ref().is_some_and(|report| report.name.is_some())
            || self.health_query.is_unreadable()
            || self.health_query.failures() >= NAME_ATTEMPTS;
        if !alive || !self.inventory.is_known() || !named || self.report.is_none() {
            return;
        }
        if !self.knows_groups(ctx)
            || !self.knows_zone(ctx)
            || now < self.node_contests.existence.due(EXISTS, LONGEST, now)
        {
            return;
        }
        let Some(desired) = self.desired_node(ctx) else { return };
        if self.node_contests.existence.sent(EXISTS, now) {
            self.tell_contest(&["Node itself".to_owned()], ctx);
        }
        self.node_slot.sent();
        let note = match self.deleted_node {
            None => bilingual!("base {base} joined", "基座 {base} 已加入", base = self.identity),
            Some(_) => bilingual!(
                "somebody deleted the Node of base {base}, which runs: it is made again",
                "基座 {base} 仍在运行，它的 Node 却被人删除：重新创建",
                base = self.identity
            ),
        };
        self.announce(News { warning: false, reason: "BaseJoined", action: "CreateNode", note }, ctx);
        ctx.out.push(Action::Request(Request::CreateNode(Box::new(desired))));
    }

    /// The Pods are NotReady before their Node is; after a while the Node is told all the same.
    pub(super) fn may_tell_node(&self, ctx: &Context<'_>) -> bool {
        match self.down_since {
            None => true,
            Some(since) => self.is_no_pod_ready() || ctx.now.mono >= since + ctx.config.times.pods_first,
        }
    }

    /// Tells people, once, that somebody changes back what is ours.
    fn tell_contest(&self, fields: &[String], ctx: &mut Context<'_>) {
        let (fields, longest) = (fields.join(", "), LONGEST.as_secs());
        let note = bilingual!(
            "somebody else changes back what this controller keeps of the Node ({fields}): it is set again ever more rarely, \
             as long as that goes on at last every {longest} s only",
            "控制器负责的 Node 内容（{fields}）被他人反复改回：重设会越来越少，若一直如此，最终每 {longest} 秒才设一次"
        );
        self.announce(News { warning: true, reason: "NodeContested", action: "PatchNode", note }, ctx);
    }

    /// Tells people when the Node's readiness changes.
    fn tell_readiness(&self, desired: &NodeView, ctx: &mut Context<'_>) {
        let (Some(wanted), Some(seen)) = (desired.condition("Ready"), self.node.as_ref()) else { return };
        if seen.condition("Ready").is_none_or(|seen| seen.status != wanted.status) {
            let news = News {
                warning: wanted.status != ConditionStatus::True,
                reason: &wanted.reason,
                action: "PatchNodeStatus",
                note: (*wanted.message).into(),
            };
            let alarm = self.life.liveness(ctx.now.mono, &ctx.config.times).alarm();
            self.announce_trouble(news, alarm, ctx);
        }
    }
}

#[cfg(test)]
mod tests;
