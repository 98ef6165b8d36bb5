//! Peers: a Deployment that has as many replicas as there are bases for it (the manual's 5.2).
//!
//! A VNode counts from when its Node is Ready until its Node is gone: a base that is silent for a
//! minute is no reason to end a module, and Nodes are not deleted while many bases are silent at
//! once. Nothing is written before all Nodes that existed at the start are known.

mod eligible;
mod peer;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    action::Action,
    placement::Site,
    request::WriteError,
    view::{ConditionStatus, NodeView, WorkloadRef, WorkloadView},
};
pub(crate) use eligible::{env_of, is_of, is_peer};
use peer::Peer;

/// Every Deployment or DaemonSet of modules, by UID.
pub(crate) type Workloads = BTreeMap<Arc<str>, WorkloadView>;

/// What a step sees of the rest.
pub(crate) struct Scope<'a> {
    pub(crate) workloads: &'a Workloads,
    pub(crate) env: &'a str,
    pub(crate) now: Duration,
    pub(crate) out: &'a mut Vec<Action>,
}

/// The peer Deployments, and the Nodes that count for them.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// All Nodes and Deployments that existed at the start are known.
    begun: bool,
    /// The Nodes that count, by name, with their UIDs.
    counted: BTreeMap<Arc<str>, Arc<str>>,
    peers: BTreeMap<Arc<str>, Peer>,
    wakes: BTreeSet<(Duration, Arc<str>)>,
}

impl Peers {
    /// When [`Peers::tick`] is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// All is known: from now on replicas are written. Whatever Node exists counts, because it was
    /// Ready once.
    pub(crate) fn begin<'a>(&mut self, nodes: impl Iterator<Item = &'a NodeView> + Clone, scope: Scope<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.counted = nodes.clone().map(|node| (node.name.clone(), node.uid.clone())).collect();
        let Scope { workloads, env, now, out } = scope;
        for view in workloads.values() {
            self.workload(&view.workload.uid, nodes.clone(), Scope { workloads, env, now, out });
        }
    }

    /// A Node appeared, changed, or (none) is gone.
    pub(crate) fn node(&mut self, name: &Arc<str>, node: Option<&NodeView>, scope: Scope<'_>) {
        if !self.begun {
            return;
        }
        let counts = node.filter(|node| self.counted.get(name) == Some(&node.uid) || is_ready(node));
        match counts {
            Some(node) => self.counted.insert(name.clone(), node.uid.clone()),
            None => self.counted.remove(name),
        };
        let Scope { workloads, env, now, out } = scope;
        let uids: Vec<Arc<str>> = self.peers.keys().cloned().collect();
        for uid in uids {
            let (Some(peer), Some(view)) = (self.peers.get_mut(&uid), workloads.get(&uid)) else { continue };
            let admitted = counts.is_some_and(|node| view.template.placement.admits(&Site::lasting(node)));
            let changed = if admitted { peer.nodes.insert(name.clone()) } else { peer.nodes.remove(name) };
            if changed {
                self.advance(&uid, Scope { workloads, env, now, out });
            }
        }
    }

    /// A workload appeared or changed: the one of this UID, which `scope` has.
    pub(crate) fn workload<'a>(
        &mut self,
        uid: &Arc<str>,
        nodes: impl Iterator<Item = &'a NodeView>,
        scope: Scope<'_>,
    ) {
        let Some(view) = scope.workloads.get(uid) else { return self.forget(uid) };
        if !self.begun {
            return;
        }
        if !is_peer(view, scope.env) {
            return self.forget(uid);
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        peer.seen(view, scope.now, scope.out);
        let counted = &self.counted;
        let admitted = |node: &&NodeView| {
            counted.get(&node.name) == Some(&node.uid) && view.template.placement.admits(&Site::lasting(node))
        };
        peer.nodes = nodes.filter(admitted).map(|node| node.name.clone()).collect();
        self.advance(uid, scope);
    }

    /// A workload is gone, or is none of ours any more.
    pub(crate) fn forget(&mut self, uid: &Arc<str>) {
        if let Some(at) = self.peers.remove(uid).and_then(|peer| peer.wake) {
            self.wakes.remove(&(at, uid.clone()));
        }
    }

    /// A write ended.
    pub(crate) fn written(
        &mut self,
        deployment: &WorkloadRef,
        result: &Result<(), WriteError>,
        scope: Scope<'_>,
    ) {
        let uid = &deployment.uid;
        let (Some(peer), Some(view)) = (self.peers.get_mut(uid), scope.workloads.get(uid)) else { return };
        peer.ended(view, scope.now, result, scope.out);
        self.advance(uid, scope);
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, scope: Scope<'_>) {
        let Scope { workloads, env, now, out } = scope;
        while let Some((_, uid)) = self.wakes.first().filter(|(at, _)| *at <= now).cloned() {
            self.wakes.pop_first();
            if let Some(peer) = self.peers.get_mut(&uid) {
                peer.wake = None;
            }
            self.advance(&uid, Scope { workloads, env, now, out });
        }
    }

    fn advance(&mut self, uid: &Arc<str>, scope: Scope<'_>) {
        let (Some(peer), Some(view)) = (self.peers.get_mut(uid), scope.workloads.get(uid)) else { return };
        if let Some(at) = peer.wake {
            self.wakes.remove(&(at, uid.clone()));
        }
        if view.paused || view.deleting {
            peer.rest();
        } else {
            peer.advance(view, scope.now, scope.out);
        }
        if let Some(at) = peer.wake {
            self.wakes.insert((at, uid.clone()));
        }
    }
}

fn is_ready(node: &NodeView) -> bool {
    node.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
}
