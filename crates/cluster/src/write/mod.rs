//! The engine's requests go to the API server.
//!
//! [`Writer::submit`] never blocks: each request waits for its turn in a lane, and a task of that lane makes its
//! request and tells its end. There is no limit on requests per second here: what limits us is how many run at once,
//! and a server that has enough says so (429), whereupon fewer do (`limit`). No write is made again
//! here: the engine backs off for the object in question.

pub(crate) mod api;
mod base_pod;
pub(crate) mod baseline;
pub(crate) mod error;
mod lane;
mod lease;
pub(crate) mod limit;
mod member;
mod module;
mod node;
mod permits;
pub(crate) mod plan;
mod pod;
mod rollout;
mod scale;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant as StdInstant},
};

use engine::{Announcement, BaseAddress, Event, Request, WriteError, view::MemberView};
use jiff::Timestamp;
use kube::Client;
use model::{BaseIdentity, Fence, Language, Pass};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use self::{
    api::{Api, Collection},
    lane::{Lane, Next, Taken},
    lease::{Holder, Leases},
    limit::Bounds,
};
use crate::{
    announce::Announcer,
    counters::{Counters, LaneKind, StatusKind},
    delivery::DeliveryFilter,
};

/// The longest that a server is left alone by all writes, whatever it asks for: its own longest `Retry-After` is 32 s
/// when it drowns, and Pods wait for what is written.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The same for renewals: a Lease has 40 s and is renewed after 10, so a pause must not take all that is left of them.
const LONGEST_PAUSE_OF_RENEWALS: Duration = Duration::from_secs(5);

/// Renewals that run at once however often the server has enough: with 5 ms for each they are still 800 a second.
const LEAST_RENEWALS: usize = 4;

/// How long the last word is tried, and the pause between two tries: others wait 10 s for one that says nothing.
const LAST_WORD: Duration = Duration::from_secs(5);
const LAST_WORD_AGAIN: Duration = Duration::from_millis(300);

/// How the writer works.
#[derive(Debug, Clone)]
pub struct WriterConfig {
    /// Who we are: the holder of Leases and the instance that reports Events.
    pub identity: String,
    /// The environment that Module objects are labelled with.
    pub env: String,
    /// In which language Events, plans and baselines are told of.
    pub language: Language,
    /// Where the Leases of the replicas are kept.
    pub namespace: String,
    /// In which namespaces bases run, whose own Pods are looked for there only; in any where none is named.
    pub base_namespaces: Vec<String>,
    /// Until when writes may be sent, where there are several replicas.
    pub fence: Fence,
    /// How many writes run at once. 64 saturate an API server of a few cores (its floor was
    /// measured with 32) and are a tenth of its default limit of requests in flight. Fewer do where the server has enough.
    pub max_running: usize,
    /// How many statuses and deletions of Module objects run at once, apart from the other writes: nothing waits for them,
    /// and Pods, which a rollout waits for, come first.
    pub max_records: usize,
    /// How many Lease renewals and statuses of Nodes run at once, apart from the other writes: a Node must not be lost
    /// because statuses of Pods queue before its Lease.
    pub max_renewals: usize,
    /// How many searches for a base's Pod run at once: each makes the server look at every Pod.
    pub max_searches: usize,
    /// How many requests wait at most. The engine has at most one write in flight for each object
    /// and kind, so 65,536 is some 20,000 module Pods all changing at once; more are refused.
    pub max_waiting: usize,
    /// The deadline of one request.
    pub deadline: Duration,
    /// How many Events are written each second, on average. A burst of ten times as many is taken.
    pub announcements_per_second: u32,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self {
            identity: "module-controller".to_owned(),
            env: "dev".to_owned(),
            language: Language::default(),
            namespace: "default".to_owned(),
            base_namespaces: Vec::new(),
            fence: Fence::open(),
            max_running: 64,
            max_records: 8,
            max_renewals: 32,
            max_searches: 4,
            max_waiting: 65_536,
            deadline: Duration::from_secs(15),
            announcements_per_second: 20,
        }
    }
}

