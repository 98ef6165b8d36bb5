//! Plans over MQTT, and of many bases: what they write, and what they cost while they wait.

use e2e::long_run;
use testkit::{
    cluster::{Cluster, ClusterOptions},
    wait::settled,
};

use super::*;

#[test]
fn over_mqtt_one_base_goes_first_too() -> Result<()> {
    let scene = Scene::start(Way::Embedded, &[ON])?;
    let port = scene.broker_port().context("a broker")?;
    let bases: Vec<Simulated> = (0..3)
        .map(|n| Simulated::over_mqtt_on(port, &scene.env, &scene.base_version, &format!("host-{n}")))
        .collect();
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    let has = |base: &&Simulated| base.biz().contains_key("biz1:2.0.0");
    stays("one base has it", WATCHED, &1, || Ok(bases.iter().filter(has).count()))?;
    wait_stand(&scene, "2.0.0", 1, 2)?;
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_phase(&scene, "p", "Succeeded")?;
    wait_stand(&scene, "2.0.0", 3, 0)?;
    ensure!(bases.iter().filter(has).count() == 3, "not all have it");
    Ok(())
}

/// What the controller asked of the API server so far: writes of these resources.
fn writes(scene: &Scene, resources: &[&str]) -> Result<u64> {
    let page = scene.controller.admin("/metrics")?.body;
    let of = |line: &&str| {
        line.starts_with("module_controller_api_requests_total{")
            && !["get", "list"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
            && resources.iter().any(|one| line.contains(&format!("resource=\"{one}\"")))
    };
    let number = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    Ok(page.lines().filter(of).filter_map(number).sum())
}

/// What is written of modules, without what is written whatever they do (Leases, Nodes, Events).
const OF_MODULES: [&str; 4] = ["pods", "pods/status", "modules", "modules/status"];
const OF_PLANS: [&str; 1] = ["operationplans/status"];

/// A module's whole update, as without a plan: its intent, two statuses of its Pod and its Module object, and for the version of
/// before what its end takes. That it is held is one status more.
const WRITES_PER_MODULE: u64 = 12;

struct Fleet {
    scene: Scene,
    bases: Vec<Simulated>,
    limit: Duration,
}

impl Fleet {
    /// 1.0.0 serves on all of them, in a cluster of their own.
    fn start(count: usize, holds_two: bool) -> Result<Self> {
        let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[ON])?;
        let bases = Simulated::fleet(&scene.controller.http_tunnel(), &scene.base_version, count)?;
        if holds_two {
            bases.iter().for_each(Simulated::hold_two_versions);
        }
        let limit = Duration::from_secs(120 + u64::try_from(count)?);
        release(&scene, "1.0.0", None)?;
        let fleet = Self { scene, bases, limit };
        fleet.wait_ready("1.0.0", count)?;
        Ok(fleet)
    }

    fn wait_ready(&self, version: &str, count: usize) -> Result<()> {
        wait_for(&format!("{count} Pods of {version} are Ready"), self.limit, || {
            let seen = stand(&self.scene, version)?;
            ensure!(seen.0 == count, "{seen:?}");
            Ok(Some(()))
        })
    }

    fn have(&self, id: &str) -> usize {
        self.bases.iter().filter(|base| base.biz().contains_key(id)).count()
    }

    /// A plan of four batches, the first of which waits for a person, from its start to its end.
    fn release_by_a_plan(&self, max_unavailable: &str) -> Result<()> {
        let Self { scene, bases, limit } = self;
        let count = bases.len();
        let mut plan = plan(scene, "p", "2.0.0");
        plan["spec"]["batches"] = json!([
            {"name": "beta", "size": 1, "confirm": true},
            {"name": "rest", "count": 3, "maxUnavailable": max_unavailable},
        ]);
        // Shorter than a batch takes: one that waits for its turn has not begun.
        plan["spec"]["readyTimeoutSeconds"] = json!(60);
        let before = writes(scene, &OF_MODULES)?;
        scene.cluster.apply(&plan.to_string())?;
        release(scene, "2.0.0", Some("p"))?;
        wait_phase_within(scene, "p", "AwaitingConfirm", *limit)?;
        wait_for("all others are held", *limit, || {
            let seen = stand(scene, "2.0.0")?;
            ensure!(seen == (1, count - 1), "{seen:?}");
            Ok(Some(()))
        })?;
        // While it waits it costs nothing.
        let cost = || Ok((writes(scene, &OF_MODULES)?, writes(scene, &OF_PLANS)?));
        let waits = settled("what is written for the others", *limit, cost)?;
        stays("what is written while it waits", WATCHED, &waits, cost)?;
        // Until then it is told at most once a second how its bases come.
        ensure!(waits.1 <= 8, "{} writes of the plan's status so far", waits.1);
        let waiting = wait_phase(scene, "p", "AwaitingConfirm")?;
        steer(scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
        wait_phase_within(scene, "p", "Succeeded", *limit * 4)?;
        self.wait_ready("2.0.0", count)?;
        wait_for("the version of before is gone", *limit, || {
            ensure!(self.have("biz1:1.0.0") == 0, "{} have it", self.have("biz1:1.0.0"));
            Ok(Some(()))
        })?;
        let (modules, plans) = (writes(scene, &OF_MODULES)? - before, writes(scene, &OF_PLANS)?);
        let count = u64::try_from(count)?;
        println!("{count} bases: {modules} writes of modules, {plans} of the plan");
        ensure!(modules <= WRITES_PER_MODULE * count, "{modules} writes of modules");
        for base in bases {
            let done = base.done();
            let installs = done.iter().filter(|one| one.contains("installBiz biz1:2.0.0")).count();
            ensure!(installs == 1, "{done:?}");
        }
        Ok(())
    }
}

#[test]
fn what_many_bases_write_under_a_plan_is_what_they_write_without_one() -> Result<()> {
    Fleet::start(if long_run() { 1_000 } else { 60 }, true)?.release_by_a_plan("100%")
}

/// A tenth of them at a time, and none is late because it queues.
#[test]
fn bases_that_hold_one_version_only_are_released_in_turns() -> Result<()> {
    Fleet::start(if long_run() { 300 } else { 30 }, false)?.release_by_a_plan("10%")
}
