//! One replica: the process that runs in it, its clocks, its fence, and what is on its way inside it.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arklet::AnswerKey;
use engine::{
    Action, ClusterConfig, ClusterEvent, Config, Engine, Event, Fencing, Now, Request, Watched,
    view::{Door, PodView},
};
use model::{BaseIdentity, Fence, Language, Pass, TunnelKind};

use crate::{
    clock::{Clock, TRUE_RATE},
    told::{Source, Told},
};

/// In how many levels of work replicas are told apart: the manual's default.
const LEVELS: u32 = 3;

/// One process of a replica, which is told things only while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Which replica.
    pub replica: usize,
    /// Which of all processes that ever were.
    pub number: u32,
}

/// Something on its way inside a process: while it is paused, it waits.
#[derive(Debug, Clone)]
pub(crate) enum Inside {
    /// The engine is told.
    Tell(Event),
    /// A watch tells something, if it is still the same watch.
    Watch { kind: Watched, stream: u32, event: Event },
    /// A watch is to begin, or to begin anew.
    Relist { kind: Watched, stream: u32 },
    /// The list that a watch begins with has come.
    Listed { kind: Watched, stream: u32, objects: Vec<Event> },
    /// What was decided is sent, if it still may be.
    Send { pass: Pass, who: Arc<str>, action: Box<Action> },
    /// The API server has answered.
    Response { request: u64, returned: Option<Event>, end: Event },
    /// An answer of a base came: over HTTP to one call, over MQTT to whoever hears it.
    Answered { call: Option<u64>, event: Event },
    /// A call has been waited for long enough.
    CallExpires(u64),
    /// A request has been waited for long enough.
    RequestExpires(u64),
    /// The broker is tried.
    Connect,
    /// The connection to the broker is found to be dead.
    Disconnected,
}

/// The watch of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stream {
    /// Which watch it is: what an earlier one had on its way is lost.
    pub number: u32,
    /// The server tells it of changes.
    pub open: bool,
    /// What it tells comes in order: the last of it then.
    pub told_until: Duration,
}

/// A replica.
#[derive(Debug)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// The process; none while it is dead.
    pub running: Option<Running>,
    /// It does not reach the API server.
    pub without_api: bool,
    /// It does not reach the bases, nor the broker.
    pub without_bases: bool,
    /// The UID of the Pod that it runs in.
    pub pod_uid: Arc<str>,
    /// How fast its clock goes.
    pub rate: u32,
}

/// A process.
#[derive(Debug)]
pub struct Running {
    /// Which.
    pub number: u32,
    /// The real engine.
    pub engine: Engine,
    /// Its clocks.
    pub clock: Clock,
    /// It is stopped (SIGSTOP).
    pub paused: bool,
    /// It will be, between the next decision and sending it.
    pub pauses_next: bool,
    /// What came in while it is.
    pub(crate) waiting: Vec<Inside>,
    /// What its engine was told of Pods, by UID.
    pub pods: BTreeMap<Arc<str>, PodView>,
    /// What it was told of all objects.
    pub told: Told,
    /// Its watches.
    pub streams: BTreeMap<usize, Stream>,
    /// Its requests to the API server that have no answer yet, with what is told where none comes.
    pub requests: BTreeMap<u64, Request>,
    /// Its commands that have no answer yet.
    pub calls: BTreeMap<u64, (TunnelKind, BaseIdentity, AnswerKey)>,
    /// It is connected to the broker.
    pub connected: bool,
    /// Which others take what it sends on.
    pub others: BTreeMap<Arc<str>, Door>,
    /// What is decided is sent in order: the last of it then.
    pub sends_until: Duration,
    fence: Fence,
    boot: Arc<AtomicU64>,
    incarnation: Option<Arc<str>>,
    epoch: u64,
}

/// The kinds that are watched: by all, by those that share the VNodes, and by those that manage Deployments.
pub const WATCHES: [Watched; 12] = [
    Watched::Nodes,
    Watched::Services,
    Watched::ReplicaSets,
    Watched::UpstreamReplicaSets,
    Watched::Pods,
    Watched::Modules,
    Watched::Members,
    Watched::Leases,
    Watched::Permits,
    Watched::Deployments,
    Watched::DaemonSets,
    Watched::Plans,
];

/// The place of a kind among [`WATCHES`].
pub fn place(kind: Watched) -> usize {
    WATCHES.iter().position(|watched| *watched == kind).unwrap_or(WATCHES.len())
}

