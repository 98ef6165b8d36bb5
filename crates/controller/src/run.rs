//! The wiring: parts are made, joined by channels, run, and ended in order.

use std::{net::SocketAddr, sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::Context as _;
use board::Serving;
use cluster::{ClientConfig, DeliveryFilter, Server, WatchConfig, Watches, Writer, WriterConfig};
use engine::{Engine, Event, view::MemberView};
use kubelet::{Kubelet, Parts};
use metric::Asker;
use model::Fence;
use report::Reporter;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tunnel::{AddressRule, Addresses, EmbeddedBroker};

use crate::{
    admin::{Admin, Queues},
    clock::Clock,
    commands::Commands,
    dispatch::{self, CLUSTER_EVENTS, Loop, Pulse, TUNNEL_EVENTS},
    health::HealthAsker,
    metrics::Process,
    pod_starts::{self, PodStarts},
    settings::Settings,
    tunnels::{Asked, Tunnels},
};

/// The most threads, however many processors a machine has: one decides, the others read and write JSON and TLS for it, and
/// each keeps memory of its own at hand.
const MOST_THREADS: usize = 4;

/// How long the writes under way may take at the end: less than the 30 s that a Pod is given.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// How long the last reports may take, at the same time: a robot answers within a second.
const LAST_REPORTS: Duration = Duration::from_secs(3);

/// Runs the controller until SIGTERM or SIGINT.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let threads = available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(work(settings))
}

/// The ways in which the system tells a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: ending"),
            _ = self.interrupt.recv() => tracing::info!("SIGINT: ending"),
        }
    }
}

/// What runs, and how it is ended.
struct Running {
    tunnels: Tunnels,
    broker: Option<EmbeddedBroker>,
    writer: Writer,
    reporter: Reporter,
    kubelet: Option<Kubelet>,
    looping: JoinHandle<()>,
    stop: watch::Sender<bool>,
    last_word: oneshot::Receiver<Option<MemberView>>,
}

async fn work(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        env = %settings.engine.env,
        client_id = settings.client_id,
        "module-controller starts"
    );
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    // Before anything is acted for: it may have no port.
    let board = match settings.board {
        Some(listen) => {
            let namespace = settings.engine.namespace.clone();
            let serving = Serving::start(listen, None, &ask::Server::default(), Some(&namespace)).await;
            Some(serving.context("BOARD_LISTEN: serving the board")?)
        }
        None => None,
    };
    let running = Running::start(settings).await?;
    signals.wait().await;
    if let Some(board) = board {
        board.end().await;
    }
    running.end().await;
    tracing::info!("ended");
    Ok(())
}

impl Running {
    async fn start(settings: Settings) -> anyhow::Result<Self> {
        let server = connect().await?;
        let (cluster_sender, cluster_events) = mpsc::channel(CLUSTER_EVENTS);
        let (tunnel_sender, tunnel_events) = mpsc::channel(TUNNEL_EVENTS);
        // The page of metrics must not keep the loop from ending.
        let queues = Queues { cluster: cluster_sender.downgrade(), tunnels: tunnel_sender.downgrade() };
        let (servers, logins) = (settings.engine.metric_servers.clone(), settings.metric_logins.clone());
        let metrics = Asker::new(servers, logins, cluster_sender.downgrade())
            .context("PLAN_METRIC_SERVERS: setting up TLS")?;
        let (stop, stopped) = watch::channel(false);
        let clock = Clock::start();
        let shared = settings.engine.cluster.is_some();
        let fence = if shared { Fence::new(move || clock.elapsed()) } else { Fence::open() };
        let addresses = may_be_called(&settings, server.addresses().await);
        let health = HealthAsker::new(addresses.clone(), cluster_sender.downgrade());
        let (tunnels, broker) = Tunnels::start(&settings, &fence, addresses.clone(), tunnel_sender).await?;
        let (watches, writer) = join_cluster(&settings, &fence, server, cluster_sender)?;
        let kubelet_requests = Arc::<kubelet::Counts>::default();
        let kubelet = serve_kubelet(&settings, addresses, &writer, kubelet_requests.clone()).await?;
        let pulse = Pulse::new();
        let (questions, asked) = mpsc::channel(dispatch::QUESTIONS);
        let reports = report::Config {
            language: settings.engine.language,
            ..report::Config::new(&*settings.engine.env)
        };
        let reporter = Reporter::start(settings.hooks.clone(), reports)
            .context("REPORT_HOOKS: starting the reporter")?;
        let commands = Commands::default();
        let pod_starts = pod_starts::histogram();
        let admin = Admin {
            commands: commands.clone(),
            pod_starts: pod_starts.clone(),
            process: Process::own(),
            queues,
            pulse: pulse.clone(),
            watches: watches.clone(),
            tunnels: tunnels.clone(),
            counters: writer.counters(),
            kubelet_requests,
            reporter: reporter.clone(),
            questions,
        };
        admin.serve(&settings, stopped.clone()).await?;
        let (last, last_word) = oneshot::channel();
        let looping = Loop {
            engine: Engine::new(engine::Config { door: tunnels.door(), ..settings.engine }),
            cluster_events,
            tunnel_events,
            tunnels: tunnels.clone(),
            asked: Asked::default(),
            watches,
            writer: writer.clone(),
            reporter: reporter.clone(),
            metrics,
            health,
            commands,
            pod_starts: PodStarts::new(pod_starts),
            pulse,
            questions: asked,
            clock,
            fence,
            stop: stopped,
            last,
        };
        let looping = tokio::spawn(looping.run());
        Ok(Self { tunnels, broker, writer, reporter, kubelet, looping, stop, last_word })
    }

