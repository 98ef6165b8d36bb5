//! Several replicas share the bases, and one of them is killed: how soon every base has an owner again.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use testkit::controller::{Controller, ControllerOptions, REPLICA};

use super::doings::{Before, Doings};
use crate::rig::{Plane, Rig};
use crate::watch::Watch;

/// How many there are.
const REPLICAS: usize = 3;

/// Of fewer bases a replica may rightly have none, and nothing happens where it is lost.
pub const FEWEST_BASES: usize = 2 * REPLICAS;

/// How often the Leases are looked at; when one was taken it tells itself.
const LOOK: Duration = Duration::from_millis(250);

/// So long anything may take on a busy machine before we give up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What they do a moment later is their doing too.
const AFTER: Duration = Duration::from_secs(5);

/// Replicas in the place of the rig's one controller, which is the first of them: the bases go on talking to it.
pub struct Replicas {
    others: Vec<Controller>,
    /// What the one controller was started with.
    alone: ControllerOptions,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// From the kill until the last Lease was taken.
    pub owned: Duration,
    /// How often a Pod was seen Ready and then not.
    pub not_ready: u32,
    /// What was done to the modules from the kill on.
    pub doings: Doings,
}

impl Replicas {
    /// Starts them, and waits until each has its share: within the larger of 1 and a tenth of what would be even.
    pub fn start(rig: &mut Rig<'_>, plane: &Plane) -> Result<Self> {
        let alone = rig.controller.options().clone();
        let shared = REPLICA.iter().fold(alone.clone(), |options, (name, value)| options.env(name, value));
        start_as(&mut rig.controller, shared.clone())?;
        let others = (1..REPLICAS).map(|_| Controller::start(shared.clone())).collect::<Result<_>>()?;
        let even = rig.fleet()?.members().len() / REPLICAS;
        let most = 1.max(even / 10);
        until(plane, "all replicas have their shares", |shares| {
            shares.len() == REPLICAS && shares.values().all(|(share, _)| share.abs_diff(even) <= most)
        })?;
        Ok(Self { others, alone })
    }

    /// Kills the last of them.
    pub fn lose_one(&mut self, rig: &Rig<'_>, plane: &Plane, pods: &Watch) -> Result<Loss> {
        let (before, flaps) = (Before::now(rig)?, pods.board().flaps());
        let bases = rig.fleet()?.members().len();
        let killed = Timestamp::now();
        self.others.pop().context("no replica to lose")?.kill()?;
        let shares = until(plane, "every base has an owner again", |shares| {
            // A Lease that nobody has taken yet still names the one that is gone.
            let owned: usize = shares.values().map(|(share, _)| share).sum();
            shares.len() < REPLICAS && owned == bases
        })?;
        let last = shares.values().map(|(_, since)| *since).max().unwrap_or(killed);
        thread::sleep(AFTER);
        Ok(Loss {
            owned: last.duration_since(killed).max(SignedDuration::ZERO).unsigned_abs(),
            not_ready: pods.board().flaps() - flaps,
            doings: before.doings(rig)?,
        })
    }

    /// One controller again, as it was started.
    pub fn end(self, rig: &mut Rig<'_>) -> Result<()> {
        drop(self.others);
        start_as(&mut rig.controller, self.alone)
    }
}

fn start_as(controller: &mut Controller, options: ControllerOptions) -> Result<()> {
    controller.stop()?;
    *controller.options_mut() = options;
    controller.start_again()
}

/// By who holds them: how many Leases, and when the last of them was taken.
type Shares = BTreeMap<String, (usize, Timestamp)>;

fn until(plane: &Plane, what: &str, wanted: impl Fn(&Shares) -> bool) -> Result<Shares> {
    let began = Instant::now();
    loop {
        let mut shares = Shares::new();
        for lease in plane.runtime.block_on(plane.server.leases())? {
            let holder = lease.holder_identity.filter(|holder| !holder.is_empty());
            if let (Some(holder), Some(taken)) = (holder, lease.acquire_time) {
                let (share, last) = shares.entry(holder).or_insert((0, Timestamp::MIN));
                (*share, *last) = (*share + 1, taken.0.max(*last));
            }
        }
        if wanted(&shares) {
            return Ok(shares);
        }
        ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}; {shares:?}");
        thread::sleep(LOOK);
    }
}
