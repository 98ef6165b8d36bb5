//! The process that compiles one package and ends: a package that needs too much ends the process, and not the base.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

use crate::engine;

/// What compiling one package may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerLimits {
    /// Address space of the process, in MiB. JavaScript needs 800.
    pub memory_mib: u32,
    /// Processor time. JavaScript needs 6 s.
    pub cpu: Duration,
    /// Real time: more than the processor time where the machine is busy.
    pub time: Duration,
}

impl Default for CompilerLimits {
    fn default() -> Self {
        Self { memory_mib: 2048, cpu: Duration::from_secs(60), time: Duration::from_secs(120) }
    }
}

/// The main function of the process that compiles: a component at its input, code at its output.
///
/// # Errors
/// What is wrong with the component, for the standard error.
pub fn compile(limits: &CompilerLimits) -> Result<(), String> {
    let cpu = limits.cpu.as_secs().max(1);
    set(Resource::Cpu, cpu)?;
    set(Resource::As, u64::from(limits.memory_mib) << 20)?;
    // What goes wrong is told, and not dumped.
    set(Resource::Core, 0)?;
    let mut package = Vec::new();
    std::io::stdin().lock().read_to_end(&mut package).map_err(|error| error.to_string())?;
    let engine = Engine::new(&engine::code()).map_err(|error| error.to_string())?;
    let code = engine.precompile_component(&package).map_err(|error| format!("{error:#}"))?;
    let mut out = std::io::stdout().lock();
    out.write_all(&code).and_then(|()| out.flush()).map_err(|error| error.to_string())
}

fn set(resource: Resource, limit: u64) -> Result<(), String> {
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(resource, limit).map_err(|error| format!("setting a limit: {error}"))
}
