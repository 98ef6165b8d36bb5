//! Requests: one place where each gets its deadline and is counted.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use engine::{
    Event, WriteError,
    view::{WorkloadKind, WorkloadRef},
};
use http::Request as HttpRequest;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Client,
    api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    client::Body,
    core::{ObjectList, Request, request::Error as BuildError},
};
use model::Pass;
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    error::{load, refusal, write_error},
    lane::Lane,
};
use crate::{
    counters::{Counters, Outcome, Resource, Verb},
    delivery::{DeliveryFilter, Source},
    slim::{
        Slim,
        baseline::Baseline,
        candidate::Candidate,
        module::Module,
        node::Node,
        plan::Plan,
        pod::Pod,
        workload::{DaemonSet, Deployment},
    },
};

/// The field manager of everything we write.
const MANAGER: &str = "module-controller";

/// What every write needs.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) deadline: Duration,
    pub(crate) counters: Arc<Counters>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) delivery: Arc<DeliveryFilter>,
    /// What writes are sent with; none for those that the fence itself hangs on.
    pub(crate) pass: Option<Pass>,
    /// The lane of the write, which learns from each answer what the server bears; none for what is in no lane.
    pub(crate) lane: Option<Arc<Lane>>,
}

/// A kind of thing that is written to, with the URL of its collection.
pub(crate) struct Collection {
    resource: Resource,
    url: String,
}

impl Collection {
    pub(crate) fn pods(namespace: &str) -> Self {
        Self { resource: Resource::Pod, url: <Pod as kube::Resource>::url_path(&(), Some(namespace)) }
    }

    pub(crate) fn all_pods() -> Self {
        Self { resource: Resource::Pod, url: <Pod as kube::Resource>::url_path(&(), None) }
    }

    pub(crate) fn nodes() -> Self {
        Self { resource: Resource::Node, url: <Node as kube::Resource>::url_path(&(), None) }
    }

    /// Deployments of which only the scale is written.
    pub(crate) fn scales(namespace: &str) -> Self {
        let url = <Slim<Deployment> as kube::Resource>::url_path(&(), Some(namespace));
        Self { resource: Resource::DeploymentScale, url }
    }

    /// Workloads of which only the status is written.
    pub(crate) fn workload_statuses(workload: &WorkloadRef) -> Self {
        let namespace = Some(&*workload.namespace);
        match workload.kind {
            WorkloadKind::Deployment => Self {
                resource: Resource::DeploymentStatus,
                url: <Slim<Deployment> as kube::Resource>::url_path(&(), namespace),
            },
            WorkloadKind::DaemonSet => Self {
                resource: Resource::DaemonSetStatus,
                url: <Slim<DaemonSet> as kube::Resource>::url_path(&(), namespace),
            },
        }
    }

    /// Where Leases of Nodes live, as Kubernetes has it.
    pub(crate) fn node_leases() -> Self {
        let url = <Lease as kube::Resource>::url_path(&(), Some("kube-node-lease"));
        Self { resource: Resource::Lease, url }
    }

    /// Where the replicas' own Leases live, and those of permits.
    pub(crate) fn members(namespace: &str) -> Self {
        let url = <Lease as kube::Resource>::url_path(&(), Some(namespace));
        Self { resource: Resource::Lease, url }
    }

    pub(crate) fn events(namespace: &str) -> Self {
        use k8s_openapi::api::events::v1::Event;
        Self { resource: Resource::Event, url: <Event as kube::Resource>::url_path(&(), Some(namespace)) }
    }

    pub(crate) fn modules(namespace: &str) -> Self {
        Self { resource: Resource::Module, url: <Module as kube::Resource>::url_path(&(), Some(namespace)) }
    }

    /// Operation plans, of which only the status is written.
    pub(crate) fn plans(namespace: &str) -> Self {
        Self { resource: Resource::PlanStatus, url: <Plan as kube::Resource>::url_path(&(), Some(namespace)) }
    }

    /// ModuleBaseline objects, of which only the status is written.
    pub(crate) fn baselines() -> Self {
        Self { resource: Resource::BaselineStatus, url: <Baseline as kube::Resource>::url_path(&(), None) }
    }

