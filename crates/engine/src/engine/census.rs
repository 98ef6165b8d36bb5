//! How many modules stand how, for the metrics page.

use std::{collections::BTreeMap, time::Duration};

use super::Engine;

/// Modules and Leases, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Biz on bases, by state in the words of Arklet.
    pub modules: BTreeMap<&'static str, usize>,
    /// Module Pods that are known to be Ready.
    pub pods_ready: usize,
    /// Those that are not.
    pub pods_not_ready: usize,
    /// How long ago the Lease was renewed that was renewed longest ago; zero where there is none.
    pub oldest_lease: Duration,
}

impl Engine {
    /// Counts, as of `now` on the engine's clock. Goes through every module, so it is for once in a while.
    pub fn census(&self, now: Duration) -> Census {
        let mut census = Census::default();
        for vnode in self.vnodes.values() {
            vnode.count(now, &mut census);
        }
        census
    }
}
