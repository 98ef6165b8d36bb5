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
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    arklet::{self, Commands, Machine},
    fetch::{self, Fetcher},
    health::{Status, own::Asked},
    identity,
    modules::Modules,
    server::Server,
    settings::Settings,
    tunnel::{self, Told},
    web::{Actuator, Started, Web},
};

/// The threads of everything but modules.
const THREADS: usize = 2;

/// The most connections to modules and the actuator, and to Arklet: a controller needs few.
const WEB_CONNECTIONS: usize = 2_048;
const ARKLET_CONNECTIONS: usize = 64;

/// Runs a base until it is told to end.
pub(crate) fn run(file: Option<&Path>, flags: &[String]) -> Result<()> {
    let settings = Settings::read(file, flags)?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
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
    host: Arc<Host>,
    modules: Arc<Modules>,
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
        let own = std::env::current_exe().context("where this program is")?;
        let host = Arc::new(Host::new(Options {
            compiler: (own, vec!["compile".to_owned()]),
            compiler_limits: CompilerLimits::default(),
            cache: data.join("compiled"),
            threads: settings.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)),
            instances: settings.instances,
            ceilings: settings.ceilings.clone(),
        })?);
        let config = Config {
            keeps_broken: settings.keeps_broken,
            is_silent_first: !settings.waits.silence.is_zero(),
            max_biz: settings.max_biz,
        };
        let modules = Modules::new(host.clone(), Fetcher::new(), config, settings.waits);
        Ok(Self { settings, identity, host, modules, started: Arc::default() })
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
        let mut parts = tokio::task::JoinSet::new();
        let web = self.web();
        parts.spawn(web_server.serve(move |request| web.clone().answer(request), ended.clone()));
        let (commands, identity) = (self.commands(), Arc::<str>::from(self.identity.as_str()));
        parts.spawn(arklet_server.serve(
            move |request| arklet::server::answer(request, commands.clone(), identity.clone()),
            ended.clone(),
        ));
        let mut stop = signal(SignalKind::terminate()).context("listening to signals")?;
        tokio::select! {
            () = self.install_first() => {
                if let Some(controller) = self.settings.heartbeat.clone() {
                    let (told, period) = (self.told(arklet_port), self.settings.heartbeat_period);
                    parts.spawn(tunnel::http::beat(controller, told, period, ended.clone()));
                }
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

    /// What belongs to the base's own start. The base is ready when all of it was tried; what failed keeps it from being
    /// healthy.
    async fn install_first(&self) {
        let mut status = Status::Up;
        let mut of_start = BTreeSet::new();
        if let Some(folder) = &self.settings.static_dir {
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
        }
        let mut started = self.started.write().unwrap_or_else(PoisonError::into_inner);
        *started = Started { status: Some(status), modules: of_start };
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

    fn commands(&self) -> Arc<Commands> {
        let machine = Machine {
            name: self.settings.name.clone(),
            version: self.settings.version.clone(),
            host: self.host.clone(),
        };
        Commands::new(self.modules.clone(), machine)
    }

    fn told(&self, arklet_port: u16) -> Told {
        let settings = &self.settings;
        let ip = || identity::local_ip(settings.web.ip(), settings.heartbeat.as_ref());
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
