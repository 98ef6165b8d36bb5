//! Bases that cannot be reached, one by one and many at once, and bases that are started anew: what becomes of their
//! Nodes, Pods and modules.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Recording, Scene, Simulated, Way, manifest,
    recording::Change,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::wait::wait_for;

const BASES: usize = 8;
/// More than 55% of them.
const MOST: usize = 5;
/// Less than that.
const HALF: usize = 4;

/// Silence for which a base would be given up, were it alone.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// What each of them was told, once.
const ONCE: [&str; 1] = ["installBiz biz1:1.0.0"];

/// One scene, because each part waits for more than a minute.
#[test]
fn bases_that_are_cut_off_or_started_anew() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let tunnel = scene.controller.http_tunnel();
    let mut bases = (0..BASES)
        .map(|_| Simulated::start(&tunnel, &scene.base_version))
        .collect::<Result<Vec<Simulated>>>()?;
    wait_for("all bases have Nodes", Duration::from_secs(30), || {
        Ok((scene.nodes()?.len() == BASES).then_some(()))
    })?;
    let biz = [manifest::container("biz1", "1.0.0")?];
    let mut deployment = manifest::deployment(&scene, "each", u32::try_from(BASES)?, &biz);
    let selector = deployment["spec"]["selector"].clone();
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"},
        ],
    });
    scene.cluster.apply(&manifest::patient(deployment).to_string())?;
    scene.wait_pods_ready(BASES)?;

    most_are_silent_at_once(&scene, &bases)?;
    one_is_started_anew(&scene, &bases[0])?;
    half_are_gone(&scene, &mut bases)
}

/// Their Nodes are NotReady, their Pods before them, and that is all; when they are back nothing is reinstalled.
fn most_are_silent_at_once(scene: &Scene, bases: &[Simulated]) -> Result<()> {
    let (nodes, pods) = (scene.record_nodes()?, scene.record_pods()?);
    let silent = &bases[..MOST];
    let start = Instant::now();
    silent.iter().for_each(Simulated::fall_silent);
    let mut told = BTreeMap::new();
    for base in silent {
        let not_ready = wait_for("its Node is NotReady", Duration::from_secs(45), || {
            nodes.first(&base.node(), |change| condition(&change.object, "Ready")["status"] == "False")
        })?;
        pods_first(&pods, &base.node(), &not_ready)?;
        told.insert(base.node(), not_ready.at);
    }
    ensure!(start.elapsed() >= Duration::from_secs(23), "NotReady after {:?} already", start.elapsed());
    let event = scene.wait_event_within(Duration::from_secs(60), &bases[0].node(), "BlastRadius")?;
    ensure!(text(&event, "/note").contains("5 of 8 bases"), "{event}");
    let page = scene.controller.admin("/readyz")?.body;
    ensure!(page.contains("note: 5 of 8 bases are silent at once"), "{page}");
    ensure!(scene.metric("module_controller_blast_radius_guard", "")? == 1, "the metric says nothing of it");
    let page = scene.controller.admin("/debug/vnodes.json")?.json()?;
    let vnodes = page["vnodes"].as_array().context("VNodes")?;
    let waits = |vnode: &&Value| {
        vnode["liveness"] == "silent"
            && text(vnode, "/waiting/0/containers/0/waitsFor").contains("the base, which does not answer")
    };
    ensure!(vnodes.len() == BASES && vnodes.iter().filter(waits).count() == MOST, "{page}");
    let one = scene.controller.admin(&format!("/debug/vnodes.json?node={}", bases[0].node()))?.json()?;
    ensure!(one["vnodes"].as_array().is_some_and(|all| all.len() == 1), "{one}");
    // What is watched is that nothing comes of this time.
    thread::sleep((GIVEN_UP + Duration::from_secs(20)).saturating_sub(start.elapsed()));
    silent.iter().for_each(Simulated::speak_again);
    let back = Instant::now();
    scene.wait_pods_ready(BASES)?;
    println!("Ready again {:?} after they were back", back.elapsed());
    for base in silent {
        let again = |change: &Change| {
            change.at > told[&base.node()] && condition(&change.object, "Ready")["status"] == "True"
        };
        nodes.first(&base.node(), again)?.context("its Node was never told Ready again")?;
    }
    for change in nodes.changes()?.iter().chain(&pods.changes()?) {
        ensure!(change.kind != "DELETED", "{change:?}");
    }
    let heard: Vec<String> = bases[MOST..].iter().map(Simulated::node).collect();
    for change in pods.changes()? {
        let node = text(&change.object, "/spec/nodeName").to_owned();
        ensure!(is_ready(&change.object) || !heard.contains(&node), "{change:?}");
    }
    for base in bases {
        ensure!(base.commands() == ONCE, "{:?}", base.commands());
    }
    Ok(())
}

