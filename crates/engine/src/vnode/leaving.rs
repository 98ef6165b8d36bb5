//! How a VNode goes: after a goodbye at once, after silence only when nothing speaks against it.

use model::bilingual;
use std::time::Duration;

use super::{
    Context, Fleet, Liveness, VNode,
    announce::{MANY_LOST, News, TUNNEL_DOWN},
};
use crate::{
    action::{Action, Alarm},
    request::{BaseAddress, BasePod, Request, WriteError},
    write_slot::WriteSlot,
};

/// At this share of silent bases it is not the bases that are at fault (spec, blast radius).
const BLAST_PERCENT: usize = 55;
/// Fewer than these may well fall silent together.
const BLAST_LEAST: usize = 3;

/// The state of a VNode's going.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaving {
    /// Looking for the base's own Pod; none while nobody asks.
    asked: bool,
    /// Not to be looked for before.
    ask_after: Duration,
    /// The base's own Pod is known not to exist.
    base_pod_is_gone: bool,
    slot: WriteSlot,
    done: bool,
    /// A deletion of the Node failed, and may have been carried out.
    is_unknown: bool,
    told: bool,
}

impl Leaving {
    /// The Node is being deleted, or was.
    pub(crate) fn is_under_way(&self) -> bool {
        self.done || self.slot.is_busy()
    }

    /// The Node may be gone, and its Lease with it.
    pub(crate) fn may_be_over(&self) -> bool {
        self.is_under_way() || self.is_unknown
    }

    /// The Lease was renewed, so it is there, and so is the Node: a deletion that failed was not carried out. True where
    /// that was not known.
    pub(crate) fn is_there(&mut self) -> bool {
        std::mem::take(&mut self.is_unknown)
    }

    /// The Node was deleted.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The deletion of the Node ended. Where none is under way it was that of an earlier VNode of the same name, whose end the
    /// watch told before.
    pub(crate) fn deleted(&mut self, now: Duration, result: &Result<(), WriteError>) {
        if !self.slot.is_busy() {
            return;
        }
        self.slot.ended(now, result);
        self.is_unknown = !matches!(result, Ok(()) | Err(WriteError::Refused(_)));
        self.done |= result.is_ok() || matches!(result, Err(WriteError::NotFound(_)));
    }

    /// The Node is gone. Where its deletion was tried, it was carried out, whatever its answer said or will say.
    pub(crate) fn node_is_gone(&mut self) {
        self.done |= self.slot.is_busy() || self.slot.is_failing();
    }

    pub(crate) fn wake(&self) -> impl Iterator<Item = Duration> + use<> {
        [(!self.asked).then_some(self.ask_after), self.slot.wake()].into_iter().flatten()
    }
}

impl Fleet {
    /// So many are silent at once that the network, the broker or this controller is at fault.
    pub(crate) fn are_many_silent(&self) -> bool {
        self.silent >= BLAST_LEAST && self.silent * 100 >= self.total * BLAST_PERCENT
    }
}

impl VNode {
    /// The answer to the search for the base's own Pod.
    pub(crate) fn found_base_pod(&mut self, found: &Result<Option<BasePod>, WriteError>, ctx: &Context<'_>) {
        self.base_zone.found(found, ctx.now.mono);
        self.own_pod.found(found, ctx.now.mono);
        // What was asked for another reason, and maybe long ago, lets no Node go.
        if !std::mem::take(&mut self.leaving.asked) {
            return;
        }
        self.leaving.base_pod_is_gone = matches!(found, Ok(None));
        if !self.leaving.base_pod_is_gone {
            self.leaving.ask_after = ctx.now.mono + ctx.config.times.leave_retry;
        }
    }

