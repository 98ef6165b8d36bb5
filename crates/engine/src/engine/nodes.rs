//! Nodes that appear, change and go.

use std::sync::Arc;

use super::Engine;
use crate::{action::Action, event::Now, replicas, services::Services, view::NodeView, vnode};

impl Engine {
    pub(super) fn see_node(&mut self, view: NodeView, now: Now, out: &mut Vec<Action>) {
        if let Some(zone) = view.labels.get(vnode::ZONE) {
            self.zones.see(&view.name, zone);
        }
        if !self.is_synced() {
            self.early.nodes.insert(view.name.clone(), view);
            return;
        }
        let name = view.name.clone();
        self.plans.touch_all(now.mono);
        self.drifts.touch(&name, now.mono);
        self.see_shared_node(&view, now);
        match self.by_node.get(&name).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.see_node(view)),
            None if self.ownership.is_some() => {}
            None => self.adopt_node(view, now, out),
        }
        self.recount(&name, now, out);
    }

    pub(super) fn lose_node(&mut self, name: &Arc<str>, uid: &str, now: Now, out: &mut Vec<Action>) {
        // A list tells first what there is, and then what has gone since the one before.
        if self.early.nodes.get(name).or_else(|| self.node(name)).is_some_and(|node| *node.uid != *uid) {
            return;
        }
        self.early.nodes.remove(name);
        self.plans.touch_all(now.mono);
        self.drifts.touch(name, now.mono);
        if !self.by_node.contains_key(name) {
            self.zones.free(name);
        }
        if let Some(shared) = &mut self.ownership {
            shared.leases.lose_node(name, uid, &shared.members, now.mono);
        }
        if let Some(base) = self.by_node.get(name).cloned() {
            self.visit(&base, now, out, |vnode, _| vnode.lose_node(uid));
        }
        self.recount(name, now, out);
    }

    /// Services changed: where the kubelet API is reached elsewhere now, every Node is to say so.
    pub(super) fn with_services(
        &mut self,
        now: Now,
        out: &mut Vec<Action>,
        change: impl FnOnce(&mut Services),
    ) {
        let before = self.services.kubelet(&self.config);
        change(&mut self.services);
        if self.services.kubelet(&self.config) != before && self.is_synced() {
            let bases: Vec<_> = self.vnodes.keys().cloned().collect();
            for base in bases {
                self.visit(&base, now, out, |_, _| {});
            }
        }
    }

    /// The Node of this name, whoever acts for it.
    pub(super) fn node(&self, name: &Arc<str>) -> Option<&NodeView> {
        match &self.ownership {
            Some(shared) => shared.leases.base(name).and_then(|base| base.node.as_ref()),
            None => self.by_node.get(name).and_then(|base| self.vnodes.get(base)?.node()),
        }
    }

    /// A Node changed: it may count for peer Deployments, or no more.
    pub(super) fn recount(&mut self, name: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let mut peers = std::mem::take(&mut self.peers);
        let scope = replicas::Scope { workloads: &self.workloads, env: &self.config.env, now: now.mono, out };
        peers.node(name, self.node(name), scope);
        self.peers = peers;
    }
}
