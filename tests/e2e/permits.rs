//! Bases that cannot hold two versions, and several replicas: never more of a Deployment's bases are without their module at a
//! time than one, or than the Deployment allows where it is watched (rule O7).

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Recording, Scene, Simulated, Way, manifest,
    seen::{condition, is_ready, summary, text},
};
use serde_json::json;
use testkit::{
    controller::{Controller, REPLICA},
    wait::{stays, wait_for},
};

const REPLICAS: usize = 3;
const BASES: usize = 9;
/// Long enough for two gaps at once to be seen.
const INSTALL: Duration = Duration::from_millis(400);

/// Replicas that share bases, each of which has a Pod of the Deployment `biz1`.
struct Fleet {
    bases: Vec<Simulated>,
    others: Vec<Controller>,
    permits: Recording,
    scene: Scene,
}

impl Fleet {
    fn start(max_unavailable: u32, more: &[(&str, &str)]) -> Result<Self> {
        let settings = [&REPLICA, more].concat();
        let scene = Scene::start(Way::Http, &settings)?;
        let others = (1..REPLICAS)
            .map(|_| Controller::start(scene.controller.options().clone()))
            .collect::<Result<Vec<Controller>>>()?;
        let tunnel = scene.controller.http_tunnel();
        let bases = (0..BASES)
            .map(|_| Simulated::start(&tunnel, &scene.base_version))
            .collect::<Result<Vec<Simulated>>>()?;
        wait_for("all bases have Nodes", Duration::from_secs(60), || {
            Ok((scene.nodes()?.len() == BASES).then_some(()))
        })?;
        let replicas = u32::try_from(BASES)?;
        let mut deployment = manifest::deployment(&scene, "biz1", replicas, &[container("1.0.0")]);
        deployment["spec"]["strategy"]["rollingUpdate"] =
            json!({"maxSurge": "100%", "maxUnavailable": max_unavailable});
        // One Pod of each revision on each base.
        deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {"app": "biz1"}},
                "matchLabelKeys": ["pod-template-hash"],
                "topologyKey": "topology.kubernetes.io/zone",
            }],
        });
        scene.cluster.apply(&manifest::patient(deployment).to_string())?;
        scene.wait_pods_ready(BASES)?;
        let list = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
        let ours =
            "module-controller.koupleless.io/component%3Dpermits,module-controller.koupleless.io/env%3D";
        let list = format!("{list}?labelSelector={ours}{}", scene.env);
        let permits = Recording::start(&scene.cluster, &list, 0)?;
        let fleet = Self { bases, others, permits, scene };
        fleet.shared_among(REPLICAS)?;
        fleet.bases.iter().for_each(|base| base.take(INSTALL));
        Ok(fleet)
    }

    fn shared_among(&self, replicas: usize) -> Result<()> {
        wait_for("every replica owns some", Duration::from_secs(40), || {
            let selector = format!("module-controller.koupleless.io/env={}", self.scene.env);
            let leases = self.scene.cluster.kubectl_json(&[
                "-n",
                "kube-node-lease",
                "get",
                "leases",
                "-l",
                &selector,
            ])?;
            let leases = leases["items"].as_array().cloned().unwrap_or_default();
            let owners: BTreeSet<&str> =
                leases.iter().map(|lease| text(lease, "/spec/holderIdentity")).collect();
            ensure!(owners.len() == replicas && !owners.contains(""), "{owners:?}");
            Ok(Some(()))
        })
    }

    fn set_version(&self, version: &str) -> Result<()> {
        let patch = json!({"spec": {"template": {"spec": {"containers": [container(version)]}}}});
        let args = ["patch", "deployment", "biz1", "--type=strategic", "-p", &patch.to_string()];
        self.scene.kubectl(&args).map(drop)
    }

    /// Waits until every base has this version and nothing else, and every Pod is Ready.
    fn all_serve(&self, version: &str) -> Result<()> {
        let only = |base: &Simulated| {
            base.biz().into_iter().collect::<Vec<_>>()
                == [(format!("biz1:{version}"), "activated".to_owned())]
        };
        wait_for(&format!("every base serves {version}"), Duration::from_secs(120), || {
            let serve = self.bases.iter().filter(|base| only(base)).count();
            let pods = self.scene.pods(&[])?;
            let seen: Vec<String> = pods.iter().map(summary).collect();
            ensure!(
                serve == BASES && pods.len() == BASES && pods.iter().all(is_ready),
                "{serve} serve it: {seen:#?}"
            );
            Ok(Some(()))
        })
    }

    /// Does something, and tells which bases served nothing at a time meanwhile.
    fn gaps(&self, meanwhile: impl FnOnce() -> Result<()>) -> Result<BTreeSet<BTreeSet<usize>>> {
        let over = AtomicBool::new(false);
        let empty = || -> BTreeSet<usize> {
            let serves = |base: &Simulated| base.biz().values().any(|state| state == "activated");
            (0..BASES).filter(|index| self.bases.get(*index).is_some_and(|base| !serves(base))).collect()
        };
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut gaps = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    // One look takes its time on a busy machine: those that were so in two were so between them.
                    let first = empty();
                    gaps.insert(&first & &empty());
                    thread::sleep(Duration::from_millis(5));
                }
                gaps
            });
            let result = meanwhile();
            over.store(true, Ordering::Relaxed);
            let gaps = watch.join().map_err(|_| anyhow::anyhow!("the watch ended"))?;
            result.map(|()| gaps)
        })
    }

    /// The bases on which a Pod of these has had a permit.
    fn had_permits(&self) -> Result<BTreeSet<usize>> {
        let mut permitted = String::new();
        for change in self.permits.changes()? {
            permitted +=
                text(&change.object, "/metadata/annotations/module-controller.koupleless.io~1holders");
            permitted.push(' ');
        }
        let pods = self.scene.pods(&[])?;
        let had = pods.iter().filter(|pod| permitted.contains(text(pod, "/metadata/uid")));
        let nodes: BTreeSet<&str> = had.map(|pod| text(pod, "/spec/nodeName")).collect();
        Ok((0..BASES).filter(|index| nodes.contains(&*self.bases[*index].node())).collect())
    }

    /// How often permits were written so far.
    fn written(&self) -> Result<usize> {
        Ok(self.permits.changes()?.iter().filter(|change| change.kind != "DELETED").count())
    }
}

