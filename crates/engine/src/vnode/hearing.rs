//! What the base says of itself, unasked.

use std::time::Duration;

use model::{BaseReport, TunnelKind};

use super::{Context, Liveness, VNode, explained::Replacing, gaps::Gaps, playback::Playback};

impl VNode {
    /// Somebody spoke who may be the base, on another way than its own.
    pub(crate) fn echo(&mut self, tunnel: TunnelKind, report: &BaseReport, ctx: &Context<'_>) {
        let (now, times) = (ctx.now.mono, &ctx.config.times);
        let was_assumed = self.life.is_assumed(now, times);
        if tunnel == TunnelKind::Mqtt {
            // Over HTTP it names where commands would go.
            self.links.heard(tunnel, report, now);
        }
        self.life.echoed(now);
        let alive = self.life.liveness(now, times) == Liveness::Alive;
        self.is_routine = alive && self.down_since.is_none() && !was_assumed;
    }

    /// A heartbeat of the base came.
    pub(crate) fn heartbeat(&mut self, tunnel: TunnelKind, report: BaseReport, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        let was_assumed = self.life.is_assumed(now, &ctx.config.times);
        self.links.heard(tunnel, &report, now);
        self.identity_owner.heard(tunnel, &report, now);
        let again = self.life.heartbeat(now, report.state, &ctx.config.times);
        if again {
            self.look_again(now);
        }
        let alive = self.life.liveness(now, &ctx.config.times) == Liveness::Alive;
        let is_as_before = !again && !was_assumed && self.report.as_ref() == Some(&report);
        if self.report.as_ref().is_some_and(|before| before.version != report.version) {
            self.replacing = Replacing::default();
        }
        self.is_routine = alive && self.down_since.is_none() && is_as_before;
        self.report = Some(report);
    }

    /// What happened last was a heartbeat like the one before: nothing follows from it but later deadlines.
    pub(crate) fn take_routine(&mut self) -> bool {
        std::mem::take(&mut self.is_routine)
    }

    /// The base was started anew: nothing of what was there or at work before is.
    pub(crate) fn restarted(&mut self, now: Duration) {
        self.ops.clear();
        self.unexplained.clear();
        self.replacing = Replacing::default();
        self.inventory.forget();
        self.modules.restarted();
        self.gaps = Gaps::default();
        self.playback = Playback::default();
        self.look_again(now);
    }

    /// The base may have been started anew: what it holds is asked again.
    pub(super) fn look_again(&mut self, now: Duration) {
        self.inventory_query.hint(now);
        self.health_query.hint(now);
    }
}
