//! Bases that fall silent, are killed, say goodbye, and what becomes of their Nodes and Pods.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Recording, Scene, Way, manifest,
    recording::Change,
    scene::node_name,
    seen::{condition, is_ready, summary, text},
    snapshot::commands,
};
use serde_json::{Value, json};
use testkit::{java_base::JavaBase, wait::wait_for};

/// Pods on the base that is frozen, all of one module: enough that some would come after the Node if
/// nobody took care.
const STAYING: usize = 20;

over_every_way!(silence_goodbye_and_taking_over,);

/// One scene, because each of these waits for most of a minute: a base that is frozen and goes on, one
/// that is killed, one that says goodbye, and one that was not asked for anything and takes over the
/// Pods of those. That one is as the stock agent makes it: its identity is its IP, and nobody gave it a
/// name, so that it gets the Pods only when it is asked for its real one.
fn silence_goodbye_and_taking_over(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let mut frozen = scene.base();
    frozen.version.push_str("-frozen");
    let mut bases = JavaBase::start_all(vec![frozen, scene.base(), scene.base()])?;
    for base in &bases {
        scene.wait_node_ready(base, true)?;
    }
    let mut frozen = bases.remove(0);
    let biz2 = [manifest::container("biz2", "1.0.0")?];
    let mut manifests: Vec<String> = (0..STAYING)
        .map(|n| manifest::pod(&scene, &format!("stays-{n}"), Some(&node_name(&frozen)), &biz2))
        .map(|pod| manifest::patient(pod).to_string())
        .collect();
    let biz1 = [manifest::container("biz1", "1.0.0")?];
    manifests.push(spread(manifest::deployment(&scene, "moves", 2, &biz1)).to_string());
    scene.cluster.apply(&manifests.join("\n"))?;
    let before = scene.wait_pods_ready(STAYING + 2)?;
    let mut stock = scene.base();
    stock.identity = stock.local_ip.to_string();
    stock.name = "TO_BE_IMPLEMENTED".to_owned();
    let stock = JavaBase::start(stock)?;
    let node = scene.wait_node_ready(&stock, true)?;
    ensure!(
        node["metadata"]["labels"]["base.koupleless.io/name"] == "base",
        "{}",
        node["metadata"]["labels"]
    );

    let record = Records { nodes: scene.record_nodes()?, pods: scene.record_pods()? };
    let [mut killed, mut polite] = <[JavaBase; 2]>::try_from(bases).ok().context("two bases")?;
    let moved: Vec<&Value> =
        before.iter().filter(|pod| text(pod, "/metadata/labels/app") == "moves").collect();
    ensure!(moved.iter().all(|pod| text(pod, "/spec/nodeName") != node_name(&stock)), "{moved:?}");

    let start = Instant::now();
    let told = commands(&frozen);
    frozen.pause()?;
    killed.kill()?;
    polite.stop()?;
    goes_at_once(&scene, &record, &polite)?;
    comes_back(&scene, &record, &mut frozen, start)?;
    goes_after_a_minute(&scene, &record, &killed, start)?;
    scene.wait_pods_ready(STAYING + 2)?;
    ensure!(commands(&frozen) == told, "the base was told to {:?}", commands(&frozen));
    for pod in scene.pods(&["-l", "app=moves"])? {
        ensure!(text(&pod, "/spec/nodeName") == node_name(&stock), "{}", summary(&pod));
    }
    ensure!(stock.serving("biz1")?.as_deref() == Some("1.0.0"), "it serves nothing");
    Ok(())
}

struct Records {
    nodes: Recording,
    pods: Recording,
}

/// A Deployment whose Pods keep apart as long as there is room.
fn spread(mut deployment: Value) -> Value {
    let selector = deployment["spec"]["selector"].clone();
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"},
        }],
    });
    deployment
}

/// Every Pod of a base was told NotReady before its Node was told `told`. The watch of Pods may tell so later.
fn pods_first(record: &Records, base: &JavaBase, told: &Change) -> Result<()> {
    let node = node_name(base);
    wait_for(&format!("the Pods on {node} were told NotReady first"), Duration::from_secs(10), || {
        were_first(record, &node, told).map(Some)
    })
}

