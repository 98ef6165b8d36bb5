//! `kubectl logs` of modules of WebAssembly bases, whose base keeps each one's log.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Follow, Shell, Way, manifest,
    shell::{commands, read},
};
use serde_json::{Value, json};
use testkit::wait::wait_for;

use super::{base, container, pod, print, refusal, scene};

#[test]
fn of_a_module_are_read_whole_in_part_and_followed() -> Result<()> {
    let (scene, port) = scene(Way::Http, &[])?;
    let base = base(&scene)?;
    let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
    // The first that an API server looks for is Hostname.
    let addresses = json!([{"type": "InternalIP", "address": "127.0.0.1"}]);
    ensure!(node["status"]["addresses"] == addresses, "{}", node["status"]["addresses"]);
    ensure!(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == port, "{}", node["status"]);
    pod(&scene, &base, &["biz1", "biz2"])?;
    let pod_ip = scene.pod("p")?["status"]["podIP"].clone();
    ensure!(pod_ip == base.ip().to_string(), "the Pod's address stays the base's: {pod_ip}");
    for (module, line) in [("biz1", "1"), ("biz1", "2"), ("biz2", "other"), ("biz1", "3")] {
        print(&base, module, line)?;
    }
    let logs = |args: &[&str]| scene.kubectl(&[&["logs", "p", "-c", "biz1"], args].concat());
    ensure!(logs(&[])? == "/print-1\n/print-2\n/print-3\n", "{}", logs(&[])?);
    ensure!(scene.kubectl(&["logs", "p", "-c", "biz2"])? == "/print-other\n");
    ensure!(logs(&["--tail=1"])? == "/print-3\n");
    ensure!(logs(&["--tail=2", "--limit-bytes=4"])? == "/pri");
    ensure!(logs(&["--since=1h", "--tail=1"])? == "/print-3\n");
    ensure!(logs(&["--since-time=2999-01-01T00:00:00Z"])?.is_empty());
    let dated = logs(&["--tail=1", "--timestamps"])?;
    ensure!(dated.starts_with("20") && dated.ends_with("Z /print-3\n"), "{dated}");
    let both = scene.kubectl(&["logs", "p", "--all-containers", "--prefix"])?;
    ensure!(
        both.contains("[pod/p/biz2] /print-other\n") && both.contains("[pod/p/biz1] /print-1\n"),
        "{both}"
    );

    let mut follow =
        Follow::start(&scene.cluster, &["-n", &scene.namespace, "logs", "-f", "p", "-c", "biz1"])?;
    follow.wait_for("/print-3\n")?;
    print(&base, "biz1", "4")?;
    follow.wait_for("/print-4\n")?;
    // It ends with the module.
    scene.kubectl(&["delete", "pod", "p", "--wait=false"])?;
    follow.wait_for_end()
}

#[test]
fn that_there_are_none_is_said_with_the_reason() -> Result<()> {
    let (scene, _) = scene(Way::Http, &[])?;
    let mut base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    let previous = refusal(&scene, &["logs", "p", "--previous"])?;
    ensure!(previous.contains("previous terminated container \"biz1\" in pod \"p\" not found"), "{previous}");

    let mut aside = manifest::pod(
        &scene,
        "aside",
        Some(&base.node()),
        &[container("biz2")?, json!({"name": "proxy", "image": "envoy"})],
    );
    let mut failing = manifest::pod(&scene, "failing", Some(&base.node()), &[container("failing")?]);
    for pod in [&mut aside, &mut failing] {
        pod["spec"]["affinity"] = Value::Null;
        scene.cluster.apply(&pod.to_string())?;
    }
    scene.kubectl(&["wait", "--for=condition=Ready", "pod/aside", "--timeout=60s"])?;
    let sidecar = refusal(&scene, &["logs", "aside", "-c", "proxy"])?;
    ensure!(sidecar.contains("container \"proxy\" in pod \"aside\" is no module"), "{sidecar}");
    scene.wait_waiting("failing", "User.InstallBizUserError")?;
    let waiting = refusal(&scene, &["logs", "failing"])?;
    let says = "container \"failing\" in pod \"failing\" is waiting to start: User.InstallBizUserError: ";
    ensure!(waiting.contains(says), "{waiting}");
    let exec = refusal(&scene, &["exec", "p", "--", "ls"])?;
    ensure!(exec.contains("a module shares the process of its base"), "{exec}");

    base.kill()?;
    let away = refusal(&scene, &["logs", "p"])?;
    ensure!(away.contains("which keeps the log of biz1:1.0.0, does not answer"), "{away}");
    Ok(())
}

#[test]
fn every_command_of_its_page_works() -> Result<()> {
    let (scene, _) = scene(Way::Http, &[])?;
    let base = base(&scene)?;
    let mut deployment = manifest::deployment(&scene, "biz1", 1, &[container("biz1")?]);
    deployment["spec"]["template"]["spec"]["affinity"] = Value::Null;
    deployment["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": base.node()});
    scene.cluster.apply(&deployment.to_string())?;
    scene.wait_pods_ready(1)?;
    print(&base, "biz1", "1")?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let commands = commands(&read("docs/guide/logs.md")?);
    ensure!(!commands.is_empty(), "the page has no commands");
    commands
        .iter()
        .filter(|command| command.starts_with("kubectl "))
        .try_for_each(|command| shell.run(command).map(drop).with_context(|| command.clone()))
}

/// A base that talks over MQTT tells where its Arklet listens, too.
#[test]
fn over_mqtt_they_are_read_the_same_way() -> Result<()> {
    let (scene, _) = scene(Way::Embedded, &[])?;
    let base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    print(&base, "biz1", "1")?;
    ensure!(scene.kubectl(&["logs", "p"])? == "/print-1\n");
    Ok(())
}

/// What a reader does not take is kept by nobody without end, and others are served meanwhile.
#[test]
fn a_reader_that_does_not_read_costs_little() -> Result<()> {
    let (scene, _) = scene(Way::Http, &[])?;
    let base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    let memory = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", scene.controller.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let before = memory()?;
    let follow = Follow::start(&scene.cluster, &["-n", &scene.namespace, "logs", "-f", "p"])?;
    print(&base, "biz1", "first")?;
    follow.wait_for("/print-first\n")?;
    follow.pause()?;
    // The base ends a module that prints without end once its caller has gone or its time is over.
    // Until then that module uses up what may be printed, and a line of another caller can be dropped.
    let _ = base.http_get("/biz1/output");
    wait_for("others to be served", Duration::from_secs(60), || {
        print(&base, "biz1", "last")?;
        let last = scene.kubectl(&["logs", "p", "--tail=1"])?;
        ensure!(last == "/print-last\n", "{last:?}");
        Ok(Some(()))
    })?;
    let grown = memory()?.saturating_sub(before);
    ensure!(grown < 32 * 1024, "the controller grew by {grown} kB");
    Ok(())
}
