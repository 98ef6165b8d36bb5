//! What makes a module leave its base, and what must not.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Client, Scene, Simulated, Way, manifest,
    scene::node_name,
    seen::{is_ready, summary, text},
    snapshot::commands,
};
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
};

#[test]
fn a_module_stays_as_long_as_a_pod_names_it() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    two_pods_name_it(&scene, base)?;
    the_same_version_again(&scene, base)?;
    deleted_by_force(&scene, base)
}

fn two_pods_name_it(scene: &Scene, base: &JavaBase) -> Result<()> {
    let pod = |name: &str| {
        let biz = manifest::container("biz1", "1.0.0")?;
        anyhow::Ok(manifest::pod(scene, name, Some(&node_name(base)), &[biz]))
    };
    scene.cluster.apply(&format!("{}\n{}", pod("one")?, pod("two")?))?;
    scene.wait_pods_ready(2)?;
    let told = commands(base);
    ensure!(told.len() == 1, "{told:?}");
    let client = Client::start(base, &["biz1"]);
    scene.kubectl(&["delete", "pod", "one", "--timeout=20s"])?;
    stays("the module that the other Pod names", Duration::from_secs(3), &(1, true), || {
        Ok((base.query_all_biz()?.len(), is_ready(&scene.pod("two")?)))
    })?;
    let (_, gaps) = client.stop()?;
    ensure!(gaps.is_empty() && commands(base) == told, "{gaps:?}, {:?}", commands(base));
    scene.kubectl(&["delete", "pod", "two", "--timeout=20s"])?;
    no_module_is_left(base)
}

/// Deleted and made again at once: what the old Pod leaves behind is not the new one's trouble.
fn the_same_version_again(scene: &Scene, base: &JavaBase) -> Result<()> {
    let deployment =
        manifest::deployment(scene, "again", 1, &[manifest::container("biz1", "1.0.0")?]).to_string();
    scene.cluster.apply(&deployment)?;
    let old = scene.wait_pods_ready(1)?.remove(0);
    scene.kubectl(&["delete", "deployment", "again"])?;
    scene.cluster.apply(&deployment)?;
    wait_for("the new Pod is Ready", Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        let new = pods.iter().find(|pod| pod["metadata"]["uid"] != old["metadata"]["uid"]);
        ensure!(new.is_some_and(is_ready), "{seen:?}");
        Ok(Some(()))
    })?;
    let client = Client::start(base, &["biz1"]);
    let told = commands(base);
    scene.wait_pods_ready(1)?;
    stays("the module of the new Pod", Duration::from_secs(4), &(1, told), || {
        Ok((base.query_all_biz()?.len(), commands(base)))
    })?;
    let (_, gaps) = client.stop()?;
    ensure!(gaps.is_empty(), "{gaps:?}");
    scene.kubectl(&["delete", "deployment", "again"])?;
    no_module_is_left(base)
}

/// Such a Pod is gone before anybody could say goodbye.
fn deleted_by_force(scene: &Scene, base: &JavaBase) -> Result<()> {
    let biz = manifest::container("biz1", "1.0.0")?;
    scene.cluster.apply(&manifest::pod(scene, "forced", Some(&node_name(base)), &[biz]).to_string())?;
    scene.wait_pods_ready(1)?;
    scene.kubectl(&["delete", "pod", "forced", "--force", "--grace-period=0"])?;
    no_module_is_left(base)
}

fn no_module_is_left(base: &JavaBase) -> Result<()> {
    wait_for("no module is left", Duration::from_secs(30), || {
        let biz = base.query_all_biz()?;
        ensure!(biz.is_empty(), "{biz:?}");
        Ok(Some(()))
    })
}

/// Behind the controller's back, on the base itself.
#[test]
fn what_is_uninstalled_by_hand_comes_back_and_what_is_installed_by_hand_stays() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    base.install("biz2", "1.0.0")?;
    let biz = manifest::container("biz1", "1.0.0")?;
    scene.cluster.apply(&manifest::pod(&scene, "biz1", Some(&node_name(base)), &[biz]).to_string())?;
    let pod = scene.wait_pods_ready(1)?.remove(0);
    ensure!(pod["status"]["containerStatuses"][0]["restartCount"] == 0, "{}", pod["status"]);
    base.uninstall("biz1", "1.0.0")?;
    // The controller asks for the list every 30 s.
    wait_for("the module is installed again", Duration::from_secs(90), || {
        let pod = scene.pod("biz1")?;
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        ensure!(*restarts == 1 && is_ready(&pod), "{}", pod["status"]);
        Ok(Some(()))
    })?;
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", base.serving("biz1")?);
    scene.kubectl(&["delete", "pod", "biz1", "--timeout=20s"])?;
    let left: Vec<String> = base.query_all_biz()?.into_iter().map(|biz| biz.name).collect();
    ensure!(left == ["biz2"], "{left:?}");
    ensure!(base.serving("biz2")?.as_deref() == Some("1.0.0"), "{:?}", base.serving("biz2")?);
    Ok(())
}

#[test]
fn an_uninstall_that_fails_is_told_and_tried_again_and_the_pod_stays_until_then() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let biz = manifest::container_of("biz1", "1", "file:///biz1.jar");
    scene.cluster.apply(&manifest::pod(&scene, "stuck", None, &[biz]).to_string())?;
    scene.wait_pods_ready(1)?;
    base.refuse_uninstalls(1);
    scene.kubectl(&["delete", "pod", "stuck", "--wait=false"])?;
    let event = scene.wait_event("stuck", "Arklet.UninstallBizFailed")?;
    ensure!(text(&event, "/note").contains("the module does not let go"), "{event}");
    let uninstalls = || base.commands().iter().filter(|command| command.starts_with("uninstallBiz")).count();
    // The next try is 10 s after the first.
    stays("the Pod and its module", Duration::from_secs(4), &(1, 1), || {
        Ok((scene.pods(&[])?.len(), uninstalls()))
    })?;
    wait_for("it is tried again, and the Pod goes", Duration::from_secs(60), || {
        let there = scene.pods(&[])?.len();
        ensure!(there == 0, "{there} Pods, {} uninstalls", uninstalls());
        Ok(Some(()))
    })?;
    ensure!(uninstalls() == 2 && base.biz().is_empty(), "{:?}, {:?}", base.commands(), base.biz());
    Ok(())
}
