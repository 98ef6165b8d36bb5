//! A ModuleBaseline, slim: whose bases are held against what their workloads want, and what came of that.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use plan::Selector;

use crate::drift::{Difference, Kind};

/// Names one ModuleBaseline for good. It belongs to no namespace, as a Node does not.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaselineRef {
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

impl fmt::Debug for BaselineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.uid)
    }
}

/// How many differences there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// [`Kind::Missing`].
    pub missing: u32,
    /// [`Kind::WrongVersion`].
    pub wrong_version: u32,
    /// [`Kind::NotActive`].
    pub not_active: u32,
    /// [`Kind::Extra`].
    pub extra: u32,
}

impl Counts {
    /// One more.
    pub fn add(&mut self, kind: Kind) {
        let count = match kind {
            Kind::Missing => &mut self.missing,
            Kind::WrongVersion => &mut self.wrong_version,
            Kind::NotActive => &mut self.not_active,
            Kind::Extra => &mut self.extra,
        };
        *count = count.saturating_add(1);
    }

    /// Of all kinds.
    pub fn sum(self) -> u32 {
        let Self { missing, wrong_version, not_active, extra } = self;
        missing.saturating_add(wrong_version).saturating_add(not_active).saturating_add(extra)
    }
}

/// A difference, and the Node of its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The Node's name.
    pub base: Arc<str>,
    /// What differs.
    pub difference: Difference,
}

/// `status` of a ModuleBaseline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaselineStatus {
    /// The environment whose controller writes it; empty where nobody does yet.
    pub env: Arc<str>,
    /// The `metadata.generation` that it is about; 0 where nothing was told yet.
    pub generation: i64,
    /// So many bases were held against what is wanted of them.
    pub bases: u32,
    /// Of these an operation plan is at work on so many, whose modules were left out there.
    pub under_plan: u32,
    /// So many bases are selected, and are not Ready: what they have nobody knows.
    pub not_ready: u32,
    /// How many differences there are.
    pub counts: Counts,
    /// The first of them.
    pub samples: Vec<Sample>,
    /// Since when there are some, or are none.
    pub since: Option<Timestamp>,
}

/// A ModuleBaseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineView {
    /// Which.
    pub baseline: BaselineRef,
    /// `metadata.resourceVersion`; orders two views, and is what a write of its status rests on.
    pub resource_version: u64,
    /// `metadata.generation`; the status says which one it is about.
    pub generation: i64,
    /// By which labels of their Nodes bases are selected.
    pub selector: Selector,
    /// The environment whose bases they are; empty where it may be any.
    pub env: Arc<str>,
    /// What was told last.
    pub status: BaselineStatus,
}
