//! The host: one engine, the threads that modules run on, and the clock that has them take turns.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, component::Linker,
};

use crate::{
    compiled::Compiled,
    compiler::CompilerLimits,
    error::HostError,
    limits::{Budget, Ceilings},
    outbound::Networks,
    store::State,
};

/// How long a module may compute before another one gets its turn.
const TICK: Duration = Duration::from_millis(1);

/// What stays mapped of an instance that ended, for the next: of its memory, of its tables, and of the stack that it ran on.
/// Most instances need no more, and mapping anew costs more than the instance itself.
const RESIDENT_BYTES: usize = 1024 * 1024;
const RESIDENT_STACK_BYTES: usize = 64 * 1024;

/// The threads for what would keep a module's thread waiting: modules have no files, so that this is looking up names.
const BLOCKING_THREADS: usize = 8;

/// Modules give way to everything else of the base: with one core, Arklet and the actuator still answer.
const NICENESS: i32 = 5;

/// What a host is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program that compiles: started with these arguments it calls [`crate::compile`].
    pub compiler: (PathBuf, Vec<String>),
    /// What compiling one package may take.
    pub compiler_limits: CompilerLimits,
    /// Where what was compiled is kept. Only its owner may write there.
    pub cache: PathBuf,
    /// The threads that modules run on.
    pub threads: usize,
    /// Instances of all modules at one time.
    pub instances: u32,
    /// The most that any module gets.
    pub ceilings: Ceilings,
    /// The addresses that modules may reach, of the hosts that their packages name.
    pub networks: Networks,
    /// Whom modules' calls believe over https.
    pub tls: ClientConfig,
}

/// Everything that modules share.
pub struct Host {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) compiled: Compiled,
    pub(crate) budget: Arc<Budget>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) ceilings: Ceilings,
    pub(crate) networks: Arc<Networks>,
    pub(crate) tls: ClientConfig,
    /// One for each instance that is kept for a next request: a quarter of all that there may be.
    pub(crate) idle_places: Arc<Semaphore>,
    /// In an option, because it may not be dropped where it waits for its threads.
    runtime: Option<Runtime>,
}

/// What code is made with. It has to be the same where it is compiled and where it is run.
pub(crate) fn code() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config
}

impl Host {
    /// Starts the threads and opens the cache.
    ///
    /// # Errors
    /// Where the cache cannot be used, or WebAssembly cannot be run on this machine.
    pub fn new(options: Options) -> Result<Self, HostError> {
        let engine = Engine::new(&pooled(&options)).map_err(|error| HostError::Engine(error.to_string()))?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)
            .and_then(|()| wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker))
            .map_err(|error| HostError::Engine(error.to_string()))?;
        let compiled = Compiled::open(&engine, options.cache, options.compiler, options.compiler_limits)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("module")
            .on_thread_start(give_way)
            .enable_all()
            .build()
            .map_err(|source| HostError::Io { what: "starting the modules' threads".to_owned(), source })?;
        Ok(Self {
            turns: Turns::start(engine.clone())?,
            engine,
            linker,
            compiled,
            budget: Budget::new(&options.ceilings),
            ceilings: options.ceilings,
            networks: Arc::new(options.networks),
            tls: options.tls,
            idle_places: Arc::new(Semaphore::new(usize::try_from(options.instances / 4).unwrap_or_default())),
            runtime: Some(runtime),
        })
    }

    /// The linear memory of all instances that there are, and the most that there may be, in bytes.
    pub fn memory_bytes(&self) -> (usize, usize) {
        self.budget.used_and_most()
    }

    /// Where modules run.
    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.as_ref()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.turns.end();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("ceilings", &self.ceilings).finish_non_exhaustive()
    }
}

/// Instances come from a pool, and an instance's memory is mapped copy-on-write.
fn pooled(options: &Options) -> Config {
    let memory = usize::try_from(options.ceilings.memory_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    let count = options.instances;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(count)
        .total_stacks(count)
        // A component of a scripting language has up to a handful of each.
        .total_core_instances(count.saturating_mul(4))
        .total_memories(count.saturating_mul(2))
        .total_tables(count.saturating_mul(4))
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_core_instances_per_component(32)
        .table_elements(200_000)
        .max_memory_size(memory)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES)
        .async_stack_keep_resident(RESIDENT_STACK_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("a module's thread keeps its priority: {error}");
    }
}

/// Ends a turn each millisecond, as long as something runs.
#[derive(Debug)]
pub(crate) struct Turns {
    running: AtomicUsize,
    ended: AtomicBool,
    clock: Thread,
}

/// Something runs as long as this is there.
#[derive(Debug)]
pub(crate) struct Running(Arc<Turns>);

impl Turns {
    fn start(engine: Engine) -> Result<Arc<Self>, HostError> {
        let (tell, told) = std::sync::mpsc::sync_channel::<Arc<Self>>(1);
        let clock = thread::Builder::new()
            .name("turns".to_owned())
            .spawn(move || {
                let Ok(turns) = told.recv() else { return };
                while !turns.ended.load(Ordering::Relaxed) {
                    if turns.running.load(Ordering::SeqCst) == 0 {
                        thread::park();
                    } else {
                        thread::sleep(TICK);
                        engine.increment_epoch();
                    }
                }
            })
            .map_err(|source| HostError::Io { what: "starting the clock".to_owned(), source })?;
        let turns = Arc::new(Self {
            running: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            clock: clock.thread().clone(),
        });
        // It waits for nothing else.
        let _ = tell.send(turns.clone());
        Ok(turns)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.clock.unpark();
    }

    pub(crate) fn running(self: &Arc<Self>) -> Running {
        if self.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.clock.unpark();
        }
        Running(self.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
