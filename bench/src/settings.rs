//! What is measured, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

/// How controller and bases talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Arklet's HTTP port.
    Http,
    /// A mosquitto of the run's own.
    Mqtt,
}

impl Way {
    /// As it is given on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Mqtt => "mqtt",
        }
    }
}

/// Sets of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The matrix of the Go controller's own test: 1 to 100 bases, 1 to 1,000 modules on each.
    Upstream,
    /// Memory and idle time at 500 and 1,000 bases, and 5,000 bases for ten minutes.
    Scale,
    /// What SPECIFICATION.md promises of speed and scale, within twenty minutes.
    Targets,
    /// A Deployment that is updated by an operation plan, on --bases, and on three tenths as many that hold one version of a module at
    /// a time.
    Plans,
    /// KouplelessBoard, and a browser that looks at it, with 1,000 bases of 10 and of 50 modules each.
    Board,
}

/// Measures the controller with simulated bases over real sockets, against a real control plane, and holds every
/// figure against a bare client of the same API server in the same run.
#[derive(Clone, Debug, Parser, Serialize, Deserialize)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub struct Settings {
    /// A set of scenarios; --bases (but for plans), --modules, --samples and --rounds then count for nothing.
    #[arg(long)]
    pub preset: Option<Preset>,
    /// No scenario is begun when so many minutes are over; what is left out is told.
    #[arg(long, default_value_t = 600, value_parser = number(1, 100_000))]
    pub minutes: u32,
    /// Simulated bases; 20, or with the preset plans 1,000, where it is not given.
    #[arg(long, value_parser = number(1, 10_000))]
    pub bases: Option<u32>,
    /// Modules on each base when all are installed at once.
    #[arg(long, default_value_t = 5, value_parser = number(1, 1_000))]
    pub modules: u32,
    /// How controller and bases talk; both, one after the other, where it is not given.
    #[arg(long)]
    pub tunnel: Option<Way>,
    /// How often all modules go online and offline at once, the floor and the controller in turn.
    #[arg(long, default_value_t = 3, value_parser = number(1, 100))]
    pub rounds: u32,
    /// Modules installed and uninstalled one after the other.
    #[arg(long, default_value_t = 500, value_parser = number(1, 100_000))]
    pub samples: u32,
    /// The least that an installation takes at a base, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub install_least_ms: u32,
    /// The most that an installation takes at a base, in milliseconds.
    #[arg(long, default_value_t = 5)]
    pub install_most_ms: u32,
    /// How long the controller is watched while nothing happens, in seconds.
    #[arg(long, default_value_t = 10)]
    pub idle_seconds: u32,
    /// An earlier result (JSON) to compare with.
    #[arg(long)]
    pub compare: Option<PathBuf>,
    /// Where the result is written to, as JSON, with a page of charts (.html) beside it; a new file in target/bench
    /// where it is not given.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

fn number(least: i64, most: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(least..=most)
}

impl Settings {
    /// The ways that are measured.
    pub fn ways(&self) -> Vec<Way> {
        self.tunnel.map_or_else(|| vec![Way::Http, Way::Mqtt], |way| vec![way])
    }

    /// The least and the most that an installation takes at a base.
    pub fn install(&self) -> (Duration, Duration) {
        let least = Duration::from_millis(self.install_least_ms.into());
        (least, Duration::from_millis(self.install_most_ms.into()).max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_small_preset() {
        let settings = Settings::try_parse_from(["bench"]).unwrap();
        assert_eq!((settings.bases, settings.modules, settings.samples), (None, 5, 500));
        assert_eq!(settings.ways(), [Way::Http, Way::Mqtt]);
        assert_eq!(settings.install(), (Duration::ZERO, Duration::from_millis(5)));
    }

    #[test]
    fn nothing_is_not_measured() {
        assert!(Settings::try_parse_from(["bench", "--bases", "0"]).is_err());
        let one = Settings::try_parse_from(["bench", "--tunnel", "mqtt"]).unwrap();
        assert_eq!(one.ways(), [Way::Mqtt]);
    }
}
