//! Several replicas share the bases (`IS_CLUSTER`): one acts for each, whatever becomes of the others.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Sharing, Simulated, Way, manifest, seen::text};
use jiff::Timestamp;
use testkit::{
    controller::{Controller, REPLICA},
    wait::{stays, wait_for},
};

const REPLICAS: usize = 3;
const BASES: usize = 9;

/// The scene's replica and two others, with bases over HTTP.
fn start() -> Result<Sharing> {
    let scene = Scene::start(Way::Http, &REPLICA)?;
    let others = (1..REPLICAS)
        .map(|_| Controller::start(scene.controller.options().clone()))
        .collect::<Result<Vec<Controller>>>()?;
    // All heartbeats go to a replica that stays, so that silence is nobody's fault.
    let tunnel = scene.controller.http_tunnel();
    let bases = (0..BASES)
        .map(|_| Simulated::start(&tunnel, &scene.base_version))
        .collect::<Result<Vec<Simulated>>>()?;
    Sharing::start(scene, others, bases)
}

#[test]
fn bases_are_shared_and_taken_over_from_a_replica_that_is_killed() -> Result<()> {
    let mut shared = start()?;
    shared.shared_among(REPLICAS, Duration::from_secs(60))?;
    let killed = shared.incarnation(&shared.others[0])?;
    let since = Timestamp::now();
    shared.others[0].kill()?;
    let took = shared.owned_without(&killed, since, Duration::from_secs(30))?;
    println!("owned again {took:?} after the kill");
    // 12 s are promised; this allows for a busy machine.
    ensure!(took < Duration::from_secs(20), "owned again only after {took:?}");
    // Whoever took more than its share gives it away again.
    shared.shared_among(REPLICAS - 1, Duration::from_secs(30))?;
    stays("the owners", Duration::from_secs(5), &shared.owners()?, || shared.owners())?;
    shared.nobody_noticed()
}

/// Rule 11: what a replica hears of a base that another owns counts for the owner as if it had heard it.
#[test]
fn heartbeats_and_goodbyes_count_whichever_replica_hears_them() -> Result<()> {
    let shared = start()?;
    let replicas = || std::iter::once(&shared.scene.controller).chain(&shared.others);
    shared.shared_among(REPLICAS, Duration::from_secs(60))?;
    // A base that is heard is not asked: of a quiet one only every 30 s what it has.
    let asked = || shared.bases.iter().map(Simulated::questions).sum::<usize>();
    let (before, since) = (asked(), Instant::now());
    stays("the owners", Duration::from_secs(30), &shared.owners()?, || shared.owners())?;
    let each = (asked() - before) as f64 / BASES as f64;
    println!("each base was asked {each} times in {:?}", since.elapsed());
    // An owner that hears nothing asks every 5 s.
    ensure!(each < 3.0, "each base was asked {each} times in {:?}", since.elapsed());
    let forwarded = |replica: &Controller, outcome: &str| -> Result<u64> {
        let name = format!("module_controller_heartbeats_forwarded_total{{outcome=\"{outcome}\"}} ");
        let page = replica.admin("/metrics")?.body;
        let line = page.lines().find_map(|line| line.strip_prefix(&name)).context(name)?;
        Ok(line.parse()?)
    };
    let of_all = |outcome| replicas().map(|replica| forwarded(replica, outcome)).sum::<Result<u64>>();
    let (sent, taken) = (of_all("sent")?, of_all("taken")?);
    // 9 bases speak once a second to one replica, and at least 5 of them are others'.
    ensure!(sent >= 100 && taken >= 100, "{sent} sent on, {taken} taken");
    shared.nobody_noticed()?;

    // Each of three bases, of different owners, says goodbye to a replica that is not its owner.
    let incarnations: Vec<(String, String)> = replicas()
        .map(|replica| Ok((shared.incarnation(replica)?, replica.http_tunnel())))
        .collect::<Result<_>>()?;
    let holders = shared.owners()?;
    for (owner, _) in &incarnations {
        let held = |base: &&Simulated| holders.get(&base.node()) == Some(owner);
        let base = shared.bases.iter().find(held).context("it owns none")?;
        let (_, other) = incarnations.iter().find(|(other, _)| other != owner).context("another")?;
        let node = base.node();
        base.say_goodbye_to(other)?;
        let start = Instant::now();
        wait_for("its Node is gone", Duration::from_secs(20), || {
            let nodes = shared.scene.nodes()?;
            ensure!(!nodes.iter().any(|there| text(there, "/metadata/name") == node), "{node} is there");
            Ok(Some(()))
        })?;
        println!("gone {:?} after its goodbye", start.elapsed());
        // By silence alone it would take 60 s. As on one controller, the Pod is told not to be Ready first.
        ensure!(start.elapsed() < Duration::from_secs(5), "gone only after {:?}", start.elapsed());
    }
    stays("the Nodes", Duration::from_secs(5), &(BASES - 3), || Ok(shared.scene.nodes()?.len()))
}