/// Carries out what the engine decides for the cluster.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    api: Api,
    config: WriterConfig,
    leases: Leases,
    writes: Arc<Lane>,
    records: Arc<Lane>,
    renewals: Arc<Lane>,
    searches: Arc<Lane>,
    /// None once the writer has been shut down.
    tasks: Mutex<Option<JoinSet<()>>>,
    /// True when nothing that waits is worth waiting for.
    gives_up: watch::Sender<bool>,
    announcer: Announcer,
}

impl Writer {
    /// A writer whose ends go to `events`. `delivery` is the one of the watches.
    pub fn new(
        client: Client,
        config: WriterConfig,
        events: mpsc::Sender<Event>,
        delivery: Arc<DeliveryFilter>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let lane = |kind, least, most, longest_pause| {
            Lane::new(kind, Bounds { least, most, longest_pause }, counters.clone())
        };
        let writes = Arc::new(lane(LaneKind::Writes, 1, config.max_running, LONGEST_PAUSE));
        let records = lane(LaneKind::Records, 1, config.max_records, LONGEST_PAUSE);
        let records = Arc::new(records.after(&writes));
        let pause = LONGEST_PAUSE_OF_RENEWALS;
        let renewals = Arc::new(lane(LaneKind::Renewals, LEAST_RENEWALS, config.max_renewals, pause));
        let searches = Arc::new(lane(LaneKind::Searches, 1, config.max_searches, LONGEST_PAUSE));
        let deadline = config.deadline;
        let api = Api { client, deadline, counters, events, delivery, pass: None, lane: None };
        let announcing = Api { pass: Some(config.fence.standing_pass()), ..api.clone() };
        let announcer =
            Announcer::start(announcing, &config.identity, config.language, config.announcements_per_second);
        Self {
            shared: Arc::new(Shared {
                api,
                leases: Leases::default(),
                writes,
                records,
                renewals,
                searches,
                tasks: Mutex::new(Some(JoinSet::new())),
                gives_up: watch::Sender::new(false),
                announcer,
                config,
            }),
        }
    }

    /// Carries a request out, in the background. Its end comes as [`Event::Written`] or
    /// [`Event::BasePod`], always, unless the writer is shut down meanwhile; where the response is
    /// the object, that is told first.
    pub fn submit(&self, request: Request) {
        let shared = &self.shared;
        let lane = match request {
            Request::FindBasePod { .. } => Some(&shared.searches),
            // Waits for no place: whether we may act at all hangs on it, and there is one for each replica.
            Request::WriteMember(_) | Request::ReadMember { .. } => None,
            // After an absence of all controllers Pods are deleted until their Node is told as Ready.
            Request::RenewLease { .. }
            | Request::TakeLease { .. }
            | Request::ReleaseLease { .. }
            | Request::PatchNodeStatus { .. } => Some(&shared.renewals),
            Request::PatchModuleStatus { .. }
            | Request::DeleteModule { .. }
            | Request::RecordRollout { .. }
            | Request::PatchBaselineStatus { .. } => Some(&shared.records),
            _ => Some(&shared.writes),
        };
        let pass = shared.config.fence.pass();
        let mut tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = tasks.as_mut() else { return };
        // What has ended is let go of here, so that the set holds only what runs.
        while tasks.try_join_next().is_some() {}
        let Some(lane) = lane else {
            tasks.spawn(shared.clone().keep_replica(request, pass));
            return;
        };
        let now = StdInstant::now();
        match lane.take(Job { request, pass, queued: now }, shared.config.max_waiting, now) {
            Taken::Waits => {}
            Taken::Runs(first) => drop(tasks.spawn(shared.clone().work(lane.clone(), first))),
            Taken::Refused(job) => drop(tasks.spawn(shared.clone().refuse(job.request))),
        }
    }

    /// Writes an Event, in the background, as far as their rate allows.
    pub fn announce(&self, announcement: Announcement) {
        self.shared.announcer.announce(announcement);
    }

    /// Writes this replica's membership Lease as the last of all, after [`Self::shutdown`]. It is tried for some seconds.
    pub async fn last(&self, desired: &MemberView) -> Result<(), WriteError> {
        let until = Instant::now() + LAST_WORD;
        loop {
            match self.shared.release_member(desired).await {
                Err(WriteError::Unavailable { .. } | WriteError::Conflict(_)) if Instant::now() < until => {
                    sleep(LAST_WORD_AGAIN).await;
                }
                ended => return ended,
            }
        }
    }

