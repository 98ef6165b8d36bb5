//! A Module object, slim: one biz on one base, as the API server keeps it (the manual's 5.5).

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use model::BizId;

use super::{Common, Condition};

/// Which biz on which VNode: one Module object each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleKey {
    /// The Node's name.
    pub vnode: Arc<str>,
    /// Name and version.
    pub id: BizId,
}

/// Names one Module object for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID; empty where it is to be made.
    pub uid: Arc<str>,
}

/// How a biz stands, in the words of the manual's 5.5 and what they lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModuleState {
    /// It shall be installed and is not being installed: it waits.
    Pending,
    /// It is installed beside the version that serves, and waits for its turn.
    Prepare,
    /// It is being installed.
    Upgrading,
    /// It serves, and its Pod is about to be Ready.
    Completing,
    /// It serves.
    Available,
    /// It is installed, and another version serves.
    Deactivated,
    /// It could not be installed, or does not run.
    Failed,
    /// It is being uninstalled.
    Terminating,
}

impl ModuleState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Prepare,
        Self::Upgrading,
        Self::Completing,
        Self::Available,
        Self::Deactivated,
        Self::Failed,
        Self::Terminating,
    ];

    /// As `status.status` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Prepare => "Prepare",
            Self::Upgrading => "Upgrading",
            Self::Completing => "Completing",
            Self::Available => "Available",
            Self::Deactivated => "Deactivated",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
        }
    }
}

impl fmt::Display for ModuleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `status` of a Module object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleStatus {
    /// `status`; none where nothing has been told yet, which reads as `Upgrading`.
    pub state: Option<ModuleState>,
    /// `errorCode`; empty where there is none.
    pub error_code: Arc<str>,
    /// `suggestion` in English; empty where there is none.
    pub suggestion: Arc<str>,
    /// `conditions`: one, `Ready`.
    pub conditions: Vec<Condition>,
    /// `lastTransitionTime`: when `status` changed last.
    pub changed: Option<Timestamp>,
}

/// A Module object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleView {
    /// Which object.
    pub module: ModuleRef,
    /// Which biz on which VNode.
    pub key: ModuleKey,
    /// `metadata.resourceVersion`; orders two views of one object.
    pub resource_version: u64,
    /// Labels, those that say where it is.
    pub labels: Common<BTreeMap<String, String>>,
    /// `spec.url`: the package, without credentials; empty where nobody here knows it.
    pub url: Arc<str>,
    /// `spec.pod`: the name of the Pod that asks for it; empty where none does.
    pub pod: Arc<str>,
    /// `spec.managed`: this controller answers for it. Else somebody put it there.
    pub managed: bool,
    /// `spec.inPlace`: it was on the base when the base was first seen, before anybody asked for it,
    /// as a statically merged module is. It is never uninstalled.
    pub in_place: bool,
    /// `spec.kept`: Kubernetes took its Pod away while nobody said that the base lives; it stays for a while, to be
    /// adopted by the Pod's replacement.
    pub kept: bool,
    /// `status`.
    pub status: ModuleStatus,
    /// It is being deleted.
    pub deleting: bool,
}
