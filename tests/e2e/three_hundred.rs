//! 300 bases and three replicas, in a cluster of their own: one replica joins, is stopped, is killed, and then the API
//! server is away. The figures are told; the bounds are for a machine that does other things beside.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use e2e::{
    Scene, Sharing, Simulated,
    seen::{condition, is_ready, text},
};
use jiff::Timestamp;
use testkit::{
    cluster::{Cluster, ClusterOptions},
    controller::{Controller, REPLICA},
    wait::wait_for,
};

const BASES: usize = 300;

#[test]
#[ignore = "waits at real deadlines: `cargo xtask test --long` runs it"]
fn no_base_is_lost_when_a_replica_joins_stops_or_dies_or_the_api_server_is_away() -> Result<()> {
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &REPLICA)?;
    let others = vec![Controller::start(scene.controller.options().clone())?];
    // The one who hears them stays.
    let bases = Simulated::fleet(&scene.controller.http_tunnel(), &scene.base_version, BASES)?;
    let mut sharing = Sharing::start(scene, others, bases)?;
    sharing.shared_among(2, Duration::from_secs(60))?;
    joins(&mut sharing)?;
    is_stopped(&mut sharing)?;
    is_killed(&mut sharing)?;
    sharing.nobody_noticed()?;
    the_api_server_is_away(&mut sharing)
}

/// 30 s are promised.
fn joins(sharing: &mut Sharing) -> Result<()> {
    let (before, start) = (sharing.owners()?, Instant::now());
    sharing.others.push(Controller::start(sharing.scene.controller.options().clone())?);
    sharing.shared_among(3, Duration::from_secs(60))?;
    println!("one that joins has its share {:?} after its start", start.elapsed());
    let after = sharing.owners()?;
    let moved = before.iter().filter(|(base, who)| after.get(*base) != Some(who)).count();
    println!("{moved} of {BASES} moved: {:?}", sharing.shares()?);
    ensure!(moved <= BASES / 3 + BASES / 30, "{moved} moved");
    Ok(())
}

/// 2 s are promised; to wait for it to be dead would take 10.
fn is_stopped(sharing: &mut Sharing) -> Result<()> {
    let stopped = sharing.incarnation(&sharing.others[0])?;
    let since = Timestamp::now();
    let status = sharing.others[0].stop()?;
    ensure!(status.success(), "{status}");
    let took = sharing.owned_without(&stopped, since, Duration::from_secs(30))?;
    println!("owned again {took:?} after SIGTERM");
    ensure!(took < Duration::from_secs(8), "owned again only after {took:?}");
    sharing.others[0].start_again()?;
    sharing.shared_among(3, Duration::from_secs(60))
}

/// 12 s are promised.
fn is_killed(sharing: &mut Sharing) -> Result<()> {
    let killed = sharing.incarnation(&sharing.others[1])?;
    let since = Timestamp::now();
    sharing.others[1].kill()?;
    let took = sharing.owned_without(&killed, since, Duration::from_secs(40))?;
    println!("owned again {took:?} after the kill");
    ensure!(took < Duration::from_secs(20), "owned again only after {took:?}");
    sharing.others[1].start_again()?;
    sharing.shared_among(3, Duration::from_secs(60))
}

/// 15 s are promised. The node lifecycle controller has heard of no Lease for longer than it waits, and may say so
/// before the replicas do.
fn the_api_server_is_away(sharing: &mut Sharing) -> Result<()> {
    let before = objects(sharing)?;
    let cluster = &sharing.scene.cluster;
    cluster.take_api_server_away()?;
    // What is watched is that nothing comes of this minute.
    thread::sleep(Duration::from_secs(60));
    let back = Timestamp::now();
    cluster.bring_api_server_back()?;
    let up = Instant::now();
    sharing.record_again()?;
    wait_for("Leases, Nodes and Pods are well again", Duration::from_secs(60), || {
        let renewed = sharing.holders()?.values().filter(|holder| holder.renewed > back).count();
        ensure!(renewed == BASES, "{renewed} Leases are renewed");
        let nodes = sharing.scene.nodes()?;
        let well = nodes.iter().filter(|node| condition(node, "Ready")["status"] == "True").count();
        let pods = sharing.scene.pods(&[])?;
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        ensure!(well == BASES && ready == BASES, "{well} Nodes and {ready} Pods are Ready");
        Ok(Some(()))
    })?;
    let took = up.elapsed();
    println!("converged {took:?} after the API server was ready");
    ensure!(took < Duration::from_secs(30), "converged only after {took:?}");
    for change in sharing.pods.changes()? {
        ensure!(
            change.kind != "DELETED" && change.object["metadata"]["deletionTimestamp"].is_null(),
            "{change:?}"
        );
    }
    ensure!(objects(sharing)? == before, "a Node or a Pod is another");
    sharing.told(&["installBiz biz1:1.0.0"])?;
    // Nobody was taken for dead, because nobody could say so.
    for replica in [&sharing.scene.controller, &sharing.others[0], &sharing.others[1]] {
        ensure!(!replica.log().contains("it begins anew"), "{}", replica.log());
    }
    sharing.shared_among(3, Duration::from_secs(5))
}

/// The UIDs of all Nodes and Pods.
fn objects(sharing: &Sharing) -> Result<Vec<String>> {
    let all = [sharing.scene.nodes()?, sharing.scene.pods(&[])?].concat();
    let mut uids: Vec<String> = all.iter().map(|object| text(object, "/metadata/uid").to_owned()).collect();
    uids.sort();
    Ok(uids)
}
