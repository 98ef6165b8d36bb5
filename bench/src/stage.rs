//! Where phases run: Nodes, a namespace, and the watcher of its Pods. The floor and the controller have one each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::Server;
use crate::fleet::Member;
use crate::fleet::base::Work;
use crate::objects::{BIZ_VERSION, ModulePod};
use crate::watch::Watch;

/// A Node, and the base behind it where there is one.
#[derive(Clone, Debug)]
pub struct Target {
    /// The Node's name.
    pub node: String,
    /// The simulated base.
    pub member: Option<Arc<Member>>,
}

/// The stage of phases.
pub struct Stage {
    /// The API server.
    pub server: Server,
    /// Where the Pods are made.
    pub namespace: String,
    /// The version of the bases that they are for.
    pub base_version: String,
    /// The Nodes.
    pub places: Vec<Target>,
    /// What is seen of the Pods.
    pub pods: Watch,
}

/// How many writes are at work at once, of the one who makes Pods and of the floor's client: as many as the controller
/// allows itself.
pub fn writes_at_once() -> usize {
    cluster::WriterConfig::default().max_running
}

impl Stage {
    /// `modules` Pods for each Node, Node by Node in turn.
    pub fn modules(&self, modules: usize) -> Vec<(ModulePod, Target)> {
        let on = |module: usize| {
            self.places.iter().map(move |place| (self.module(&format!("biz{module}"), place), place.clone()))
        };
        (0..modules).flat_map(on).collect()
    }

    /// The Pod of one module on one Node.
    pub fn module(&self, biz: &str, place: &Target) -> ModulePod {
        ModulePod::new(biz, &place.node, &self.base_version)
    }

    /// Makes Pods, as many at once as [`writes_at_once`].
    pub async fn create(&self, pods: &[(ModulePod, Target)]) -> Result<()> {
        let bodies = pods.iter().map(|(pod, _)| pod.object());
        self.each(bodies, |server, namespace, body| async move { server.create_pod(&namespace, &body).await })
            .await
    }

    /// Asks for the deletion of Pods, as many at once as [`writes_at_once`].
    pub async fn delete(&self, pods: &[(ModulePod, Target)]) -> Result<()> {
        let names = pods.iter().map(|(pod, _)| pod.name.clone());
        self.each(names, |server, namespace, name| async move { server.delete_pod(&namespace, &name).await })
            .await
    }

    /// Patches Pods, as many at once as [`writes_at_once`].
    pub async fn patch(
        &self,
        pods: &[(ModulePod, Target)],
        patch: impl Fn(&ModulePod) -> Value,
    ) -> Result<()> {
        let patches = pods.iter().map(|(pod, _)| (pod.name.clone(), patch(pod)));
        self.each(patches, |server, namespace, (name, patch)| async move {
            server.patch_pod(&namespace, &name, &patch).await
        })
        .await
    }

    async fn each<T: Send + 'static, F>(
        &self,
        items: impl Iterator<Item = T>,
        write: impl Fn(Server, String, T) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(writes_at_once()));
        let mut tasks = JoinSet::new();
        for item in items {
            let place = places.clone().acquire_owned().await.context("a place to write")?;
            let work = write(self.server.clone(), self.namespace.clone(), item);
            tasks.spawn(async move {
                let result = work.await;
                drop(place);
                result
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a write")??;
        }
        Ok(())
    }
}

/// What the base itself did for a Pod, the last time.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtBase {
    /// The installation.
    pub install: Option<Work>,
    /// The uninstallation.
    pub uninstall: Option<Work>,
}

impl AtBase {
    /// For this Pod; nothing where no base is behind its Node.
    pub fn of(pod: &ModulePod, place: &Target) -> Self {
        let Some(member) = &place.member else { return Self::default() };
        let id = (pod.biz.clone(), BIZ_VERSION.to_owned());
        Self { install: member.install_of(&id), uninstall: member.uninstall_of(&id) }
    }
}

/// How much of the time since `from` was the base's own; nothing where no base took part. A base may have begun before
/// our watcher saw why: the controller's watch is another one.
pub fn took(work: Option<Work>, from: Instant) -> Duration {
    work.map_or(Duration::ZERO, |work| work.ended.saturating_duration_since(work.begun.max(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_since_then_is_taken_off() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let work = Some(Work { begun: start + ms(10), ended: start + ms(15) });
        assert_eq!(took(work, start), ms(5));
        assert_eq!(took(work, start + ms(12)), ms(3));
        assert_eq!(took(work, start + ms(20)), Duration::ZERO);
        assert_eq!(took(None, start), Duration::ZERO);
    }
}