/// How many of these bases served nothing at a time, at most.
fn most(gaps: &BTreeSet<BTreeSet<usize>>, of: &BTreeSet<usize>) -> usize {
    gaps.iter().map(|gap| gap.intersection(of).count()).max().unwrap_or_default()
}

fn container(version: &str) -> serde_json::Value {
    manifest::container_of("biz1", version, &format!("file:///nowhere/biz1-{version}.jar"))
}

#[test]
fn one_base_at_a_time_has_a_gap_over_all_replicas_also_when_one_is_killed() -> Result<()> {
    let mut fleet = Fleet::start(0, &[])?;
    let gaps = fleet.gaps(|| {
        fleet.set_version("2.0.0")?;
        fleet.all_serve("2.0.0")
    })?;
    let all = (0..BASES).collect();
    let most_at_once = most(&gaps, &all);
    let written = fleet.written()?;
    println!("{most_at_once} at once, {written} writes of permits for {BASES} bases");
    ensure!(most_at_once == 1, "{most_at_once} bases had a gap at once");
    // One for each base, whoever else wanted it at that moment.
    ensure!(written <= BASES, "{written} writes: {:#?}", fleet.permits.changes()?);

    let killed = fleet.others.pop().context("another replica")?;
    let mut killed = Some(killed);
    let gaps = fleet.gaps(|| {
        fleet.set_version("3.0.0")?;
        wait_for("the update is under way", Duration::from_secs(60), || {
            let new = fleet.bases.iter().filter(|base| base.biz().contains_key("biz1:3.0.0")).count();
            Ok((new >= 2).then_some(()))
        })?;
        killed.take().context("it")?.kill()?;
        fleet.all_serve("3.0.0")
    })?;
    let most_at_once = most(&gaps, &all);
    println!("{most_at_once} at once, {} writes of permits in all", fleet.written()?);
    ensure!(most_at_once == 1, "{most_at_once} bases had a gap at once");
    Ok(())
}

