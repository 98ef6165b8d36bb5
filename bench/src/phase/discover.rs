//! All bases start at once: how soon each is a Node that modules can be bound to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::fleet::Fleet;
use crate::stats::Latency;
use crate::watch::Watch;

use super::patience;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Discover {
    /// From the fleet's start until the last Node was seen ready for modules: Ready, named, untainted.
    pub took: Duration,
    /// From a base's first heartbeat until its Node was seen so.
    pub latency: Latency,
}

/// The name of the Node that stands for a base.
pub fn node_name(identity: &str) -> String {
    format!("virtual-node-{identity}")
}

/// Waits until every base is a Node. `began` is when the fleet was started.
pub async fn run(fleet: &Fleet, nodes: &Watch, began: Instant) -> Result<Discover> {
    let bases = fleet.members().len();
    let what = format!("{bases} Nodes Ready");
    let all = nodes.until(&what, patience(bases), |board| board.ready() == bases);
    nodes.telling("bases become Nodes", all).await?;
    let (mut ended, mut samples) = (began, Vec::with_capacity(bases));
    let board = nodes.board();
    for member in fleet.members() {
        let ready = board.trace(&node_name(&member.identity)).and_then(|trace| trace.ready);
        let (ready, heartbeat) = ready
            .zip(member.first_heartbeat())
            .with_context(|| format!("{} was not seen whole", member.identity))?;
        samples.push(ready.saturating_duration_since(heartbeat));
        ended = ended.max(ready);
    }
    Ok(Discover { took: ended - began, latency: Latency::of(samples).context("no base")? })
}
