//! What is known of the cluster: one watch for each kind, shared by all viewers.

mod interner;
mod kinds;
mod shelf;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ask::{
    Text,
    read::{Base, Lease, MODULES, Module, PODS, Plan, Pod, REPLICAS, Replica, Site, VNODES},
};
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api, Client,
    core::ApiResource,
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{Config, watcher},
    },
};
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

pub(crate) use self::kinds::{Condition, DaemonSetOfModules, DeploymentOfModules, NodeOfBase};
use self::{interner::Interner, shelf::Shelf};
use crate::watched::Watched;

/// How long the API server is asked to keep one watch, in seconds: less than the client waits for a byte, so that a peer
/// that vanished is noticed and a quiet one is not taken for such.
const LENGTH: u32 = 10;
/// How long a byte is waited for: a page of a list takes a busy server some seconds.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// How often viewers are told of changes.
const TICK: Duration = Duration::from_secs(1);
/// A watch that fails for less is not told: the next attempt is on its way.
const PATIENCE: Duration = Duration::from_secs(4);

/// Kinds of what is shown, as viewers are told that they changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Topic {
    Bases,
    Modules,
    Plans,
    Replicas,
}

impl Topic {
    pub(crate) const ALL: [Self; 4] = [Self::Bases, Self::Modules, Self::Plans, Self::Replicas];
}

/// How often each topic changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Versions(pub(crate) [u64; 4]);

impl Versions {
    /// The topics that changed since then.
    pub(crate) fn since(self, then: Self) -> Vec<Topic> {
        Topic::ALL
            .into_iter()
            .zip(self.0.into_iter().zip(then.0))
            .filter(|(_, (now, then))| now != then)
            .map(|(topic, _)| topic)
            .collect()
    }
}

/// What viewers are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) versions: Versions,
    /// Since when the API server is not heard; none where it is.
    pub(crate) stale_since: Option<Timestamp>,
    /// Every kind was listed once.
    pub(crate) complete: bool,
}

/// What is known of the cluster.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) nodes: Shelf<NodeOfBase>,
    pub(crate) leases: Shelf<Lease>,
    pub(crate) modules: Shelf<Module>,
    pub(crate) pods: [Shelf<Pod>; 2],
    pub(crate) plans: Shelf<Plan>,
    pub(crate) deployments: Shelf<DeploymentOfModules>,
    pub(crate) daemon_sets: Shelf<DaemonSetOfModules>,
    pub(crate) replicas: Shelf<Replica>,
    texts: Interner,
    /// Moves once a second where something changed.
    news: watch::Sender<News>,
}

impl Store {
    /// With nothing in it.
    fn new() -> Self {
        Self {
            nodes: Shelf::new(Topic::Bases, |_, _| false),
            // Renewed every ten seconds: only who holds it is news.
            leases: Shelf::new(Topic::Bases, |old: &Lease, new| old.holder == new.holder),
            modules: Shelf::new(Topic::Modules, |old: &Module, new| old == new),
            pods: [(); 2].map(|()| Shelf::new(Topic::Modules, |old: &Pod, new| old == new)),
            plans: Shelf::new(Topic::Plans, |_, _| false),
            deployments: Shelf::new(Topic::Modules, |_, _| false),
            daemon_sets: Shelf::new(Topic::Modules, |_, _| false),
            replicas: Shelf::new(Topic::Replicas, |old: &Replica, new| {
                let told = |one: &Replica| (one.state.clone(), one.cut_off, one.incarnation.clone());
                told(old) == told(new)
            }),
            texts: Interner::default(),
            news: watch::Sender::new(News::default()),
        }
    }

