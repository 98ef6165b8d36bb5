//! A real Prometheus scrapes a real controller and evaluates the alerts of `deploy/monitoring`.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use e2e::{Scene, Way, shell::read, simulated::Simulated};
use serde_json::Value;
use testkit::{prometheus::Prometheus, wait::wait_for};

const JOB: &str = "module-controller";
const SILENT: &str = "ModuleControllerBaseSilent";
const GUARD: &str = "ModuleControllerBlastRadius";

/// A base is silent after 25 s; this allows for a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The rules as they are, but for how long each must hold: nobody waits for minutes here. What comes of that time is the
/// matter of the rules' own tests (`deploy/monitoring/tests`).
fn rules() -> Result<String> {
    let rules = read("deploy/monitoring/rules.yaml")?;
    let lines = rules.lines().map(|line| match line.split_once("for: ") {
        Some((space, _)) if space.trim().is_empty() => format!("{space}for: 1s\n"),
        _ => format!("{line}\n"),
    });
    Ok(lines.collect())
}

/// The names of the alerts that fire, with what each says.
fn firing(prometheus: &mut Prometheus) -> Result<Vec<(String, String)>> {
    let text =
        |alert: &Value, at: &str| alert.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let alerts = prometheus.alerts()?;
    let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
    Ok(firing
        .map(|alert| (text(alert, "/labels/alertname"), text(alert, "/annotations/description")))
        .collect())
}

#[test]
fn a_base_is_killed_and_the_alert_fires_until_its_node_is_gone() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let tunnel = scene.controller.http_tunnel();
    // Enough that one of them is no mass loss.
    let mut bases = Simulated::fleet(&tunnel, &scene.base_version, 4)?;
    wait_for("all bases to have Nodes", LIMIT, || Ok((scene.nodes()?.len() == bases.len()).then_some(())))?;

    let mut prometheus = Prometheus::start(JOB, &[scene.controller.admin_address()], &rules()?)?;
    wait_for("a scrape", LIMIT, || {
        let targets = prometheus.targets()?;
        ensure!(targets.iter().all(|target| target["health"] == "up"), "{targets:?}");
        Ok((targets.len() == 1).then_some(()))
    })?;
    wait_for("every rule to be evaluated", LIMIT, || {
        let groups = prometheus.rules()?;
        let rules: Vec<&Value> =
            groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
        ensure!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
        Ok(Some(()))
    })?;
    wait_for("no alert while all is well", LIMIT, || {
        let firing = firing(&mut prometheus)?;
        ensure!(firing.is_empty(), "{firing:?}");
        Ok(Some(()))
    })?;

    drop(bases.pop());
    wait_for("the alert to fire", LIMIT, || {
        let firing = firing(&mut prometheus)?;
        let Some((_, said)) = firing.iter().find(|(name, _)| name == SILENT) else { bail!("{firing:?}") };
        ensure!(said.starts_with(&format!("Nothing has been heard of 1 bases of {JOB}")), "{said}");
        Ok(Some(()))
    })?;
    wait_for("the alert to end with the Node", LIMIT, || {
        let firing = firing(&mut prometheus)?;
        ensure!(firing.iter().all(|(name, _)| name != SILENT), "{firing:?}");
        Ok((scene.nodes()?.len() == bases.len()).then_some(()))
    })?;

    bases.iter().for_each(Simulated::fall_silent);
    wait_for("the alert of the guard to fire", LIMIT, || {
        let firing = firing(&mut prometheus)?;
        ensure!(
            [SILENT, GUARD].iter().all(|wanted| firing.iter().any(|(name, _)| name == wanted)),
            "{firing:?}"
        );
        Ok(Some(()))
    })?;
    bases.iter().for_each(Simulated::speak_again);
    wait_for("all to be well again", LIMIT, || {
        let firing = firing(&mut prometheus)?;
        ensure!(firing.iter().all(|(name, _)| ![SILENT, GUARD].contains(&name.as_str())), "{firing:?}");
        Ok((scene.nodes()?.len() == bases.len()).then_some(()))
    })
}
