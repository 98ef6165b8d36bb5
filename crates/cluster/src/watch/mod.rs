//! The shared watches: one for each kind, whatever the number of objects.
//!
//! `kube`'s watcher does the protocol: list in pages, watch with bookmarks from there, take up again
//! after a break, list again when the server has forgotten where we were (410). We list the classic
//! way and not as a stream (`sendInitialEvents`): servers from 1.21 on know the first and only those
//! from 1.34 on (by default) the second, which takes no less memory (docs/performance.md).

mod health;
mod leases;
mod module_baselines;
mod module_objects;
mod nodes;
mod operation_plans;
mod pods;
mod replica_sets;
mod services;
mod unplaced;
mod views;
mod workloads;

use std::{future::Future, sync::Arc, time::Duration};

use engine::{
    ClusterEvent, Event, Watched,
    view::{
        BaselineView, LeaseView, MemberView, PermitsView, PlanView, ServiceView, UnplacedView, WorkloadView,
    },
};
use futures::{StreamExt, stream::BoxStream};
use k8s_openapi::api::apps::v1 as apps;
use kube::{
    Api, Client,
    core::{NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{self, DefaultBackoff, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::{AbortHandle, JoinSet},
};

pub use self::health::{WatchFault, WatchHealth};
use self::{health::Record, module_objects::Modules, nodes::Nodes, pods::Pods, views::Views};
pub(crate) use self::{nodes::is_vnode, pods::is_module};
use crate::{
    baselines,
    definition::{Availability, Own, install},
    delivery::{Closed, DeliveryFilter},
    modules, plans,
    slim::{
        Kind, Slim,
        replica_set::ReplicaSet,
        workload::{DaemonSet, Deployment},
    },
};

/// How long the server is asked to keep one watch, in seconds; it is then taken up again where it
/// ended, and nobody notices. A connection whose peer vanished is found out 5 s after that, so this
/// is how long we may be blind; and two requests in this time are nothing to the server. It cannot
/// be left to bookmarks: a server sends none for a kind that never changed since it started.
pub(crate) const LENGTH: u32 = 30;

/// Objects of modules with the manual's label. The server cannot select by one label or another, so each family has a watch,
/// and no object is in both.
const OURS: &str = "module-controller.koupleless.io/component=module";
/// Those that have the Go controller's label only.
const UPSTREAM: &str =
    "virtual-kubelet.koupleless.io/component=module,module-controller.koupleless.io/component!=module";

/// How long after a failure the definition of Module objects is looked for again.
const INSTALL_AGAIN: Duration = Duration::from_secs(2);

/// How the watches work.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// Objects in one page of a list. 500 is what client-go asks for: a page of Pods is some
    /// 5 MB of JSON, and the server is never asked for more at once.
    pub page_size: u32,
    /// The environment whose Module objects are watched.
    pub env: Arc<str>,
    /// Whether Deployments and DaemonSets are watched too.
    pub module_deployments: bool,
    /// The namespace of the replicas' Leases; none where there is a single replica.
    pub members: Option<String>,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { page_size: 500, env: "dev".into(), module_deployments: false, members: None }
    }
}

/// The watches that run.
#[derive(Debug)]
pub struct Watches {
    running: Vec<(Arc<Record>, AbortHandle)>,
    /// How often all was to be listed anew.
    anew: watch::Sender<u32>,
    /// Dropped, it ends them.
    tasks: AsyncMutex<JoinSet<()>>,
}

