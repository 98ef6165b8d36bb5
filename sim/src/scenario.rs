//! What may happen in a run.

use std::time::Duration;

/// What can go wrong with messages, and how often, in percent of the chances.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A message between controller and base is lost.
    pub loss: u8,
    /// A message over MQTT comes twice.
    pub doubled: u8,
    /// A request to the API server fails, half of them after having been carried out.
    pub write_errors: u8,
    /// The longest that a command or a request takes on its way out.
    pub slowest: Duration,
    /// The longest that an answer, a heartbeat or what a watch tells takes.
    pub lag: Duration,
    /// The longest that a process takes from a decision to sending it.
    pub hesitation: Duration,
}

impl Faults {
    /// Nothing goes wrong; everything takes some milliseconds.
    pub const NONE: Self = Self {
        loss: 0,
        doubled: 0,
        write_errors: 0,
        slowest: Duration::from_millis(5),
        lag: Duration::from_millis(5),
        hesitation: Duration::ZERO,
    };
}

/// What may happen in a run.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Replicas; where there is one only, it does not share.
    pub replicas: u8,
    /// Bases.
    pub bases: u8,
    /// Things that users and faults do.
    pub acts: u8,
    /// Bases crash, pause, say goodbye and are started again; replicas are killed, and where there are several also
    /// paused and cut off; API server and broker are away.
    pub crashes: bool,
    /// What goes wrong in between.
    pub faults: Faults,
    /// Users make owners that ask for one bizName, and nothing else.
    pub rivals: bool,
    /// Users release one Deployment by operation plans, and nothing else.
    pub plans: bool,
}

/// Of so many seeds one is of rivals, and one of operation plans.
const KINDS: u64 = 5;

/// With clocks a tenth apart a replica has stopped for 1.3 s when another may have ended it: what it sent last is there by
/// then.
const SLOWEST_AMONG_SEVERAL_MS: u64 = 1_200;

impl Scenario {
    /// The scenario of a seed: some are quiet, some are wild, and half of them have several replicas.
    pub fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED);
        let wild = rng.u8(0..3);
        let replicas = if rng.bool() { 1 } else { rng.u8(2..=4) };
        let (most, ms) =
            (if replicas == 1 { 5_000 } else { SLOWEST_AMONG_SEVERAL_MS }, Duration::from_millis);
        Self {
            replicas,
            bases: rng.u8(1..if replicas == 1 { 4 } else { 7 }),
            rivals: seed % KINDS == KINDS - 1,
            plans: seed % KINDS == KINDS - 2,
            acts: rng.u8(1..if replicas == 1 { 16 } else { 24 }),
            crashes: wild > 0,
            faults: match wild {
                0 => Faults::NONE,
                1 => {
                    let slowest = rng.u64(5..most.min(2_000));
                    Faults { slowest: ms(slowest), lag: ms(slowest), ..Faults::NONE }
                }
                _ => Faults {
                    loss: rng.u8(0..25),
                    doubled: rng.u8(0..25),
                    write_errors: rng.u8(0..25),
                    slowest: ms(rng.u64(5..most)),
                    lag: ms(rng.u64(5..5_000)),
                    hesitation: ms(if replicas == 1 { 0 } else { rng.u64(0..500) }),
                },
            },
        }
    }

    /// Nothing goes wrong at all.
    pub fn is_quiet(&self) -> bool {
        !self.crashes && self.faults.loss == 0 && self.faults.write_errors == 0
    }
}
