//! Plans while whoever moves them on is killed, stopped or cut off from the API server: nothing is released twice or too early, and
//! no soak is shorter than it should be.

use std::time::Instant;

use jiff::Timestamp;
use testkit::{
    controller::{Controller, REPLICA},
    names,
    proxy::Proxy,
    work_dir::WorkDir,
};

use super::{
    metrics::{AWAY, Metrics, WELL},
    *,
};

/// Another leads 12 s after the one that led was killed; this allows for a busy machine.
const ANOTHER: Duration = Duration::from_secs(120);
/// Longer than anybody needs to look at a phase.
const SOAK: Duration = Duration::from_secs(8);
/// How long an install takes.
const INSTALL: Duration = Duration::from_secs(4);

/// One base first, watched, asked about and confirmed; then the others, watched.
fn watched(scene: &Scene, metrics: Option<&Metrics>) -> Value {
    let mut plan = plan(scene, "p", "2.0.0");
    let soak = SOAK.as_secs();
    plan["spec"]["batches"] = json!([
        {"name": "beta", "size": 1, "soakSeconds": soak, "confirm": true},
        {"name": "rest", "soakSeconds": soak, "maxUnavailable": "100%"},
    ]);
    if let Some(Metrics { url, .. }) = metrics {
        plan["spec"]["metrics"] =
            json!([{"name": "errors", "server": url, "query": "up", "condition": "< 1"}]);
    }
    plan
}

/// Waits until a batch is in this phase.
fn wait_batch(scene: &Scene, batch: usize, phase: &str) -> Result<()> {
    wait_for(&format!("batch {batch} is {phase}"), ANOTHER, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        ensure!(text(&plan, &format!("/status/batches/{batch}/phase")) == phase, "{}", plan["status"]);
        Ok(Some(()))
    })
}

fn confirm(scene: &Scene) -> Result<()> {
    let waiting = wait_phase_within(scene, "p", "AwaitingConfirm", ANOTHER)?;
    steer(scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))
}

/// On how many bases the version was installed; an error where it was twice on any.
fn installed(bases: &[Simulated]) -> Result<usize> {
    let mut all = 0;
    for base in bases {
        let done = base.done();
        let count = done.iter().filter(|one| one.contains("installBiz biz1:2.0.0")).count();
        ensure!(count < 2, "{done:?}");
        all += count;
    }
    Ok(all)
}

fn all_have_it_once(bases: &[Simulated]) -> Result<()> {
    ensure!(installed(bases)? == bases.len(), "{} of {} have it", installed(bases)?, bases.len());
    Ok(())
}

#[test]
fn killed_in_every_phase_it_releases_nothing_twice_or_early_and_soaks_in_full() -> Result<()> {
    let metrics = Metrics::start(AWAY)?;
    let mut scene = Scene::start(Way::Http, &[ON, ("PLAN_METRIC_SERVERS", &metrics.url)])?;
    let bases = simulated(&scene, 3)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    bases.iter().for_each(|base| base.take(INSTALL));
    scene.cluster.apply(&watched(&scene, Some(&metrics)).to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let mut killed = Instant::now();
    for (batch, confirms) in [(0, true), (1, false)] {
        for phase in ["Releasing", "Soaking"] {
            wait_batch(&scene, batch, phase)?;
            scene.controller.kill()?;
            killed = Instant::now();
            scene.controller.start_again()?;
        }
        wait_batch(&scene, batch, "Gating")?;
        ensure!(killed.elapsed() >= SOAK, "batch {batch} soaked for {:?} at most", killed.elapsed());
        ensure!(installed(&bases)? == if batch == 0 { 1 } else { 3 }, "{} have it", installed(&bases)?);
        scene.controller.kill()?;
        scene.controller.start_again()?;
        metrics.answer(WELL);
        if confirms {
            wait_phase_within(&scene, "p", "AwaitingConfirm", ANOTHER)?;
            scene.controller.kill()?;
            scene.controller.start_again()?;
            stays("what waits for a person waits", WATCHED, &1, || installed(&bases))?;
            metrics.answer(AWAY);
            confirm(&scene)?;
        }
    }
    wait_phase_within(&scene, "p", "Succeeded", ANOTHER)?;
    wait_stand(&scene, "2.0.0", 3, 0)?;
    all_have_it_once(&bases)
}

/// A replica of a version without operation plans, as the others see it: by its Lease.
struct OldReplica<'a> {
    scene: &'a Scene,
    lease: Value,
}

impl<'a> OldReplica<'a> {
    const NAME: &'static str = "an-old-replica";

