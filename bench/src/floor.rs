//! The floor: what the API server alone allows on this machine, in this run.
//!
//! A bare client does what the controller does for a module, and nothing else: the same phases run against it, with the
//! same Pods, the same scheduler and the same number of writes at once. When it sees a Pod bound it sends the very
//! status patch that the controller sends once the base has answered; when it sees one deleted it ends the deletion.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::api::Server;
use crate::objects::{self, ModulePod};
use crate::stage::{Place, Stage};
use crate::watch::{News, Watch, What};

/// How many Nodes the Pods of the floor are spread over at most: the scheduler's work is per Pod.
const MAX_NODES: usize = 100;

/// Before the node lifecycle controller's 40 s are over.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The bare client, its Nodes, and the stage to run phases on.
pub struct Floor {
    /// Where the phases run.
    pub stage: Stage,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Floor {
    /// Makes the Nodes and starts the client.
    pub async fn start(server: Server, namespace: &str, nodes: usize) -> Result<Self> {
        let base_version = "floor".to_owned();
        let places: Vec<Place> = (0..nodes.clamp(1, MAX_NODES))
            .map(|n| Place { node: format!("floor-{n:03}"), member: None })
            .collect();
        for place in &places {
            server.create_node(&objects::floor_node(&place.node, &base_version)).await?;
        }
        write_statuses(&server, &places).await?;
        let mut pods = Watch::pods(server.client.clone(), namespace);
        let news = pods.take_news().context("the news of the floor's Pods")?;
        let stage =
            Stage { server: server.clone(), namespace: namespace.to_owned(), base_version, places, pods };
        let failed = Arc::new(AtomicU64::new(0));
        let heart = tokio::spawn({
            let (server, places) = (server.clone(), stage.places.clone());
            async move {
                loop {
                    tokio::time::sleep(HEARTBEAT).await;
                    // Failing for once harms nothing, and for good shows as Pods that stay Pending.
                    let _ = write_statuses(&server, &places).await;
                }
            }
        });
        let client = Client { server, namespace: namespace.to_owned(), failed: failed.clone() };
        let tasks = vec![heart, tokio::spawn(client.run(news))];
        Ok(Self { stage, failed, tasks })
    }

    /// Removes the Nodes; an error where the client could not do all that it should.
    pub async fn end(self) -> Result<()> {
        for task in &self.tasks {
            task.abort();
        }
        for place in &self.stage.places {
            self.stage.server.delete_node(&place.node).await?;
        }
        let failed = self.failed.load(Relaxed);
        ensure!(failed == 0, "the floor's client failed at {failed} writes");
        Ok(())
    }
}

async fn write_statuses(server: &Server, places: &[Place]) -> Result<()> {
    let status = objects::floor_node_status(Timestamp::now());
    for place in places {
        server.patch_node_status(&place.node, &status).await?;
    }
    Ok(())
}

#[derive(Clone)]
struct Client {
    server: Server,
    namespace: String,
    failed: Arc<AtomicU64>,
}

impl Client {
    async fn run(self, mut news: mpsc::UnboundedReceiver<News>) {
        let writes = Arc::new(Semaphore::new(crate::stage::writes_at_once()));
        // One write at a time for each Pod, as the controller has it: one that is deleted before its patch has
        // ended waits for it.
        let mut last: HashMap<String, JoinHandle<()>> = HashMap::new();
        while let Some(news) = news.recv().await {
            let (client, writes, before) = (self.clone(), writes.clone(), last.remove(&news.uid));
            let uid = news.uid.clone();
            let bound = news.what == What::Bound;
            let task = tokio::spawn(async move {
                if let Some(before) = before {
                    let _ = before.await;
                }
                let Ok(_place) = writes.acquire().await else { return };
                if client.act(&news).await.is_err() {
                    client.failed.fetch_add(1, Relaxed);
                }
            });
            if bound {
                last.insert(uid, task);
            }
        }
    }

    async fn act(&self, news: &News) -> Result<()> {
        match news.what {
            What::Bound => {
                // All that the patch says of the Pod follows from its name; a real client has it from the watch.
                let (biz, image) = ModulePod::of_name(&news.name);
                let patch = objects::ready_patch(&news.uid, &biz, &image, "127.0.0.9", Timestamp::now());
                self.server.patch_pod_status(&self.namespace, &news.name, &patch).await
            }
            What::Deleting => self.server.finish_pod(&self.namespace, &news.name, &news.uid).await,
        }
    }
}
