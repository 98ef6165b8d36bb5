//! What the engine does where replicas share the VNodes: it has state machines for its own ones
//! only. One that is taken begins as after a start of the controller, and one that is lost is
//! dropped as if the controller had been killed: nothing is said or written any more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{BaseIdentity, BaseReport, BaseState, TunnelKind};

use super::Engine;
use crate::{
    action::{Action, ToReplica},
    event::{ClusterEvent, Event, Now, ReplicaEvent, Watched},
    ordering::permits::Turn,
    ownership::{Heard, Seen},
    replicas::Peers,
    request::Write,
    view::{MemberView, NodeView},
    vnode::{self, VNode},
};

impl Engine {
    /// Nothing stands in the way of acting.
    pub(super) fn may_act(&self, now: Now) -> bool {
        self.ownership.as_ref().is_none_or(|shared| shared.members.may_act(now.mono))
    }

    /// This replica does what concerns no single VNode.
    pub(super) fn leads(&self) -> bool {
        self.ownership.as_ref().is_none_or(|shared| shared.leads)
    }

    /// All Nodes of the environment, whoever acts for them.
    pub(super) fn nodes(&self) -> Vec<&NodeView> {
        match &self.ownership {
            Some(shared) => shared.leases.nodes().collect(),
            None => self.vnodes.values().filter_map(|vnode| vnode.node()).collect(),
        }
    }

    /// Takes what is about ownership; gives back what is not.
    pub(super) fn share(&mut self, event: Event, now: Now, out: &mut Vec<Action>) -> Option<Event> {
        let Some(shared) = &mut self.ownership else { return Some(event) };
        let (members, leases) = (&mut shared.members, &mut shared.leases);
        members.look(now.mono);
        let mut ended = false;
        let mut lost = None;
        let (mut refused, mut why) = (Vec::new(), String::new());
        match event {
            Event::Replica(ReplicaEvent::Member(view)) => ended = members.see(*view, now.mono, out),
            Event::Replica(ReplicaEvent::MemberGone { name, uid }) => {
                ended = members.gone(&name, &uid, now.mono, out)
            }
            Event::Written { write: Write::WriteMember(name) | Write::DeleteMember(name), result } => {
                ended = members.written(&name, &result, now.mono, out);
            }
            Event::Written { write: Write::ReadMember(name), result } => {
                members.read(&name, &result, now.mono, out);
            }
            Event::Replica(ReplicaEvent::Lease(view)) => {
                let node = view.node.clone();
                lost = leases.see_lease(view, members, now.mono).then_some(node);
            }
            Event::Replica(ReplicaEvent::LeaseGone { node, uid }) => {
                let vnode = self.by_node.get(&node).and_then(|base| self.vnodes.get(base));
                let leaves = vnode.is_some_and(|vnode| vnode.is_leaving());
                lost = leases.lose_lease(&node, &uid, leaves, members, now.mono).then_some(node);
            }
            Event::Written { write: Write::TakeLease { node, holder }, result } => {
                if holder == *members.incarnation() && leases.taken(&node, &result, members, now.mono) {
                    self.acquire(&node, now, out);
                }
            }
            Event::Written { write: Write::ReleaseLease { node, holder }, result } => {
                if holder == *members.incarnation() {
                    leases.released(&node, &result, members, now.mono);
                }
            }
            Event::Replica(ReplicaEvent::Permits(view)) => self.permits.see_lease(*view, now.mono),
            Event::Replica(ReplicaEvent::PermitsGone { name, uid }) => self.permits.lose_lease(&name, &uid),
            Event::Written { write: Write::WritePermits(name) | Write::DeletePermits(name), result } => {
                refused = self.permits.written(&name, now.mono, &result);
                why = result.err().map(|error| error.to_string()).unwrap_or_default();
            }
            Event::Cluster(
                ClusterEvent::Synced(Watched::Permits) | ClusterEvent::Unavailable(Watched::Permits),
            ) => {
                self.permits.synced();
                return Some(event);
            }
            event => return Some(event),
        }
        for (base, pod) in refused {
            self.visit(&base, now, out, |vnode, ctx| vnode.permit_refused(&pod, &why, ctx));
        }
        if ended {
            self.drop_all(now);
        }
        if let Some(base) = lost.and_then(|node| self.by_node.get(&node).cloned()) {
            self.let_go(&base, now);
        }
        None
    }

