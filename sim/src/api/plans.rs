//! Operation plans: people write their spec, one of the replicas their status.

use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{PlanView, WorkloadView},
};

use super::{Api, Written};

impl Api {
    /// Carries out what is about a plan; none for any other request.
    pub(super) fn write_plan(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let Request::PatchPlanStatus { plan, resource_version, status, env, .. } = request else {
            return None;
        };
        let version = self.next();
        let fails = |error| Some(Written::new(write.clone(), vec![], None, Err(error)));
        let Some(known) = self.plans.get_mut(&plan.name).filter(|known| known.plan.uid == plan.uid) else {
            return fails(WriteError::NotFound("no such plan".into()));
        };
        if known.resource_version != *resource_version {
            return fails(WriteError::Conflict("it changed".into()));
        }
        if known.status == **status && known.env == *env {
            self.idle_writes += 1;
        } else {
            (known.status, known.env) = ((**status).clone(), env.clone());
            known.resource_version = version;
        }
        let event = Event::Cluster(ClusterEvent::Plan(Box::new(known.clone())));
        Some(Written::new(write.clone(), vec![event.clone()], Some(event), Ok(())))
    }

    /// Of a Deployment the number of replicas is its user's; none for any other request.
    pub(super) fn write_replicas(&mut self, request: &Request, write: &Write) -> Option<Written> {
        matches!(request, Request::ScaleDeployment { .. }).then(|| {
            Written::new(write.clone(), vec![], None, Err(WriteError::Conflict("it changed".into())))
        })
    }

    /// Writes down what was rolled out; none for any other request.
    pub(super) fn write_rollout(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let Request::RecordRollout { workload, rolled_out, .. } = request else { return None };
        let resource_version = self.next();
        let Some(known) = self.workloads.get_mut(&workload.name) else {
            let gone = Err(WriteError::NotFound("no such Deployment".into()));
            return Some(Written::new(write.clone(), vec![], None, gone));
        };
        (known.rolled_out, known.resource_version) = (Some(rolled_out.clone()), resource_version);
        let event = Event::Cluster(ClusterEvent::Workload(Box::new(known.clone())));
        Some(Written::new(write.clone(), vec![event], None, Ok(())))
    }

    /// Somebody makes or changes a plan.
    pub fn put_plan(&mut self, plan: PlanView) -> Event {
        let resource_version = self.next();
        let plan = PlanView { resource_version, generation: plan.generation + 1, ..plan };
        self.plans.insert(plan.plan.name.clone(), plan.clone());
        Event::Cluster(ClusterEvent::Plan(Box::new(plan)))
    }

    /// A Deployment is as it is now; none where that is as it was.
    pub fn put_workload(&mut self, view: WorkloadView) -> Option<Event> {
        let known = self.workloads.get(&view.workload.name);
        let resource_version = known.map_or(0, |known| known.resource_version);
        let view = WorkloadView { rolled_out: known.and_then(|known| known.rolled_out.clone()), ..view };
        if known.is_some_and(|known| *known == WorkloadView { resource_version, ..view.clone() }) {
            return None;
        }
        let view = WorkloadView { resource_version: self.next(), ..view };
        self.workloads.insert(view.workload.name.clone(), view.clone());
        Some(Event::Cluster(ClusterEvent::Workload(Box::new(view))))
    }
}
