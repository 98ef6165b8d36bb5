//! A module Pod that is not bound to a Node, slim.

use std::sync::Arc;

use super::pod::{Owner, PodRef};
use crate::placement::{AntiAffinity, Placement};

/// A module Pod that no Node was found for (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnplacedView {
    /// Which.
    pub pod: PodRef,
    /// `metadata.resourceVersion`; orders two views of one Pod.
    pub resource_version: u64,
    /// Who made it, in the end: see [`PodView::owner`](super::PodView::owner).
    pub owner: Option<Owner>,
    /// The UID of its direct controller.
    pub controller: Option<Arc<str>>,
    /// The scheduler has looked, and no Node takes it: condition `PodScheduled` is False, `Unschedulable`.
    pub is_unschedulable: bool,
    /// It is being deleted.
    pub is_deleting: bool,
    /// Which Nodes it may be bound to.
    pub placement: Placement,
    /// `affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`: whom it keeps away from.
    pub anti_affinity: Vec<AntiAffinity>,
}
