//! Brokers that want to know who comes, that go away, and two tunnels at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Simulated, Snapshot, Stranger, Way, manifest,
    scene::node_name,
    seen::{condition, is_ready, summary, text},
    snapshot::commands,
};
use serde_json::Value;
use testkit::{
    broker::{Broker, BrokerOptions},
    java_base::{JavaBase, MqttAccess},
    wait::{stays, wait_for},
};

#[test]
fn a_base_that_is_heard_over_both_tunnels_is_one_node() -> Result<()> {
    let scene = Scene::start(Way::Both, &[])?;
    let base = &scene.bases(1)?[0];
    scene.cluster.apply(
        &manifest::pod(&scene, "module", None, &[manifest::container("biz1", "1.0.0")?]).to_string(),
    )?;
    scene.wait_pods_ready(1)?;
    for tunnel in ["http", "mqtt"] {
        wait_for(&format!("heartbeats over {tunnel}"), Duration::from_secs(10), || {
            let heard = scene.metric("module_controller_heartbeats_total", &format!("\"{tunnel}\""))?;
            Ok((heard > 2).then_some(()))
        })?;
    }
    let nodes = scene.nodes()?;
    ensure!(nodes.len() == 1 && text(&nodes[0], "/metadata/name") == node_name(base), "{nodes:?}");
    ensure!(base.query_all_biz()?.len() == 1 && commands(base).len() == 1, "{:?}", commands(base));
    Ok(())
}

#[test]
fn a_broker_with_tls_certificates_and_passwords() -> Result<()> {
    let users =
        vec![("controller".to_owned(), "right-1".to_owned()), ("base".to_owned(), "right-2".to_owned())];
    let broker =
        Broker::start(&BrokerOptions { users, client_certificates: true, ..BrokerOptions::default() })?;
    let another = Broker::start(&BrokerOptions { tls: true, ..BrokerOptions::default() })?;
    let path = |path: Option<&std::path::Path>| path.map(|path| path.display().to_string()).context("a CA");
    let (ca, another_ca) = (path(broker.ca())?, path(another.ca())?);
    let own = broker.client_certificate("controller")?;
    let (cert, key) = (own.cert.display().to_string(), own.key.display().to_string());
    let port = broker.port().to_string();
    let access = MqttAccess {
        user: Some(("base".to_owned(), "right-2".to_owned())),
        certificate: Some(broker.client_certificate("base")?),
        ..MqttAccess::from(&broker)
    };
    let settings = [
        ("MQTT_BROKER", "127.0.0.1"),
        ("MQTT_PORT", &port),
        ("MQTT_CA_PATH", &ca),
        ("MQTT_CLIENT_CRT_PATH", &cert),
        ("MQTT_CLIENT_KEY_PATH", &key),
        ("MQTT_USERNAME", "controller"),
        ("MQTT_PASSWORD", "right-1"),
    ];
    let mut scene = Scene::with(Way::Mosquitto, Some(broker), Some(access), &settings)?;

    for (changed, said) in [
        (&[("MQTT_CA_PATH", another_ca.as_str())][..], "invalid peer certificate"),
        (&[("MQTT_CLIENT_CRT_PATH", ""), ("MQTT_CLIENT_KEY_PATH", "")], "CertificateRequired"),
        (&[("MQTT_PASSWORD", "wrong-1")], "it refuses user name or password (MQTT_USERNAME, MQTT_PASSWORD)"),
        (&[("MQTT_USERNAME", ""), ("MQTT_PASSWORD", "")], "it refuses user name or password"),
    ] {
        refused(&mut scene, changed, &port, said)?;
    }
    scene.controller.start_again()?;
    let bases = scene.bases(1)?;
    scene.cluster.apply(
        &manifest::pod(&scene, "module", None, &[manifest::container("biz1", "1.0.0")?]).to_string(),
    )?;
    scene.wait_pods_ready(1)?;
    ensure!(bases[0].serving("biz1")?.as_deref() == Some("1.0.0"), "it serves nothing");
    for secret in ["right-1", "wrong-1"] {
        ensure!(!scene.controller.log().contains(secret), "the log shows the password {secret}");
    }
    Ok(())
}

