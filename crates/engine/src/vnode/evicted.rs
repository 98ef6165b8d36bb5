//! What Kubernetes took away from a base that lives, because nobody said that it does (rule W12).
//!
//! While no controller runs, or a base is silent, its Node is `Unknown`, and after the Pods' own time the taint
//! manager deletes them. When the base turns out to live, such a Pod is deleted as asked, but what it asked for
//! stays for a while where it is: its replacement adopts it, and nobody who uses the module notices.
//!
//! Where the Node itself went meanwhile (cloud controllers delete those that are not heard, and so do we after a while),
//! the Pod garbage collector takes the Pods at once, for good, and maybe while nobody looks. So of a base that comes
//! without a Node everything stays for a while that its Module objects answer for.
//!
//! What a Pod leaves behind whose replacement an operation plan holds stays too, for as long as that is so
//! (`docs/design/plans.md`).
//!
//! A deletion by a user, a rollout or a drain bears no such mark. Somebody who evicts on purpose, by a taint of
//! their own, leaves that taint on the Node.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::BizId;

use super::{Context, Liveness, VNode};
use crate::{
    pod::ModulePod,
    view::{ConditionStatus, NodeView, PodView},
};

/// The condition by which Kubernetes, from 1.26 on, says that and why it deleted a Pod by itself.
const DISRUPTION: &str = "DisruptionTarget";
const BY_TAINT: &str = "DeletionByTaintManager";
const BY_COLLECTOR: &str = "DeletionByPodGC";
/// The taints that say that a Node is not heard, and those of ours, for which no module is evicted.
const NOT_MEANT: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const OURS: &str = "schedule.koupleless.io/";

/// What stays on the base without a Pod, each until then; none before the base was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Evicted {
    kept: BTreeMap<BizId, Option<Duration>>,
}

impl Evicted {
    /// It was there before, and stays for its replacement: for how long is counted from when the base is asked.
    pub(super) fn inherit(&mut self, id: &BizId) {
        self.kept.entry(id.clone()).or_default();
    }

    /// It stays, although no Pod asks for it.
    pub(super) fn keeps(&self, id: &BizId, now: Duration) -> bool {
        self.kept.get(id).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// Something stays.
    pub(super) fn is_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// When one stays no longer.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Duration> {
        self.kept.values().copied().flatten()
    }
}

impl VNode {
    /// Nobody said for long that the base lives, and Kubernetes gave it up: before anything else it is told
    /// that it does, or more Pods are deleted meanwhile.
    pub(super) fn was_given_up(&self) -> bool {
        let ready = self.node.as_ref().and_then(|node| node.condition("Ready"));
        ready.is_some_and(|ready| ready.status == ConditionStatus::Unknown)
    }

    /// Finds out what stays for the replacements of evicted Pods, and what no longer does.
    pub(super) fn keep_evicted(&mut self, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        let alive = self.life.liveness(now, &ctx.config.times) == Liveness::Alive;
        if !alive || !self.inventory.is_known() {
            return;
        }
        let is_meant = self.node.as_ref().is_some_and(evicts_on_purpose);
        let evicted = self.pods.values().filter(|pod| !is_meant && is_evicted(&pod.view));
        let deleted = self.pods.values().filter(|pod| pod.view.deletion.is_some());
        let taken: BTreeSet<BizId> = evicted
            .flat_map(|pod| pod.biz().cloned())
            .chain(deleted.flat_map(|pod| self.left_for_plan(pod)))
            // What stands in for a version that is held stays until that serves, not only until it is released.
            .chain(self.pods.values().flat_map(|pod| pod.stood_in_by().cloned()))
            .collect();
        let mut kept = std::mem::take(&mut self.evicted.kept);
        for id in &taken {
            kept.entry(id.clone()).or_default();
        }
        kept.retain(|id, until| {
            if self.is_kept_for_plan(id) {
                *until = None;
                // What asks for another version may be gone before that serves.
                let itself = |pod: &ModulePod| pod.is_live() && pod.biz().any(|biz| biz == id);
                let is_asked_for = self.pods.values().any(|pod| itself(pod));
                return self.inventory.serves(id) && !is_asked_for && !self.is_unwanted(id);
            }
            let is_idle = !self.ops.contains_key(&id.name);
            let until = *until.get_or_insert(now + ctx.config.times.keep_evicted);
            // What had its time is not given it again for the sake of the same Pod.
            self.inventory.serves(id)
                && is_idle
                && !self.is_asked_for(id)
                && !self.is_unwanted(id)
                && (now < until || taken.contains(id))
        });
        self.evicted.kept = kept;
    }

    /// Once a Pod asks for this module, in whatever version, that is what counts; one that waits for a plan does not ask yet.
    fn is_asked_for(&self, id: &BizId) -> bool {
        let asks = |pod: &&ModulePod| pod.is_live() && pod.biz().any(|biz| biz.name == id.name);
        self.pods.values().map(Box::as_ref).filter(asks).any(|pod| !self.waits_for_plan(pod, &id.name))
    }

    /// Somebody deleted its Pod, and wants nothing in its place.
    pub(super) fn is_unwanted(&self, id: &BizId) -> bool {
        let is_deleted = |pod: &PodView| pod.deletion.is_some() && !is_evicted(pod);
        self.pods.values().any(|pod| {
            is_deleted(&pod.view) && pod.biz().any(|biz| biz == id) && !self.left_for_plan(pod).contains(id)
        })
    }
}

/// Kubernetes deleted it by itself, or is about to.
fn is_evicted(pod: &PodView) -> bool {
    (pod.deletion.is_some() && is_disrupted(pod, BY_TAINT)) || is_collected(pod)
}

/// The garbage collector takes it, as its Node does not exist. It says so first, and the Pod is gone with its deletion.
pub(super) fn is_collected(pod: &PodView) -> bool {
    is_disrupted(pod, BY_COLLECTOR)
}

fn is_disrupted(pod: &PodView, reason: &str) -> bool {
    let said = pod.status.condition(DISRUPTION);
    said.is_some_and(|said| said.status == ConditionStatus::True && *said.reason == *reason)
}

/// Somebody wants no Pods there.
fn evicts_on_purpose(node: &NodeView) -> bool {
    node.taints.iter().any(|taint| {
        taint.effect == "NoExecute"
            && !NOT_MEANT.contains(&taint.key.as_str())
            && !taint.key.starts_with(OURS)
    })
}

#[cfg(test)]
mod tests;
