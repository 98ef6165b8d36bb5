//! The modules of this base: the life cycle's actions carried out on real packages and real code.

mod probe;
mod routes;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use host::{Host, LoadError, Module, Start};
use jiff::Timestamp;
use lifecycle::{Action, Biz, Event, Failure, Fetched, Install, Instance, Lifecycle, OpId, Outcome, Refusal};
use model::BizId;
use package::Manifest;
use tokio::sync::oneshot;

pub(crate) use self::{
    probe::{Answer, Probe},
    routes::{NoEntry, Routes},
};
use crate::fetch::Fetcher;

/// What an uninstallation waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// While a module that is about to go still serves.
    pub(crate) silence: Duration,
    /// For requests at work, after no more are let in.
    pub(crate) drain: Duration,
}

/// The modules of this base.
#[derive(Debug)]
pub(crate) struct Modules {
    host: Arc<Host>,
    fetcher: Fetcher,
    routes: Routes,
    waits: Waits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lifecycle: Lifecycle,
    last_op: u64,
    waiting: HashMap<OpId, oneshot::Sender<Outcome>>,
    starts: HashMap<OpId, Start>,
    packages: HashMap<OpId, (Bytes, Manifest)>,
    code: HashMap<Instance, Arc<Module>>,
}

impl Modules {
    pub(crate) fn new(
        host: Arc<Host>,
        fetcher: Fetcher,
        config: lifecycle::Config,
        waits: Waits,
    ) -> Arc<Self> {
        let state = State {
            lifecycle: Lifecycle::new(config),
            last_op: 0,
            waiting: HashMap::new(),
            starts: HashMap::new(),
            packages: HashMap::new(),
            code: HashMap::new(),
        };
        Arc::new(Self { host, fetcher, routes: Routes::default(), waits, state: Mutex::new(state) })
    }

    /// Who serves where.
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Those that there are, in the order in which they came.
    pub(crate) fn biz(&self) -> Vec<Biz> {
        self.state().lifecycle.biz().to_vec()
    }

    /// Those that there are, with their code where it is loaded.
    pub(crate) fn with_code(&self) -> Vec<(Biz, Option<Arc<Module>>)> {
        let state = self.state();
        let all = state.lifecycle.biz().iter();
        all.map(|biz| (biz.clone(), state.code.get(&biz.instance).cloned())).collect()
    }

    /// The installations that failed, and that nothing has mended since.
    pub(crate) fn failed(&self) -> Vec<BizId> {
        self.state().lifecycle.failed().cloned().collect()
    }

    /// Installs, and waits until that is done.
    pub(crate) async fn install(self: &Arc<Self>, order: Install, start: Start) -> Outcome {
        self.carry_out(|op, state| {
            state.starts.insert(op, start);
            Event::Install(op, order)
        })
        .await
    }

    /// Uninstalls, and waits until that is done.
    pub(crate) async fn uninstall(self: &Arc<Self>, id: BizId) -> Outcome {
        self.carry_out(|op, _| Event::Uninstall(op, id)).await
    }

    /// Has another version serve.
    pub(crate) async fn switch(self: &Arc<Self>, id: BizId) -> Outcome {
        self.carry_out(|op, _| Event::Switch(op, id)).await
    }