    /// What was asked of the API server so far.
    pub fn counters(&self) -> Arc<Counters> {
        self.shared.api.counters.clone()
    }

    /// Takes nothing more and waits until everything taken has ended, `bound` at most; what has
    /// not ended then is cut off. Somebody must go on receiving events, or the tasks that tell
    /// their ends wait for a place. True where nothing was cut off.
    ///
    /// Where the fence is shut for good, only what was sent is waited for: the rest may not be sent any more.
    pub async fn shutdown(&self, bound: Duration) -> bool {
        let until = Instant::now() + bound;
        let tasks = self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut tasks) = tasks else { return true };
        let sends = self.shared.config.fence.standing_pass().left().is_some();
        if !sends {
            let Shared { writes, records, renewals, searches, .. } = &*self.shared;
            [writes, records, renewals, searches].into_iter().for_each(|lane| lane.clear());
            self.shared.gives_up.send_replace(true);
        }
        let ended = timeout_at(until, async { while tasks.join_next().await.is_some() {} }).await.is_ok();
        tasks.shutdown().await;
        if sends {
            return self.shared.announcer.shutdown(until).await && ended;
        }
        // Events may not be sent any more either. What is dropped so is not cut off, however far its task has come.
        self.shared.announcer.shutdown(Instant::now()).await;
        ended
    }
}

/// A write that waits or runs.
struct Job {
    request: Request,
    /// Until when it may be sent.
    pass: Pass,
    /// When it was handed over.
    queued: StdInstant,
}

impl Job {
    /// Which status it writes; none where it writes none.
    fn status(&self) -> Option<StatusKind> {
        match self.request {
            Request::PatchNodeStatus { .. } => Some(StatusKind::Node),
            Request::PatchPodStatus { .. } => Some(StatusKind::Pod),
            Request::PatchModuleStatus { .. } => Some(StatusKind::Module),
            _ => None,
        }
    }
}

impl Shared {
    /// Carries out one request after the other, as long as any wait in the lane.
    async fn work(self: Arc<Self>, lane: Arc<Lane>, first: Option<Job>) {
        let mut place = lane.place();
        let mut next = first.map(Next::Begin);
        let mut gives_up = self.gives_up.subscribe();
        loop {
            match next.take().unwrap_or_else(|| place.next(StdInstant::now())) {
                Next::Begin(job) => {
                    self.begin_further(&lane);
                    let (status, queued) = (job.status(), job.queued);
                    let api = Api { pass: Some(job.pass), lane: Some(lane.clone()), ..self.api.clone() };
                    let end = self.perform(&api, job.request).await;
                    if let Some(kind) = status {
                        self.api.counters.wrote_status(kind, queued.elapsed());
                    }
                    self.tell(end).await;
                }
                Next::Opens(when) => tokio::select! {
                    () = sleep_until(when.into()) => {}
                    // The writer is there as long as its tasks are.
                    _ = gives_up.wait_for(|gives_up| *gives_up) => {}
                },
                Next::Ends => return,
            }
        }
    }

    /// Begins with what waits and has a place: there are more places than before, or the lane has opened.
    fn begin_further(self: &Arc<Self>, lane: &Arc<Lane>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // After a shutdown nobody is taken on, and those who are there carry out what waits.
        let Some(tasks) = tasks.as_mut() else { return };
        while let Some(job) = lane.further(StdInstant::now()) {
            tasks.spawn(self.clone().work(lane.clone(), Some(job)));
        }
    }

    async fn keep_replica(self: Arc<Self>, request: Request, pass: Pass) {
        let api = Api { pass: Some(pass), ..self.api.clone() };
        let end = self.keep_membership(&api, request).await;
        self.tell(end).await;
    }

    /// Too many wait already.
    async fn refuse(self: Arc<Self>, request: Request) {
        self.api.counters.overflowed.fetch_add(1, Relaxed);
        let reason = format!("{} writes wait already", self.config.max_waiting);
        self.tell(refused(request, &WriteError::Unavailable { reason, retry_after: None })).await;
    }

