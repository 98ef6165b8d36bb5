//! Which Pod is bound where, and the Pods whose VNode is not there (yet).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::BaseIdentity;

use super::Engine;
use crate::{
    action::Action,
    event::Now,
    view::{PodView, UnplacedView},
};

/// The Pods that are bound to VNodes.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Pods bound to a Node that stands for no base of ours (yet), by Node and UID.
    pub(super) waiting: HashMap<Arc<str>, BTreeMap<Arc<str>, PodView>>,
    /// Which Node a Pod is bound to, by UID.
    pub(super) nodes: HashMap<Arc<str>, Arc<str>>,
}

impl Engine {
    pub(super) fn see_pod(&mut self, view: PodView, now: Now, out: &mut Vec<Action>) {
        self.pods.nodes.insert(view.pod.uid.clone(), view.node.clone());
        self.permits.see_pod(&view);
        self.drifts.touch(&view.node, now.mono);
        if let Some(owner) = &view.owner {
            self.plans.touch(owner, now.mono);
        }
        let loser = view.controller.clone().filter(|_| self.losses.see_pod(&view, now.mono));
        match self.by_node.get(&view.node).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.see_pod(view)),
            None => {
                self.pods.waiting.entry(view.node.clone()).or_default().insert(view.pod.uid.clone(), view);
            }
        }
        if let Some(controller) = loser {
            self.reorder(&controller, now, out);
        }
    }

    pub(super) fn lose_pod(&mut self, uid: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let Some(node) = self.pods.nodes.remove(uid) else { return };
        self.permits.lose_pod(uid);
        self.drifts.touch(&node, now.mono);
        self.plans.touch_all(now.mono);
        self.losses.lose_pod(uid, now.mono);
        if let Some(waiting) = self.pods.waiting.get_mut(&node) {
            waiting.remove(uid);
            if waiting.is_empty() {
                self.pods.waiting.remove(&node);
            }
        }
        if let Some(base) = self.by_node.get(&node).cloned() {
            self.visit(&base, now, out, |vnode, _| vnode.lose_pod(uid));
        }
    }

    /// A ReplicaSet's revision changed, or what it makes lost to another owner's: others may be the newest.
    pub(super) fn reorder(&mut self, replica_set: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        self.look_at_pods(|pod| pod.controller.as_ref() == Some(replica_set), now, out);
    }

    /// Looks again at the bases that have any of these Pods.
    pub(super) fn look_at_pods(
        &mut self,
        is_meant: impl Fn(&PodView) -> bool,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let vnodes = self.vnodes.iter().filter(|(_, vnode)| vnode.pods().any(&is_meant));
        let bases: Vec<BaseIdentity> = vnodes.map(|(base, _)| base.clone()).collect();
        for base in bases {
            self.visit(&base, now, out, |_, _| {});
        }
    }

    /// A plan says that some find no place.
    pub(super) fn see_unplaced(&mut self, view: UnplacedView, now: Now) {
        if let Some(owner) = view.owner.clone().filter(|_| view.is_unschedulable) {
            self.plans.touch(&owner, now.mono);
        }
        self.unplaced.see(view, now.mono);
    }

    pub(super) fn lose_unplaced(&mut self, uid: &Arc<str>, now: Now) {
        if self.unplaced.lose(uid) {
            self.plans.touch_all(now.mono);
        }
    }

    /// Tells the Pods that find no place because of their siblings.
    pub(super) fn look_at_unplaced(&mut self, now: Now, out: &mut Vec<Action>) {
        let mut unplaced = std::mem::take(&mut self.unplaced);
        let speaks = self.leads() && self.is_synced();
        let bound = || {
            let of_vnodes = self.vnodes.values().flat_map(|vnode| vnode.pods());
            of_vnodes.chain(self.pods.waiting.values().flat_map(BTreeMap::values))
        };
        unplaced.tick(now.mono, speaks, &self.nodes(), bound, out);
        self.unplaced = unplaced;
    }
}
