//! One of three replicas is cut off: from the API server alone, and from the bases alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Sharing, Simulated, Way, manifest};
use jiff::Timestamp;
use testkit::{
    broker::{Broker, BrokerOptions},
    controller::{Controller, ControllerOptions},
    java_base::MqttAccess,
    proxy::Proxy,
    wait::wait_for,
    work_dir::WorkDir,
};

/// Four for each replica.
const BASES: usize = 12;

const SHARED: (&str, &str) = ("IS_CLUSTER", "true");

/// What every base was told in the end, each once.
const TOLD: [&str; 2] = ["installBiz biz1:1.0.0", "installBiz biz2:1.0.0"];

/// The one that is cut off, and one more.
fn others(cut_off: ControllerOptions, scene: &Scene) -> Result<Vec<Controller>> {
    Ok(vec![Controller::start(cut_off)?, Controller::start(scene.controller.options().clone())?])
}

/// Bases over HTTP cannot be kept from one replica only, and need not: it stops because it cannot renew.
#[test]
fn from_the_api_server_it_stops_and_another_has_its_bases() -> Result<()> {
    let scene = Scene::start(Way::Http, &[SHARED])?;
    let way = Proxy::start(scene.cluster.address()?)?;
    let dir = WorkDir::new("cut-off")?;
    let kubeconfig = dir.join("kubeconfig");
    scene.cluster.account_by(way.address(), &kubeconfig)?;
    let others = others(ControllerOptions { kubeconfig, ..scene.controller.options().clone() }, &scene)?;
    let tunnel = scene.controller.http_tunnel();
    let bases = (0..BASES)
        .map(|_| Simulated::start(&tunnel, &scene.base_version))
        .collect::<Result<Vec<Simulated>>>()?;
    let sharing = Sharing::start(scene, others, bases)?;
    let cut_off = owns_some(&sharing)?;

    let since = Timestamp::now();
    way.cut();
    let took = sharing.owned_without(&cut_off, since, Duration::from_secs(40))?;
    println!("owned again {took:?} after it was cut off from the API server");
    // 12 s are promised; this allows for a busy machine.
    ensure!(took < Duration::from_secs(20), "owned again only after {took:?}");
    let said = sharing.others[0].log().len();
    more_work(&sharing)?;
    way.mend();
    wait_for("it is a member again, as another", Duration::from_secs(90), || {
        let anew = sharing.incarnation(&sharing.others[0])?;
        ensure!(anew != cut_off, "it is still {anew}");
        Ok(Some(()))
    })?;
    let log = sharing.others[0].log();
    let rest = log.get(said..).unwrap_or_default();
    let (alone, _) = rest.split_once("it begins anew").context("it has not begun anew")?;
    ensure!(!alone.contains(" command "), "a command was sent: {alone}");
    sharing.shared_among(3, Duration::from_secs(60))?;
    sharing.always_ready()?;
    sharing.told(&TOLD)
}

/// Over MQTT, because over HTTP bases are reached by many ways.
#[test]
fn from_the_bases_it_gives_them_to_those_who_reach_them_before_they_are_taken_for_silent() -> Result<()> {
    let broker = Broker::start(&BrokerOptions::default())?;
    let (port, access) = (broker.port(), MqttAccess::from(&broker));
    let way = Proxy::start(([127, 0, 0, 1], port).into())?;
    let number = port.to_string();
    let more = [SHARED, ("MQTT_BROKER", "127.0.0.1"), ("MQTT_PORT", &number)];
    let scene = Scene::with(Way::Mosquitto, Some(broker), Some(access), &more)?;
    let cut_off = scene.controller.options().clone().env("MQTT_PORT", way.address().port());
    let others = others(cut_off, &scene)?;
    let bases = (0..BASES).map(|_| Simulated::over_mqtt(port, &scene.env, &scene.base_version)).collect();
    let sharing = Sharing::start(scene, others, bases)?;
    let cut_off = owns_some(&sharing)?;

    let since = Timestamp::now();
    way.cut();
    let took = sharing.owned_without(&cut_off, since, Duration::from_secs(40))?;
    println!("owned again {took:?} after it was cut off from the bases");
    let said = sharing.others[0].log().len();
    more_work(&sharing)?;
    ensure!(sharing.incarnation(&sharing.others[0])? == cut_off, "it was taken for dead");
    let log = sharing.others[0].log();
    ensure!(!log.get(said..).unwrap_or_default().contains(" command "), "a command was sent: {log}");
    let page = sharing.others[0].admin("/readyz")?;
    ensure!(page.status == 503 && page.body.contains("this replica reaches no base"), "{page:?}");
    way.mend();
    sharing.shared_among(3, Duration::from_secs(90))?;
    sharing.always_ready()?;
    sharing.told(&TOLD)
}

/// Which incarnation the first of the others is, once it has its share.
fn owns_some(sharing: &Sharing) -> Result<String> {
    sharing.shared_among(3, Duration::from_secs(60))?;
    sharing.incarnation(&sharing.others[0])
}

/// Another module for every base.
fn more_work(sharing: &Sharing) -> Result<()> {
    let scene = &sharing.scene;
    let biz = [manifest::container("biz2", "1.0.0")?];
    let pods = sharing.bases.iter().enumerate().map(|(index, base)| {
        let pod = manifest::pod(scene, &format!("q{index}"), Some(&base.node()), &biz);
        manifest::patient(pod).to_string()
    });
    scene.cluster.apply(&pods.collect::<Vec<_>>().join("\n"))?;
    scene.wait_pods_ready(2 * BASES)?;
    Ok(())
}
