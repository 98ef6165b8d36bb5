//! A module that is ready to answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use package::Manifest;
use tokio::sync::{Semaphore, watch};
use wasmtime::component::Component;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::{
    engine::Host,
    error::{HostError, LoadError},
    faults::{Faults, Recent},
    instance::{self, Idle},
    limits::Quota,
    log::Log,
    outbound::Outbound,
    output::Output,
    store::State,
};

/// The longest that requests at work are waited for after they were told to end: they end at their next turn.
const LAST: Duration = Duration::from_secs(1);

/// What a module is started with.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Its arguments; the first is its name.
    pub args: Vec<String>,
    /// Its environment.
    pub envs: Vec<(String, String)>,
}

/// A module that is ready to answer.
pub struct Module {
    pub(crate) host: Arc<Host>,
    pub(crate) pre: ProxyPre<State>,
    pub(crate) start: Start,
    pub(crate) quota: Quota,
    pub(crate) output: Output,
    pub(crate) outbound: Option<Arc<Outbound>>,
    pub(crate) faults: Faults,
    pub(crate) idle: Idle,
    /// One for each request that may be at work.
    pub(crate) places: Arc<Semaphore>,
    /// One for the questions of the base itself, so that a module that is busy still says how it is.
    pub(crate) own_place: Arc<Semaphore>,
    pub(crate) is_leaving: AtomicBool,
    /// Whether what is at work shall end.
    pub(crate) end: watch::Sender<bool>,
}

impl Host {
    /// Makes a package ready: compiled, or taken from the cache, and linked. No code of it runs.
    ///
    /// # Errors
    /// Where it is no component that answers HTTP, or needs more to compile than is allowed.
    pub async fn load(
        self: &Arc<Self>,
        package: Bytes,
        manifest: &Manifest,
        start: Start,
    ) -> Result<Arc<Module>, LoadError> {
        let component = self.compiled.component(&self.engine, package).await?;
        let pre = self.link(&component)?;
        let quota = Quota::new(&manifest.limits, &self.ceilings);
        let biz = manifest.id.to_string();
        let mut args = vec![manifest.id.name.to_string()];
        args.extend(start.args);
        let places = usize::try_from(quota.concurrent_requests).unwrap_or(usize::MAX);
        let module = Arc::new(Module {
            host: self.clone(),
            pre,
            start: Start { args, envs: start.envs },
            output: Output::new(
                &biz,
                usize::try_from(self.ceilings.log_kib).unwrap_or(usize::MAX).saturating_mul(1024),
            ),
            outbound: Outbound::new(
                &manifest.outbound_hosts,
                &self.networks,
                &self.tls,
                quota.response_bytes,
            ),
            faults: Faults::default(),
            idle: Idle::default(),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            own_place: Arc::new(Semaphore::new(1)),
            is_leaving: AtomicBool::new(false),
            end: watch::channel(false).0,
            quota,
        });
        instance::watch(&module);
        Ok(module)
    }

    fn link(&self, component: &Component) -> Result<ProxyPre<State>, LoadError> {
        let linked = self.linker.instantiate_pre(component).and_then(ProxyPre::new);
        linked.map_err(|error| LoadError::DoesNotFit(format!("{error:#}")))
    }
}

impl Module {
    /// What it gets.
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// How its last requests ended.
    pub fn recent(&self) -> Recent {
        self.faults.recent()
    }

    /// What it printed last.
    pub fn log(&self) -> &Arc<Log> {
        self.output.log()
    }

    /// Lets no request in any more, waits until those at work have ended, and ends those that have not within `limit`.
    /// Whether none had to be ended.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.is_leaving.store(true, Ordering::SeqCst);
        let all = self.quota.concurrent_requests;
        if tokio::time::timeout(limit, self.places.acquire_many(all)).await.is_ok() {
            return true;
        }
        self.end.send_replace(true);
        // An answer that is complete and only not read yet is not waited for.
        let _ = tokio::time::timeout(LAST, self.places.acquire_many(all)).await;
        false
    }

    pub(crate) fn runtime(&self) -> Result<&tokio::runtime::Runtime, HostError> {
        let ended = || HostError::Engine("the base ends".to_owned());
        self.host.runtime().ok_or_else(ended)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.output.log().close();
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("start", &self.start.args).finish_non_exhaustive()
    }
}
