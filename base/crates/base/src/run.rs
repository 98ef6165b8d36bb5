//! The base from its start to its end.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    thread::available_parallelism,
};

use anyhow::{Context as _, Result};
use host::{CompilerLimits, Host, Options, Start};
use lifecycle::{Config, Install, Strategy};
use model::{BaseIdentity, BizName};
use serde_json::Value;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    arklet::{self, Commands, Logs, Machine, Order},
    fetch::{self, Fetcher},
    health::{Status, own::Asked},
    identity,
    modules::Modules,
    playback,
    server::Server,
    settings::Settings,
    trust,
    tunnel::{self, Told, broker::Broker},
    web::{Actuator, Started, Web},
};

/// The threads of everything but modules.
const THREADS: usize = 2;

/// The threads that read files and look up names.
const BLOCKING_THREADS: usize = 4;

/// What is logged where RUST_LOG says nothing. What wasmtime warns of is what modules do, as often as they like.
const LOGGED: &str = "info,wasmtime_wasi=error,wasmtime_wasi_http=error";

/// The most connections to modules and the actuator, and to Arklet: a controller needs few.
const WEB_CONNECTIONS: usize = 2_048;
const ARKLET_CONNECTIONS: usize = 64;

/// Runs a base until it is told to end.
pub(crate) fn run(file: Option<&Path>, flags: &[String]) -> Result<()> {
    let settings = Settings::read(file, flags)?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| LOGGED.into()),
        )
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("base")
        .enable_all()
        .build()
        .context("starting threads")?;
    runtime.block_on(Base::start(settings)?.live())
}

/// A base with everything that it is made of, before it listens.
struct Base {
    settings: Settings,
    identity: BaseIdentity,
    modules: Arc<Modules>,
    commands: Arc<Commands>,
    started: Arc<RwLock<Started>>,
}

impl Base {
    fn start(settings: Settings) -> Result<Self> {
        let data = &settings.data;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .with_context(|| format!("creating {}", data.display()))?;
        let identity = identity::identity(&settings.identity, data)?;
        let tls = trust::client_config(settings.authorities.as_deref())?;
        let own = std::env::current_exe().context("where this program is")?;
        let host = Arc::new(Host::new(Options {
            compiler: (own, vec!["compile".to_owned()]),
            compiler_limits: CompilerLimits::default(),
            cache: data.join("compiled"),
            threads: settings.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
            instances: settings.instances,
            ceilings: settings.ceilings.clone(),
            networks: settings.networks.clone(),
            tls: tls.clone(),
        })?);
        let config = Config {
            keeps_broken: settings.keeps_broken,
            is_silent_first: !settings.waits.silence.is_zero(),
            max_biz: settings.max_biz,
        };
        let modules = Modules::new(host.clone(), Fetcher::new(tls), config, settings.waits);
        let machine = Machine { name: settings.name.clone(), version: settings.version.clone(), host };
        let commands = Commands::new(modules.clone(), machine);
        Ok(Self { settings, identity, modules, commands, started: Arc::default() })
    }