/// Starts the watches. What they see is sent to `events`; where that is full, they wait. They end
/// when nobody receives any more.
pub fn watch(
    client: Client,
    config: WatchConfig,
    events: mpsc::Sender<Event>,
    delivery: Arc<DeliveryFilter>,
) -> Watches {
    let nodes = Nodes { events: events.clone(), delivery: delivery.clone() };
    let pods = Pods { events: events.clone(), delivery: delivery.clone() };
    let mut tasks = JoinSet::new();
    let (anew, again) = watch::channel(0);
    let mut starting =
        Starting { tasks: &mut tasks, client, config, events: events.clone(), again, running: Vec::new() };
    starting.watch(Watched::Nodes, nodes);
    starting.watch(Watched::Pods, pods);
    let unplaced = |labels: &str| {
        Views::<UnplacedView>::labelled(labels.to_owned(), events.clone()).with_fields(unplaced::UNBOUND)
    };
    starting.watch(Watched::UnplacedPods, unplaced(OURS));
    starting.watch(Watched::UpstreamUnplacedPods, unplaced(UPSTREAM));
    starting.watch_revisions(Watched::ReplicaSets, OURS);
    starting.watch_revisions(Watched::UpstreamReplicaSets, UPSTREAM);
    starting.watch(Watched::Services, Views::<ServiceView>::all(events.clone()));
    starting.watch_modules(delivery);
    if starting.config.module_deployments {
        starting.watch(Watched::Deployments, Views::<Deployment, WorkloadView>::all(events.clone()));
        starting.watch(Watched::DaemonSets, Views::<DaemonSet, WorkloadView>::all(events.clone()));
        starting.watch_plans();
        starting.watch_baselines();
    }
    if let Some(namespace) = starting.config.members.clone() {
        let env = starting.config.env.clone();
        let members = Views::<MemberView>::labelled(leases::of_members(&env), events.clone());
        starting.watch_in(&namespace, Watched::Members, members);
        let permits = Views::<PermitsView>::labelled(leases::of_permits(&env), events.clone());
        starting.watch_in(&namespace, Watched::Permits, permits);
        let leases = Views::<LeaseView>::labelled(leases::of_vnodes(&env), events);
        starting.watch_in("kube-node-lease", Watched::Leases, leases);
    }
    let running = starting.running;
    Watches { running, anew, tasks: AsyncMutex::new(tasks) }
}

impl Watches {
    /// How each watch does.
    pub fn health(&self) -> Vec<WatchHealth> {
        let there = self.running.iter().filter(|(record, _)| !record.is_given_up());
        there.map(|(record, task)| record.health(task.is_finished())).collect()
    }

    /// Whether every kind has been listed once.
    pub fn synced(&self) -> bool {
        self.health().iter().all(|watch| watch.synced)
    }

    /// Gives the watches up, however far behind they are, and lists all anew: [`ClusterEvent::Synced`] is told again for each.
    pub fn begin_anew(&self) {
        self.anew.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Ends the watches and waits until they have.
    pub async fn shutdown(&self) {
        self.tasks.lock().await.shutdown().await;
    }
}

/// What a watch does with what it sees.
trait Observer: Send + Sync + 'static {
    /// The objects that it sees.
    type Body: Kind + Clone + std::fmt::Debug + Send + 'static;

    /// Which of them; all where it says nothing else.
    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        config
    }
    /// A list begins.
    fn begin(&self);
    /// An object of a list.
    fn listed(&self, body: Self::Body) -> impl Future<Output = Result<(), Closed>> + Send;
    /// A list is complete.
    fn done(&self) -> impl Future<Output = Result<(), Closed>> + Send;
    /// An object appeared or changed.
    fn applied(&self, body: Self::Body) -> impl Future<Output = Result<(), Closed>> + Send;
    /// An object is gone.
    fn gone(&self, uid: &Arc<str>) -> impl Future<Output = Result<(), Closed>> + Send;
    /// An object is there and cannot be read.
    fn unreadable(&self, uid: &str);
}

/// What every watch is started with.
struct Starting<'a> {
    tasks: &'a mut JoinSet<()>,
    client: Client,
    config: WatchConfig,
    events: mpsc::Sender<Event>,
    /// See [`Watches::begin_anew`].
    again: watch::Receiver<u32>,
    running: Vec<(Arc<Record>, AbortHandle)>,
}

