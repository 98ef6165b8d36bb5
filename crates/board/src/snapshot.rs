//! What a viewer may see of the cluster, put together once for all viewers with the same sight.

use std::sync::{Arc, Mutex, PoisonError};

use ask::{
    Text,
    drift::{Drift, Wanting, drift, under_way},
    picture::{Line, Picture},
    read::{Base, Module, Object, Plan, Pod, Site, Workload},
};

use crate::{
    rights::{Allowed, Sight},
    store::{DaemonSetOfModules, DeploymentOfModules, News, NodeOfBase, Store},
};

/// Sights of viewers that are kept: most are of those who may see everything, or one team's namespaces.
const KEPT: usize = 16;

/// What of a kind is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The viewer may see none of it.
    All(&'static str),
    /// The viewer may see it in some namespaces only.
    Elsewhere(&'static str),
    /// The viewer may see it in more namespaces than were asked for.
    Cut(&'static str),
    /// The board itself does not get it.
    NotWatched(&'static str, Text),
}

/// What a viewer may see.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) news: News,
    pub(crate) picture: Picture,
    pub(crate) lines: Vec<Line>,
    pub(crate) nodes: Vec<Arc<NodeOfBase>>,
    pub(crate) plans: Vec<Arc<Plan>>,
    pub(crate) drift: Drift,
    pub(crate) missing: Vec<Missing>,
    deployments: Vec<Arc<DeploymentOfModules>>,
    daemon_sets: Vec<Arc<DaemonSetOfModules>>,
}

impl Snapshot {
    pub(crate) fn of(store: &Store, news: News, sight: &Sight) -> Self {
        let nodes = if sight.nodes { store.nodes.all() } else { Vec::new() };
        let pods = store.pods.iter().flat_map(|shelf| shelf.all());
        let replicas = store.replicas.all();
        let mut picture = Picture {
            bases: nodes.iter().map(|node| node.base().clone()).collect(),
            modules: only(store.modules.all(), |one| sight.modules.admits(&one.namespace)),
            pods: pods.filter(|one| sight.pods.admits(&one.namespace)).collect(),
            replicas: replicas
                .iter()
                .filter(|one| sight.replicas.admits(&one.namespace))
                .map(|one| (**one).clone())
                .collect(),
            not_shown: Vec::new(),
        };
        // Who acts for a base is looked up when it is shown: a Lease is renewed far more often than this is made.
        picture.put_together(Vec::new(), false);
        let lines = picture.lines();
        let is_seen = |workload: Option<&Workload>, allowed: &Allowed| {
            workload.is_some_and(|one| allowed.admits(&one.namespace))
        };
        let mut snapshot = Self {
            news,
            picture,
            lines,
            nodes,
            plans: only(store.plans.all(), |one| sight.plans.admits(&one.namespace)),
            drift: Drift::default(),
            missing: missing(store, sight),
            deployments: only(store.deployments.all(), |one| is_seen(one.0.as_ref(), &sight.deployments)),
            daemon_sets: only(store.daemon_sets.all(), |one| is_seen(one.0.as_ref(), &sight.daemon_sets)),
        };
        snapshot.drift = snapshot.drift();
        snapshot
    }

    fn drift(&self) -> Drift {
        // Of a base of which not all modules or Pods are seen nobody can tell in what it differs.
        if ![Base::NAME, Module::NAME, Pod::NAME].into_iter().all(|name| self.sees(name)) {
            return Drift::default();
        }
        let workloads: Vec<&Workload> = self.workloads().collect();
        let sites: Vec<&Site> = self.nodes.iter().map(|node| node.site()).collect();
        let plans = under_way(self.plans.iter().map(|plan| &**plan));
        let wants = Wanting { workloads: &workloads, sites: &sites, plans: &plans };
        drift(&self.picture, &self.lines, &wants, |_| true)
    }

    /// The viewer sees all of a kind.
    pub(crate) fn sees(&self, name: &str) -> bool {
        !self.missing.iter().any(|missing| match missing {
            Missing::All(what)
            | Missing::Elsewhere(what)
            | Missing::Cut(what)
            | Missing::NotWatched(what, _) => *what == name,
        })
    }

    /// What makes Pods of modules.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &Workload> {
        let deployments = self.deployments.iter().filter_map(|one| one.0.as_ref());
        deployments.chain(self.daemon_sets.iter().filter_map(|one| one.0.as_ref()))
    }

    /// The workload that a plan is for.
    pub(crate) fn workload(&self, namespace: &str, target: &str) -> Option<&Workload> {
        self.workloads().find(|one| {
            let (kind, name) = target.split_once('/').unwrap_or_default();
            *one.namespace == *namespace && *one.kind == *kind && *one.name == *name
        })
    }
}

fn only<T>(all: Vec<Arc<T>>, is_seen: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
    let mut seen = all;
    seen.retain(|one| is_seen(one));
    seen
}

fn missing(store: &Store, sight: &Sight) -> Vec<Missing> {
    let mut missing: Vec<Missing> =
        store.not_watched().into_iter().map(|(name, why)| Missing::NotWatched(name, why)).collect();
    if !sight.nodes {
        missing.push(Missing::All(Base::NAME));
    }
    let kinds = [
        (Module::NAME, &sight.modules),
        (Pod::NAME, &sight.pods),
        (Plan::NAME, &sight.plans),
        (DeploymentOfModules::NAME, &sight.deployments),
        (DaemonSetOfModules::NAME, &sight.daemon_sets),
    ];
    missing.extend(kinds.into_iter().filter_map(|(name, allowed)| match allowed {
        Allowed::Everywhere => None,
        Allowed::Within(_) if sight.cut => Some(Missing::Cut(name)),
        Allowed::Within(namespaces) if namespaces.is_empty() => Some(Missing::All(name)),
        Allowed::Within(_) => Some(Missing::Elsewhere(name)),
    }));
    missing.dedup();
    missing
}

/// The last snapshots, one for each sight.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    kept: Mutex<Vec<(Sight, Arc<Slot>)>>,
}

