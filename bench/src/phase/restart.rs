//! The controller ends and is started again, with everything installed: how soon it is in charge again, and what it does
//! to modules that are as they shall be, which is nothing.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::doings::{Before, Doings};
use crate::metrics;
use crate::rig::Rig;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// So long it may take on a busy machine before we give up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it does a moment after it is in charge is its doing too.
const AFTER: Duration = Duration::from_secs(5);

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SIGTERM.
    Stopped,
    /// SIGKILL.
    Killed,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// From the start of the new process until it answers `/readyz`: it knows all objects.
    pub ready: Duration,
    /// From the start of the new process until it has renewed every Lease and has read the list of every base.
    pub in_charge: Duration,
    /// What was done to the modules, from the end of the old process on.
    pub doings: Doings,
}

/// Ends it and starts it again. The fleet goes on meanwhile.
pub fn run(rig: &mut Rig<'_>, end: End) -> Result<Restart> {
    let bases = u64::try_from(rig.fleet()?.members().len())?;
    match end {
        End::Stopped => drop(rig.controller.stop()?),
        End::Killed => rig.controller.kill()?,
    }
    let before = Before::now(rig)?;
    let began = Instant::now();
    rig.controller.start_again()?;
    let ready = began.elapsed();
    loop {
        let page = rig.controller.admin("/metrics").context("the controller's /metrics")?.body;
        let asked = metrics::of_controller(&page);
        let renewed =
            ["update leases", "create leases"].iter().filter_map(|kind| asked.get(*kind)).sum::<u64>();
        let listed = before.of_fleet(rig)?.get("queryAllBiz").copied().unwrap_or(0);
        if renewed >= bases && listed >= bases {
            break;
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "{bases} bases, of which {listed} were asked and {renewed} Leases renewed within {PATIENCE:?}"
            );
        }
        thread::sleep(LOOK);
    }
    let in_charge = began.elapsed();
    thread::sleep(AFTER);
    Ok(Restart { ready, in_charge, doings: before.doings(rig)? })
}