    async fn tell(&self, end: Option<Event>) {
        if let Some(end) = end {
            // Closed: the engine is gone, and so is the one who would care.
            let _ = self.api.events.send(end).await;
        }
    }

    async fn find_base_pod(&self, api: &Api, base: BaseIdentity, address: &BaseAddress, zone: bool) -> Event {
        let found = match api.find_base_pod(address, &self.config.base_namespaces).await {
            Ok(Some(found)) if zone => api.with_zone(found).await.map(Some),
            found => found,
        };
        Event::BasePod { base, found }
    }

    /// Does it, and says how it ended.
    async fn perform(&self, api: &Api, request: Request) -> Option<Event> {
        if let Request::FindBasePod { base, address, zone } = request {
            return Some(self.find_base_pod(api, base, &address, zone).await);
        }
        let write = request.write()?;
        let result = match request {
            Request::CreateNode(desired) => api.create_node(&desired, Timestamp::now()).await,
            Request::PatchNode { desired } => api.patch_node(&desired).await,
            Request::PatchNodeStatus { desired } => api.patch_node_status(&desired, Timestamp::now()).await,
            Request::DeleteNode { name, uid } => api.delete_node(&self.leases, &name, &uid).await,
            Request::RenewLease { node, holder, duration } => {
                let now = Timestamp::now();
                let (alone, exclusive) = (&*self.config.identity, holder.is_some());
                let holder = Holder { name: holder.as_deref().unwrap_or(alone), exclusive };
                api.renew_lease(&self.leases, holder, &node, duration, now).await
            }
            Request::TakeLease { seen, holder, duration } => {
                let (now, env) = (Timestamp::now(), &self.config.env);
                api.take_lease(&self.leases, &seen, &holder, env, duration, now).await
            }
            Request::ReleaseLease { node, holder, delete } => {
                api.release_lease(&self.leases, &node, &holder, delete, Timestamp::now()).await
            }
            Request::DeleteMember { name, uid } => {
                api.delete(&Collection::members(&self.config.namespace), &name, &uid).await
            }
            Request::WritePermits(desired) => {
                api.write_permits(&desired, &self.config.namespace, &self.config.env).await
            }
            Request::DeletePermits { name, uid, resource_version } => {
                let place = Collection::members(&self.config.namespace);
                api.delete_version(&place, &name, &uid, resource_version).await
            }
            Request::PatchPodStatus { pod, status } => api.patch_pod_status(&pod, &status).await,
            Request::DeletePod { pod } => api.delete_pod(&pod).await,
            Request::CreateModule(desired) => api.create_module(&desired, &self.config.env).await,
            Request::PatchModule { desired, by } => {
                api.patch_module(&desired, &self.config.env, by.as_deref()).await
            }
            Request::PatchModuleStatus { module, status, .. } => {
                api.patch_module_status(&module, &status).await
            }
            Request::DeleteModule { module, resource_version, .. } => {
                api.delete_module(&module, resource_version).await
            }
            Request::ScaleDeployment { deployment, replicas, resource_version } => {
                api.scale_deployment(&deployment, replicas, resource_version).await
            }
            Request::RecordRollout { workload, rolled_out, at } => {
                api.record_rollout(&workload, &rolled_out, at).await
            }
            Request::PatchPlanStatus { plan, resource_version, generation, env, status } => {
                api.patch_plan_status(
                    &plan,
                    resource_version,
                    generation,
                    (&env, self.config.language),
                    &status,
                )
                .await
            }
            Request::PatchBaselineStatus { baseline, resource_version, status } => {
                api.patch_baseline_status(&baseline, resource_version, self.config.language, &status).await
            }
            // None of a lane's.
            Request::WriteMember(_) | Request::ReadMember { .. } | Request::FindBasePod { .. } => {
                return None;
            }
        };
        if let Err(error) = &result {
            tracing::debug!(?write, %error, "a write failed");
        }
        Some(Event::Written { write, result })
    }
}

/// The end of a request that was not begun.
fn refused(request: Request, error: &WriteError) -> Option<Event> {
    match request {
        Request::FindBasePod { base, .. } => Some(Event::BasePod { base, found: Err(error.clone()) }),
        request => request.write().map(|write| Event::Written { write, result: Err(error.clone()) }),
    }
}
