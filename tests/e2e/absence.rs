//! No controller runs for so long that Kubernetes takes the bases for dead and deletes their Pods. When one is
//! back, the bases turn out to be well: nothing that serves is uninstalled, and nothing is installed twice.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{
    Recording, Scene, Simulated, Way, long_run, manifest,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::{
    controller::{Controller, REPLICA},
    wait::{stays, wait_for},
};

/// As many as there are replicas of the Deployment.
const BASES: usize = 4;
/// In the cluster of the tests a Node is given up after 20 s; this allows for a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(90);
/// How long a module stays for a replacement that does not come.
const KEPT: Duration = Duration::from_secs(60);

/// Controllers that share bases, each of which has a module of a Deployment.
struct Fleet {
    scene: Scene,
    others: Vec<Controller>,
    bases: Vec<Simulated>,
    recording: Recording,
}

impl Fleet {
    /// `patience` says how long Pods bear with a Node that is given up.
    fn start(controllers: usize, patience: impl Fn(Value) -> Value) -> Result<Self> {
        let scene = Scene::start(Way::Http, if controllers > 1 { &REPLICA } else { &[] })?;
        let others = (1..controllers)
            .map(|_| Controller::start(scene.controller.options().clone()))
            .collect::<Result<Vec<Controller>>>()?;
        let tunnel = scene.controller.http_tunnel();
        let bases = (0..BASES)
            .map(|_| Simulated::start(&tunnel, &scene.base_version))
            .collect::<Result<Vec<Simulated>>>()?;
        let mut deployment = manifest::deployment(&scene, "web", 4, &[manifest::container("biz1", "1.0.0")?]);
        // One on each base, whatever the scheduler prefers.
        deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {"app": "web"}},
                "topologyKey": "topology.kubernetes.io/zone",
            }],
        });
        scene.cluster.apply(&patience(deployment).to_string())?;
        scene.wait_pods_ready(BASES)?;
        let recording = scene.record_pods()?;
        Ok(Self { scene, others, bases, recording })
    }

    /// Ends all controllers, waits until every Pod was deleted by Kubernetes, and for the rest of the time.
    fn be_away(&mut self, at_least: Duration, limit: Duration) -> Result<Vec<String>> {
        let pods = self.scene.pods(&[])?;
        let uids: Vec<String> = pods.iter().map(|pod| text(pod, "/metadata/uid").to_owned()).collect();
        let commands = self.commands();
        let since = Instant::now();
        self.scene.controller.kill()?;
        for other in &mut self.others {
            other.kill()?;
        }
        wait_for("every Pod is deleted by the taint manager", limit, || {
            let changes = self.recording.changes()?;
            let evicted = |uid: &&String| {
                changes.iter().any(|change| {
                    text(&change.object, "/metadata/uid") == *uid
                        && change.object["metadata"]["deletionTimestamp"].is_string()
                        && condition(&change.object, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
                })
            };
            let left = uids.iter().filter(|uid| !evicted(uid)).count();
            ensure!(left == 0, "{left} of {} are not", uids.len());
            Ok(Some(()))
        })?;
        println!("all Pods are deleted {:?} after the controllers ended", since.elapsed());
        stays(
            "the bases, of which nobody asks anything",
            at_least.saturating_sub(since.elapsed()),
            &commands,
            || Ok(self.commands()),
        )?;
        Ok(uids)
    }

    /// Starts all again; the replacements of these Pods are Ready, and these are gone.
    fn come_back(&mut self, before: &[String]) -> Result<Instant> {
        for other in &mut self.others {
            other.spawn()?;
        }
        let since = Instant::now();
        self.scene.controller.start_again()?;
        wait_for("the replacements are Ready", Duration::from_secs(90), || {
            let pods = self.scene.pods(&["-l", "app=web"])?;
            let new = |pod: &Value| !before.iter().any(|uid| uid == text(pod, "/metadata/uid"));
            let all = pods.len() == BASES && pods.iter().all(|pod| is_ready(pod) && new(pod));
            ensure!(all, "{:?}", pods.iter().map(summary).collect::<Vec<_>>());
            Ok(Some(()))
        })?;
        println!("all Pods are replaced and Ready {:?} after the controllers began again", since.elapsed());
        Ok(since)
    }

    /// What each base was told to do so far.
    fn commands(&self) -> Vec<Vec<String>> {
        self.bases.iter().map(Simulated::commands).collect()
    }
}

/// A base of another environment, whose controller stays: where no Node at all is well, Kubernetes deletes nothing.
fn elsewhere() -> Result<(Scene, Simulated)> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    Ok((scene, base))
}

#[test]
fn what_kubernetes_took_away_meanwhile_is_adopted_by_its_replacement() -> Result<()> {
    let _elsewhere = elsewhere()?;
    let mut fleet = Fleet::start(1, |deployment| deployment)?;
    // One that nobody will replace.
    let alone = manifest::pod(
        &fleet.scene,
        "alone",
        Some(&fleet.bases[0].node()),
        &[manifest::container("biz2", "1.0.0")?],
    );
    fleet.scene.cluster.apply(&alone.to_string())?;
    fleet.scene.wait_pods_ready(BASES + 1)?;
    let before = fleet.be_away(Duration::ZERO, GIVEN_UP)?;
    let back = fleet.come_back(&before)?;
    let once = || vec!["installBiz biz1:1.0.0".to_owned()];
    ensure!(fleet.commands()[1..].iter().all(|commands| *commands == once()), "{:?}", fleet.commands());
    wait_for("what nobody replaces is uninstalled", KEPT + Duration::from_secs(30), || {
        let commands = fleet.bases[0].commands();
        ensure!(commands.iter().any(|command| command == "uninstallBiz biz2:1.0.0"), "{commands:?}");
        Ok(Some(()))
    })?;
    // It stays for 60 s from when the base was known to be well, some time after the start.
    ensure!(back.elapsed() >= KEPT, "uninstalled {:?} after the start", back.elapsed());
    let mut expected = vec![once(); BASES];
    expected[0].extend(["installBiz biz2:1.0.0".to_owned(), "uninstallBiz biz2:1.0.0".to_owned()]);
    stays("what the bases were told to do", Duration::from_secs(5), &expected, || Ok(fleet.commands()))?;
    let modules = fleet.scene.cluster.kubectl_json(&["-n", &fleet.scene.namespace, "get", "modules"])?;
    let modules = modules["items"].as_array().cloned().unwrap_or_default();
    let settled =
        |module: &Value| module["spec"]["kept"] == false && module["status"]["status"] == "Available";
    ensure!(modules.len() == BASES && modules.iter().all(settled), "{modules:?}");
    Ok(())
}

/// With the toleration that Kubernetes gives every Pod, 300 s, in a long run; with less in any other.
#[test]
fn all_replicas_gone_until_their_pods_were_deleted_uninstall_nothing_when_they_are_back() -> Result<()> {
    let _elsewhere = elsewhere()?;
    let (tolerated, away) = if long_run() { (300, 360) } else { (30, 60) };
    let mut fleet =
        Fleet::start(3, |deployment| manifest::tolerating(deployment, Duration::from_secs(tolerated)))?;
    let commands = fleet.commands();
    let away = Duration::from_secs(away);
    let before = fleet.be_away(away, away + GIVEN_UP)?;
    fleet.come_back(&before)?;
    stays("what the bases were told to do", Duration::from_secs(10), &commands, || Ok(fleet.commands()))
}