impl Starting<'_> {
    /// Spawns one watch.
    fn watch<O: Observer>(&mut self, kind: Watched, observer: O)
    where
        Slim<O::Body>: kube::Resource<DynamicType = ()> + DeserializeOwned,
    {
        let streams = self.objects(&observer);
        self.spawn(kind, streams, observer);
    }

    /// Spawns one watch of one namespace.
    fn watch_in<O: Observer>(&mut self, namespace: &str, kind: Watched, observer: O)
    where
        Slim<O::Body>: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
    {
        let api = Api::<Slim<O::Body>>::namespaced(self.client.clone(), namespace);
        let config = observer.narrow(self.listing());
        self.spawn(kind, move || watcher(api.clone(), config.clone()).boxed(), observer);
    }

    /// What the watch of an observer sees, each time that it begins.
    fn objects<O: Observer>(
        &self,
        observer: &O,
    ) -> impl Fn() -> BoxStream<'static, Seen<O::Body>> + Send + Sync + 'static + use<O>
    where
        Slim<O::Body>: kube::Resource<DynamicType = ()> + DeserializeOwned,
    {
        let api = Api::<Slim<O::Body>>::all(self.client.clone());
        let config = observer.narrow(self.listing());
        move || watcher(api.clone(), config.clone()).boxed()
    }

    fn watch_modules(&mut self, delivery: Arc<DeliveryFilter>) {
        let observer = Modules { env: self.config.env.clone(), events: self.events.clone(), delivery };
        let without = "Module objects are not kept: what a Pod that is deleted by force has installed is forgotten when this \
                       controller is started anew, and kubectl get module shows nothing";
        self.watch_own(Watched::Modules, modules::own(), observer, without);
    }

    fn watch_plans(&mut self) {
        let observer = Views::<PlanView>::all(self.events.clone());
        let without = "operation plans are not known: Pods that name one are held";
        self.watch_own(Watched::Plans, plans::own(), observer, without);
    }

    fn watch_baselines(&mut self) {
        let observer = Views::<BaselineView>::all(self.events.clone());
        let without = "ModuleBaseline objects are not known: what bases differ in is shown by `kubectl koupleless baseline` only";
        self.watch_own(Watched::Baselines, baselines::own(), observer, without);
    }

    /// Spawns the watch of a kind of ours, whose definition is brought into the cluster first. Where its objects cannot be
    /// had, the engine is told so and works `without` them.
    fn watch_own<O: Observer>(&mut self, kind: Watched, own: Own, observer: O, without: &'static str)
    where
        Slim<O::Body>: kube::Resource<DynamicType = ()> + DeserializeOwned,
    {
        let record = Arc::new(Record::new(kind));
        let events = self.events.clone();
        let (client, streams, again) = (self.client.clone(), self.objects(&observer), self.again.clone());
        let task = self.tasks.spawn({
            let record = record.clone();
            async move {
                let availability = loop {
                    match install(client.clone(), &own).await {
                        Ok(availability) => break availability,
                        Err(error) => drop(record.failed(&error)),
                    }
                    tokio::time::sleep(INSTALL_AGAIN).await;
                };
                // Closed means that the engine is gone, and we go with it.
                match availability {
                    Availability::Available => drop(run(streams, &record, events, observer, again).await),
                    Availability::Missing(reason) => {
                        tracing::warn!(%reason, "{without}");
                        record.give_up();
                        drop(events.send(Event::Cluster(ClusterEvent::Unavailable(kind))).await);
                    }
                }
            }
        });
        self.running.push((record, task));
    }

    /// Spawns a watch of the ReplicaSets that a selector picks.
    fn watch_revisions(&mut self, kind: Watched, labels: &str) {
        let config = self.listing().labels(labels);
        let api = Api::<PartialObjectMeta<apps::ReplicaSet>>::all(self.client.clone());
        let streams = move || watcher(api.clone(), config.clone()).map(|event| event.map(slim)).boxed();
        self.spawn(kind, streams, Views::<ReplicaSet>::all(self.events.clone()));
    }

    fn listing(&self) -> watcher::Config {
        watcher::Config::default().page_size(self.config.page_size).timeout(LENGTH)
    }

    fn spawn<O: Observer>(
        &mut self,
        kind: Watched,
        streams: impl Fn() -> BoxStream<'static, Seen<O::Body>> + Send + Sync + 'static,
        observer: O,
    ) {
        let record = Arc::new(Record::new(kind));
        let task = self.tasks.spawn({
            let (record, events, again) = (record.clone(), self.events.clone(), self.again.clone());
            async move {
                // Closed means that the engine is gone, and we go with it.
                let _ = run(streams, &record, events, observer, again).await;
            }
        });
        self.running.push((record, task));
    }
}

