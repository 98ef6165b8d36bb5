//! An API server: objects with resource versions, writes with preconditions, and what watches tell.

mod leases;
mod list;
mod modules;
mod nodes;
mod permits;
mod plans;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{
        LeaseView, MemberView, ModuleKey, ModuleView, NodeView, PermitsView, Phase, PlanView, PodView,
        ServiceView, WorkloadView,
    },
};
use jiff::Timestamp;

/// The objects.
#[derive(Debug, Default)]
pub struct Api {
    version: u64,
    /// Pods by UID.
    pub pods: BTreeMap<Arc<str>, PodView>,
    /// When the deletion of Pods began, by UID.
    deleted: BTreeMap<Arc<str>, Duration>,
    /// Nodes by name.
    pub nodes: BTreeMap<Arc<str>, NodeView>,
    /// Module objects, by biz and VNode.
    pub modules: BTreeMap<ModuleKey, ModuleView>,
    /// Which replica patched a Module object last, by UID.
    written_by: BTreeMap<Arc<str>, Arc<str>>,
    /// Services.
    pub services: Vec<ServiceView>,
    /// The revisions of ReplicaSets by UID.
    pub revisions: BTreeMap<Arc<str>, u64>,
    /// The Leases of VNodes, by Node name.
    pub leases: BTreeMap<Arc<str>, LeaseView>,
    /// The Leases of replicas, by name.
    pub members: BTreeMap<Arc<str>, MemberView>,
    /// The Leases of permits, by name.
    pub permits: BTreeMap<Arc<str>, PermitsView>,
    /// Deployments, by name.
    pub workloads: BTreeMap<Arc<str>, WorkloadView>,
    /// Operation plans, by name.
    pub plans: BTreeMap<Arc<str>, PlanView>,
    /// Which incarnation took each VNode last, by Node name; empty after it was given back.
    pub owners: BTreeMap<Arc<str>, Arc<str>>,
    /// Who gave VNodes back by its own will: what it had sent before may still be on its way.
    pub given_back: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Writes that were carried out, by what they were.
    pub writes: BTreeMap<&'static str, usize>,
    /// Pods that were made.
    pub pods_made: usize,
    /// Status writes of Pods that were accepted.
    pub status_writes: usize,
    /// Writes that changed nothing, and deletions of what was gone already by the controller's doing.
    pub idle_writes: usize,
    /// Pods that somebody deleted by force: the controller may be deleting them in the same moment.
    forced: BTreeSet<Arc<str>>,
}

/// What a write did: the events for the watchers, and its answer.
#[derive(Debug)]
pub struct Written {
    /// What watches tell.
    pub watch: Vec<Event>,
    /// What comes before the answer: the object that the server returned.
    pub returned: Option<Event>,
    /// The end.
    pub end: Event,
}

impl Written {
    fn new(write: Write, watch: Vec<Event>, returned: Option<Event>, result: Result<(), WriteError>) -> Self {
        Self { watch, returned, end: Event::Written { write, result } }
    }
}

impl Api {
    /// A number that was never given before.
    pub fn next_number(&mut self) -> u64 {
        self.next()
    }

    /// A Service that sends requests to every module.
    pub fn serve_all_modules(&mut self) {
        let selector = [("module-controller.koupleless.io/component".to_owned(), "module".to_owned())].into();
        let resource_version = self.next();
        self.services.push(ServiceView {
            namespace: "default".into(),
            uid: "service".into(),
            resource_version,
            selector,
            kubelet: None,
        });
    }

    /// The newest version of all objects.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Carries a request out.
    pub fn write(&mut self, request: &Request, wall: Timestamp) -> Option<Written> {
        if let Request::FindBasePod { base, .. } = request {
            let end = Event::BasePod { base: base.clone(), found: Ok(None) };
            return Some(Written { watch: vec![], returned: None, end });
        }
        let write = request.write()?;
        *self.writes.entry(kind(&write)).or_default() += 1;
        self.write_lease(request, &write, wall)
            .or_else(|| self.write_permits(request, &write))
            .or_else(|| self.write_plan(request, &write))
            .or_else(|| self.write_rollout(request, &write))
            .or_else(|| self.write_replicas(request, &write))
            .or_else(|| self.write_module(request, &write))
            .or_else(|| self.write_node(request, &write))
            .or_else(|| self.write_pod(request, &write))
    }

