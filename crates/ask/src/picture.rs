//! What was read, put together: bases, the modules on them, and the Pods and owners that ask for these.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use engine::HELD_BY_PLAN;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    read::{Base, Lease, Module, Owner, Pod, Replica, State},
    text::Text,
};

/// The state of a module that serves.
pub const AVAILABLE: &str = "Available";
/// The state of a module of which another version serves.
pub const DEACTIVATED: &str = "Deactivated";
/// The state of a module that could not be installed, or taken away.
pub const FAILED: &str = "Failed";
/// The state of a module that an operation plan has not released on its base yet.
pub const HELD: &str = "Held";
/// The state of a module that has done what it was there for, as a Job's.
const COMPLETED: &str = "Completed";
/// Of a Pod whose module waits because another version serves.
const GAVE_WAY: &str = "BizDeactivate";

/// What could not be shown, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotShown {
    pub what: Text,
    pub why: Text,
}

/// What was read of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub bases: Vec<Base>,
    pub modules: Vec<Arc<Module>>,
    pub pods: Vec<Arc<Pod>>,
    pub replicas: Vec<Replica>,
    pub not_shown: Vec<NotShown>,
}

/// A module on a base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The Node of the base.
    pub node: Text,
    pub module: Text,
    pub version: Text,
    /// As in a Module object: `Available`, `Failed` …
    pub state: Text,
    pub code: Text,
    pub message: Text,
    pub suggestion: Text,
    pub since: Option<Timestamp>,
    pub url: Text,
    /// Nobody here asked for it: it was there with the base (`InPlace`) or somebody put it there by hand (`ByHand`).
    pub unasked: Option<&'static str>,
    pub namespace: Text,
    /// The Pod that asks for it; empty where none does.
    pub pod: Text,
    pub pod_ready: Option<bool>,
    pub owner: Option<Owner>,
    /// Nothing is tried any more until somebody acts.
    pub barred: bool,
}

impl Line {
    /// It serves, or leaves that to another version as it should.
    pub fn is_well(&self) -> bool {
        let serves = &*self.state == AVAILABLE && self.pod_ready != Some(false);
        serves || [DEACTIVATED, COMPLETED].contains(&&*self.state)
    }

    /// `biz1:1.0.0`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.module, self.version)
    }

    /// `namespace/pod`; empty where there is none.
    pub fn pod_path(&self) -> String {
        if self.pod.is_empty() { String::new() } else { format!("{}/{}", self.namespace, self.pod) }
    }

    /// `Deployment/biz1`; empty where nobody made the Pod.
    pub fn owner_path(&self) -> String {
        self.owner.as_ref().map(|owner| format!("{}/{}", owner.kind, owner.name)).unwrap_or_default()
    }
}

impl Picture {
    /// Adds to the bases what their Leases say, and those of which only modules are known, and puts all in order. With
    /// `only_these` what is on other bases goes.
    pub fn put_together(&mut self, leases: Vec<Lease>, only_these: bool) {
        let mut leases: BTreeMap<Text, Lease> =
            leases.into_iter().map(|lease| (lease.node.clone(), lease)).collect();
        for base in &mut self.bases {
            if let Some(lease) = leases.remove(&base.node) {
                (base.owner, base.renewed) = (lease.holder, lease.renewed);
            }
        }
        let known: BTreeSet<Text> = self.bases.iter().map(|base| base.node.clone()).collect();
        if only_these {
            self.modules.retain(|module| known.contains(&module.node));
            self.pods.retain(|pod| pod.node.is_empty() || known.contains(&pod.node));
        }
        let told = self.modules.iter().map(|module| &module.node);
        let told = told.chain(self.pods.iter().map(|pod| &pod.node)).filter(|node| !node.is_empty());
        let unseen: BTreeSet<Text> = told.filter(|node| !known.contains(*node)).cloned().collect();
        self.bases.extend(unseen.into_iter().map(Base::of_name));
        self.bases.sort_by(|a, b| a.node.cmp(&b.node));
        self.pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    }