    /// Starts the watches; they end when the set is dropped. `replicas_in` is the namespace of the controller's replicas; none: all.
    pub(crate) fn start(client: &Client, replicas_in: Option<&str>, tasks: &mut JoinSet<()>) -> Arc<Self> {
        let store = Arc::new(Self::new());
        let of = |group: &str, kind: &str, plural: &str| {
            let version = if group == "koupleless.io" { "v1alpha1" } else { "v1" };
            let api_version =
                if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
            ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version,
                kind: kind.to_owned(),
                plural: plural.to_owned(),
            }
        };
        let mut follow = Follow { store: &store, client, tasks };
        follow.all(of("", "Node", "nodes"), VNODES, |store| &store.nodes);
        follow.all(of("koupleless.io", "Module", "modules"), MODULES, |store| &store.modules);
        follow.all(of("", "Pod", "pods"), PODS[0], |store| &store.pods[0]);
        follow.all(of("", "Pod", "pods"), PODS[1], |store| &store.pods[1]);
        follow.all(of("koupleless.io", "OperationPlan", "operationplans"), "", |store| &store.plans);
        follow.all(of("apps", "Deployment", "deployments"), "", |store| &store.deployments);
        follow.all(of("apps", "DaemonSet", "daemonsets"), "", |store| &store.daemon_sets);
        let leases = of("coordination.k8s.io", "Lease", "leases");
        let replicas = match replicas_in {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &leases),
            None => Api::all_with(client.clone(), &leases),
        };
        follow.of(replicas, REPLICAS, |store| &store.replicas);
        let nodes = Api::namespaced_with(client.clone(), "kube-node-lease", &leases);
        follow.of(nodes, "", |store| &store.leases);
        let ticking = store.clone();
        tasks.spawn(async move { ticking.tick().await });
        store
    }

    /// What viewers were told last.
    pub(crate) fn latest(&self) -> News {
        *self.news.borrow()
    }

    /// What viewers are told.
    pub(crate) fn news(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// The bases, with who acts for them and when that replica said so last.
    pub(crate) fn lease(&self, node: &str) -> Option<Arc<Lease>> {
        self.leases.get(&format!("kube-node-lease/{node}"))
    }

    /// The namespaces that there is something in.
    pub(crate) fn namespaces(&self) -> BTreeSet<Text> {
        let mut namespaces = BTreeSet::new();
        let mut add = |namespace: &Text| {
            if !namespaces.contains(namespace) {
                namespaces.insert(namespace.clone());
            }
        };
        self.modules.all().iter().for_each(|one| add(&one.namespace));
        self.pods.iter().flat_map(Shelf::all).for_each(|one| add(&one.namespace));
        self.plans.all().iter().for_each(|one| add(&one.namespace));
        self.replicas.all().iter().for_each(|one| add(&one.namespace));
        self.deployments.all().iter().filter_map(|one| one.0.as_ref()).for_each(|one| add(&one.namespace));
        self.daemon_sets.all().iter().filter_map(|one| one.0.as_ref()).for_each(|one| add(&one.namespace));
        namespaces
    }

    /// What could not be watched, and why.
    pub(crate) fn not_watched(&self) -> Vec<(&'static str, Text)> {
        self.standings().into_iter().filter_map(|standing| Some((standing.name, standing.missing?))).collect()
    }

    fn standings(&self) -> Vec<shelf::Standing> {
        vec![
            self.nodes.standing(),
            self.leases.standing(),
            self.modules.standing(),
            self.pods[0].standing(),
            self.pods[1].standing(),
            self.plans.standing(),
            self.deployments.standing(),
            self.daemon_sets.standing(),
            self.replicas.standing(),
        ]
    }

    async fn tick(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let standings = self.standings();
            let mut versions = Versions::default();
            for standing in &standings {
                for (topic, version) in Topic::ALL.into_iter().zip(&mut versions.0) {
                    if topic == standing.topic {
                        *version += standing.version;
                    }
                }
            }
            let failing = standings.iter().filter_map(|standing| standing.failing_since).min();
            let long = |since: &Timestamp| Timestamp::now().duration_since(*since) >= to_jiff(PATIENCE);
            let complete = standings.iter().all(|standing| standing.listed || standing.missing.is_some());
            let news = News { versions, stale_since: failing.filter(long), complete };
            self.news.send_if_modified(|old| std::mem::replace(old, news) != news);
        }
    }
}

fn to_jiff(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

struct Follow<'a> {
    store: &'a Arc<Store>,
    client: &'a Client,
    tasks: &'a mut JoinSet<()>,
}

impl Follow<'_> {
    fn all<T: kinds::Kept>(&mut self, of: ApiResource, labels: &str, shelf: fn(&Store) -> &Shelf<T>) {
        self.of(Api::all_with(self.client.clone(), &of), labels, shelf);
    }

    fn of<T: kinds::Kept>(&mut self, api: Api<Watched<T>>, labels: &str, shelf: fn(&Store) -> &Shelf<T>) {
        let store = self.store.clone();
        let config = Config::default().timeout(LENGTH).page_size(500);
        let config = if labels.is_empty() { config } else { config.labels(labels) };
        self.tasks.spawn(async move {
            let shelf = shelf(&store);
            let mut events = std::pin::pin!(watcher(api, config).backoff(Pace::default()));
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => shelf.take(event, &store.texts),
                    Err(error) => shelf.failed(&error),
                }
            }
        });
    }
}

/// The pause before a watch is tried again: longer each time, and never long, since people look at what it shows.
#[derive(Debug, Default)]
struct Pace(u32);

impl Iterator for Pace {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0 = (self.0 + 1).min(3);
        Some(Duration::from_millis(400 << self.0))
    }
}

impl Backoff for Pace {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

impl NodeOfBase {
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }
}

#[cfg(test)]
pub(crate) mod tests;
