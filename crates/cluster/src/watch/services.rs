//! Services that select Pods: requests to a module's Pod need time to end.

use std::sync::Arc;

use engine::{ClusterEvent, Event, view::ServiceView};

use super::views::View;

impl View for ServiceView {
    /// Its namespace.
    type Key = Arc<str>;

    fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> Arc<str> {
        self.namespace.clone()
    }

    fn event(self) -> Event {
        Event::Cluster(ClusterEvent::Service(self))
    }

    fn gone(namespace: Arc<str>, uid: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::ServiceGone { namespace, uid: uid.clone() })
    }
}
