//! How an answer is written.

use clap::ValueEnum;
use serde_json::Value;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For people, with all there is
    Wide,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
}

impl Format {
    /// Not for people.
    pub(super) fn is_for_programs(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }

    /// The answer: as text where people read it, else as this value.
    pub(super) fn write(self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> String {
        match self {
            Self::Table | Self::Wide => text(),
            Self::Json => match serde_json::to_string_pretty(&json()) {
                Ok(text) => text + "\n",
                Err(error) => format!("{{\"error\": \"{error}\"}}\n"),
            },
            Self::Yaml => match serde_saphyr::to_string(&json()) {
                Ok(text) if text.ends_with('\n') => text,
                Ok(text) => text + "\n",
                Err(error) => format!("error: {error}\n"),
            },
        }
    }
}

/// Whether standard output takes colours: a terminal that has some, and nobody who says otherwise (NO_COLOR).
pub(super) fn colour() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}