    async fn live(self) -> Result<()> {
        let (end, ended) = watch::channel(false);
        let listen = |address, connections| async move {
            let server = Server::bind(address, connections).await;
            server.with_context(|| format!("listening at {address}"))
        };
        let web_server = listen(self.settings.web, WEB_CONNECTIONS).await?;
        let arklet_server = listen(self.settings.arklet, ARKLET_CONNECTIONS).await?;
        let arklet_port = arklet_server.address().port();
        tracing::info!(
            identity = %self.identity, web = %web_server.address(), arklet = %arklet_server.address(),
            "the base listens"
        );
        let mut parts = JoinSet::new();
        let web = self.web();
        parts.spawn(web_server.serve(move |request| web.clone().answer(request), ended.clone()));
        let (commands, identity) = (self.commands.clone(), Arc::<str>::from(self.identity.as_str()));
        let logs = Logs::new(self.modules.clone(), ended.clone());
        parts.spawn(arklet_server.serve(
            move |request| arklet::server::answer(request, commands.clone(), logs.clone(), identity.clone()),
            ended.clone(),
        ));
        let (is_ready, ready) = watch::channel(false);
        let told = self.told(arklet_port);
        let baseline = self.talk_over_mqtt(&mut parts, &told, ready, &ended)?;
        let mut stop = signal(SignalKind::terminate()).context("listening to signals")?;
        tokio::select! {
            failed = self.install_first(&told, baseline) => {
                if !failed.is_empty() {
                    parts.spawn(playback::retry(self.modules.clone(), failed, ended.clone()));
                }
                if let Some(controller) = self.settings.heartbeat.clone() {
                    let period = self.settings.heartbeat_period;
                    parts.spawn(tunnel::http::beat(controller, told.clone(), period, ended.clone()));
                }
                is_ready.send_replace(true);
                tracing::info!("the base is ready");
                tokio::select! {
                    _ = stop.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            _ = stop.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("the base ends");
        end.send_replace(true);
        while parts.join_next().await.is_some() {}
        Ok(())
    }

    /// Begins to talk with the broker, where there is one; gives where the baseline comes from then.
    fn talk_over_mqtt(
        &self,
        parts: &mut JoinSet<()>,
        told: &Told,
        ready: watch::Receiver<bool>,
        ended: &watch::Receiver<bool>,
    ) -> Result<Option<mpsc::Receiver<Value>>> {
        let Some(mqtt) = &self.settings.mqtt else { return Ok(None) };
        let (tell, baseline) = mpsc::channel(1);
        // Where HTTP is there too, it is asked over HTTP.
        let asks = self.settings.playback && self.settings.heartbeat.is_none();
        let tunnel = tunnel::mqtt::Tunnel {
            broker: Broker::open(mqtt, self.identity.as_str())?,
            // Commands come by the broker; logs and figures are asked for at Arklet's port all the same.
            told: told.clone(),
            commands: self.commands.clone(),
            period: self.settings.heartbeat_period,
            ready,
            baseline: asks.then_some(tell),
        };
        parts.spawn(tunnel.run(ended.clone()));
        Ok(Some(baseline))
    }

    /// What belongs to the base's own start: what is merged statically, and its baseline. The base is ready when all of it
    /// was tried; what failed keeps it from being healthy, and what failed of the baseline is given.
    async fn install_first(&self, told: &Told, over_mqtt: Option<mpsc::Receiver<Value>>) -> Vec<Order> {
        let (status, mut of_start) = self.merge_all().await;
        let mut failed = Vec::new();
        if self.settings.playback {
            let orders = self.baseline(told, over_mqtt).await;
            tracing::info!("the baseline has {} modules", orders.len());
            of_start.extend(playback::names(&orders));
            failed = playback::install(&self.modules, orders).await;
        }
        let mut started = self.started.write().unwrap_or_else(PoisonError::into_inner);
        *started = Started { status: Some(status), modules: of_start };
        failed
    }

    async fn baseline(&self, told: &Told, over_mqtt: Option<mpsc::Receiver<Value>>) -> Vec<Order> {
        if let Some(controller) = &self.settings.heartbeat {
            return playback::ask(async || tunnel::http::query_baseline(controller, told).await).await;
        }
        let Some(mut baselines) = over_mqtt else { return Vec::new() };
        playback::ask(async || baselines.recv().await.ok_or_else(|| "the base ends".to_owned())).await
    }

    async fn merge_all(&self) -> (Status, BTreeSet<BizName>) {
        let (mut status, mut of_start) = (Status::Up, BTreeSet::new());
        let Some(folder) = &self.settings.static_dir else { return (status, of_start) };
        match fetch::packages_in(folder) {
            Ok(urls) => {
                for url in urls {
                    let name = self.merge(url).await;
                    status = status.max(if name.is_some() { Status::Up } else { Status::Down });
                    of_start.extend(name);
                }
            }
            Err(error) => {
                tracing::error!("no module is merged statically: {error}");
                status = Status::Down;
            }
        }
        (status, of_start)
    }

    /// Installs one package of the base's own; its name where it is installed.
    async fn merge(&self, url: String) -> Option<BizName> {
        let order = Install { id: None, url: url.clone(), strategy: Strategy::InstallOnly };
        match self.modules.install(order, Start::default()).await {
            Ok(biz) => biz.map(|biz| biz.id.name),
            Err(refusal) => {
                tracing::error!("{url} was not installed: {refusal}");
                None
            }
        }
    }

    fn web(&self) -> Arc<Web> {
        let actuator = Actuator {
            modules: self.modules.clone(),
            base: (self.settings.name.clone(), self.settings.version.clone()),
            data: self.settings.data.clone(),
            shown: self.settings.shown.clone(),
            started: self.started.clone(),
            asked: Arc::<Asked>::default(),
        };
        Web::new(self.modules.clone(), actuator)
    }

    fn told(&self, arklet_port: u16) -> Told {
        let settings = &self.settings;
        let ip = || identity::local_ip(settings.web.ip(), settings.talks_to());
        Told {
            identity: self.identity.as_str().to_owned(),
            name: settings.name.clone(),
            version: settings.version.clone(),
            cluster: settings.cluster.clone(),
            host_name: settings.host_name.clone().unwrap_or_else(identity::host_name),
            ip: settings.local_ip.unwrap_or_else(ip),
            port: arklet_port,
        }
    }
}