/// One is made by one viewer while others with the same sight wait for it.
#[derive(Debug, Default)]
struct Slot(tokio::sync::Mutex<Option<Arc<Snapshot>>>);

impl Slot {
    async fn make(&self, store: Arc<Store>, sight: Sight) -> Option<Arc<Snapshot>> {
        let mut last = self.0.lock().await;
        let news = store.latest();
        if let Some(snapshot) = last.as_ref().filter(|snapshot| snapshot.news == news) {
            return Some(snapshot.clone());
        }
        let made = tokio::task::spawn_blocking(move || Arc::new(Snapshot::of(&store, news, &sight)));
        let snapshot =
            made.await.inspect_err(|error| tracing::error!(%error, "a snapshot could not be made")).ok()?;
        *last = Some(snapshot.clone());
        Some(snapshot)
    }
}

impl Snapshots {
    /// What somebody with this sight sees now. It is made anew at most once for each piece of news.
    /// None where it could not be made.
    pub(crate) async fn of(&self, store: &Arc<Store>, sight: Sight) -> Option<Arc<Snapshot>> {
        let slot = self.slot(&sight);
        let store = store.clone();
        // In a task of its own: whoever asked may go away meanwhile, and the next would make another.
        let made = tokio::spawn(async move { slot.make(store, sight).await });
        made.await.ok().flatten()
    }

    fn slot(&self, sight: &Sight) -> Arc<Slot> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match kept.iter().position(|(one, _)| one == sight) {
            Some(place) => kept.remove(place).1,
            None => Arc::default(),
        };
        kept.insert(0, (sight.clone(), slot.clone()));
        kept.truncate(KEPT);
        slot
    }
}
