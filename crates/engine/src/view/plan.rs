//! An operation plan, slim: what somebody wrote, checked, and how it stands.

use std::{fmt, sync::Arc};

use plan::{Invalid, Spec, Status, Steering};

use super::{Owner, WorkloadKind};

/// Names one operation plan for good.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

impl fmt::Display for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.uid)
    }
}

/// `spec.target`: the workload whose Pods a plan releases. It is in the plan's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanTarget {
    /// `kind`.
    pub kind: WorkloadKind,
    /// `name`.
    pub name: Arc<str>,
}

impl PlanView {
    /// As the Pods that it releases name their workload.
    pub(crate) fn owner(&self) -> Owner {
        let PlanTarget { kind, name } = &self.target;
        Owner { namespace: self.plan.namespace.clone(), kind: kind.as_str().into(), name: name.clone() }
    }

    /// It releases the Pods of this workload.
    pub(crate) fn is_for(&self, namespace: &str, kind: &str, name: &str) -> bool {
        *self.plan.namespace == *namespace && self.target.kind.as_str() == kind && *self.target.name == *name
    }

    /// It releases the Pods that name this owner.
    pub(crate) fn is_of(&self, owner: &Owner) -> bool {
        self.is_for(&owner.namespace, &owner.kind, &owner.name)
    }
}

/// An operation plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanView {
    /// Which.
    pub plan: PlanRef,
    /// `metadata.resourceVersion`; orders two views, and is what a write of its status rests on.
    pub resource_version: u64,
    /// `metadata.generation`; the status says which one it is about.
    pub generation: i64,
    /// Whose Pods it releases.
    pub target: PlanTarget,
    /// What it says, or why that makes no sense.
    pub spec: Result<Spec, Invalid>,
    /// What people set while it runs.
    pub steering: Steering,
    /// Names all of the spec that may not change once it has begun.
    pub digest: Arc<str>,
    /// The environment whose controller moves it on, as its status says; empty before one does.
    pub env: Arc<str>,
    /// How it stands.
    pub status: Status,
}
