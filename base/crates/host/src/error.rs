//! What can go wrong, by who has to do something about it.

use std::time::Duration;

/// The host itself cannot work.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A folder or file cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The cache may be written by others, who could put code into it.
    #[error("{0} may be written by others than its owner: `chmod 700` it, or name another data folder")]
    Writable(String),
    /// WebAssembly cannot be run on this machine.
    #[error("WebAssembly cannot be run here: {0}")]
    Engine(String),
}

/// A module that cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no valid component.
    #[error("it cannot be compiled: {0}")]
    Invalid(String),
    /// It needs more to compile than is allowed.
    #[error("it was not compiled within the limits ({0})")]
    CompilerLimit(String),
    /// It asks for what a base does not have, or does not answer HTTP.
    #[error("it does not fit this base: {0}")]
    DoesNotFit(String),
    /// Not the module's fault.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Why a request does not get into a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// It has as many at work as it may: try again later.
    #[error("it has as many requests at work as it may have")]
    Busy,
    /// It takes no more: look again who serves.
    #[error("it is being ended")]
    Leaving,
}

/// A request that got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The module ended by a trap.
    #[error("it trapped: {0}")]
    Trap(String),
    /// It ended without an answer, or refused to give one.
    #[error("it gave no answer: {0}")]
    NoAnswer(String),
    /// It took longer than it may.
    #[error("it did not answer within {0:?}")]
    Deadline(Duration),
    /// All modules together have as many instances or as much memory as the base gives.
    #[error("the base has no room for one more instance: {0}")]
    NoRoom(String),
    /// It was ended because it is uninstalled.
    #[error("it was ended, because it is uninstalled")]
    Ended,
}
