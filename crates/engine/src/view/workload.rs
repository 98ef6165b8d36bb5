//! A workload, slim: a Deployment or a DaemonSet whose template makes module Pods.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use model::ModuleSpec;

use super::pod::{ContainerView, Owner};
use crate::placement::{AntiAffinity, Placement};

/// The kinds of workload that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

/// Names one workload for good.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

impl WorkloadRef {
    /// As its Pods name it.
    pub(crate) fn owner(&self) -> Owner {
        let Self { kind, namespace, name, .. } = self;
        Owner { namespace: namespace.clone(), kind: kind.as_str().into(), name: name.clone() }
    }
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl fmt::Debug for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.uid)
    }
}

/// How far the Pods follow the template: what `kubectl rollout status` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rollout {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// How many Pods there shall be: `spec.replicas`, or `status.desiredNumberScheduled`.
    pub desired: i32,
    /// How many there are, of all revisions: `status.replicas`, or `status.currentNumberScheduled`.
    pub total: i32,
    /// Of the present template: `status.updatedReplicas`, or `status.updatedNumberScheduled`.
    pub updated: i32,
    /// Ready long enough: `status.availableReplicas`, or `status.numberAvailable`.
    pub available: i32,
}

/// `maxUnavailable` or `maxSurge` of a rolling update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountOrPercent {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(u32),
}

/// `spec.template`, what is needed of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateView {
    /// Labels of its Pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its Pods.
    pub annotations: BTreeMap<String, String>,
    /// `spec.containers`, in order.
    pub containers: Vec<ContainerView>,
    /// Which Nodes its Pods may be bound to.
    pub placement: Placement,
    /// `affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`: whom its Pods keep away from.
    pub anti_affinity: Vec<AntiAffinity>,
}

/// The template that a workload's Pods followed when they were all there last: what a base that starts can be told to
/// install, also while a later template does not work or nothing is Ready at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledOut {
    /// What a Pod of it asks for: name, version and package; nothing else is told to a base.
    pub modules: Vec<ModuleSpec>,
    /// Which Nodes its Pods may be bound to.
    pub placement: Placement,
    /// What was rolled out before, the last first: no operation plan holds it, whatever became of the plan that released it.
    pub earlier: Vec<ModuleSpec>,
}

/// As many earlier packages are remembered as a Deployment keeps revisions, where nobody says otherwise.
const MOST_EARLIER: usize = 10;

impl RolledOut {
    /// This one, after another.
    pub(crate) fn after(mut self, before: Option<&Self>) -> Self {
        let packages = before.into_iter().flat_map(|before| before.modules.iter().chain(&before.earlier));
        for package in packages {
            if !self.has(package) && self.earlier.len() < MOST_EARLIER {
                self.earlier.push(package.clone());
            }
        }
        self
    }

    /// It says the same of now, whatever was before.
    pub(crate) fn is_same_now(&self, other: &Self) -> bool {
        (&self.modules, &self.placement) == (&other.modules, &other.placement)
    }

    /// This package is rolled out, or was.
    pub(crate) fn has(&self, package: &ModuleSpec) -> bool {
        let mut all = self.modules.iter().chain(&self.earlier);
        all.any(|one| (&one.id, &one.url) == (&package.id, &package.url))
    }
}

/// A Deployment or a DaemonSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadView {
    /// Which.
    pub workload: WorkloadRef,
    /// `metadata.resourceVersion`; orders two views, and is what a write rests on.
    pub resource_version: u64,
    /// Its own labels, not those of its Pods.
    pub labels: BTreeMap<String, String>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
    /// It is being deleted.
    pub deleting: bool,
    /// `spec.paused`; never of a DaemonSet.
    pub paused: bool,
    /// `spec.replicas`; 0 of a DaemonSet.
    pub replicas: i32,
    /// How many of its Pods may be missing in an update.
    pub max_unavailable: CountOrPercent,
    /// How many Pods there may be in an update beyond those that there shall be.
    pub max_surge: CountOrPercent,
    /// How far its Pods are.
    pub rollout: Rollout,
    /// What its Pods are made of.
    pub template: TemplateView,
    /// What was rolled out last, as its condition `module-controller.koupleless.io/RolledOut` says; none where nobody
    /// saw that yet.
    pub rolled_out: Option<Arc<RolledOut>>,
}

