//! Doors that are closed: to whom they open, with real bases.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way,
    heartbeat::{heartbeat, raw},
    manifest,
};
use testkit::{
    java_base::{JavaBase, MqttAccess},
    names,
    wait::wait_for,
    work_dir::WorkDir,
};

const SECRET: &str = "0123456789-abcdef";

#[test]
fn a_java_base_with_a_user_of_its_own_does_its_work_at_the_embedded_broker() -> Result<()> {
    let (dir, identity) = (WorkDir::new("users")?, names::unique("base"));
    let users = dir.join("users");
    std::fs::write(&users, format!("# one base\nown {SECRET} {identity}\nliar {SECRET}\n"))?;
    let (port, users) = (names::free_port()?, users.display().to_string());
    let access = |user: &str| MqttAccess {
        url: format!("tcp://127.0.0.1:{port}"),
        user: Some((user.to_owned(), SECRET.to_owned())),
        ..MqttAccess::default()
    };
    let settings = [
        ("MQTT_BROKER", "embedded"),
        ("MQTT_PORT", &port.to_string()),
        ("MQTT_USERNAME", "controller"),
        ("MQTT_PASSWORD", SECRET),
        ("BROKER_USERS_FILE", &users),
    ];
    let scene = Scene::with(Way::Embedded, None, Some(access("own")), &settings)?;
    // A base that speaks as another than its user may: nobody hears it.
    let mut options = scene.base();
    options.mqtt = Some(access("liar"));
    let _liar = JavaBase::start(options)?;
    let mut options = scene.base();
    (options.identity, options.hostname) = (identity.clone(), identity);
    let base = JavaBase::start(options)?;
    scene.wait_node_ready(&base, true)?;
    let pod = manifest::pod(&scene, "module", None, &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "it serves nothing");
    wait_for("more heartbeats of the base", Duration::from_secs(40), || {
        Ok((scene.metric("module_controller_heartbeats_total", "mqtt")? > 2).then_some(()))
    })?;
    let nodes = scene.nodes()?;
    ensure!(nodes.len() == 1, "the other is heard too: {nodes:?}");
    Ok(())
}

#[test]
fn a_java_base_without_the_token_is_not_heard_and_one_for_whom_it_is_added_is() -> Result<()> {
    let dir = WorkDir::new("tokens")?;
    let file = dir.join("tokens");
    std::fs::write(&file, SECRET)?;
    let scene = Scene::start(Way::Http, &[("HTTP_TUNNEL_TOKEN_FILE", &file.display().to_string())])?;
    let base = JavaBase::start(scene.base())?;
    let refused = || {
        let labels = "tunnel=\"http\",reason=\"unauthorized\"";
        scene.metric("module_controller_messages_refused_total", labels)
    };
    wait_for("a heartbeat of the base is refused", Duration::from_secs(60), || {
        Ok((refused()? > 0).then_some(()))
    })?;
    ensure!(scene.nodes()?.is_empty(), "it has a Node");
    // What a proxy beside the base would send.
    let address = SocketAddr::from((base.ip(), base.arklet_port()));
    let body = heartbeat(base.identity(), &scene.base_version, address).to_string();
    let request = format!(
        "POST /heartbeat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&scene.controller.http_tunnel(), request.as_bytes())?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    scene.wait_node_ready(&base, true)?;
    Ok(())
}