    /// What is to be done about ownership after an event; the rest waits for it.
    pub(super) fn keep_shared(&mut self, now: Now, out: &mut Vec<Action>) {
        let takes = self.is_synced();
        self.look_for_bases(now);
        let Some(shared) = &mut self.ownership else { return };
        shared.advance(takes, self.config.times.lease_duration, now.mono, out);
        self.zones.share(shared.members.place());
        self.plans.see_replica_without(shared.members.without_plans(), now.mono);
        let may_act = shared.members.may_act(now.mono);
        let (surplus, given_up) = (shared.surplus(now.mono), shared.given_up(now.mono));
        if may_act && std::mem::take(&mut shared.frozen) {
            let bases: Vec<BaseIdentity> = self.vnodes.keys().cloned().collect();
            for base in bases {
                self.visit(&base, now, out, |vnode, ctx| vnode.thaw(ctx.now.mono));
            }
        }
        self.lead(now, out);
        self.hand_over(surplus, now, out);
        self.give_up(given_up, now, out);
        if let Some(shared) = &mut self.ownership
            && shared.sweeps(now.mono)
        {
            self.collect_orphans(now, out);
            if takes && self.leads() {
                self.permits.sweep(now.mono, out);
            }
        }
        let permits = self.give_permits(now, out);
        let shared = self.ownership.as_ref().and_then(|shared| shared.next_wake(takes, now.mono));
        self.shared_wake = shared.into_iter().chain(permits).min();
    }

    /// Writes who of the own Pods takes or gives back a permit; says when to look again.
    fn give_permits(&mut self, now: Now, out: &mut Vec<Action>) -> Option<Duration> {
        if !self.is_synced() || !self.may_act(now) {
            return None;
        }
        let (place, _) = self.ownership.as_ref()?.members.place();
        let owns = |node: &Arc<str>| self.by_node.contains_key(node);
        self.permits.advance(Turn { now: now.mono, place, owns: &owns, out });
        self.permits.next_wake()
    }

    /// Takes up, or gives up, what one of the replicas has to do.
    pub(super) fn lead(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(shared) = &mut self.ownership else { return };
        let leads = shared.members.may_act(now.mono) && shared.members.is_first();
        if std::mem::replace(&mut shared.leads, leads) != leads {
            self.peers = Peers::default();
            self.begin_peers(now, out);
        }
    }

    /// A base was heard, or has answered.
    pub(super) fn reaches_a_base(&mut self, now: Now) {
        if let Some(shared) = &mut self.ownership {
            shared.reach.heard(now.mono);
        }
    }

    /// Sees whether this replica reaches the bases that it acts for.
    fn look_for_bases(&mut self, now: Now) {
        let Some(shared) = &mut self.ownership else { return };
        if !shared.reach.is_due(now.mono) || !shared.members.may_act(now.mono) {
            return;
        }
        let mut seen = Seen::default();
        for vnode in self.vnodes.values().filter(|vnode| vnode.node().is_some()) {
            seen.all += 1;
            seen.unreached += usize::from(vnode.is_unreached(now.mono, &self.config));
            let up = match vnode.tunnel() {
                Some(TunnelKind::Mqtt) => self.mqtt_up.is_some(),
                Some(TunnelKind::Http) => self.http_up.is_some(),
                None => true,
            };
            seen.without_tunnel += usize::from(!up);
        }
        shared.reach.look(seen, shared.members.others_reach(), now.mono);
    }

    /// Gives to others what this replica does not reach, whatever is under way there: nothing of it comes through.
    fn give_up(&mut self, most: usize, now: Now, out: &mut Vec<Action>) {
        let chosen: Vec<(BaseIdentity, Arc<str>)> =
            self.vnodes.iter().take(most).map(|(base, vnode)| (base.clone(), vnode.name().clone())).collect();
        self.release_all(chosen, now, out);
    }

    /// Hands over VNodes at which nothing is under way.
    fn hand_over(&mut self, surplus: usize, now: Now, out: &mut Vec<Action>) {
        let idle = self.vnodes.iter().filter(|(_, vnode)| vnode.is_idle(now.mono, &self.config));
        let chosen: Vec<(BaseIdentity, Arc<str>)> =
            idle.take(surplus).map(|(base, vnode)| (base.clone(), vnode.name().clone())).collect();
        self.release_all(chosen, now, out);
    }

    fn release_all(&mut self, chosen: Vec<(BaseIdentity, Arc<str>)>, now: Now, out: &mut Vec<Action>) {
        for (base, name) in chosen {
            let Some(shared) = &mut self.ownership else { return };
            if let Some(release) = shared.leases.hand_over(&name, &shared.members, now.mono) {
                out.push(release);
                self.let_go(&base, now);
            }
        }
    }

    /// A base was heard that this replica does not act for. Over MQTT all replicas hear it; over HTTP the one that
    /// acts for it is told (rule W11).
    pub(super) fn overhear(
        &mut self,
        tunnel: TunnelKind,
        report: BaseReport,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        if tunnel == TunnelKind::Http
            && let Some(shared) = &self.ownership
            && let Some(to) = shared.leases.holder_of(&report.identity)
            && shared.members.has_door(to)
        {
            out.push(Action::Replica(ToReplica::Forward {
                to: to.clone(),
                report: Box::new(report.clone()),
            }));
        }
        self.remember(tunnel, report, now);
    }

    /// Another replica heard a base that, as far as it knew, this one acts for.
    pub(super) fn forwarded(&mut self, report: BaseReport, now: Now, out: &mut Vec<Action>) {
        if self.vnodes.contains_key(&report.identity) {
            self.heartbeat(TunnelKind::Http, report, now, out);
        } else if self.is_synced() {
            self.remember(TunnelKind::Http, report, now);
        }
    }

