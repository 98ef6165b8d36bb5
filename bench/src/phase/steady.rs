//! Many bases and nothing else: whether their Leases are renewed in time and their Nodes stay Ready.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;

use crate::api::Server;
use crate::watch::{Watch, telling};

/// How often all Leases are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    /// The oldest that any Lease was at any look, in milliseconds.
    pub oldest_ms: f64,
    /// How often a Node was seen Ready and then not.
    pub not_ready: u32,
    /// The fewest Nodes that were Ready at any look.
    pub fewest_ready: usize,
}

/// Looks on for so long.
pub async fn run(server: &Server, nodes: &Watch, length: Duration) -> Result<Steady> {
    let (began, before) = (Instant::now(), nodes.board().flaps());
    let mut steady = Steady { fewest_ready: usize::MAX, ..Steady::default() };
    let work = async {
        while began.elapsed() < length {
            let leases = server.leases().await?;
            let now = Timestamp::now();
            for renewed in leases.into_iter().filter_map(|lease| Some(lease.renew_time?.0)) {
                // Far below 2^53.
                steady.oldest_ms = steady.oldest_ms.max(now.duration_since(renewed).as_secs_f64() * 1e3);
            }
            steady.fewest_ready = steady.fewest_ready.min(nodes.board().ready());
            tokio::time::sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    telling("nothing happens", || format!("for {:?}", began.elapsed()), work).await?;
    Ok(Steady { not_ready: nodes.board().flaps() - before, ..steady })
}
