//! ReplicaSets of modules: metadata only, for their revisions.
//!
//! A ReplicaSet has the labels of its template, so that the server can select those of modules.

use std::sync::Arc;

use engine::{ClusterEvent, Event};

use super::views::View;
use crate::slim::replica_set::ReplicaSet;

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
            Some(revision) => Event::Cluster(ClusterEvent::Revision { replica_set: self.uid, revision }),
            None => Event::Cluster(ClusterEvent::RevisionGone { replica_set: self.uid }),
        }
    }

    fn gone((): (), uid: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::RevisionGone { replica_set: uid.clone() })
    }
}