/// With these settings the controller is alive and not ready, and says why. It is left stopped, with the
/// settings of before.
fn refused(scene: &mut Scene, changed: &[(&str, &str)], port: &str, said: &str) -> Result<()> {
    if scene.controller.id() != 0 {
        scene.controller.stop()?;
    }
    let settings = scene.controller.options_mut().env.clone();
    let changed = changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    scene.controller.options_mut().env.extend(changed.clone());
    scene.controller.spawn()?;
    wait_for(&format!("/readyz says {said:?}"), Duration::from_secs(20), || {
        let page = scene.controller.admin("/readyz")?;
        ensure!(page.status == 503 && page.body.contains(port) && page.body.contains(said), "{page:?}");
        Ok(Some(()))
    })
    .with_context(|| format!("with {:?}", changed.collect::<Vec<_>>()))?;
    let alive = scene.controller.admin("/healthz")?;
    ensure!(alive.status == 200, "{alive:?}");
    scene.controller.stop()?;
    scene.controller.options_mut().env = settings;
    Ok(())
}

/// The Go controller retains its commands: a base that comes back would carry out the last of each kind again.
#[test]
fn a_command_that_another_controller_left_retained_is_taken_away_before_the_base_comes_back() -> Result<()> {
    let mut scene = Scene::start(Way::Mosquitto, &[])?;
    let port = scene.broker_port().context("a broker")?;
    let mut options = scene.base();
    let identity = options.identity.clone();
    scene.controller.stop()?;
    let mut stranger = Stranger::connect(port)?;
    let topic = format!("koupleless_{}/{identity}/uninstallBiz", scene.env);
    stranger.publish(&topic, r#"{"bizName":"biz1","bizVersion":"1.0.0"}"#, true)?;
    scene.controller.start_again()?;
    let cleared = "tunnel=\"mqtt\",reason=\"retained_command\"";
    wait_for("the retained command is taken away", Duration::from_secs(20), || {
        Ok((scene.metric("module_controller_messages_refused_total", cleared)? == 1).then_some(()))
    })?;
    wait_for("the broker has nothing retained there", Duration::from_secs(10), || {
        let mut late = Stranger::connect(port)?;
        late.subscribe(&topic)?;
        // By another: who waits for the broker's answer hears nothing meanwhile.
        stranger.publish(&topic, "marker", false)?;
        let (_, heard) = late.hear()?;
        ensure!(heard == "marker", "{heard}");
        Ok(Some(()))
    })?;

    options.heartbeat = Duration::from_secs(1);
    let base = JavaBase::start(options)?;
    scene.wait_node_ready(&base, true)?;
    let pod = manifest::pod(&scene, "module", None, &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    let heard = || scene.metric("module_controller_heartbeats_total", "mqtt");
    let before = heard()?;
    // It is cut off, and connects again.
    drop(Stranger::connect_as(port, &format!("base@@@{identity}"))?);
    wait_for("the base is heard again", Duration::from_secs(60), || {
        ensure!(heard()? > before + 3, "{} heartbeats", heard()? - before);
        Ok(Some(()))
    })?;
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "it serves nothing");
    ensure!(commands(&base).len() == 1, "{:?}", commands(&base));
    Ok(())
}

/// How long the broker is away.
const AWAY: Duration = Duration::from_secs(120);

/// Bases that look for the broker every second; a Java base waits up to 128 s between two attempts.
const EAGER: usize = 12;

/// A broker that is started anew is not noticed. One that is away says nothing about the bases: for a while nothing is
/// touched at all, then they are NotReady, and however long it takes they stay. 15 s after it is back all is well again.
#[test]
fn a_broker_that_is_away_costs_no_base_its_node() -> Result<()> {
    let mut scene = Scene::start(Way::Mosquitto, &[])?;
    let port = scene.broker.as_ref().context("a broker")?.port();
    let eager: Vec<Simulated> =
        (0..EAGER).map(|_| Simulated::over_mqtt(port, &scene.env, &scene.base_version)).collect();
    let bases = scene.bases(1)?;
    let node = node_name(&bases[0]);
    let biz = [manifest::container("biz1", "1.0.0")?];
    let nodes = eager.iter().map(Simulated::node).chain([node.clone()]);
    let pods = nodes.enumerate().map(|(index, node)| {
        let pod = manifest::pod(&scene, &format!("module-{index}"), Some(&node), &biz);
        manifest::patient(pod).to_string()
    });
    scene.cluster.apply(&pods.collect::<Vec<_>>().join("\n"))?;
    let pods = scene.wait_pods_ready(EAGER + 1)?;
    let before = Snapshot::when_quiet(&scene, &bases)?;
    let all = scene.nodes()?;
    let nodes = uids(&all);
    let told = commands(&bases[0]);

    scene.broker.as_mut().context("a broker")?.kill()?;
    scene.broker.as_mut().context("a broker")?.start_again()?;
    stays("the scene after a restart of the broker", Duration::from_secs(12), &before, || {
        Snapshot::take(&scene, &bases)
    })?;

    let record = scene.record_pods()?;
    scene.broker.as_mut().context("a broker")?.stop()?;
    let start = Instant::now();
    let said = format!("the broker is not connected: broker 127.0.0.1:{port}");
    wait_for("/readyz names the broker", Duration::from_secs(20), || {
        let page = scene.controller.admin("/readyz")?;
        ensure!(page.status == 503 && page.body.contains(&said), "{page:?}");
        Ok(Some(()))
    })?;
    let figures = scene.controller.admin("/metrics")?.body;
    ensure!(figures.contains("module_controller_tunnel_up{tunnel=\"mqtt\"} 0\n"), "{figures}");
    stays("the scene without a broker", Duration::from_secs(12), &before, || Snapshot::take(&scene, &bases))?;
    scene.wait_node_ready(&bases[0], false)?;
    let event = scene.wait_event_within(Duration::from_secs(60), &node, "BlastRadius")?;
    ensure!(text(&event, "/note").contains("tunnel"), "{event}");
    // What is watched is that nothing comes of the rest of this time.
    thread::sleep(AWAY.saturating_sub(start.elapsed()));
    ensure!(uids(&scene.nodes()?) == nodes, "a Node is gone");
    ensure!(scene.controller.admin("/healthz")?.status == 200, "it is not alive");

    scene.broker.as_mut().context("a broker")?.start_again()?;
    let start = Instant::now();
    wait_for("Nodes and Pods of the eager bases are well again", Duration::from_secs(45), || {
        let pods = scene.pods(&[])?;
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let well = scene.nodes()?.iter().filter(|node| condition(node, "Ready")["status"] == "True").count();
        ensure!(ready >= EAGER && well >= EAGER, "{ready} Pods and {well} Nodes are Ready");
        Ok(Some(()))
    })?;
    let took = start.elapsed();
    println!("converged {took:?} after the broker was back");
    // 15 s are promised.
    ensure!(took < Duration::from_secs(25), "converged only after {took:?}");
    wait_for("the Java base has found the broker", Duration::from_secs(150), || {
        let ready = scene.pods(&[])?.iter().filter(|pod| is_ready(pod)).count();
        ensure!(ready == EAGER + 1, "{ready} Pods are Ready");
        Ok(Some(()))
    })?;
    println!("the Java base has found it after {:?}", start.elapsed());
    ensure!(scene.controller.admin("/readyz")?.status == 200, "it is not ready");
    scene.wait_node_ready(&bases[0], true)?;
    for change in record.changes()? {
        let deleted = change.kind == "DELETED" || change.object["metadata"]["deletionTimestamp"].is_string();
        ensure!(!deleted, "{change:?}");
    }
    let after = scene.pods(&[])?;
    ensure!(uids(&after) == uids(&pods) && uids(&scene.nodes()?) == nodes, "a Pod or a Node is another");
    for (old, new) in pods.iter().zip(&after) {
        let of = |pod: &Value| pod["status"]["containerStatuses"].clone();
        ensure!(of(old) == of(new), "{} became {}", summary(old), summary(new));
    }
    ensure!(commands(&bases[0]) == told, "the base was told to {:?}", commands(&bases[0]));
    for base in &eager {
        ensure!(base.commands() == ["installBiz biz1:1.0.0"], "{:?}", base.commands());
    }
    Ok(())
}

fn uids(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| text(object, "/metadata/uid")).collect()
}
