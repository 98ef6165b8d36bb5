//! ReplicaSets of modules: metadata only, for their revisions.
//!
//! A ReplicaSet has the labels of its template, so that the server can select those of modules. It
//! cannot select by one label or another, so each family has a watch, and no ReplicaSet is in both.

use std::sync::Arc;

use engine::Event;

use super::views::View;
use crate::slim::replica_set::ReplicaSet;

/// ReplicaSets of modules with the manual's label.
pub(super) const OURS: &str = "module-controller.koupleless.io/component=module";
/// Those that have the Go controller's label only.
pub(super) const UPSTREAM: &str =
    "virtual-kubelet.koupleless.io/component=module,module-controller.koupleless.io/component!=module";

impl View for ReplicaSet {
    type Key = ();

    fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    /// Versions are not needed: the engine drops what says nothing new.
    fn version(&self) -> u64 {
        0
    }

    fn key(&self) {}

    fn event(self) -> Event {
        match self.revision {
            Some(revision) => Event::Revision { replica_set: self.uid, revision },
            None => Event::RevisionGone { replica_set: self.uid },
        }
    }

    fn gone((): (), uid: &Arc<str>) -> Event {
        Event::RevisionGone { replica_set: uid.clone() }
    }
}
