//! Faults are told to the robots of DingTalk groups: once, with all that is needed to find them.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{Scene, Way, manifest, scene::node_name};
use testkit::{
    names,
    robot::{Reply, Robot},
    wait::wait_for,
    work_dir::WorkDir,
};

const CODE: &str = "Arklet.PullBizError";

/// The value of a line `- name: value` of a report.
fn told<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let start = format!("- {name}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.with_context(|| format!("no {name:?} in\n{text}"))
}

/// All that is told of the install of `absent`.
fn check_install(scene: &Scene, base: &str, trace: &str, text: &str) -> Result<()> {
    for (name, value) in [
        ("错误码 / Code", CODE),
        ("建议 / Suggestion", "请重试 / Retry"),
        ("基座 / Base", base),
        ("Pod", &format!("{}/no-file", scene.namespace)),
        ("模块 / Module", "absent:1.0.0"),
        ("环境 / Env", &scene.env),
        ("Trace", trace),
    ] {
        ensure!(told(text, name)? == value, "{name} is not {value:?} in\n{text}");
    }
    ensure!(text.contains("/nowhere/absent.jar") && !text.contains("\tat "), "{text}");
    Ok(())
}

#[test]
fn a_failed_install_and_a_lost_base_are_told_to_every_robot_once() -> Result<()> {
    let dir = WorkDir::new("robot")?;
    let (signed, plain) = (Robot::start_tls(&[Reply::Take])?, Robot::start(&[Reply::Take])?);
    let trusted = dir.join("robot.pem");
    fs::write(&trusted, signed.certificate().context("a certificate")?)?;
    let nobody = format!("http://127.0.0.1:{}/robot/send?access_token=hunter2", names::free_port()?);
    let hooks = format!("{};{};{nobody}", signed.url("hunter2"), plain.url("hunter2"));
    let mut scene = Scene::start(
        Way::Embedded,
        &[
            ("REPORT_HOOKS", &hooks),
            ("REPORT_HOOK_SECRETS", "SEChunter2;;"),
            ("SSL_CERT_FILE", &trusted.display().to_string()),
        ],
    )?;
    let base = &mut scene.bases(1)?[0];
    let absent = manifest::container_of("absent", "1.0.0", "file:///nowhere/absent.jar");
    let pod = manifest::pod(&scene, "no-file", Some(&node_name(base)), &[absent]);
    scene.cluster.apply(&pod.to_string())?;

    let event = scene.wait_event("no-file", CODE)?;
    let trace = event["metadata"]["annotations"]["module-controller.koupleless.io/trace-id"].as_str();
    let trace = trace.with_context(|| format!("no trace id: {event}"))?;
    for robot in [&signed, &plain] {
        check_install(&scene, base.identity(), trace, robot.wait_heard(1)?[0].text())?;
    }
    ensure!(signed.heard()[0].query.contains("&sign="), "{:?}", signed.heard());
    ensure!(plain.heard()[0].query == "access_token=hunter2", "{:?}", plain.heard());
    let log = scene.controller.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(trace)).collect();
    let is_told = |word: &str| lines.iter().any(|line| line.contains(word));
    ensure!(is_told("command=installBiz") && is_told("pod="), "{trace} is in {lines:#?}");

    // It fails again, and again nobody is bothered.
    wait_for("the second failure", Duration::from_secs(60), || {
        let hook = r#"hook="1",outcome="suppressed""#;
        Ok((scene.metric("module_controller_reports_total", hook)? >= 1).then_some(()))
    })?;
    ensure!(signed.heard().len() == 1 && plain.heard().len() == 1, "{:?}", plain.heard());

    base.kill()?;
    let lost = plain.wait_heard(2)?.remove(1);
    ensure!(told(lost.text(), "错误码 / Code")? == "ModuleController.BaseInstanceNotReady", "{lost:?}");
    ensure!(told(lost.text(), "基座 / Base")? == base.identity(), "{lost:?}");
    // That its Node is deleted later is part of the same fault.
    scene.wait_event_within(Duration::from_secs(90), &node_name(base), "BaseLeft")?;
    scene.controller.stop()?;
    ensure!(signed.heard().len() == 2 && plain.heard().len() == 2, "{:?}", plain.heard());

    let log = scene.controller.log();
    ensure!(log.contains("reports were given up") && log.contains("hook=3"), "nobody misses the third hook");
    ensure!(!log.contains("hunter2"), "a token or a secret is in the log");
    Ok(())
}