    /// Nothing new is begun, then what is under way ends, then the connections.
    async fn end(self) {
        let Self { tunnels, broker, writer, reporter, kubelet, looping, stop, last_word } = self;
        let _ = stop.send(true);
        if let Some(kubelet) = kubelet {
            kubelet.end().await;
        }
        let leave = async {
            // It comes when nothing new is decided, and nothing more sent where there are other replicas.
            let release = last_word.await.ok().flatten();
            let written = writer.shutdown(LAST_WRITES).await;
            // The others take over at once what nothing is sent to any more.
            if let Some(release) = release
                && let Err(error) = writer.last(&release).await
            {
                tracing::warn!(%error, "the other replicas were not told; they find out within 12 s");
            }
            written
        };
        let (written, _) = tokio::join!(leave, reporter.shutdown(LAST_REPORTS));
        if !written {
            tracing::warn!("some writes were cut off; what they were for is decided anew at the next start");
        }
        looping.abort();
        tunnels.shutdown().await;
        if let Some(broker) = broker {
            broker.shutdown().await;
        }
    }
}

/// Which addresses of bases may be called.
fn may_be_called(settings: &Settings, api_server: Vec<SocketAddr>) -> Addresses {
    Addresses::new(AddressRule { networks: settings.doors.networks.clone(), api_server })
}

/// Serves the kubelet API, where it is on, over a connection of its own: logs that are read slowly hold up nothing else.
async fn serve_kubelet(
    settings: &Settings,
    addresses: Addresses,
    writer: &Writer,
    requests: Arc<kubelet::Counts>,
) -> anyhow::Result<Option<Kubelet>> {
    let Some(served) = settings.kubelet.clone() else { return Ok(None) };
    let client = connect().await?.client()?;
    let namespaces = settings.doors.base_namespaces.clone();
    let env = settings.engine.env.to_string();
    let parts = Parts::new(client, env, namespaces, addresses, writer.clone(), requests);
    let kubelet =
        Kubelet::start(served, parts).await.context("KUBELET_PROXY_ENABLED: serving the kubelet API")?;
    Ok(Some(kubelet))
}

async fn connect() -> anyhow::Result<Server> {
    let user_agent = concat!("module-controller/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Server::configured(ClientConfig { user_agent, ..ClientConfig::default() }).await?)
}

/// Watches what is in the cluster, and writes there.
fn join_cluster(
    settings: &Settings,
    fence: &Fence,
    server: Server,
    events: mpsc::Sender<Event>,
) -> anyhow::Result<(Arc<Watches>, Writer)> {
    let client = server.client()?;
    let delivery = DeliveryFilter::new();
    let config = WatchConfig {
        env: settings.engine.env.clone(),
        module_deployments: settings.engine.module_deployments,
        members: settings.engine.cluster.is_some().then(|| settings.engine.namespace.to_string()),
        ..WatchConfig::default()
    };
    let watches = Arc::new(cluster::watch(client.clone(), config, events.clone(), delivery.clone()));
    let config = WriterConfig {
        identity: settings.client_id.clone(),
        env: settings.engine.env.to_string(),
        language: settings.engine.language,
        namespace: settings.engine.namespace.to_string(),
        base_namespaces: settings.doors.base_namespaces.clone(),
        fence: fence.clone(),
        ..WriterConfig::default()
    };
    Ok((watches, Writer::new(client, config, events, delivery)))
}