fn were_first(record: &Records, node: &str, told: &Change) -> Result<()> {
    let changes = record.pods.changes()?;
    let of_base = changes.iter().filter(|change| text(&change.object, "/spec/nodeName") == node);
    let mut first = BTreeMap::new();
    for change in of_base {
        let first = first.entry(text(&change.object, "/metadata/name")).or_insert(None);
        if !is_ready(&change.object) {
            first.get_or_insert(change);
        }
    }
    ensure!(!first.is_empty(), "there were no Pods on {node}");
    for (pod, unready) in first {
        let unready = unready.with_context(|| format!("{pod} on {node} was never told NotReady"))?;
        let reason = text(condition(&unready.object, "Ready"), "/reason");
        ensure!(
            unready.at < told.at && reason == "BaseInstanceNotReady",
            "{pod} was told NotReady ({reason}) at {}, {node} was {} at {}",
            unready.at,
            told.kind,
            told.at
        );
    }
    Ok(())
}

/// Waits until the Node and its Lease are deleted.
fn wait_gone(scene: &Scene, record: &Records, base: &JavaBase, limit: Duration) -> Result<Change> {
    let name = node_name(base);
    let deleted = wait_for(&format!("Node {name} is gone"), limit, || {
        record.nodes.first(&name, |change| change.kind == "DELETED")
    })?;
    wait_for(&format!("Lease {name} is gone"), Duration::from_secs(5), || {
        let leases = scene.cluster.kubectl(&["-n", "kube-node-lease", "get", "leases", "-o", "name"])?;
        Ok((!leases.lines().any(|lease| lease.ends_with(&format!("/{name}")))).then_some(()))
    })?;
    Ok(deleted)
}

fn goes_at_once(scene: &Scene, record: &Records, base: &JavaBase) -> Result<()> {
    let deleted = wait_gone(scene, record, base, Duration::from_secs(5))?;
    pods_first(record, base, &deleted)
}

fn comes_back(scene: &Scene, record: &Records, base: &mut JavaBase, start: Instant) -> Result<()> {
    let name = node_name(base);
    let not_ready = |change: &Change| condition(&change.object, "Ready")["status"] == "False";
    let told = wait_for(&format!("{name} is NotReady"), Duration::from_secs(40), || {
        record.nodes.first(&name, not_ready)
    })?;
    // The last heartbeat was up to 2 s before.
    let after = start.elapsed();
    ensure!((22..33).contains(&after.as_secs()), "NotReady after {after:?}");
    let reason = text(condition(&told.object, "Ready"), "/reason");
    ensure!(reason == "BaseSilent", "{reason}");
    pods_first(record, base, &told)?;
    base.resume()?;
    // Its Java process has to be heard first, on a machine that is busy with other tests too.
    let back = wait_for("the Pods on it are Ready again", Duration::from_secs(30), || {
        let ready = |n| {
            let again = |change: &Change| change.at > told.at && is_ready(&change.object);
            record.pods.first(&format!("stays-{n}"), again)
        };
        (0..STAYING).map(ready).collect::<Result<Option<Vec<_>>>>()
    })?;
    let node = record.nodes.first(&name, |change| change.at > told.at && !not_ready(change))?;
    let node = node.context("the Node was never told Ready again")?;
    for pod in back {
        ensure!(pod.at > node.at, "the Pod was told Ready at {}, the Node at {}", pod.at, node.at);
        ensure!(
            pod.object["status"]["containerStatuses"][0]["restartCount"] == 0,
            "{}",
            pod.object["status"]
        );
    }
    scene.wait_node_ready(base, true)?;
    Ok(())
}

fn goes_after_a_minute(scene: &Scene, record: &Records, base: &JavaBase, start: Instant) -> Result<()> {
    let deleted = wait_gone(scene, record, base, Duration::from_secs(100))?;
    let after = start.elapsed();
    ensure!(after >= Duration::from_secs(57), "the Node went after {after:?} already");
    pods_first(record, base, &deleted)
}
