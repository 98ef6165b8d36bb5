//! The Lease that says which Pods of a workload may displace what serves on their bases.

use std::{collections::BTreeMap, sync::Arc};

use super::Owner;

/// The permits of one workload's Pods, over all bases and replicas (rule O7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitsView {
    /// The Lease's name.
    pub name: Arc<str>,
    /// Its UID; empty for one that is to be created.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`: what the next write replaces.
    pub resource_version: u64,
    /// Whose Pods.
    pub owner: Owner,
    /// The Pods that hold a permit, by UID, each with its `metadata.resourceVersion` as of when it asked for it: a Pod that
    /// was Ready before that, and is seen so by one whose watch lags, has not given it back.
    pub holders: BTreeMap<Arc<str>, u64>,
}
