//! Operation plans, whose views the engine puts in order by itself.

use std::sync::Arc;

use engine::{
    ClusterEvent, Event,
    view::{PlanRef, PlanView},
};

use super::views::View;

impl View for PlanView {
    type Key = PlanRef;

    fn uid(&self) -> &Arc<str> {
        &self.plan.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> PlanRef {
        self.plan.clone()
    }

    fn event(self) -> Event {
        Event::Cluster(ClusterEvent::Plan(Box::new(self)))
    }

    fn gone(plan: PlanRef, _: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::PlanGone(plan))
    }
}
