//! Runs modules: WebAssembly components that answer HTTP, each within its limits.
//!
//! A module is compiled in a process of its own, with limits, and what comes out is kept on disk. Each request gets a
//! fresh instance, so that nothing of one request is left for the next, unless its package asks for less. Modules run on threads of their own: whatever they
//! do, the threads of the caller are free.
//!
//! A module reaches no file and no socket, and of other hosts only those that its package names, by HTTP.

mod answer;
mod call;
mod compiled;
mod compiler;
mod engine;
mod error;
mod faults;
mod instance;
mod limits;
mod log;
mod module;
mod outbound;
mod output;
mod store;

pub use answer::Body;
pub use call::Entry;
pub use compiler::{CompilerLimits, compile};
pub use engine::{Host, Options};
pub use error::{CallError, EnterError, HostError, LoadError};
pub use faults::Recent;
pub use limits::{Ceilings, Quota};
pub use log::{Line, Log};
pub use module::{Module, Start};
pub use outbound::Networks;
