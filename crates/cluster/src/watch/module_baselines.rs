//! ModuleBaseline objects, whose views the engine puts in order by itself.

use std::sync::Arc;

use engine::{
    ClusterEvent, Event,
    view::{BaselineRef, BaselineView},
};

use super::views::View;

impl View for BaselineView {
    type Key = BaselineRef;

    fn uid(&self) -> &Arc<str> {
        &self.baseline.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> BaselineRef {
        self.baseline.clone()
    }

    fn event(self) -> Event {
        Event::Cluster(ClusterEvent::Baseline(Box::new(self)))
    }

    fn gone(baseline: BaselineRef, _: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::BaselineGone(baseline))
    }
}
