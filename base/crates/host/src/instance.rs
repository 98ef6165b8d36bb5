//! Instances: made for a request, and kept for the next where the package asks for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::Proxy;

use crate::{call::of_error, error::CallError, module::Module, store::State};

/// How long an instance is kept for the next request.
const KEPT: Duration = Duration::from_secs(10);

/// One instance with its memory.
pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) proxy: Proxy,
    /// The requests that it answered.
    answered: u32,
}

impl Instance {
    /// One that was kept, or a new one.
    pub(crate) async fn get(module: &Module) -> Result<Self, CallError> {
        let mut instance = match module.idle.take() {
            Some(instance) => instance,
            None => Self::new(module).await?,
        };
        instance.store.set_epoch_deadline(1);
        Ok(instance)
    }

    async fn new(module: &Module) -> Result<Self, CallError> {
        let mut store = Store::new(&module.host.engine, State::new(module));
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let made = module.pre.instantiate_async(&mut store).await;
        match made {
            Ok(proxy) => Ok(Self { store, proxy, answered: 0 }),
            Err(error) => Err(of_error(&error, store.data().memory.refused())),
        }
    }

    /// Keeps it for the next request, where it may answer one more. One that trapped or was ended does not come here.
    pub(crate) fn give_back(mut self, module: &Module) {
        self.answered += 1;
        if self.answered >= module.quota.reuse {
            return;
        }
        // What is kept is memory and a place of the pool that other modules do without: never more than a part of either.
        let (used, most) = module.host.memory_bytes();
        if used > most / 2 {
            return;
        }
        if let Ok(place) = module.host.idle_places.clone().try_acquire_owned() {
            module.idle.kept().push(Kept { instance: self, since: Instant::now(), _place: place });
        }
    }
}

/// The instances of a module that wait for a request.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<Kept>>);

struct Kept {
    instance: Instance,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Idle {
    /// The one that answered last: its memory is in the caches.
    fn take(&self) -> Option<Instance> {
        self.kept().pop().map(|kept| kept.instance)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_old(&self) {
        self.kept().retain(|kept| kept.since.elapsed() < KEPT);
    }
}

/// Ends what was not asked for a while, as long as the module is there.
async fn end_old(module: Weak<Module>) {
    let mut ticks = tokio::time::interval(KEPT);
    loop {
        ticks.tick().await;
        match module.upgrade() {
            Some(module) => module.idle.end_old(),
            None => return,
        }
    }
}

/// Where instances are kept, somebody has to end them.
pub(crate) fn watch(module: &Arc<Module>) {
    if module.quota.reuse > 1
        && let Some(runtime) = module.host.runtime()
    {
        runtime.spawn(end_old(Arc::downgrade(module)));
    }
}