    async fn carry_out(self: &Arc<Self>, event: impl FnOnce(OpId, &mut State) -> Event) -> Outcome {
        let (tell, told) = oneshot::channel();
        {
            let mut state = self.state();
            state.last_op += 1;
            let op = OpId(state.last_op);
            state.waiting.insert(op, tell);
            let event = event(op, &mut state);
            self.step(&mut state, event);
        }
        let ended = |_| Refusal::Failed(Failure::Internal("the base ends".to_owned()));
        told.await.map_err(ended)?
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happened(self: &Arc<Self>, event: Event) {
        self.step(&mut self.state(), event);
    }

    /// What takes no time is done before anybody else looks; the rest tells its end.
    fn step(self: &Arc<Self>, state: &mut State, event: Event) {
        for action in state.lifecycle.step(event, Timestamp::now().as_millisecond()) {
            match action {
                Action::Serve { web_context_path, instance } => match state.code.get(&instance) {
                    Some(module) => self.routes.serve(web_context_path, module.clone()),
                    // The life cycle's own test shows that it does not come to this.
                    None => {
                        tracing::error!("{instance:?} shall serve at {web_context_path} and is not loaded")
                    }
                },
                Action::Close { web_context_path } => self.routes.close(&web_context_path),
                Action::Drop(instance) => {
                    state.code.remove(&instance);
                }
                Action::Discard(op) => {
                    state.packages.remove(&op);
                }
                Action::Finish(op, outcome) => {
                    state.starts.remove(&op);
                    // Whoever asked may have gone.
                    if let Some(tell) = state.waiting.remove(&op) {
                        let _ = tell.send(outcome);
                    }
                }
                takes_time => self.begin(state, takes_time),
            }
        }
    }

    fn begin(self: &Arc<Self>, state: &mut State, action: Action) {
        let modules = self.clone();
        match action {
            Action::Fetch { op, url } => {
                tokio::spawn(async move {
                    let fetched = modules.fetch(op, &url).await;
                    modules.happened(Event::Fetched(op, fetched));
                });
            }
            Action::Load { op } => {
                let package = state.packages.remove(&op);
                let start = state.starts.remove(&op).unwrap_or_default();
                tokio::spawn(async move {
                    let loaded = modules.load(op, package, start).await;
                    modules.happened(Event::Loaded(op, loaded));
                });
            }
            Action::KeepSilent(op) => {
                tokio::spawn(async move {
                    tokio::time::sleep(modules.waits.silence).await;
                    modules.happened(Event::Silent(op));
                });
            }
            Action::Drain(instance) => {
                let module = state.code.get(&instance).cloned();
                tokio::spawn(async move {
                    if let Some(module) = module
                        && !module.drain(modules.waits.drain).await
                    {
                        tracing::warn!(
                            "requests were ended after {:?}, with their module",
                            modules.waits.drain
                        );
                    }
                    modules.happened(Event::Drained(instance));
                });
            }
            Action::Serve { .. }
            | Action::Close { .. }
            | Action::Drop(_)
            | Action::Discard(_)
            | Action::Finish(..) => {}
        }
    }

    async fn fetch(&self, op: OpId, url: &str) -> Result<Fetched, Failure> {
        let bytes = self.fetcher.fetch(url).await?;
        let manifest = package::read(&bytes).map_err(|error| Failure::BadPackage(error.to_string()))?;
        let fetched =
            Fetched { id: manifest.id.clone(), web_context_path: manifest.web_context_path.clone() };
        self.state().packages.insert(op, (bytes, manifest));
        Ok(fetched)
    }

    /// Makes a package ready and asks it how it is: what does not answer then does not get to serve.
    async fn load(&self, op: OpId, package: Option<(Bytes, Manifest)>, start: Start) -> Result<(), Failure> {
        let no_package = || Failure::Internal("the package was lost".to_owned());
        let (bytes, manifest) = package.ok_or_else(no_package)?;
        let module = self.host.load(bytes, &manifest, start).await.map_err(of_load)?;
        self.state().code.insert(Instance(op.0), module.clone());
        match Probe::ask(&module, "/actuator/health", module.quota().request).await {
            Ok(answer) if answer.is_well() => Ok(()),
            Ok(answer) => Err(Failure::StartUp(format!("it says that it is not healthy: {answer}"))),
            Err(error) => Err(Failure::StartUp(error.to_string())),
        }
    }
}

fn of_load(error: LoadError) -> Failure {
    match error {
        LoadError::Invalid(_) | LoadError::DoesNotFit(_) => Failure::BadPackage(error.to_string()),
        LoadError::CompilerLimit(_) => Failure::StartUp(error.to_string()),
        LoadError::Host(_) => Failure::Internal(error.to_string()),
    }
}