/// How long a watch that failed waits: 0.8 s, doubling and with jitter, and from the start again after 2 quiet minutes.
#[derive(Default)]
struct Impatient(DefaultBackoff);

impl Impatient {
    /// A server that comes back is found within this, and what it has forgotten (410) is listed again after as much:
    /// what Pods and Nodes became meanwhile is known within 5 s, however long it was away. A dozen watches of a process
    /// are no crowd, which is what the 30 s of client-go are made for.
    const LONGEST: Duration = Duration::from_secs(2);
}

impl Iterator for Impatient {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(Self::LONGEST))
    }
}

impl Backoff for Impatient {
    fn reset(&mut self) {
        self.0.reset();
    }
}

async fn run<O: Observer>(
    streams: impl Fn() -> BoxStream<'static, Seen<O::Body>>,
    record: &Record,
    events: mpsc::Sender<Event>,
    observer: O,
    mut again: watch::Receiver<u32>,
) -> Result<(), Closed> {
    again.mark_unchanged();
    let begin = || Box::pin(streams().backoff(Impatient::default()));
    let mut stream = begin();
    loop {
        let item = tokio::select! {
            biased;
            again = again.changed() => {
                again.map_err(|_| Closed)?;
                record.anew();
                stream = begin();
                continue;
            }
            item = stream.next() => item.ok_or(Closed)?,
        };
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                if record.failed(&error) {
                    events
                        .send(Event::Cluster(ClusterEvent::Unavailable(record.kind())))
                        .await
                        .map_err(|_| Closed)?;
                }
                continue;
            }
        };
        if !matches!(item, watcher::Event::Init) {
            // The beginning of a list is told before anything was asked, so it says nothing.
            record.saw();
        }
        match item {
            watcher::Event::Init => {
                record.listing();
                observer.begin();
            }
            watcher::Event::InitApply(object) => {
                if let Some(body) = readable(record, &observer, object) {
                    observer.listed(body).await?;
                }
            }
            watcher::Event::InitDone => {
                observer.done().await?;
                if record.listed() {
                    events
                        .send(Event::Cluster(ClusterEvent::Synced(record.kind())))
                        .await
                        .map_err(|_| Closed)?;
                }
            }
            watcher::Event::Apply(object) => {
                if let Some(body) = readable(record, &observer, object) {
                    observer.applied(body).await?;
                }
            }
            watcher::Event::Delete(object) => {
                // All that is needed is in the metadata, so the rest need not be readable.
                if let Some(uid) = object.meta.uid {
                    observer.gone(&uid.into()).await?;
                }
            }
        }
    }
}

/// What a watch says.
type Seen<B> = watcher::Result<watcher::Event<Slim<B>>>;

/// Metadata as what we read of it.
fn slim<T, B>(event: watcher::Event<T>) -> watcher::Event<Slim<B>>
where
    Slim<B>: From<T>,
{
    match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(object.into()),
        watcher::Event::Delete(object) => watcher::Event::Delete(object.into()),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(object) => watcher::Event::InitApply(object.into()),
        watcher::Event::InitDone => watcher::Event::InitDone,
    }
}

/// The object, or none where it cannot be read; that is counted, and said once for each object.
fn readable<O: Observer>(record: &Record, observer: &O, object: Slim<O::Body>) -> Option<O::Body> {
    match object.body {
        Ok(body) => Some(body),
        Err(reason) => {
            let uid = object.meta.uid.as_deref().unwrap_or_default();
            observer.unreadable(uid);
            if record.unreadable(uid) {
                tracing::warn!(
                    kind = O::Body::KIND,
                    namespace = object.meta.namespace.as_deref().unwrap_or_default(),
                    name = object.meta.name.as_deref().unwrap_or_default(),
                    uid,
                    %reason,
                    "this object cannot be read and is skipped",
                );
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_away_for_long_is_looked_for_every_few_seconds() {
        let waits: Vec<Duration> = Impatient::default().take(100).collect();
        assert!(waits[0] < Duration::from_secs(2), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Impatient::LONGEST), "{waits:?}");
    }
}
