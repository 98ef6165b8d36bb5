//! Module Pods that are bound to no Node: a few at any time, and of those only the ones are told that the scheduler
//! finds no Node for and that keep away from others.
//!
//! As with ReplicaSets, each family of labels has a watch, and no Pod is in both.

use std::sync::Arc;

use engine::{ClusterEvent, Event, view::UnplacedView};

use super::views::View;

/// What a Pod is until it is bound; then the watch says that it is gone.
pub(super) const UNBOUND: &str = "spec.nodeName=";

impl View for UnplacedView {
    type Key = ();

    fn matters(&self) -> bool {
        self.is_unschedulable && !self.is_deleting && self.owner.is_some() && !self.anti_affinity.is_empty()
    }

    fn uid(&self) -> &Arc<str> {
        &self.pod.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) {}

    fn event(self) -> Event {
        Event::Cluster(ClusterEvent::Unplaced(Box::new(self)))
    }

    fn gone((): (), uid: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::UnplacedGone { uid: uid.clone() })
    }
}
