//! `cargo xtask demo`.

mod bases;
mod fleet;
mod job;
mod manifest;
mod narration;
mod parts;
mod stay;
mod update;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use testkit::artifacts;

use crate::cargo;
use bases::Stack;
use narration::Narration;
use parts::Parts;

/// Shows the main job on real parts: modules go online, serve, are scaled, updated and taken offline by kubectl.
///
/// Starts a Kubernetes control plane, the controller and real bases, and says at each step what happens. It then stays, for
/// you to try things, until Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// End after the last step instead of staying.
    #[arg(long)]
    once: bool,
    /// How controller and bases talk.
    #[arg(long, value_enum, default_value_t = Tunnels::Both)]
    tunnel: Tunnels,
    /// Show it with Java bases, which need a JDK 17 and Maven, instead of WebAssembly bases.
    #[arg(long)]
    java: bool,
    /// After that, show it at size: so many simulated bases, with ten modules on each and an operation plan that waits for you.
    #[arg(long, value_name = "BASES", value_parser = clap::value_parser!(u32).range(3..=5_000))]
    fleet: Option<u32>,
}

/// Which tunnels are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tunnels {
    /// The HTTP tunnel.
    Http,
    /// The MQTT tunnel, with the controller's own broker.
    Mqtt,
    /// One after the other.
    Both,
}

/// How one base talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http,
    Mqtt,
}

impl Tunnels {
    /// In the order in which they are shown.
    fn ways(self) -> &'static [Way] {
        match self {
            Self::Http => &[Way::Http],
            Self::Mqtt => &[Way::Mqtt],
            Self::Both => &[Way::Http, Way::Mqtt],
        }
    }
}

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        let narration = &mut Narration::new();
        narration.step("What the demo needs is found, or built once and kept");
        artifacts::devcluster()?;
        let stack = if self.java { Stack::Java } else { Stack::Wasm };
        stack.prepare()?;
        cargo::build_controller()?;
        if self.fleet.is_some() {
            // Its bases talk over HTTP: one process has one port for all of them.
            ensure!(self.tunnel != Tunnels::Mqtt, "--fleet goes with --tunnel http or both");
            fleet::prepare()?;
        }
        let name = stack.name();
        narration
            .done(format!("the dev cluster, a {name} base with its modules, and the controller are there"));
        let parts = &mut Parts::start(narration, self.tunnel, stack)?;
        let shown = self.show(narration, parts);
        shown.map_err(|error| match parts.save_logs() {
            Ok(dir) => error.context(format!("the demo stopped here; logs: {}", dir.display())),
            Err(unsaved) => error.context(format!("the demo stopped here; its logs are lost: {unsaved:#}")),
        })
    }

    fn show(&self, narration: &mut Narration, parts: &mut Parts) -> Result<()> {
        for (index, way) in self.tunnel.ways().iter().enumerate() {
            if index > 0 {
                job::leave(narration, parts)?;
            }
            job::show(narration, parts, *way).with_context(|| format!("over {}", way.name()))?;
        }
        // It runs until the demo ends.
        let _fleet = self.fleet.map(|bases| fleet::show(narration, parts, bases)).transpose()?;
        narration.end();
        if self.once { Ok(()) } else { stay::until_interrupted(parts) }
    }
}

impl Way {
    /// As a reader knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Mqtt => "MQTT",
        }
    }
}
