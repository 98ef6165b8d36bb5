//! The floor: what the API server alone allows on this machine, in this run.
//!
//! A bare client makes the writes that the controller makes for a module, and nothing else: the same phases run against
//! it, with the same Pods, the same scheduler and the same number of writes at once. When it sees a Pod bound it creates
//! the Module object and then sends the very status patches that the controller sends once the base has answered; when
//! it sees one deleted it ends the deletion and deletes the Module object. The fleet and the controller are there
//! meanwhile and have nothing to do with it but heartbeats and Leases.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::api::Server;
use crate::objects;
use crate::stage::{Stage, Target};
use crate::watch::{News, Watch, What};

/// How many Nodes the Pods of the floor are spread over at most: the scheduler's work is per Pod.
const MAX_NODES: usize = 100;

/// Before the node lifecycle controller's 40 s are over.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The address that its Pods get.
const ADDRESS: &str = "127.0.0.9";

/// The bare client, its Nodes, and the stage to run phases on.
pub struct Floor {
    /// Where the phases run.
    pub stage: Stage,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Floor {
    /// Makes the Nodes and starts the client.
    pub async fn start(server: Server, namespace: &str, nodes: usize, which: Writes) -> Result<Self> {
        // Its Pods are for its own Nodes.
        let base_version = namespace.to_owned();
        let places: Vec<Target> = (0..nodes.clamp(1, MAX_NODES))
            .map(|n| Target { node: format!("{namespace}-{n:03}"), member: None })
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
        let places_to_write = Arc::new(Semaphore::new(crate::stage::writes_at_once()));
        let client = Client {
            server,
            namespace: namespace.to_owned(),
            which,
            places: places_to_write,
            failed: failed.clone(),
        };
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

async fn write_statuses(server: &Server, places: &[Target]) -> Result<()> {
    let status = objects::floor_node_status(Timestamp::now());
    for place in places {
        server.patch_node_status(&place.node, &status).await?;
    }
    Ok(())
}

/// What the bare client writes for a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// All that the controller writes: Module object, Pod status, Module status; two deletions.
    All,
    /// The Pod's status and the end of its deletion, and nothing else: what the rolling update is held against.
    PodsOnly,
}

#[derive(Clone)]
struct Client {
    server: Server,
    namespace: String,
    which: Writes,
    /// As many writes as the controller has at once.
    places: Arc<Semaphore>,
    failed: Arc<AtomicU64>,
}

/// A Module object that was made.
#[derive(Clone, Default)]
struct Made {
    name: String,
    uid: String,
}

impl Client {
    async fn run(self, mut news: mpsc::UnboundedReceiver<News>) {
        // In its order for each Pod, as the controller has it: one that is deleted before its writes have ended waits
        // for them.
        let mut last: HashMap<String, JoinHandle<Made>> = HashMap::new();
        while let Some(news) = news.recv().await {
            let (client, before) = (self.clone(), last.remove(&news.uid));
            let uid = news.uid.clone();
            let bound = news.what == What::Bound;
            let task = tokio::spawn(async move {
                let made = match before {
                    Some(before) => before.await.unwrap_or_default(),
                    None => Made::default(),
                };
                let result =
                    if bound { client.online(&news).await } else { client.offline(&news, &made).await };
                result.unwrap_or_else(|_| {
                    client.failed.fetch_add(1, Relaxed);
                    made
                })
            });
            if bound {
                last.insert(uid, task);
            }
        }
    }

    /// The intent; then, where a base would have been asked, the Pod's status and the Module's side by side.
    async fn online(&self, news: &News) -> Result<Made> {
        let (biz, image) = &news.container;
        let ready = objects::ready_patch(&news.uid, biz, image, ADDRESS, Timestamp::now());
        let pod = self.write(self.server.patch_pod_status(&self.namespace, &news.name, &ready));
        if self.which == Writes::PodsOnly {
            pod.await?;
            return Ok(Made::default());
        }
        let object = objects::module_object(&self.namespace, &news.name, biz, image, &news.node, ADDRESS);
        let name =
            object.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
        let uid = self.write(self.server.create_module(&self.namespace, &object)).await?;
        let available = objects::module_available(&uid, Timestamp::now());
        let module = self.write(self.server.patch_module_status(&self.namespace, &name, &available));
        tokio::try_join!(pod, module)?;
        Ok(Made { name, uid })
    }

    /// Both deletions side by side.
    async fn offline(&self, news: &News, made: &Made) -> Result<Made> {
        let pod = self.write(self.server.finish_pod(&self.namespace, &news.name, &news.uid));
        if self.which == Writes::PodsOnly {
            pod.await?;
        } else {
            let module = self.write(self.server.delete_module(&self.namespace, &made.name, &made.uid));
            tokio::try_join!(pod, module)?;
        }
        Ok(Made::default())
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        let _place = self.places.acquire().await.context("a place to write")?;
        write.await
    }
}
