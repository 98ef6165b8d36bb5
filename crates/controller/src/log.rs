//! The log: text for people, JSON for machines, to standard error.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::settings::{Log, LogFormat};

/// Begins to log.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::new(&log.level);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => {
            registry.with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}
