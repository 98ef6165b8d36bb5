//! The wiring: parts are made, joined by channels, run, and ended in order.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::Context as _;
use cluster::{ClientConfig, DeliveryFilter, Server, WatchConfig, Writer, WriterConfig};
use engine::Engine;
use model::Fence;
use report::Reporter;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
};

use crate::{
    admin::{Admin, Queues},
    clock::Clock,
    commands::Commands,
    dispatch::{CLUSTER_EVENTS, Loop, Pulse, TUNNEL_EVENTS},
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

async fn work(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        env = %settings.engine.env,
        client_id = settings.client_id,
        "module-controller starts"
    );
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let user_agent = concat!("module-controller/", env!("CARGO_PKG_VERSION")).to_owned();
    let config = ClientConfig { user_agent, ..ClientConfig::default() };
    let server = Server::configured(config).await?;
    let api_server = server.addresses().await;
    let client = server.client()?;
    let (cluster_sender, cluster_events) = mpsc::channel(CLUSTER_EVENTS);
    let (tunnel_sender, tunnel_events) = mpsc::channel(TUNNEL_EVENTS);
    // The page of metrics must not keep the loop from ending.
    let (cluster_queue, tunnel_queue) = (cluster_sender.downgrade(), tunnel_sender.downgrade());
    let (stop, stopped) = watch::channel(false);
    let clock = Clock::start();
    let shared = settings.engine.cluster.is_some();
    let fence = if shared { Fence::new(move || clock.elapsed()) } else { Fence::open() };
    let (tunnels, broker) = Tunnels::start(&settings, &fence, api_server, tunnel_sender).await?;
    let told = DeliveryFilter::new();
    let watches = Arc::new(cluster::watch(
        client.clone(),
        WatchConfig {
            env: settings.engine.env.clone(),
            module_deployments: settings.engine.module_deployments,
            members: shared.then(|| settings.engine.namespace.to_string()),
            ..WatchConfig::default()
        },
        cluster_sender.clone(),
        told.clone(),
    ));
    let config = WriterConfig {
        identity: settings.client_id.clone(),
        env: settings.engine.env.to_string(),
        namespace: settings.engine.namespace.to_string(),
        base_namespaces: settings.doors.base_namespaces.clone(),
        fence: fence.clone(),
        ..WriterConfig::default()
    };
    let writer = Writer::new(client, config, cluster_sender, told);
    let pulse = Pulse::new();
    let reporter = Reporter::start(settings.hooks.clone(), report::Config::new(&*settings.engine.env))
        .context("REPORT_HOOKS: starting the reporter")?;
    let commands = Commands::default();
    let pod_starts = pod_starts::histogram();
    let admin = Admin {
        commands: commands.clone(),
        pod_starts: pod_starts.clone(),
        process: Process::own(),
        queues: Queues { cluster: cluster_queue, tunnels: tunnel_queue },
        pulse: pulse.clone(),
        watches: watches.clone(),
        tunnels: tunnels.clone(),
        counters: writer.counters(),
        reporter: reporter.clone(),
    };
    admin.serve(&settings, stopped.clone()).await?;
    let engine = Engine::new(engine::Config { door: tunnels.door(), ..settings.engine });
    let (last, last_word) = oneshot::channel();
    let looping = Loop {
        engine,
        cluster_events,
        tunnel_events,
        tunnels: tunnels.clone(),
        asked: Asked::default(),
        watches: watches.clone(),
        writer: writer.clone(),
        reporter: reporter.clone(),
        commands,
        pod_starts: PodStarts::new(pod_starts),
        pulse,
        clock,
        fence,
        stop: stopped,
        last,
    };
    let looping = tokio::spawn(looping.run());

    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
        _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
    }
    // Nothing new is begun, then what is under way ends, then the connections.
    let _ = stop.send(true);
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
    tracing::info!("ended");
    Ok(())
}