impl WorkloadView {
    /// There are Pods, all of the present template, and no more of them are unavailable than the workload allows: one
    /// of five thousand bases is always restarting, and a rollout that waited for it would never be over.
    pub fn is_rolled_out(&self) -> bool {
        let Rollout { generation, observed_generation, desired, total, updated, available } = self.rollout;
        let most = i32::try_from(self.most_unavailable()).unwrap_or(i32::MAX);
        observed_generation >= generation
            && desired > 0
            && updated >= desired
            && total <= updated
            && available >= desired.saturating_sub(most).max(1)
    }

    /// How many of its Pods may be missing in an update, as its controller counts them: of a part of a Pod a
    /// Deployment makes none, a DaemonSet a whole one.
    pub fn most_unavailable(&self) -> u32 {
        let desired = u32::try_from(self.rollout.desired).unwrap_or_default();
        let share = |percent: u32| u64::from(desired) * u64::from(percent);
        let whole = |share: u64| u32::try_from(share).unwrap_or(u32::MAX);
        let most = match (self.max_unavailable, self.workload.kind) {
            (CountOrPercent::Count(count), _) => count,
            (CountOrPercent::Percent(percent), WorkloadKind::Deployment) => whole(share(percent) / 100),
            (CountOrPercent::Percent(percent), WorkloadKind::DaemonSet) => {
                whole(share(percent).div_ceil(100))
            }
        };
        most.min(desired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas::tests::deployment;

    #[test]
    fn a_share_of_pods_is_whole_as_each_kind_has_it() {
        let most = |kind, max_unavailable, desired| {
            let mut view = deployment(desired);
            (view.workload.kind, view.rollout.desired) = (kind, desired);
            WorkloadView { max_unavailable, ..view }.most_unavailable()
        };
        use CountOrPercent::{Count, Percent};
        for (max, desired, of_deployment, of_set) in [
            (Percent(25), 10, 2, 3),
            (Percent(30), 100, 30, 30),
            (Percent(30), 3, 0, 1),
            (Percent(200), 3, 3, 3),
            (Count(3), 10, 3, 3),
            (Count(3), 2, 2, 2),
            (Count(u32::MAX), -1, 0, 0),
        ] {
            assert_eq!(most(WorkloadKind::Deployment, max, desired), of_deployment, "{max:?} of {desired}");
            assert_eq!(most(WorkloadKind::DaemonSet, max, desired), of_set, "{max:?} of {desired}");
        }
    }

    #[test]
    fn what_nobody_ran_is_not_rolled_out_and_a_base_that_restarts_is_not_waited_for() {
        let done =
            Rollout { generation: 2, observed_generation: 2, desired: 8, total: 8, updated: 8, available: 6 };
        let is = |kind, rollout| {
            let mut view = deployment(8);
            (view.workload.kind, view.rollout) = (kind, rollout);
            view.max_unavailable = CountOrPercent::Percent(25);
            view.is_rolled_out()
        };
        assert!(is(WorkloadKind::Deployment, done) && is(WorkloadKind::DaemonSet, done));
        let none = Rollout { desired: 0, total: 0, updated: 0, available: 0, ..done };
        for part in [
            // What Kubernetes calls complete, although no Pod of it ever ran.
            none,
            Rollout { observed_generation: 1, ..done },
            Rollout { updated: 7, ..done },
            Rollout { total: 9, ..done },
            Rollout { available: 5, ..done },
            Rollout { desired: 1, total: 1, updated: 1, available: 0, ..done },
        ] {
            assert!(!is(WorkloadKind::Deployment, part), "{part:?}");
        }
    }
}