#[test]
fn as_many_at_once_as_the_deployment_allows_where_it_is_watched() -> Result<()> {
    let fleet = Fleet::start(3, &[("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true")])?;
    let gaps = fleet.gaps(|| {
        fleet.set_version("2.0.0")?;
        fleet.all_serve("2.0.0")
    })?;
    // Kubernetes deletes three Pods of before at once (rule O14): a base that has not been told of its new Pod by then loses
    // its module without a permit, and one permit is always given beside them.
    let by_permit = fleet.had_permits()?;
    let (in_all, by_permit) = (most(&gaps, &(0..BASES).collect()), most(&gaps, &by_permit));
    let written = fleet.written()?;
    println!("{in_all} at once, {by_permit} by permit, {written} writes of permits for {BASES} bases");
    ensure!(in_all >= 2, "{in_all} bases had a gap at once");
    ensure!((1..=3).contains(&by_permit), "{by_permit} bases had a gap at once by permit");
    Ok(())
}

/// Of a base whose machine is lost in the middle of a replacement Kubernetes deletes the Pods, and they stay.
#[test]
fn a_base_that_is_lost_in_the_middle_holds_nobody_up() -> Result<()> {
    let fleet = Fleet::start(0, &[])?;
    fleet.bases.iter().for_each(|base| base.take(Duration::from_secs(5)));
    fleet.set_version("2.0.0")?;
    let lost = wait_for("one base has a gap", Duration::from_secs(60), || {
        Ok(fleet.bases.iter().position(|base| !base.biz().contains_key("biz1:1.0.0")))
    })?;
    let (lost, others): (Vec<_>, Vec<_>) =
        fleet.bases.iter().enumerate().partition(|(index, _)| *index == lost);
    let (_, lost) = lost.first().context("it")?;
    lost.fall_silent();
    others.iter().for_each(|(_, base)| base.take(INSTALL));
    let node = lost.node();
    let pods = fleet.scene.pods(&[])?;
    let on_it = pods.iter().filter(|pod| text(pod, "/spec/nodeName") == node);
    let names: Vec<&str> = on_it.map(|pod| text(pod, "/metadata/name")).collect();
    ensure!(names.len() == 2, "{names:?}");
    fleet.scene.kubectl(&[&["delete", "pods", "--wait=false"], &*names].concat())?;
    wait_for("all others serve 2.0.0", Duration::from_secs(120), || {
        let serve = others.iter().filter(|(_, base)| base.biz().contains_key("biz1:2.0.0")).count();
        ensure!(serve == BASES - 1, "{serve} do");
        Ok(Some(()))
    })
}

/// Rule 9: what failed on a base of one replica is not tried on those of the others.
#[test]
fn a_version_that_fails_costs_one_base_whichever_replica_acts_for_it() -> Result<()> {
    let fleet = Fleet::start(0, &[])?;
    fleet.bases.iter().for_each(|base| base.fail_at_start("biz1:2.0.0"));
    fleet.set_version("2.0.0")?;
    wait_for("one Pod is barred", Duration::from_secs(60), || {
        let pods = fleet.scene.pods(&[])?;
        let barred = |pod: &&serde_json::Value| {
            condition(pod, "module-controller.koupleless.io/Barred")["status"] == "True"
        };
        let (barred, ready) =
            (pods.iter().filter(barred).count(), pods.iter().filter(|pod| is_ready(pod)).count());
        ensure!(barred == 1 && ready == BASES, "{:#?}", pods.iter().map(summary).collect::<Vec<_>>());
        Ok(Some(()))
    })?;
    let replaced = || {
        let done = fleet.bases.iter().flat_map(Simulated::done);
        Ok(done.filter(|told| told == "uninstallBiz biz1:1.0.0").count())
    };
    // Longer than a permit that is not seen to be over is kept.
    stays("the bases that were replaced", Duration::from_secs(12), &1, replaced)?;
    fleet.scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    fleet.all_serve("1.0.0")
}