    /// The modules on all bases, by base, name and version.
    pub fn lines(&self) -> Vec<Line> {
        let pods: BTreeMap<(&str, &str), &Pod> =
            self.pods.iter().map(|pod| ((&*pod.namespace, &*pod.name), &**pod)).collect();
        let mut told: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
        let mut lines = Vec::with_capacity(self.modules.len());
        for module in &self.modules {
            told.insert((&module.namespace, &module.pod, &module.name));
            lines.push(of_module(module, pods.get(&(&*module.namespace, &*module.pod)).copied()));
        }
        for pod in self.pods.iter().filter(|pod| !pod.node.is_empty()) {
            let untold = pod.containers.iter();
            let untold =
                untold.filter(|container| !told.contains(&(&*pod.namespace, &*pod.name, &*container.name)));
            lines.extend(untold.map(|container| of_container(pod, &container.name, container)));
        }
        lines.sort_by(|a, b| {
            let key =
                |line: &Line| (line.node.clone(), line.module.clone(), line.version.clone(), line.pod_path());
            key(a).cmp(&key(b))
        });
        lines
    }

    /// Pods that are on no base yet.
    pub fn unplaced(&self) -> impl Iterator<Item = &Pod> {
        let over = |pod: &Pod| matches!(&*pod.phase, "Failed" | "Succeeded");
        self.pods.iter().map(|pod| &**pod).filter(move |pod| pod.node.is_empty() && !over(pod))
    }

    /// A base by its Node, its identity, its host name or its address.
    pub fn base(&self, name: &str) -> Option<&Base> {
        let by = |is: fn(&Base) -> &Text| self.bases.iter().find(move |base| &**is(base) == name);
        by(|base| &base.node)
            .or_else(|| by(|base| &base.identity))
            .or_else(|| by(|base| &base.host_name))
            .or_else(|| by(|base| &base.address))
    }
}

/// As the controller has written it down.
fn of_module(module: &Module, pod: Option<&Pod>) -> Line {
    Line {
        node: module.node.clone(),
        module: module.name.clone(),
        version: module.version.clone(),
        state: if module.state.is_empty() { "Unknown".into() } else { module.state.clone() },
        code: module.code.clone(),
        message: module.message.clone(),
        suggestion: module.suggestion.clone(),
        since: module.since,
        url: module.url.clone(),
        unasked: match (module.in_place, module.managed) {
            (true, _) => Some("InPlace"),
            (false, false) => Some("ByHand"),
            (false, true) => None,
        },
        namespace: module.namespace.clone(),
        pod: module.pod.clone(),
        pod_ready: pod.map(|pod| pod.ready),
        owner: pod.and_then(|pod| pod.owner.clone()),
        barred: pod.is_some_and(|pod| pod.barred),
    }
}

/// As the Pod itself tells of it, where no Module object does.
fn of_container(pod: &Pod, name: &Text, container: &crate::read::Container) -> Line {
    let mut line = Line {
        node: pod.node.clone(),
        module: name.clone(),
        version: container.version.clone(),
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        pod_ready: Some(pod.ready),
        owner: pod.owner.clone(),
        barred: pod.barred,
        ..Line::default()
    };
    line.state = match &container.state {
        State::Untold => "Pending".into(),
        State::Running { ready: true, since } => {
            line.since = *since;
            AVAILABLE.into()
        }
        State::Running { since, .. } => {
            line.since = *since;
            "Completing".into()
        }
        State::Waiting { reason, message } => {
            line.message = message.clone();
            match &**reason {
                GAVE_WAY => DEACTIVATED.into(),
                reason if reason == HELD_BY_PLAN => HELD.into(),
                // An error code is two words with a dot.
                code if code.contains('.') => {
                    line.code = reason.clone();
                    FAILED.into()
                }
                _ => "Upgrading".into(),
            }
        }
        State::Ended { reason } => {
            line.code = if reason.contains('.') { reason.clone() } else { Text::default() };
            reason.clone()
        }
    };
    line
}

#[cfg(test)]
pub(crate) mod tests;
