//! All modules online and offline, several times: what the rounds came to.

use super::Metered;
use crate::phase::together::Together;
use crate::report::{Cost, Unit, WayReport};
use crate::stats::median;

/// What the rounds came to.
#[derive(Default)]
pub(super) struct Rounds {
    pub(super) online: Side,
    pub(super) offline: Side,
    pub(super) floor_online: Vec<Together>,
    pub(super) floor_offline: Vec<Together>,
}

/// The controller's rounds in one direction.
#[derive(Default)]
pub(super) struct Side {
    together: Vec<Together>,
    written_per_second: Vec<f64>,
    cpu_ms: Vec<f64>,
}

impl Side {
    /// One more round, of so many modules; gives what it cost.
    pub(super) fn push(&mut self, round: Metered<Together>, modules: usize) -> Cost {
        self.together.push(round.measured);
        // Far below 2^53.
        self.written_per_second.push(modules as f64 / round.written.as_secs_f64().max(1e-9));
        self.cpu_ms.push(round.cost.cpu_ms_per_module());
        round.cost
    }
}

impl Rounds {
    pub(super) fn tell(&self, report: &mut WayReport) {
        let ways = [
            ("all online", &self.online, &self.floor_online, ONLINE),
            ("all offline", &self.offline, &self.floor_offline, OFFLINE),
        ];
        for (phase, side, floor, words) in ways {
            let floor = Together::median(floor);
            let Some(measured) = Together::median(&side.together) else { continue };
            let bare = floor.map(|floor| floor.per_second);
            report.figure(phase, "Pods", Unit::PerSecond, measured.per_second, bare);
            let written = median(side.written_per_second.iter().copied());
            report.figure(phase, "Pods, until all is written", Unit::PerSecond, written, bare);
            let cpu = median(side.cpu_ms.iter().copied());
            report.figure(phase, "the controller's processor time for each", Unit::Millis, cpu, None);
            let [whole, first, second] = words;
            report.latency(phase, whole, &measured.latency, floor.as_ref().map(|floor| &floor.latency));
            if let (Some(commanded), Some(told)) = (&measured.commanded, &measured.told) {
                report.latency(phase, first, commanded, None);
                report.latency(phase, second, told, None);
            }
            if phase == "all online" {
                report.figure(phase, "Pods that flapped", Unit::Count, measured.flapped as f64, None);
            }
        }
    }
}

const ONLINE: [&str; 3] = [
    "bound to Ready, less the base's time",
    "  bound to command at the base",
    "  answer of the base to Ready",
];
const OFFLINE: [&str; 3] = [
    "deletion to gone, less the base's time",
    "  deletion to command at the base",
    "  answer of the base to gone",
];