    /// Carries out what is about a Pod; none for any other request.
    fn write_pod(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let done =
            |watch: Vec<Event>, returned, result| Some(Written::new(write.clone(), watch, returned, result));
        match request {
            Request::PatchPodStatus { pod, status } => {
                let version = self.next();
                let Some(known) = self.pods.get_mut(&pod.uid) else {
                    return done(vec![], None, Err(WriteError::NotFound("no such Pod".into())));
                };
                self.status_writes += 1;
                let mut merged = (**status).clone();
                merged.conditions.extend(
                    known.status.conditions.iter().filter(|c| status.condition(&c.kind).is_none()).cloned(),
                );
                if merged == known.status {
                    self.idle_writes += 1;
                } else {
                    known.status = merged;
                    known.resource_version = version;
                }
                let event = Event::Cluster(ClusterEvent::Pod(Box::new(known.clone())));
                done(vec![event.clone()], Some(event), Ok(()))
            }
            Request::DeletePod { pod } if self.pods.get(&pod.uid).is_some_and(|known| known.held) => {
                let version = self.next();
                let known = self.pods.get_mut(&pod.uid)?;
                if known.deletion == Some(Duration::ZERO) {
                    self.idle_writes += usize::from(!self.forced.contains(&pod.uid));
                    return done(vec![], None, Ok(()));
                }
                known.deletion = Some(Duration::ZERO);
                known.resource_version = version;
                let event = Event::Cluster(ClusterEvent::Pod(Box::new(known.clone())));
                done(vec![event], None, Ok(()))
            }
            Request::DeletePod { pod } => {
                let gone =
                    self.pods.remove(&pod.uid).map(|_| Event::Cluster(ClusterEvent::PodGone(pod.clone())));
                self.idle_writes += usize::from(gone.is_none() && !self.forced.contains(&pod.uid));
                done(gone.into_iter().collect(), None, Ok(()))
            }
            _ => None,
        }
    }

    /// A user, or a controller, makes a Pod that is bound already.
    pub fn create_pod(&mut self, mut pod: PodView) -> Event {
        pod.resource_version = self.next();
        self.pods_made += 1;
        self.pods.insert(pod.pod.uid.clone(), pod.clone());
        Event::Cluster(ClusterEvent::Pod(Box::new(pod)))
    }

    /// Somebody deletes a Pod with its grace period: the node agent has to finish it.
    pub fn delete_pod(&mut self, uid: &str, grace: Duration, now: Duration) -> Option<Event> {
        let version = self.next();
        let pod = self.pods.get_mut(uid)?;
        if pod.held && grace.is_zero() {
            self.forced.insert(pod.pod.uid.clone());
        }
        // It is never given more time than it has.
        pod.deletion = Some(pod.deletion.map_or(grace, |given| given.min(grace)));
        self.deleted.entry(pod.pod.uid.clone()).or_insert(now);
        pod.resource_version = version;
        Some(Event::Cluster(ClusterEvent::Pod(Box::new(pod.clone()))))
    }

    /// Whoever holds a Pod back does so no longer: it goes if it was deleted and has no time left.
    pub fn let_go(&mut self, uid: &str, now: Duration) -> Option<Event> {
        let version = self.next();
        let pod = self.pods.get_mut(uid)?;
        pod.held = false;
        pod.resource_version = version;
        if pod.deletion == Some(Duration::ZERO) {
            return self.delete_pod_by_force(uid, now);
        }
        Some(Event::Cluster(ClusterEvent::Pod(Box::new(pod.clone()))))
    }

    /// Somebody deletes a Pod by force; one that is held back stays until it is let go.
    pub fn delete_pod_by_force(&mut self, uid: &str, now: Duration) -> Option<Event> {
        if self.pods.get(uid)?.held {
            return self.delete_pod(uid, Duration::ZERO, now);
        }
        let pod = self.pods.remove(uid)?.pod;
        self.forced.insert(pod.uid.clone());
        Some(Event::Cluster(ClusterEvent::PodGone(pod)))
    }

    /// Such a Pod whose grace period is not over, by any clock: the fastest goes a tenth too fast.
    pub fn has_time(&self, pod: &PodView, now: Duration) -> bool {
        let ends = |grace: Duration| Some(*self.deleted.get(&pod.pod.uid)? + grace * 9 / 10);
        pod.deletion.and_then(ends).is_some_and(|end| now < end)
    }

    /// The Pods that ask for something: not being deleted, not over.
    pub fn live_pods(&self) -> impl Iterator<Item = &PodView> {
        let over = |pod: &PodView| matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
        self.pods.values().filter(move |pod| pod.deletion.is_none() && !over(pod))
    }
}

/// What a write is, in a word.
fn kind(write: &Write) -> &'static str {
    match write {
        Write::CreateNode(_) => "CreateNode",
        Write::PatchNode(_) => "PatchNode",
        Write::PatchNodeStatus(_) => "PatchNodeStatus",
        Write::DeleteNode(_) => "DeleteNode",
        Write::RenewLease(_) => "RenewLease",
        Write::PatchPodStatus(_) => "PatchPodStatus",
        Write::DeletePod(_) => "DeletePod",
        Write::CreateModule(_) => "CreateModule",
        Write::PatchModule(_) => "PatchModule",
        Write::PatchModuleStatus(_) => "PatchModuleStatus",
        Write::DeleteModule(_) => "DeleteModule",
        Write::ScaleDeployment(_) => "ScaleDeployment",
        Write::RecordRollout(_) => "RecordRollout",
        Write::PatchPlanStatus(_) => "PatchPlanStatus",
        Write::PatchBaselineStatus(_) => "PatchBaselineStatus",
        Write::WriteMember(_) => "WriteMember",
        Write::ReadMember(_) => "ReadMember",
        Write::DeleteMember(_) => "DeleteMember",
        Write::TakeLease { .. } => "TakeLease",
        Write::ReleaseLease { .. } => "ReleaseLease",
        Write::WritePermits(_) => "WritePermits",
        Write::DeletePermits(_) => "DeletePermits",
    }
}