/// Every Pod of a Node was told NotReady before the Node was.
fn pods_first(pods: &Recording, node: &str, told: &Change) -> Result<()> {
    let changes = pods.changes()?;
    let unready = changes
        .iter()
        .find(|change| text(&change.object, "/spec/nodeName") == node && !is_ready(&change.object))
        .context("its Pod was never told NotReady")?;
    ensure!(unready.at < told.at, "the Pod was told NotReady at {}, its Node at {}", unready.at, told.at);
    Ok(())
}

/// With the same identity, and without what it had.
fn one_is_started_anew(scene: &Scene, base: &Simulated) -> Result<()> {
    base.start_anew();
    wait_for("its module is installed again", Duration::from_secs(60), || {
        let pod = pod_on(scene, base)?.context("its Pod is gone")?;
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        ensure!(is_ready(&pod) && *restarts == 1, "{}", pod["status"]);
        Ok(Some(()))
    })?;
    ensure!(base.commands() == [ONCE[0], ONCE[0]], "{:?}", base.commands());
    Ok(())
}

/// They are given up, each on its own account; one of them was started anew under another identity, and one comes back
/// when its Node is gone.
fn half_are_gone(scene: &Scene, bases: &mut Vec<Simulated>) -> Result<()> {
    let nodes = scene.record_nodes()?;
    let staying: Vec<Simulated> = bases.drain(HALF..).collect();
    let told: Vec<Vec<String>> = staying.iter().map(Simulated::commands).collect();
    let start = Instant::now();
    bases.iter().for_each(Simulated::fall_silent);
    let anew = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    for base in &*bases {
        wait_for("its Node is deleted", Duration::from_secs(120), || {
            nodes.first(&base.node(), |change| change.kind == "DELETED")
        })?;
    }
    ensure!(start.elapsed() >= GIVEN_UP - Duration::from_secs(3), "gone after {:?} already", start.elapsed());
    bases[0].speak_again();
    let serving: Vec<&Simulated> = staying.iter().chain([&anew, &bases[0]]).collect();
    wait_for("every base that is there has a Pod that is Ready", Duration::from_secs(120), || {
        for base in &serving {
            let pod = pod_on(scene, base)?.with_context(|| format!("no Pod on {}", base.node()))?;
            ensure!(is_ready(&pod), "{}", summary(&pod));
            ensure!(base.biz().contains_key("biz1:1.0.0"), "{} has {:?}", base.node(), base.biz());
        }
        Ok(Some(()))
    })?;
    println!("the one that came back was told {:?}", bases[0].commands());
    ensure!(anew.commands() == ONCE, "{:?}", anew.commands());
    for change in nodes.changes()?.iter().filter(|change| change.kind == "DELETED") {
        let name = text(&change.object, "/metadata/name");
        ensure!(bases.iter().any(|base| base.node() == name), "{name} was deleted");
    }
    let after: Vec<Vec<String>> = staying.iter().map(Simulated::commands).collect();
    ensure!(after == told, "{told:?} became {after:?}");
    Ok(())
}

/// The live Pod on a base.
fn pod_on(scene: &Scene, base: &Simulated) -> Result<Option<Value>> {
    let node = format!("spec.nodeName={}", base.node());
    let pods = scene.pods(&["--field-selector", &node])?;
    Ok(pods.into_iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null()))
}
