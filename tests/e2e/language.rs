//! In which language people are told (`MESSAGE_LANGUAGE`).

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    seen::{condition, text},
};
use testkit::{wait::wait_for, wasm_base::WasmBase};

/// The Pod, its Event, its Module object and the Node speak Chinese, and the log English.
#[test]
fn messages_are_chinese_where_that_is_set_and_the_log_is_english() -> Result<()> {
    let scene = Scene::start(Way::Http, &[("MESSAGE_LANGUAGE", "zh")])?;
    let base = WasmBase::start(scene.wasm_base())?;
    wait_for("the Node to say in Chinese that it is Ready", Duration::from_secs(30), || {
        let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
        let ready = condition(&node, "Ready");
        ensure!(ready["status"] == "True" && ready["message"] == "基座有心跳，也有应答", "{ready}");
        Ok(Some(()))
    })?;
    let absent = manifest::container_of("absent", "1.0.0", "file:///nowhere/absent.wasm");
    let mut pod = manifest::patient(manifest::pod(&scene, "p", Some(&base.node()), &[absent]));
    pod["spec"]["affinity"] = serde_json::Value::Null;
    scene.cluster.apply(&pod.to_string())?;
    let (code, message) = wait_for("the Pod to say why it fails", Duration::from_secs(30), || {
        let pod = scene.pod("p")?;
        let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        ensure!(text(waiting, "/reason").starts_with("Arklet."), "{}", pod["status"]);
        Ok(Some((text(waiting, "/reason").to_owned(), text(waiting, "/message").to_owned())))
    })?;
    let more = format!("详见：kubectl koupleless explain {code}");
    ensure!(message.starts_with("安装 absent:1.0.0：") && message.ends_with(&more), "{message}");
    ensure!(message.contains("建议："), "{message}");
    let event = scene.wait_event("p", &code)?;
    ensure!(text(&event, "/note") == message, "{event}");
    wait_for("the Module object to say the same", Duration::from_secs(30), || {
        let modules = scene.kubectl(&["get", "modules.koupleless.io", "-o", "json"])?;
        ensure!(modules.contains("安装 absent:1.0.0："), "{modules}");
        Ok(Some(()))
    })?;
    let log = scene.controller.log();
    ensure!(log.contains("installing absent:1.0.0: ") && !log.contains("安装"), "{log}");
    Ok(())
}
