//! When a VNode's Node is written.

use super::{Context, Standing, VNode, announce::News};
use crate::{
    action::Action,
    view::{ConditionStatus, NodeView},
};

/// Without the base's own name its Node would get no modules by name: so long it is asked.
const NAME_ATTEMPTS: u32 = 3;

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
        let Some(seen) = &self.node else { return };
        if is_other_metadata(&desired, seen) && !self.was_given_up() {
            self.node_slot.sent();
            ctx.out.push(Action::PatchNode { desired: Box::new(desired) });
        } else if is_other_status(&desired, seen) && self.may_tell_node(ctx) {
            self.tell_readiness(&desired, ctx);
            self.node_slot.sent();
            ctx.out.push(Action::PatchNodeStatus { desired: Box::new(desired) });
        }
    }

    /// A Node is made for a base that has answered, so that what is scheduled to it can be
    /// installed, and whose name is known.
    fn create_node(&mut self, ctx: &mut Context<'_>) {
        let alive = self.life.standing(ctx.now.mono, &ctx.config.times) == Standing::Alive;
        let named = self.health.is_some()
            || self.report.as_ref().is_some_and(|report| report.name.is_some())
            || self.health_query.is_unreadable()
            || self.health_query.failures() >= NAME_ATTEMPTS;
        if !alive || !self.inventory.is_known() || !named || self.report.is_none() {
            return;
        }
        if !self.knows_zone(ctx) {
            return;
        }
        let Some(desired) = self.desired_node(ctx) else { return };
        self.node_slot.sent();
        let note = format!("base {} joined", self.identity);
        self.announce(News { warning: false, reason: "BaseJoined", action: "CreateNode", note }, ctx);
        ctx.out.push(Action::CreateNode(Box::new(desired)));
    }

    /// The Pods are NotReady before their Node is; after a while the Node is told all the same.
    pub(super) fn may_tell_node(&self, ctx: &Context<'_>) -> bool {
        match self.down_since {
            None => true,
            Some(since) => self.is_no_pod_ready() || ctx.now.mono >= since + ctx.config.times.pods_first,
        }
    }

    /// Tells people when the Node's readiness changes.
    fn tell_readiness(&self, desired: &NodeView, ctx: &mut Context<'_>) {
        let (Some(wanted), Some(seen)) = (desired.condition("Ready"), self.node.as_ref()) else { return };
        if seen.condition("Ready").is_none_or(|seen| seen.status != wanted.status) {
            let news = News {
                warning: wanted.status != ConditionStatus::True,
                reason: &wanted.reason,
                action: "PatchNodeStatus",
                note: wanted.message.to_string(),
            };
            let alarm = self.life.standing(ctx.now.mono, &ctx.config.times).alarm();
            self.announce_trouble(news, alarm, ctx);
        }
    }
}

fn is_other_metadata(desired: &NodeView, seen: &NodeView) -> bool {
    desired.labels.iter().any(|(key, value)| seen.labels.get(key) != Some(value))
        || desired.annotations.iter().any(|(key, value)| seen.annotations.get(key) != Some(value))
        || desired.taints.iter().any(|taint| !seen.taints.contains(taint))
}

fn is_other_status(desired: &NodeView, seen: &NodeView) -> bool {
    let addresses = |node: &NodeView| {
        let mut all: Vec<_> = node.addresses.iter().map(|a| (a.kind, a.address.clone())).collect();
        all.sort();
        all
    };
    addresses(desired) != addresses(seen)
        || desired.capacity != seen.capacity
        || desired.allocatable != seen.allocatable
        || desired.kubelet_version != seen.kubelet_version
        || desired.conditions.iter().any(|wanted| {
            seen.condition(&wanted.kind).is_none_or(|seen| {
                (seen.status, &seen.reason, &seen.message) != (wanted.status, &wanted.reason, &wanted.message)
            })
        })
}