    /// Its Lease is as those of the scene's replicas, without what older versions do not write.
    fn join(scene: &'a Scene) -> Result<Self> {
        let ours = format!(
            "module-controller.koupleless.io/component=controller,module-controller.koupleless.io/env={}",
            scene.env
        );
        let leases = scene.cluster.kubectl_json(&["get", "leases", "-A", "-l", &ours])?;
        let namespace = text(&leases, "/items/0/metadata/namespace").to_owned();
        let mut annotations = leases["items"][0]["metadata"]["annotations"].clone();
        let own = annotations.as_object_mut().context("a Lease without annotations")?;
        let key = |name: &str| format!("module-controller.koupleless.io/{name}");
        let marks = own.remove(&key("knows"));
        ensure!(marks == Some(json!("operation-plans")), "{marks:?}: {leases}");
        own.retain(|name, _| !name.contains("/forward-") && !name.ends_with("/pod-uid"));
        own.insert(key("incarnation"), json!(names::unique("old")));
        own.insert(key("state"), json!("living"));
        // Nothing is handed over to it.
        own.insert(key("cut-off-from-bases"), json!("true"));
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": format!("{}-{}", Self::NAME, scene.env),
                "namespace": namespace,
                "labels": leases["items"][0]["metadata"]["labels"],
                "annotations": annotations,
            },
            "spec": {"holderIdentity": Self::NAME, "leaseDurationSeconds": 10},
        });
        let old = Self { scene, lease };
        old.renew()?;
        Ok(old)
    }

    fn renew(&self) -> Result<()> {
        let mut lease = self.lease.clone();
        lease["spec"]["renewTime"] = json!(format!("{:.6}", Timestamp::now()));
        self.scene.cluster.apply(&lease.to_string())
    }

    /// As long as it renews its Lease, the plan says that it waits for it.
    fn is_waited_for(&self) -> Result<()> {
        wait_for("the plan waits for the old replica", ANOTHER, || {
            self.renew()?;
            let plan = self.scene.cluster.kubectl_json(&["-n", &self.scene.namespace, "get", "plan", "p"])?;
            let told = text(&plan, "/status/message");
            let is_told = told.contains(Self::NAME) && told.contains("knows no operation plans");
            ensure!(is_told && plan["status"]["phase"] == "Pending", "{}", plan["status"]);
            Ok(Some(()))
        })
    }

    fn leave(self) -> Result<()> {
        let of = |what: &str| text(&self.lease, &format!("/metadata/{what}"));
        self.scene.cluster.kubectl(&["-n", of("namespace"), "delete", "lease", of("name")]).map(drop)
    }
}

/// Nothing begins while a replica of an older version lives. The one that leads is killed in a soak, and the next one stopped in
/// a release.
#[test]
fn whoever_leads_next_goes_on_where_the_one_before_was() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[&[ON][..], &REPLICA].concat())?;
    let mut others = vec![Controller::start(scene.controller.options().clone())?];
    others.push(Controller::start(scene.controller.options().clone())?);
    // The replica that hears the bases is the one that stays.
    let tunnel = others[1].http_tunnel();
    let bases: Vec<Simulated> =
        (0..3).map(|_| Simulated::start(&tunnel, &scene.base_version)).collect::<Result<_>>()?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    bases.iter().for_each(|base| base.take(INSTALL));
    let old = OldReplica::join(&scene)?;
    scene.cluster.apply(&watched(&scene, None).to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    old.is_waited_for()?;
    ensure!(installed(&bases)? == 0, "{} have it", installed(&bases)?);
    old.leave()?;
    wait_batch(&scene, 0, "Soaking")?;
    // Whichever of the two leads, it is one of them, or the one that stays goes on.
    scene.controller.kill()?;
    ensure!(installed(&bases)? == 1, "{} have it", installed(&bases)?);
    confirm(&scene)?;
    wait_batch(&scene, 1, "Releasing")?;
    others[0].stop()?;
    wait_phase_within(&scene, "p", "Succeeded", ANOTHER)?;
    wait_stand(&scene, "2.0.0", 3, 0)?;
    all_have_it_once(&bases)
}

#[test]
fn while_the_api_server_is_away_nothing_is_released_and_then_it_goes_on() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[ON])?;
    let way = Proxy::start(scene.cluster.address()?)?;
    let dir = WorkDir::new("plan-without-api")?;
    let kubeconfig = dir.join("kubeconfig");
    scene.cluster.account_by(way.address(), &kubeconfig)?;
    scene.controller.kill()?;
    scene.controller.options_mut().kubeconfig = kubeconfig;
    scene.controller.start_again()?;
    let bases = simulated(&scene, 3)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    scene.cluster.apply(&watched(&scene, None).to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_batch(&scene, 0, "Soaking")?;
    way.cut();
    stays("nothing is released", SOAK + WATCHED, &1, || installed(&bases))?;
    way.mend();
    confirm(&scene)?;
    way.cut();
    // It was confirmed, and who is to know it cannot.
    stays("nothing is released", WATCHED, &true, || Ok(installed(&bases)? <= 3))?;
    way.mend();
    wait_phase_within(&scene, "p", "Succeeded", ANOTHER)?;
    wait_stand(&scene, "2.0.0", 3, 0)?;
    all_have_it_once(&bases)
}