    /// Deletes the Node when the base is gone.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_>) {
        let standing = self.life.liveness(ctx.now.mono, &ctx.config.times);
        let goes = match standing {
            Liveness::Gone => true,
            Liveness::Silent => self.is_given_up(ctx),
            Liveness::Alive | Liveness::Unanswering | Liveness::NotServing => {
                // Its Lease went with its Node: among several replicas it is anybody's to take up anew.
                let done = self.leaving.done && ctx.holder.is_some();
                let (slot, is_unknown) = (std::mem::take(&mut self.leaving.slot), self.leaving.is_unknown);
                self.leaving = Leaving { slot, done, is_unknown, ..Leaving::default() };
                return;
            }
        };
        let Some(node) = &self.node else { return };
        if !goes
            || node.deleting
            || self.leaving.done
            || !self.may_tell_node(ctx)
            || !self.leaving.slot.is_free(ctx.now.mono)
        {
            return;
        }
        let action = Action::Request(Request::DeleteNode { name: node.name.clone(), uid: node.uid.clone() });
        let note = match standing {
            Liveness::Gone => {
                bilingual!("the base said goodbye; its Node is deleted", "基座已告知下线，删除它的 Node")
            }
            _ => bilingual!(
                "nothing was heard of the base for {silence} s, it does not answer, and its own Pod does not exist; its Node is deleted",
                "已有 {silence} 秒没有收到基座的任何消息，它不应答，它自己的 Pod 也不存在，删除它的 Node",
                silence = self.life.silence(ctx.now.mono).as_secs()
            ),
        };
        let warning = standing != Liveness::Gone;
        let news = News { warning, reason: "BaseLeft", action: "DeleteNode", note };
        self.announce_trouble(news, standing.alarm(), ctx);
        self.leaving.slot.sent();
        ctx.out.push(action);
    }

    /// A silent base is given up: long silent, asked in vain, without a Pod of its own, and not
    /// together with so many others that the fault must be elsewhere.
    fn is_given_up(&mut self, ctx: &mut Context<'_>) -> bool {
        let now = ctx.now.mono;
        let asked_in_vain = self.inventory_query.failures() > 0
            || self.links.target(&self.identity, ctx.config.times.not_ready_after).is_none();
        if self.life.silence(now) < ctx.config.times.leave_after || !asked_in_vain {
            return false;
        }
        if self.is_fault_elsewhere(ctx) {
            return false;
        }
        if !self.leaving.base_pod_is_gone {
            if !self.leaving.asked && now >= self.leaving.ask_after {
                self.leaving.asked = true;
                ctx.out.push(self.find_base_pod(false));
            }
            return false;
        }
        true
    }

    /// Looks for the base's own Pod.
    pub(super) fn find_base_pod(&self, zone: bool) -> Action {
        Action::Request(Request::FindBasePod { base: self.identity.clone(), address: self.address(), zone })
    }

    /// By what it is looked for.
    pub(super) fn address(&self) -> BaseAddress {
        BaseAddress { ip: self.ip().parse().ok(), host_name: self.host_name() }
    }

    fn is_fault_elsewhere(&mut self, ctx: &mut Context<'_>) -> bool {
        let fleet = ctx.fleet;
        let many = fleet.are_many_silent();
        let tunnel_is_down =
            match self.links.target(&self.identity, Duration::ZERO).map(|target| target.tunnel) {
                Some(model::TunnelKind::Http) => fleet.http_up.is_none(),
                Some(model::TunnelKind::Mqtt) => {
                    fleet.mqtt_up.is_none_or(|since| self.may_reconnect(since, ctx))
                }
                None => false,
            };
        let elsewhere = many || tunnel_is_down;
        if elsewhere && !self.leaving.told {
            self.leaving.told = true;
            let note = if tunnel_is_down {
                bilingual!(
                    "the base is silent, but so is the tunnel to it, or was: its Node stays until both had time to come back",
                    "基座没有消息，但通往它的管道也中断了，或刚刚恢复：保留它的 Node，等两者都有时间恢复"
                )
            } else {
                let (silent, total) = (fleet.silent, fleet.total);
                bilingual!(
                    "{silent} of {total} bases are silent at once, so the network, the broker or this controller is at fault: nothing \
                     is deleted",
                    "{total} 个基座中有 {silent} 个同时失联，应是网络、broker 或控制器自身的问题：不删除任何 Node"
                )
            };
            let news = News { warning: true, reason: "BlastRadius", action: "Wait", note };
            let code = if tunnel_is_down { TUNNEL_DOWN } else { MANY_LOST };
            self.announce_trouble(news, Some((Alarm::BlastRadius, code)), ctx);
        }
        if elsewhere {
            self.leaving.ask_after = ctx.now.mono + ctx.config.times.leave_retry;
        }
        elsewhere
    }

    /// The broker is back, but the base may not have tried again yet.
    fn may_reconnect(&self, since: Duration, ctx: &Context<'_>) -> bool {
        !self.life.was_heard_since(since) && ctx.now.mono < since + ctx.config.times.reconnect
    }
}

#[cfg(test)]
mod tests {
    use arklet::{CallError, CommandKind};
    use model::TunnelKind;

    use crate::{Action, Event, Request, TunnelEvent, testing::Case};

    /// Lets time pass, in which no question is answered; true where the base is about to be
    /// given up, because its own Pod is looked for.
    fn is_given_up_by(case: &mut Case, seconds: u64) -> bool {
        let mut given_up = false;
        while case.seconds < seconds {
            case.seconds += 1;
            let mut actions = case.step(Event::Tick);
            actions.extend(case.answered("b", CommandKind::QueryAllBiz, None, Err(CallError::TimedOut)));
            given_up |=
                actions.iter().any(|action| matches!(action, Action::Request(Request::FindBasePod { .. })));
        }
        given_up
    }

    #[test]
    fn a_silent_base_that_was_heard_over_this_broker_is_given_up_after_a_minute() {
        let mut case = Case::started(&["b"]);
        case.heard("b");
        assert!(!is_given_up_by(&mut case, 59));
        assert!(is_given_up_by(&mut case, 61));
    }

    #[test]
    fn a_base_may_take_longer_than_the_controller_to_find_the_broker_again() {
        let mut case = Case::started(&["b"]);
        case.heard("b");
        case.step(Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
        assert!(!is_given_up_by(&mut case, 300), "the broker is away");
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
        assert!(!is_given_up_by(&mut case, 300 + 149), "it may wait 128 s between two attempts");
        assert!(is_given_up_by(&mut case, 300 + 150 + 30));
    }

    #[test]
    fn neither_may_one_that_this_controller_never_heard_be_gone() {
        let mut case = Case::started(&["b"]);
        assert!(!is_given_up_by(&mut case, 149), "the broker may have been away, with the controller in it");
        assert!(is_given_up_by(&mut case, 150 + 30));
    }

    #[test]
    fn a_deletion_that_was_carried_out_and_answered_badly_has_ended_when_the_node_is_gone() {
        let mut leaving = super::Leaving::default();
        leaving.node_is_gone();
        assert!(!leaving.is_done(), "somebody else deleted it");
        leaving.slot.sent();
        let error = crate::WriteError::Unavailable { reason: "500".into(), retry_after: None };
        leaving.deleted(std::time::Duration::from_secs(1), &Err(error));
        assert!(!leaving.is_done());
        leaving.node_is_gone();
        assert!(leaving.is_done());
    }
}
