//! When a VNode wants to be looked at again.

use std::time::Duration;

use super::{Context, Scope, VNode};
use crate::config::Times;

impl VNode {
    /// When it wants to be advanced, if nothing happens until then. What is not in the scope was not looked at, and still
    /// waits for its time.
    pub(crate) fn wake(&mut self, scope: &Scope, ctx: &Context<'_>) -> Option<Duration> {
        let now = ctx.now.mono;
        let waits = self.due_of_names.filter(|_| *scope != Scope::All);
        self.due_of_names = waits.into_iter().chain(self.wakes_of_names(scope, now, &ctx.config.times)).min();
        self.due = self.due_of_names.into_iter().chain(self.wakes(now, &ctx.config.times)).min();
        let lease = self.node.is_some().then(|| self.lease.wake(now)).flatten();
        let asks = self.asks(&ctx.config.times).into_iter().flatten();
        self.due.into_iter().chain(lease.into_iter().chain(asks).filter(|&at| at > now)).min()
    }

    fn wakes_of_names(&self, scope: &Scope, now: Duration, times: &Times) -> Option<Duration> {
        let tries = self.managed.iter().filter(|(id, _)| scope.holds(&id.name));
        self.pod_wakes(scope)
            .chain(self.modules.wakes(scope, times.passing))
            .chain(tries.map(|(_, managed)| managed.next_try))
            .filter(|&at| at > now)
            .min()
    }

    fn wakes(&self, now: Duration, times: &Times) -> Option<Duration> {
        let query_limit = times.query_deadline + times.answer_grace;
        let ops = self.ops.values().map(|op| op.sent + op.deadline + times.answer_grace);
        let queries = [&self.inventory_query, &self.health_query];
        self.life
            .wake(now, times)
            .into_iter()
            .chain(ops)
            .chain(queries.into_iter().filter_map(|query| query.lost_at(query_limit)))
            .chain(self.node_slot.wake())
            .chain(self.node_contests.wakes())
            .chain(self.down_since.map(|since| since + times.pods_first))
            .chain(self.leaving.wake())
            .chain(self.base_zone.wake())
            .chain(self.own_pod.wake())
            .chain(self.playback.wake())
            .chain(self.evicted.wakes())
            .filter(|&at| at > now)
            .min()
    }

    /// When its questions are to be asked, which changes nothing else.
    fn asks(&self, times: &Times) -> [Option<Duration>; 2] {
        let asked = self.links.target(&self.identity, times.not_ready_after).is_some();
        [&self.inventory_query, &self.health_query].map(|query| query.due().filter(|_| asked))
    }
}