    /// `pods/status` is counted apart from `pods`, and nodes likewise.
    fn status(&self) -> Resource {
        match self.resource {
            Resource::Pod => Resource::PodStatus,
            Resource::Node => Resource::NodeStatus,
            Resource::Module => Resource::ModuleStatus,
            other => other,
        }
    }

    fn request(&self) -> Request {
        Request::new(self.url.as_str())
    }
}

/// What a patch is, and how it merges.
pub(crate) enum How {
    /// RFC 7386: lists are replaced.
    Merge,
    /// Kubernetes' own: lists of conditions merge by type.
    Strategic,
}

impl How {
    fn patch(self, body: &Value) -> Patch<&Value> {
        match self {
            Self::Merge => Patch::Merge(body),
            Self::Strategic => Patch::Strategic(body),
        }
    }
}

impl Api {
    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        place: &Collection,
        body: &impl Serialize,
    ) -> Result<T, WriteError> {
        let request = place.request().create(&post(), json(body)?);
        self.call(Verb::Create, place.resource, request).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        place: &Collection,
        name: &str,
    ) -> Result<T, WriteError> {
        let request = place.request().get(name, &GetParams::default());
        self.call(Verb::Get, place.resource, request).await
    }

    pub(crate) async fn replace<T: DeserializeOwned>(
        &self,
        place: &Collection,
        name: &str,
        body: &impl Serialize,
    ) -> Result<T, WriteError> {
        let request = place.request().replace(name, &post(), json(body)?);
        self.call(Verb::Update, place.resource, request).await
    }

    /// Creates the Lease where it has no UID yet, and else replaces it as it was seen.
    pub(crate) async fn put_lease<T: DeserializeOwned>(
        &self,
        place: &Collection,
        lease: &Lease,
    ) -> Result<T, WriteError> {
        match (&lease.metadata.uid, &lease.metadata.name) {
            (Some(_), Some(name)) => self.replace(place, name, lease).await,
            _ => self.create(place, lease).await,
        }
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        place: &Collection,
        name: &str,
        how: How,
        body: &Value,
    ) -> Result<T, WriteError> {
        let request = place.request().patch(name, &patching(), &how.patch(body));
        self.call(Verb::Patch, place.resource, request).await
    }

    pub(crate) async fn patch_status<T: DeserializeOwned>(
        &self,
        place: &Collection,
        name: &str,
        how: How,
        body: &Value,
    ) -> Result<T, WriteError> {
        let patch = how.patch(body);
        let request = place.request().patch_subresource("status", name, &patching(), &patch);
        self.call(Verb::Patch, place.status(), request).await
    }

    /// The subresource `scale`, whatever the answer says: it is no Deployment.
    pub(crate) async fn patch_scale(
        &self,
        place: &Collection,
        name: &str,
        body: &Value,
    ) -> Result<(), WriteError> {
        let request = place.request().patch_subresource("scale", name, &patching(), &How::Merge.patch(body));
        self.call::<IgnoredAny>(Verb::Patch, place.resource, request).await.map(drop)
    }

    /// Deletes the object of this UID at once; any object of the name where the UID is empty.
    pub(crate) async fn delete(&self, place: &Collection, name: &str, uid: &str) -> Result<(), WriteError> {
        let preconditions =
            (!uid.is_empty()).then(|| Preconditions { uid: Some(uid.to_owned()), ..Default::default() });
        self.delete_if(place, name, preconditions).await
    }

    /// Deletes the very version of an object, at once.
    pub(crate) async fn delete_version(
        &self,
        place: &Collection,
        name: &str,
        uid: &str,
        version: u64,
    ) -> Result<(), WriteError> {
        let (uid, resource_version) = (Some(uid.to_owned()), Some(version.to_string()));
        self.delete_if(place, name, Some(Preconditions { uid, resource_version })).await
    }

    async fn delete_if(
        &self,
        place: &Collection,
        name: &str,
        preconditions: Option<Preconditions>,
    ) -> Result<(), WriteError> {
        let params = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
        let request = place.request().delete(name, &params);
        self.call::<IgnoredAny>(Verb::Delete, place.resource, request).await.map(drop)
    }

    /// Pods of all namespaces, by field selector, as they are now (no cached list).
    pub(crate) async fn candidates(&self, fields: &str) -> Result<Vec<Slim<Candidate>>, WriteError> {
        let request = Collection::all_pods().request().list(&ListParams::default().fields(fields));
        let list: ObjectList<Slim<Candidate>> = self.call(Verb::List, Resource::Pod, request).await?;
        Ok(list.items)
    }

    /// One request, under the deadline and counted.
    async fn call<T: DeserializeOwned>(
        &self,
        verb: Verb,
        resource: Resource,
        request: Result<HttpRequest<Vec<u8>>, BuildError>,
    ) -> Result<T, WriteError> {
        let begun = Instant::now();
        let reads = matches!(verb, Verb::Get | Verb::List);
        // Looked at last of all: between the decision and now this process may have been paused.
        let deadline = match &self.pass {
            Some(pass) if !reads => pass.left().map(|left| left.min(self.deadline)),
            _ => Some(self.deadline),
        };
        let result = match (request, deadline) {
            (Ok(request), Some(deadline)) => self.answer(deadline, request, begun).await,
            (Ok(_), None) => {
                let reason = "this replica may not act at the moment".to_owned();
                return Err(WriteError::Unavailable { reason, retry_after: None });
            }
            (Err(error), _) => Err(WriteError::Refused(error.to_string())),
        };
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(WriteError::Conflict(_)) => Outcome::Conflict,
            Err(WriteError::NotFound(_)) => Outcome::NotFound,
            Err(WriteError::Refused(_)) => Outcome::Refused,
            Err(WriteError::Unavailable { .. }) => Outcome::Unavailable,
        };
        self.counters.called(verb, resource, outcome, begun.elapsed());
        result
    }

    /// What the server answers in time; the lane hears what that says of the server.
    async fn answer<T: DeserializeOwned>(
        &self,
        deadline: Duration,
        request: HttpRequest<Vec<u8>>,
        begun: Instant,
    ) -> Result<T, WriteError> {
        let Ok(answer) = tokio::time::timeout(deadline, ask(&self.client, request)).await else {
            return Err(WriteError::Unavailable {
                reason: format!("the API server did not answer within {} s", deadline.as_secs_f32()),
                retry_after: None,
            });
        };
        if let (Some(lane), Some(load)) = (&self.lane, load(answer.as_ref().err())) {
            lane.heard(load, begun, Instant::now());
        }
        answer.map_err(|error| write_error(&error))
    }

    /// Tells the engine of a Pod that a response brought.
    pub(crate) async fn tell_pod(&self, pod: Pod) {
        match pod.body {
            // Closed: the engine is gone, and so is the one who would care.
            Ok(view) => drop(self.delivery.pod(&self.events, Source::Response, view).await),
            Err(_) => self.count_unreadable(),
        }
    }

    /// Tells the engine of a Module object that a response brought.
    pub(crate) async fn tell_module(&self, module: Module) {
        match module.body {
            // Closed: the engine is gone, and so is the one who would care.
            Ok(view) => drop(self.delivery.module(&self.events, Source::Response, view).await),
            Err(_) => self.count_unreadable(),
        }
    }

    /// Tells the engine of a Node that a response brought.
    pub(crate) async fn tell_node(&self, node: Node) {
        match node.body {
            Ok(view) => drop(self.delivery.node(&self.events, Source::Response, view).await),
            Err(_) => self.count_unreadable(),
        }
    }

    /// The watch sees the same object and says what is wrong with it.
    pub(crate) fn count_unreadable(&self) {
        self.counters.unreadable.fetch_add(1, Relaxed);
    }
}

/// As [`Client::request`], which does not let us see the answer's headers.
async fn ask<T: DeserializeOwned>(client: &Client, request: HttpRequest<Vec<u8>>) -> Result<T, kube::Error> {
    let (head, body) = client.send(request.map(Body::from)).await?.into_parts();
    let body = body.collect_bytes().await?;
    if head.status.is_client_error() || head.status.is_server_error() {
        return Err(kube::Error::Api(Box::new(refusal(&head, &body))));
    }
    serde_json::from_slice(&body).map_err(kube::Error::SerdeError)
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    serde_json::to_vec(body).map_err(|error| WriteError::Refused(error.to_string()))
}

fn post() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

fn patching() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}