    /// What a base said is kept for whoever takes it next, which may be this replica.
    fn remember(&mut self, tunnel: TunnelKind, report: BaseReport, now: Now) {
        let Some(shared) = &mut self.ownership else { return };
        let name =
            shared.leases.name_of(&report.identity).cloned().unwrap_or_else(|| {
                self.config.name_format.node_name(&report.identity, &self.config.env).into()
            });
        let fresh = self.config.times.not_ready_after;
        let before = shared.leases.base(&name).and_then(|base| base.heard.as_ref());
        let before = before.filter(|heard| now.mono.saturating_sub(heard.at) < fresh);
        // Whoever takes it would send its commands to who spoke last.
        if before.is_some_and(|heard| !vnode::may_follow((heard.tunnel, &heard.report), tunnel, &report)) {
            self.claims_refused += 1;
            return;
        }
        if report.state == BaseState::Deactivated && shared.leases.forget_stranger(&name) {
            return;
        }
        if !shared.leases.has_room_for(&name, &report.identity) {
            self.turned_away += 1;
            return;
        }
        let heard = Heard { tunnel, report, at: now.mono };
        shared.leases.heard(name, heard, &shared.members, now.mono);
    }

    /// A Node of the environment, whoever acts for it.
    pub(super) fn see_shared_node(&mut self, view: &NodeView, now: Now) {
        let Some(shared) = &mut self.ownership else { return };
        if let Some(identity) = vnode::identity_of(view, &self.config) {
            shared.leases.see_node(&identity, view.clone(), &shared.members, now.mono);
        }
    }

    /// The VNode's Lease is ours: it begins as after a start.
    fn acquire(&mut self, name: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let Some(base) = self.ownership.as_ref().and_then(|shared| shared.leases.base(name)) else { return };
        let fresh = self.config.times.not_ready_after;
        let heard = base.heard.clone().filter(|heard| now.mono.saturating_sub(heard.at) < fresh);
        let identity = base.identity.clone();
        let mut vnode = match (&base.node, &heard) {
            (Some(node), _) => VNode::adopted(identity.clone(), node.clone(), now.mono),
            (None, Some(heard)) => VNode::heard(name.clone(), &heard.report, now.mono),
            (None, None) => VNode::unheard(identity.clone(), name.clone(), now.mono),
        };
        vnode.lease_taken(now.mono, self.vnodes.len(), &self.config);
        if let Some(heard) = &heard {
            vnode.play_back(self.told(heard.tunnel, &heard.report));
        }
        self.adopt_vnode(vnode, identity.clone(), now.mono);
        self.visit(&identity, now, out, |vnode, ctx| {
            if let Some(heard) = heard {
                vnode.heartbeat(heard.tunnel, heard.report, ctx);
            }
        });
    }

    /// Nothing is done for the VNode any more; what is known of its objects is kept.
    fn let_go(&mut self, base: &BaseIdentity, now: Now) {
        let Some(vnode) = self.take_down(base) else { return };
        let name = vnode.name().clone();
        if vnode.node().is_none() {
            self.zones.free(&name);
        }
        self.permits.let_go(&name);
        let (pods, modules) = vnode.into_parts();
        for module in modules {
            self.orphans.see(module, &self.config.namespace, now.mono + self.config.times.collect_after);
        }
        let pods: BTreeMap<_, _> = pods.map(|pod| (pod.pod.uid.clone(), pod)).collect();
        if !pods.is_empty() {
            self.pods.waiting.insert(name, pods);
        }
    }

    /// Who answers a base that asks for its baseline: over HTTP the one that was asked, over MQTT,
    /// where all hear it, its owner, or one of all where it has none yet.
    pub(super) fn answers(&self, tunnel: TunnelKind, base: &BaseIdentity) -> bool {
        let Some(shared) = &self.ownership else { return true };
        let known = shared.leases.name_of(base).is_some_and(|name| shared.leases.is_known(name));
        tunnel == TunnelKind::Http || self.vnodes.contains_key(base) || (shared.leads && !known)
    }

    /// The last word of this replica, once nothing of it is under way: the others need not wait for
    /// it to be dead. None where there are no others.
    pub fn release(&self) -> Option<MemberView> {
        self.ownership.as_ref()?.members.release()
    }

    /// This replica was ended: it has nothing, and begins anew, with what it is told from now on.
    fn drop_all(&mut self, now: Now) {
        self.synced = super::never_told(&self.config);
        let bases: Vec<BaseIdentity> = self.vnodes.keys().cloned().collect();
        for base in bases {
            self.let_go(&base, now);
        }
        if let Some(shared) = &mut self.ownership {
            shared.frozen = false;
            shared.leases.drop_all(&shared.members, now.mono);
        }
    }
}

#[cfg(test)]
mod tests;
