//! What is run: scenarios, each on a fresh control plane, by preset or as the options say.

use serde::{Deserialize, Serialize};

use crate::phase::planned;
use crate::settings::{Preset, Settings, Way};

/// Whether a Deployment is updated by an operation plan, and on which bases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// It is not.
    #[default]
    None,
    /// On bases that hold two versions.
    HoldsTwo,
    /// On bases that hold one.
    HoldsOne,
}

/// One scenario: so many bases, and what is done with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How controller and bases talk.
    pub way: Way,
    /// Simulated bases.
    pub bases: u32,
    /// Modules on each of them.
    pub modules: u32,
    /// Modules installed and uninstalled one after the other; none where 0.
    pub samples: u32,
    /// How often all modules go online and offline at once, the floor and the controller in turn.
    pub rounds: u32,
    /// So many modules go online at once, and none offline; all of them where nothing is said.
    #[serde(default)]
    pub at_once: Option<u32>,
    /// The floor is measured too.
    pub floor: bool,
    /// How long the controller is watched while nothing happens, in seconds; not at all where 0.
    pub idle_seconds: u32,
    /// All modules are updated in place.
    pub update: bool,
    /// The controller is stopped and killed, and started again; and of three replicas one is killed.
    pub restart: bool,
    /// A Deployment with a Pod for each base is updated, and held against a comparator.
    pub rollout: bool,
    /// The board is started, and a browser looks at it.
    pub board: bool,
    /// A Deployment with a Pod for each base is updated by an operation plan, and nothing else is done.
    #[serde(default)]
    pub release: Release,
    /// How long Leases and Nodes are looked at, in seconds, counted from when all bases are discovered.
    pub steady_seconds: u32,
}

impl Plan {
    /// Nothing but bases and modules.
    fn bare(way: Way, bases: u32, modules: u32) -> Self {
        Self {
            way,
            bases,
            modules,
            samples: 0,
            rounds: 0,
            at_once: None,
            floor: false,
            idle_seconds: 0,
            update: false,
            restart: false,
            rollout: false,
            board: false,
            release: Release::None,
            steady_seconds: 0,
        }
    }

    /// The fleet that a Deployment is updated on by an operation plan; none where none is.
    pub fn planned(&self) -> Option<planned::Fleet> {
        match self.release {
            Release::None => None,
            Release::HoldsTwo => Some(planned::Fleet { holds_one: false }),
            Release::HoldsOne => Some(planned::Fleet { holds_one: true }),
        }
    }

    /// What it is called: `http 100x50`.
    pub fn title(&self) -> String {
        let how = match self.release {
            Release::None => "",
            Release::HoldsTwo => " by a plan",
            Release::HoldsOne => " by a plan, one version at a time",
        };
        format!("{} {}x{}{how}", self.way.as_str(), self.bases, self.modules)
    }

    /// Modules on all bases together.
    pub fn total(&self) -> u32 {
        self.bases * self.modules
    }
}

/// The scenarios that the settings ask for, in their order: what matters most comes first, because time may run out.
pub fn plans(settings: &Settings) -> Vec<Plan> {
    let ways = settings.ways();
    match settings.preset {
        None => ways.iter().map(|way| chosen(settings, *way)).collect(),
        Some(Preset::Upstream) => upstream(&ways),
        Some(Preset::Board) => {
            let way = settings.tunnel.unwrap_or(Way::Mqtt);
            // The larger one takes half an hour and 16 GB, and all its Pods at once are more than a small control plane carries out.
            let at_once = Some(10_000);
            let board = |modules| Plan { rounds: 1, at_once, board: true, ..Plan::bare(way, 1_000, modules) };
            [10, 50].map(board).into()
        }
        Some(Preset::Plans) => {
            let way = settings.tunnel.unwrap_or(Way::Http);
            let bases = settings.bases.unwrap_or(1_000);
            let sizes = [(bases, Release::HoldsTwo), ((bases * 3).div_ceil(10), Release::HoldsOne)];
            let by_plan = |(bases, release)| Plan {
                floor: true,
                idle_seconds: settings.idle_seconds,
                release,
                ..Plan::bare(way, bases, 1)
            };
            sizes.map(by_plan).into()
        }
        Some(Preset::Scale) => {
            let way = settings.tunnel.unwrap_or(Way::Mqtt);
            let many = Plan { rounds: 1, steady_seconds: 600, ..Plan::bare(way, 5_000, 1) };
            [small(way), large(way), many].into()
        }
        Some(Preset::Targets) => {
            let together = |way: &Way| Plan {
                samples: 500,
                rounds: 3,
                floor: true,
                // Once is enough: what it takes does not hang on the way.
                rollout: *way == Way::Http,
                update: true,
                ..Plan::bare(*way, 100, 50)
            };
            let way = settings.tunnel.unwrap_or(Way::Mqtt);
            let many = Plan { steady_seconds: 120, ..Plan::bare(way, 5_000, 0) };
            let mut plans = vec![small(way), large(way)];
            plans.extend(ways.iter().map(together));
            plans.push(many);
            plans
        }
    }
}