impl Replica {
    /// One of this number, which does not run yet.
    pub fn new(number: usize) -> Self {
        Self {
            name: format!("replica-{number}"),
            running: None,
            without_api: false,
            without_bases: false,
            pod_uid: format!("pod-uid-{number}").into(),
            rate: TRUE_RATE,
        }
    }

    /// The process that runs, and is not paused.
    pub fn awake(&mut self) -> Option<&mut Running> {
        self.running.as_mut().filter(|running| !running.paused)
    }
}

impl Running {
    /// A process that has just been started; one of several (`shares`), or the only one.
    pub fn start(replica: &Replica, number: u32, shares: bool, deployments: bool, now: Duration) -> Self {
        let mut config = Config {
            module_deployments: deployments,
            metric_servers: crate::plans::METRICS.parse().into_iter().collect(),
            // Whoever acts for a base next may speak another language, and writes no more for that.
            language: if number.is_multiple_of(2) { Language::English } else { Language::Chinese },
            ..Config::new("sim")
        };
        let incarnation: Option<Arc<str>> = shares.then(|| format!("i{number}").into());
        if let Some(incarnation) = &incarnation {
            config.cluster = Some(ClusterConfig {
                client_id: replica.name.as_str().into(),
                incarnation: incarnation.clone(),
                pod_uid: replica.pod_uid.clone(),
                levels: LEVELS,
            });
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7_777));
            config.door = Some(Door { address, key: "key".into() });
        }
        let boot = Arc::new(AtomicU64::new(0));
        let fence = match shares {
            true => {
                let boot = boot.clone();
                Fence::new(move || Duration::from_nanos(boot.load(Ordering::Relaxed)))
            }
            false => Fence::open(),
        };
        let is_watched = |kind: &&Watched| match kind {
            Watched::Members | Watched::Leases | Watched::Permits => shares,
            Watched::Deployments | Watched::DaemonSets | Watched::Plans => deployments,
            _ => true,
        };
        let kinds = WATCHES.iter().filter(is_watched);
        Self {
            number,
            engine: Engine::new(config),
            clock: Clock::new(now, replica.rate),
            paused: false,
            pauses_next: false,
            waiting: Vec::new(),
            pods: BTreeMap::new(),
            told: Told::default(),
            streams: kinds.map(|kind| (place(*kind), Stream::default())).collect(),
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            connected: false,
            others: BTreeMap::new(),
            sends_until: Duration::ZERO,
            fence,
            boot,
            incarnation,
            epoch: 1,
        }
    }

    /// As whom it holds what it owns; empty where it is the only one.
    pub fn who(&self) -> Arc<str> {
        self.incarnation.as_ref().map(|name| format!("{name}-{}", self.epoch).into()).unwrap_or_default()
    }

    /// It shares the VNodes with others.
    pub fn shares(&self) -> bool {
        self.incarnation.is_some()
    }

    /// The time as it takes it for.
    pub fn time(&self, now: Duration) -> Now {
        let mono = self.clock.elapsed(now);
        self.boot.store(u64::try_from(mono.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Now { mono, wall: self.clock.wall(now) }
    }

    /// Whether the engine is to be told this, which comes from there.
    pub fn hears(&mut self, event: &Event, source: Source) -> bool {
        self.told.tells(event, source)
    }

    /// Leave to send what is decided now.
    pub fn pass(&self) -> Pass {
        self.fence.pass()
    }

    /// What may be sent changes.
    pub fn set_fence(&mut self, change: Fencing) {
        match change {
            Fencing::OpenUntil { epoch, until } => {
                self.epoch = epoch;
                self.fence.open_until(epoch, until);
            }
            Fencing::Shut { epoch } => {
                self.epoch = epoch;
                self.fence.shut(epoch);
            }
        }
    }

    /// True time at which it wants to be looked at.
    pub fn next_wake(&self) -> Option<Duration> {
        self.engine.next_wake().map(|at| self.clock.when(at))
    }

    /// A view of a Pod, or its end, is about to be told.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Cluster(ClusterEvent::Pod(pod)) => {
                drop(self.pods.insert(pod.pod.uid.clone(), (**pod).clone()))
            }
            Event::Cluster(ClusterEvent::PodGone(pod)) => drop(self.pods.remove(&pod.uid)),
            _ => {}
        }
    }
}
