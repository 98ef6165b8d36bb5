//! The log: text for people, JSON for machines, to standard error.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::settings::{LogFormat, Settings};

/// Begins to log.
pub(crate) fn start(settings: &Settings) {
    let filter = EnvFilter::new(&settings.log_level);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => {
            registry.with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}