fn chosen(settings: &Settings, way: Way) -> Plan {
    Plan {
        samples: settings.samples,
        rounds: settings.rounds,
        floor: true,
        idle_seconds: settings.idle_seconds,
        update: true,
        restart: true,
        rollout: true,
        board: true,
        ..Plan::bare(way, settings.bases.unwrap_or(20), settings.modules)
    }
}

/// The matrix of the Go controller's own test.
fn upstream(ways: &[Way]) -> Vec<Plan> {
    let sizes = [1, 5, 10, 20, 40, 60, 80, 100];
    let modules = [1, 10, 100, 1_000];
    // More Pods than that are more than a small machine's control plane holds.
    let fits = |bases: u32, modules: u32| bases * modules <= 20_000;
    let cells = sizes.iter().flat_map(|bases| modules.iter().map(move |modules| (*bases, *modules)));
    let cells: Vec<_> = cells.filter(|(bases, modules)| fits(*bases, *modules)).collect();
    let one = |way: Way, (bases, modules): (u32, u32)| Plan { rounds: 1, ..Plan::bare(way, bases, modules) };
    ways.iter().flat_map(|way| cells.iter().map(|cell| one(*way, *cell))).collect()
}

/// Memory and idle time of a small cluster.
fn small(way: Way) -> Plan {
    Plan { rounds: 1, idle_seconds: 25, ..Plan::bare(way, 500, 1) }
}

/// The same of a large one, and its restart.
fn large(way: Way) -> Plan {
    Plan { rounds: 1, idle_seconds: 25, restart: true, ..Plan::bare(way, 1_000, 10) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn of(arguments: &[&str]) -> Vec<Plan> {
        plans(&Settings::try_parse_from([&["bench"], arguments].concat()).unwrap())
    }

    #[test]
    fn without_a_preset_everything_is_done_over_both_ways() {
        let plans = of(&["--bases", "7"]);
        assert_eq!(plans.iter().map(Plan::title).collect::<Vec<_>>(), ["http 7x5", "mqtt 7x5"]);
        assert!(plans.iter().all(|plan| plan.update && plan.restart && plan.rollout && plan.rounds == 3));
    }

    #[test]
    fn modules_are_installed_wherever_there_are_any() {
        for preset in ["upstream", "scale", "targets", "board"] {
            let without =
                of(&["--preset", preset]).into_iter().find(|plan| plan.modules > 0 && plan.rounds == 0);
            assert_eq!(without.map(|plan| plan.title()), None, "of {preset}");
        }
    }

    #[test]
    fn presets_are_what_the_readme_says() {
        let titles = |preset| of(&["--preset", preset]).iter().map(Plan::title).collect::<Vec<_>>();
        assert_eq!(titles("scale"), ["mqtt 500x1", "mqtt 1000x10", "mqtt 5000x1"]);
        assert_eq!(
            titles("targets"),
            ["mqtt 500x1", "mqtt 1000x10", "http 100x50", "mqtt 100x50", "mqtt 5000x0"]
        );
        assert_eq!(titles("plans"), ["http 1000x1 by a plan", "http 300x1 by a plan, one version at a time"]);
        let upstream = titles("upstream");
        assert!(
            upstream.contains(&"http 100x100".to_owned()) && upstream.contains(&"mqtt 1x1000".to_owned())
        );
    }
}
