//! Bases that are heard, and the VNodes that stand for them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{BaseIdentity, BaseReport, BaseState, TunnelKind};

use super::Engine;
use crate::{
    action::Action,
    config::{MOST_BASES, MOST_STRANGERS},
    event::Now,
    request::Request,
    view::NodeView,
    vnode::{self, Fleet, VNode, Voice},
};

impl Engine {
    pub(super) fn heartbeat(
        &mut self,
        tunnel: TunnelKind,
        report: BaseReport,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let identity = report.identity.clone();
        if !self.is_synced() {
            match self.early.reports.get(&identity) {
                Some((way, before)) if !vnode::may_follow((*way, before), tunnel, &report) => {
                    self.claims_refused += 1;
                }
                None if self.early.reports.len() >= MOST_BASES => self.turned_away += 1,
                _ => drop(self.early.reports.insert(identity, (tunnel, report))),
            }
            return;
        }
        if !self.vnodes.contains_key(&identity) {
            if self.ownership.is_some() {
                return self.overhear(tunnel, report, now, out);
            }
            if report.state == BaseState::Deactivated {
                return;
            }
            let name: Arc<str> = self.config.name_format.node_name(&identity, &self.config.env).into();
            if !self.has_room_for(&name) {
                self.turned_away += 1;
                return;
            }
            let mut vnode = VNode::heard(name, &report, now.mono);
            vnode.play_back(self.told(tunnel, &report));
            self.adopt_vnode(vnode, identity.clone(), now.mono);
        }
        let mut voice = Voice::Own;
        self.visit(&identity, now, out, |vnode, ctx| {
            voice = vnode.voice(tunnel, &report, ctx.now, ctx.config);
            match voice {
                Voice::Own => vnode.heartbeat(tunnel, report, ctx),
                Voice::Echo => vnode.echo(tunnel, &report, ctx),
                Voice::Impostor => vnode.refuse_impostor(tunnel, &report, ctx),
            }
        });
        self.claims_refused += u64::from(voice == Voice::Impostor);
    }

    /// A base that was never heard may be taken up under this Node's name. What is no legal name is made one, and another
    /// base may really be called so: two bases never share a Node.
    pub(super) fn has_room_for(&self, name: &Arc<str>) -> bool {
        self.strangers.len() < MOST_STRANGERS
            && self.vnodes.len() < MOST_BASES
            && !self.by_node.contains_key(name)
    }

    /// A new VNode, with the Pods that wait for it.
    pub(super) fn adopt_vnode(&mut self, mut vnode: VNode, identity: BaseIdentity, now: Duration) {
        for (_, pod) in self.pods.waiting.remove(vnode.name()).unwrap_or_default() {
            self.permits.take_up(&pod);
            vnode.see_pod(pod);
        }
        for module in self.orphans.take(vnode.name()) {
            vnode.inherit_module(module, now, &self.config);
        }
        self.by_node.insert(vnode.name().clone(), identity.clone());
        self.vnodes.insert(identity, Box::new(vnode));
    }

    /// A Node of our environment whose base has not been heard: it is asked.
    pub(super) fn adopt_node(&mut self, view: NodeView, now: Now, out: &mut Vec<Action>) {
        let Some(identity) = vnode::identity_of(&view, &self.config) else { return };
        if !self.vnodes.contains_key(&identity) {
            let vnode = VNode::adopted(identity.clone(), view, now.mono);
            self.adopt_vnode(vnode, identity.clone(), now.mono);
            self.visit(&identity, now, out, |_, _| {});
        }
    }

    /// A VNode is gone. Pods that were being deleted on it have nothing left to wait for; the
    /// others are left to Kubernetes, which collects them or gives the base time to come back.
    pub(super) fn forget(&mut self, base: &BaseIdentity, now: Now, out: &mut Vec<Action>) {
        let Some(mut vnode) = self.take_down(base) else { return };
        vnode.give_permits_back(&mut self.permits);
        let name = vnode.name().clone();
        self.zones.free(&name);
        if let Some(shared) = &mut self.ownership {
            out.extend(shared.leases.left(&name, !vnode.is_leaving(), &shared.members));
        }
        let base_ended = vnode.said_goodbye(now.mono, &self.config);
        let collect_after = match base_ended {
            // A goodbye may be overtaken by the first heartbeat of the base's next life: what that one
            // has installed by then is known by its objects until its next heartbeat.
            true => self.config.times.not_ready_after,
            false => self.config.times.collect_after,
        };
        let (pods, modules) = vnode.into_parts();
        let pods: BTreeMap<_, _> = pods.map(|pod| (pod.pod.uid.clone(), pod)).collect();
        for module in modules {
            self.orphans.see(module, &self.config.namespace, now.mono + collect_after);
        }
        if base_ended {
            self.orphans.base_ended(&name);
        }
        self.collect_orphans(now, out);
        for pod in pods.values().filter(|pod| pod.deletion.is_some()) {
            out.push(Action::Request(Request::DeletePod { pod: pod.pod.clone() }));
        }
        if !pods.is_empty() {
            self.pods.waiting.insert(name, pods);
        }
    }

    /// The state machine of a VNode, which is no more.
    pub(super) fn take_down(&mut self, base: &BaseIdentity) -> Option<VNode> {
        let vnode = self.vnodes.remove(base)?;
        self.permits.bars(base, Vec::new());
        self.wakes.set(base, None);
        self.silent.remove(base);
        self.strangers.remove(base);
        self.by_node.remove(vnode.name());
        Some(*vnode)
    }

    /// All bases of this controller, counted.
    pub(super) fn fleet(&self) -> Fleet {
        Fleet {
            // Whoever makes bases up neither hides that many real ones are silent, nor makes it look so.
            total: self.vnodes.len().saturating_sub(self.strangers.len()),
            silent: self.silent.len(),
            http_up: self.http_up,
            mqtt_up: self.mqtt_up,
        }
    }

    pub(super) fn tunnel(&mut self, tunnel: TunnelKind) -> &mut Option<Duration> {
        match tunnel {
            TunnelKind::Http => &mut self.http_up,
            TunnelKind::Mqtt => &mut self.mqtt_up,
        }
    }
}
