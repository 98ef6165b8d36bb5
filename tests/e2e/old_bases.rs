//! Bases that say less than a present Java base, or do less.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scene, Simulated, Way, manifest, seen::is_ready, simulated::Release};
use serde_json::json;
use testkit::wait::{stays, wait_for};

fn container(version: &str, package: &str) -> serde_json::Value {
    manifest::container_of("biz1", version, &format!("file:///packages/{package}.jar"))
}

/// A base of this release, with a Deployment of one replica whose first version serves.
fn deployed(release: Release) -> Result<(Scene, Simulated)> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    base.be(release);
    let mut deployment = manifest::deployment(&scene, "biz1", 1, &[container("1.0.0", "one")]);
    deployment["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 1, "maxUnavailable": 0});
    scene.cluster.apply(&deployment.to_string())?;
    scene.wait_pods_ready(1)?;
    Ok((scene, base))
}

/// Changes the template, waits until the update is over, and says what the base was told.
fn update(scene: &Scene, base: &Simulated, version: &str, package: &str) -> Result<Vec<String>> {
    let before = base.commands().len();
    let containers = [container(version, package)];
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}}).to_string();
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch])?;
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=60s"])?;
    wait_for("only the new Pod is left, and Ready", Duration::from_secs(30), || {
        let pods = scene.pods(&[])?;
        Ok((pods.len() == 1 && pods.iter().all(is_ready)).then_some(()))
    })?;
    let held = base.biz();
    ensure!(held.get(&format!("biz1:{version}")).is_some_and(|state| state == "activated"), "{held:?}");
    ensure!(held.len() == 1, "{held:?}");
    Ok(base.commands().split_off(before))
}

#[test]
fn bases_that_know_no_install_strategy_are_updated() -> Result<()> {
    let (scene, base) = deployed(Release::Old)?;
    let told = update(&scene, &base, "2.0.0", "two")?;
    let expected = [
        "installBiz biz1:2.0.0",
        "installBiz biz1:2.0.0",
        "uninstallBiz biz1:1.0.0",
        "installBiz biz1:2.0.0",
    ];
    ensure!(told == expected, "{told:?}");
    // It is known by now.
    let told = update(&scene, &base, "3.0.0", "three")?;
    ensure!(
        told == ["installBiz biz1:3.0.0", "uninstallBiz biz1:2.0.0", "installBiz biz1:3.0.0"],
        "{told:?}"
    );
    // Another package under the same version.
    let told = update(&scene, &base, "3.0.0", "four")?;
    ensure!(told == ["uninstallBiz biz1:3.0.0", "installBiz biz1:3.0.0"], "{told:?}");
    stays("what the base was told", Duration::from_secs(3), &told, || {
        Ok(base.commands().split_off(base.commands().len() - told.len()))
    })
}

#[test]
fn a_success_that_names_nothing_is_ready_at_once() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    base.be(Release::NamesNothing);
    // What nobody here understands hides nothing.
    base.put("strange:1.0.0", "hibernating");
    wait_for("the Node", Duration::from_secs(30), || Ok(scene.nodes()?.iter().any(is_ready).then_some(())))?;
    let pod = manifest::pod(&scene, "one", Some(&base.node()), &[container("1.0.0", "one")]);
    let begun = std::time::Instant::now();
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    ensure!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    ensure!(base.commands() == ["installBiz biz1:1.0.0"], "{:?}", base.commands());
    scene.kubectl(&["delete", "pod", "one", "--timeout=20s"])?;
    let held = base.biz();
    ensure!(held.keys().eq(["strange:1.0.0"]), "{held:?}");
    Ok(())
}
