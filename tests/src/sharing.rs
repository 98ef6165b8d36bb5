//! Several replicas that share bases (`IS_CLUSTER`), and what the Leases tell of who acts for which.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use testkit::{controller::Controller, wait::wait_for};

use crate::{
    Recording, Scene, Simulated, manifest,
    seen::{is_ready, text},
};

/// Replicas with simulated bases, each of which has a module that runs.
#[derive(Debug)]
pub struct Sharing {
    /// The bases; first, because whoever is heard by none for long is lost.
    pub bases: Vec<Simulated>,
    /// The replicas besides the scene's.
    pub others: Vec<Controller>,
    /// What happens to the Pods.
    pub pods: Recording,
    leases: Recording,
    /// The first replica, and the rest.
    pub scene: Scene,
}

impl Sharing {
    /// Puts a module on each of these bases, which the scene's controller hears, and waits until it runs.
    pub fn start(scene: Scene, others: Vec<Controller>, bases: Vec<Simulated>) -> Result<Self> {
        let count = bases.len();
        wait_for("all bases have Nodes", Duration::from_secs(90), || {
            let nodes = scene.nodes()?.len();
            ensure!(nodes == count, "{nodes} Nodes");
            Ok(Some(()))
        })?;
        let biz = [manifest::container("biz1", "1.0.0")?];
        let pods = bases.iter().enumerate().map(|(index, base)| {
            let pod = manifest::pod(&scene, &format!("p{index}"), Some(&base.node()), &biz);
            manifest::patient(pod).to_string()
        });
        scene.cluster.apply(&pods.collect::<Vec<_>>().join("\n"))?;
        scene.kubectl(&["wait", "--for=condition=Ready", "pods", "--all", "--timeout=120s"])?;
        let (pods, leases) = (scene.record_pods()?, leases(&scene, count)?);
        Ok(Self { bases, others, pods, leases, scene })
    }

    /// Watches Pods and Leases anew, where what there was broke.
    pub fn record_again(&mut self) -> Result<()> {
        self.pods = self.scene.record_pods()?;
        self.leases = leases(&self.scene, self.bases.len())?;
        Ok(())
    }

    /// By base, who held its Lease last, and since when.
    pub fn holders(&self) -> Result<BTreeMap<String, Holder>> {
        let mut holders = BTreeMap::new();
        for change in self.leases.changes()? {
            let lease = &change.object;
            let time = |path| text(lease, path).parse().unwrap_or(Timestamp::MIN);
            let holder = Holder {
                who: text(lease, "/spec/holderIdentity").to_owned(),
                since: time("/spec/acquireTime"),
                renewed: time("/spec/renewTime"),
            };
            holders.insert(text(lease, "/metadata/name").to_owned(), holder);
        }
        Ok(holders)
    }

    /// By base, who holds its Lease.
    pub fn owners(&self) -> Result<BTreeMap<String, String>> {
        Ok(self.holders()?.into_iter().map(|(base, holder)| (base, holder.who)).collect())
    }

    /// How many bases each incarnation holds.
    pub fn shares(&self) -> Result<BTreeMap<String, usize>> {
        let mut shares = BTreeMap::new();
        for holder in self.holders()?.into_values() {
            *shares.entry(holder.who).or_default() += 1;
        }
        Ok(shares)
    }

    /// Which incarnation a replica is.
    pub fn incarnation(&self, replica: &Controller) -> Result<String> {
        let log = replica.log();
        // It is told at every start.
        let id = log.rsplit("client_id=").next().context("it has not told its CLIENT_ID")?;
        let id: String =
            id.chars().filter(|c| *c != '"').take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect();
        let members = self.scene.cluster.kubectl_json(&["-n", "default", "get", "leases"])?;
        let members = members["items"].as_array().cloned().unwrap_or_default();
        let of_it = members.iter().find(|lease| {
            let state = &lease["metadata"]["annotations"]["module-controller.koupleless.io/state"];
            lease["spec"]["holderIdentity"] == *id && state == "living"
        });
        let incarnation = of_it.map(|lease| {
            lease["metadata"]["annotations"]["module-controller.koupleless.io/incarnation"].clone()
        });
        incarnation.and_then(|it| it.as_str().map(str::to_owned)).context("it is no member")
    }

    /// Waits until every base has an owner that is not `ended`, and tells how long after `since` the last one got it.
    pub fn owned_without(&self, ended: &str, since: Timestamp, limit: Duration) -> Result<Duration> {
        let holders = wait_for("all bases are owned again", limit, || {
            let holders = self.holders()?;
            let owned =
                holders.values().filter(|holder| !holder.who.is_empty() && holder.who != ended).count();
            ensure!(owned == self.bases.len(), "{owned} of {}: {:?}", self.bases.len(), self.shares()?);
            Ok(Some(holders))
        })?;
        let last = holders.values().map(|holder| holder.since).max().unwrap_or(since);
        Ok(last.duration_since(since).max(SignedDuration::ZERO).unsigned_abs())
    }

    /// Waits until each of so many replicas has its share, within the larger of 1 and a tenth of what would be even: then
    /// nothing more is handed over.
    pub fn shared_among(&self, replicas: usize, limit: Duration) -> Result<()> {
        let even = self.bases.len() / replicas;
        let most = 1.max(even / 10);
        wait_for("all have their shares", limit, || {
            let shares = self.shares()?;
            let fair = shares.values().all(|share| share.abs_diff(even) <= most);
            ensure!(shares.len() == replicas && !shares.contains_key("") && fair, "{shares:?}");
            Ok(Some(()))
        })
    }

    /// No Pod was not Ready at any moment, and each module was installed once.
    pub fn nobody_noticed(&self) -> Result<()> {
        self.always_ready()?;
        self.told(&["installBiz biz1:1.0.0"])
    }

    /// No Pod was not Ready at any moment after it was.
    pub fn always_ready(&self) -> Result<()> {
        let mut ready = BTreeSet::new();
        for change in self.pods.changes()? {
            let name = text(&change.object, "/metadata/name").to_owned();
            let is_ready = is_ready(&change.object);
            ensure!(change.kind != "DELETED" && (is_ready || !ready.contains(&name)), "{change:?}");
            if is_ready {
                ready.insert(name);
            }
        }
        Ok(())
    }

    /// Each base was told to do this, and nothing else.
    pub fn told(&self, expected: &[&str]) -> Result<()> {
        let told: BTreeSet<Vec<String>> = self.bases.iter().map(Simulated::commands).collect();
        let expected: Vec<String> = expected.iter().map(|&command| command.to_owned()).collect();
        ensure!(told == BTreeSet::from([expected]), "{told:?}");
        Ok(())
    }
}

/// Who holds a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// An incarnation; empty where nobody does.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was last renewed.
    pub renewed: Timestamp,
}

fn leases(scene: &Scene, count: usize) -> Result<Recording> {
    let list = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    let ours = format!("{list}?labelSelector=module-controller.koupleless.io/env%3D{}", scene.env);
    Recording::start(&scene.cluster, &ours, count)
}
