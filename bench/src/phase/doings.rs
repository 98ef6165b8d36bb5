//! What is done to modules that are as they shall be, while controllers come and go: nothing, it should be.

use anyhow::Result;

use crate::metrics::{self, Counts};
use crate::rig::Rig;

/// What had been done before.
#[derive(Debug)]
pub struct Before {
    fleet: Counts,
    server: Counts,
}

/// What was done since then.
#[derive(Clone, Copy, Debug)]
pub struct Doings {
    /// Commands that change something on a base.
    pub commands: u64,
    /// Writes of Pods and Module objects by anybody, by the server's count.
    pub writes: u64,
}

impl Before {
    /// Begins to count.
    pub fn now(rig: &Rig<'_>) -> Result<Self> {
        Ok(Self { fleet: rig.fleet()?.counts(), server: rig.server_counts()? })
    }

    /// What the bases were told and asked since then.
    pub fn of_fleet(&self, rig: &Rig<'_>) -> Result<Counts> {
        Ok(metrics::since(&self.fleet, &rig.fleet()?.counts()))
    }

    /// What was done up to now.
    pub fn doings(&self, rig: &Rig<'_>) -> Result<Doings> {
        let of = |counts: &Counts, wanted: &dyn Fn(&str) -> bool| {
            counts.iter().filter(|(what, _)| wanted(what)).map(|(_, count)| count).sum()
        };
        let server = metrics::since(&self.server, &rig.server_counts()?);
        Ok(Doings {
            commands: of(&self.of_fleet(rig)?, &|what| {
                matches!(what, "installBiz" | "uninstallBiz" | "switchBiz" | "batchInstallBiz")
            }),
            writes: of(&server, &|what| what.contains(" pods") || what.contains(" modules")),
        })
    }
}