#[test]
fn a_replica_that_is_told_to_stop_leaves_its_bases_at_once() -> Result<()> {
    // Shares are still being made even: what is on its way to the one that stops is free at once too.
    let mut shared = start()?;
    let stopped = shared.incarnation(&shared.others[0])?;
    let since = Timestamp::now();
    let status = shared.others[0].stop()?;
    ensure!(status.success(), "{status}");
    let took = shared.owned_without(&stopped, since, Duration::from_secs(30))?;
    println!("owned again {took:?} after the end");
    // 2 s are promised; to wait for it to be dead would take 10.
    ensure!(took < Duration::from_secs(6), "owned again only after {took:?}");
    shared.nobody_noticed()
}

#[test]
fn a_replica_that_was_paused_sends_nothing_when_it_wakes() -> Result<()> {
    let mut shared = start()?;
    let paused = shared.incarnation(&shared.others[0])?;
    let before = written(&shared.others[0])?;
    let since = Timestamp::now();
    shared.others[0].pause()?;
    let said = shared.others[0].log().len();
    let took = shared.owned_without(&paused, since, Duration::from_secs(30))?;
    println!("owned again {took:?} after the pause began");
    shared.others[0].resume()?;
    wait_for("it is a member again, as another", Duration::from_secs(30), || {
        let anew = shared.incarnation(&shared.others[0])?;
        ensure!(anew != paused, "it is still {anew}");
        Ok(Some(()))
    })?;
    let log = shared.others[0].log();
    let (asleep, _) =
        log.get(said..).unwrap_or_default().split_once(ANEW).context("it has not begun anew")?;
    ensure!(!asleep.contains(" command "), "a command was sent: {asleep}");
    let after = written(&shared.others[0])?;
    ensure!(after == before, "{before:?} before the pause, {after:?} after it");
    shared.nobody_noticed()
}

/// What a replica says that finds itself ended.
const ANEW: &str = "it begins anew";

/// What a replica has written of Nodes, Pods and Module objects.
fn written(replica: &Controller) -> Result<Vec<String>> {
    let page = replica.admin("/metrics")?.body;
    let writes = ["create", "delete", "patch", "update"].map(|verb| format!("verb=\"{verb}\""));
    let is_write = |line: &&str| {
        let writes = writes.iter().any(|verb| line.contains(verb));
        writes && line.starts_with("module_controller_api_requests_total") && !line.contains("\"leases\"")
    };
    Ok(page.lines().filter(is_write).map(str::to_owned).collect())
}

/// Of two replicas under one CLIENT_ID the second is not ready and says why, and neither costs the other its connection.
#[test]
fn a_second_replica_of_one_client_id_says_so_and_acts_for_nothing() -> Result<()> {
    let name = testkit::names::unique("same");
    let more = [REPLICA[0], ("CLIENT_ID", &*name), ("POD_UID", "pod-a")];
    let mut scene = Scene::start(Way::Mosquitto, &more)?;
    let port = scene.broker_port().context("a broker")?;
    let base = Simulated::over_mqtt(port, &scene.env, &scene.base_version);
    wait_for("its Node", Duration::from_secs(60), || Ok((scene.nodes()?.len() == 1).then_some(())))?;
    let options = scene.controller.options().clone().env("POD_UID", "pod-b");
    let mut second = Controller::prepare(options)?;
    second.spawn()?;
    wait_for("the second says why it is not ready", Duration::from_secs(60), || {
        let page = second.admin("/readyz")?;
        let says = [&*name, "pod-a", "acts for no base"].iter().all(|word| page.body.contains(word));
        ensure!(page.status == 503 && says, "{page:?}");
        Ok(Some(()))
    })?;
    let figures = second.admin("/metrics")?.body;
    for figure in ["module_controller_client_id_shared{} 1\n", "module_controller_ready{} 0\n"] {
        ensure!(figures.contains(figure), "{figure} is not in {figures}");
    }
    let pod = manifest::pod(&scene, "module", Some(&base.node()), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&manifest::patient(pod).to_string())?;
    scene.wait_pods_ready(1)?;
    ensure!(scene.controller.admin("/readyz")?.status == 200, "the first is not ready");
    for (replica, said) in [(&scene.controller, "pod-b"), (&second, "pod-a")] {
        let log = wait_for("it says so", Duration::from_secs(60), || {
            let log = replica.log();
            let told = log.lines().filter(|line| line.contains("two replicas have one CLIENT_ID"));
            let told: Vec<&str> = told.filter(|line| line.contains(said)).collect();
            ensure!(told.len() < 2, "{told:?}");
            Ok((told.len() == 1).then(|| log.clone()))
        })?;
        ensure!(log.matches("the tunnel is up").count() == 1 && !log.contains("the tunnel is down"), "{log}");
    }
    scene.controller.stop()?;
    wait_for("the second is ready", Duration::from_secs(60), || {
        let page = second.admin("/readyz")?;
        ensure!(page.status == 200, "{page:?}");
        Ok(Some(()))
    })?;
    let pod = manifest::pod(&scene, "another", Some(&base.node()), &[manifest::container("biz2", "1.0.0")?]);
    scene.cluster.apply(&manifest::patient(pod).to_string())?;
    scene.wait_pods_ready(2)?;
    ensure!(base.commands() == ["installBiz biz1:1.0.0", "installBiz biz2:1.0.0"], "{:?}", base.commands());
    Ok(())
}
