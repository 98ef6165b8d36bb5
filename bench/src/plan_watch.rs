//! What is seen of an operation plan while it goes on, and when it arrived here.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cluster::plans::{OperationPlan, OperationPlanStatus};
use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How it stands, and what was seen of it before.
#[derive(Debug, Default)]
pub struct Seen {
    /// The status that was seen last.
    pub status: OperationPlanStatus,
    /// When each batch was first seen to have begun.
    pub begun: Vec<Option<Instant>>,
    /// The most bases at a time that had failed, or were late.
    pub failed: i32,
}

impl Seen {
    fn see(&mut self, status: OperationPlanStatus, now: Instant) {
        self.begun.resize(status.batches.len().max(self.begun.len()), None);
        for (batch, begun) in status.batches.iter().zip(&mut self.begun) {
            if batch.phase != "Waiting" {
                begun.get_or_insert(now);
            }
        }
        self.failed = self.failed.max(status.failed.unwrap_or_default());
        self.status = status;
    }

    /// Its phase; empty before it has one.
    pub fn phase(&self) -> &str {
        self.status.phase.as_deref().unwrap_or_default()
    }
}

/// A running watch of one plan.
#[derive(Debug)]
pub struct PlanWatch {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Drop for PlanWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PlanWatch {
    /// Watches the plan of this name.
    pub fn start(client: Client, namespace: &str, name: &str) -> Self {
        let api = Api::<OperationPlan>::namespaced(client, namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (sender, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(watcher::watcher(api, config).default_backoff());
            while let Some(event) = stream.next().await {
                // It is tried again by itself.
                let Ok(watcher::Event::Apply(plan) | watcher::Event::InitApply(plan)) = event else {
                    continue;
                };
                let now = Instant::now();
                sender.send_modify(|seen| seen.see(plan.status.unwrap_or_default(), now));
            }
        });
        Self { seen, task }
    }

    /// What was seen so far.
    pub fn seen(&self) -> watch::Ref<'_, Seen> {
        self.seen.borrow()
    }

    /// Waits until the plan stands as wanted, and fails with how it stands when time is up.
    pub async fn until(&self, what: &str, limit: Duration, wanted: impl FnMut(&Seen) -> bool) -> Result<()> {
        let mut seen = self.seen.clone();
        match tokio::time::timeout(limit, seen.wait_for(wanted)).await {
            Ok(seen) => seen.map(drop).with_context(|| format!("{what}: the watch of the plan ended")),
            Err(_) => bail!("{what}: not within {limit:?}; it is {:?}", self.seen().status),
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster::plans::PlanBatchStatus;

    use super::*;

    #[test]
    fn when_a_batch_began_is_when_that_was_first_seen() {
        let status = |phases: &[&str], failed| OperationPlanStatus {
            batches: phases
                .iter()
                .map(|phase| PlanBatchStatus { phase: (*phase).to_owned(), ..PlanBatchStatus::default() })
                .collect(),
            failed: Some(failed),
            ..OperationPlanStatus::default()
        };
        let (mut seen, start) = (Seen::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        seen.see(OperationPlanStatus::default(), at(0));
        seen.see(status(&["Releasing", "Waiting"], 0), at(1));
        seen.see(status(&["Soaking", "Waiting"], 2), at(2));
        seen.see(status(&["Done", "Releasing"], 0), at(3));
        assert_eq!(seen.begun, [Some(at(1)), Some(at(3))]);
        assert_eq!((seen.failed, seen.phase()), (2, ""));
    }
}
