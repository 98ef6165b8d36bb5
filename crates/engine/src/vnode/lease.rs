//! When a VNode's Lease is due: spread over time, and less often where there are many.

use std::time::Duration;

use super::{Context, VNode};
use crate::{action::Action, coalescing::coalesced, config::Times, request::Request, write_slot::WriteSlot};

/// Up to so many VNodes each Lease is renewed every [`Times::lease_period`].
const FEW: usize = 100;

/// From so many on, every [`Times::lease_longest`].
const MANY: usize = 500;

/// The renewals of one Lease.
#[derive(Debug, Clone, Default)]
pub(super) struct LeaseTimer {
    pub(super) slot: WriteSlot,
    due: Duration,
    /// When it was renewed last; none before it ever was.
    at: Option<Duration>,
    /// It has a place of its own within the period.
    spread: bool,
}

impl LeaseTimer {
    /// It was renewed, as one of `vnodes`. The first time the next renewal comes early, each VNode's at a time of its own:
    /// bases that came together, or were taken over together, would else be renewed together for ever.
    pub(super) fn renewed(&mut self, now: Duration, name: &str, vnodes: usize, times: &Times) {
        let period = period(vnodes, times);
        self.due = coalesced(now + if self.spread { period } else { share(period, name) });
        self.spread = true;
        self.at = Some(now);
    }

    /// How long ago it was renewed.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        self.at.map(|at| now.saturating_sub(at))
    }

    /// When it is to be renewed; not while a renewal is under way or waits after a failure.
    pub(super) fn wake(&self, now: Duration) -> Option<Duration> {
        [Some(self.due), self.slot.wake().filter(|&at| at > now)].into_iter().flatten().max()
    }

    fn is_due(&self, now: Duration) -> bool {
        now >= self.due && self.slot.is_free(now)
    }
}

/// How often each of so many Leases is renewed.
fn period(vnodes: usize, times: &Times) -> Duration {
    let beyond = u32::try_from(vnodes.clamp(FEW, MANY) - FEW).unwrap_or_default();
    let longest = times.lease_longest.max(times.lease_period);
    let range = u32::try_from(MANY - FEW).unwrap_or(u32::MAX);
    times.lease_period + (longest - times.lease_period) * beyond / range
}

/// A part of the period from a quarter up to the whole, by the name: the same one for the same name.
fn share(period: Duration, name: &str) -> Duration {
    // FNV-1a; names differ in their last characters, and its high bits hang on all of them.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let thousandths = hash.wrapping_mul(0x9e37_79b1) >> 16;
    period / 4 + period * 3 / 4 * (thousandths % 1_000) / 1_000
}

impl VNode {
    /// Renews the Lease as long as there is a Node: how the base stands is told by conditions.
    pub(super) fn renew_lease(&mut self, ctx: &mut Context<'_>) {
        let there = self.node.as_ref().is_some_and(|node| !node.deleting) && !self.leaving.is_under_way();
        if there && self.lease.is_due(ctx.now.mono) {
            self.lease.slot.sent();
            let (node, duration) = (self.name.clone(), ctx.config.times.lease_duration);
            ctx.out.push(Action::Request(Request::RenewLease { node, holder: ctx.holder.clone(), duration }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_renewed_less_often_and_never_past_a_third_of_the_grace_time() {
        let times = Times::default();
        let ms = |vnodes| period(vnodes, &times).as_millis();
        assert_eq!([ms(1), ms(100), ms(300), ms(500), ms(16_384)], [10_000, 10_000, 11_000, 12_000, 12_000]);
        // The node lifecycle controller's grace time is 40 s; and the rule of ownership is 13 s.
        assert!(period(usize::MAX, &times) < Duration::from_secs(13).min(times.lease_duration / 3));
    }

    #[test]
    fn those_that_come_together_are_spread_over_the_period() {
        let times = Times::default();
        let mut seconds = [0_u32; 13];
        for n in 0..1_000 {
            let mut timer = LeaseTimer::default();
            let name = format!("virtual-node-base-{n:05}");
            timer.renewed(Duration::ZERO, &name, 1_000, &times);
            seconds[usize::try_from(timer.due.as_secs()).unwrap()] += 1;
            let first = timer.due;
            assert_eq!(first, coalesced(first), "together with others");
            assert_eq!(timer.age(first), Some(first));
            timer.renewed(first, &name, 1_000, &times);
            assert_eq!(timer.due - first, period(1_000, &times));
        }
        assert_eq!(seconds[..2], [0, 0], "not sooner than after a quarter");
        assert!(seconds[3..10].iter().all(|count| (80..=170).contains(count)), "{seconds:?}");
    }
}
