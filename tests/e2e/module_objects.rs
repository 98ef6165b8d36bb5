//! Module objects (5.5): what is on a base, for whom, and how it stands; and what they are for: nothing
//! that this controller installed is ever forgotten.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Way, manifest,
    scene::node_name,
    seen::{condition, text},
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
    work_dir::WorkDir,
};

over_every_way!(the_lines_of_the_manual_tell_what_is_on_a_base,);

/// What the manual prints of one base, with this selector.
fn custom_columns(scene: &Scene, selector: &str) -> Result<Vec<(String, String)>> {
    let columns = "custom-columns=NAME:.metadata.name,STATUS:.status.status";
    let text = scene.kubectl(&["get", "module", "-l", selector, "-o", columns])?;
    Ok(text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let (name, status) = line.split_once(char::is_whitespace)?;
            Some((name.to_owned(), status.trim().to_owned()))
        })
        .collect())
}

fn modules(scene: &Scene, namespace: &str) -> Result<Vec<Value>> {
    let ours = format!("module-controller.koupleless.io/env={}", scene.env);
    let list = scene.cluster.kubectl_json(&["-n", namespace, "get", "modules.koupleless.io", "-l", &ours])?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Waits until the Module objects of the scene are these: name, version, state.
fn wait_modules(scene: &Scene, namespace: &str, expected: &[(&str, &str, &str)]) -> Result<Vec<Value>> {
    wait_for(&format!("Module objects {expected:?}"), Duration::from_secs(60), || {
        let modules = modules(scene, namespace)?;
        let mut seen: Vec<(&str, &str, &str)> = modules
            .iter()
            .map(|module| {
                (text(module, "/spec/name"), text(module, "/spec/version"), text(module, "/status/status"))
            })
            .collect();
        seen.sort_unstable();
        ensure!(seen == expected, "{seen:?}");
        Ok(Some(modules.clone()))
    })
}

fn the_lines_of_the_manual_tell_what_is_on_a_base(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let bases = scene.bases(2)?;
    let good =
        manifest::pod(&scene, "good", Some(&node_name(&bases[0])), &[manifest::container("biz1", "1.0.0")?]);
    let nowhere = manifest::container_of("biz2", "1.0.0", "file:///nowhere/biz2.jar");
    let bad = manifest::pod(&scene, "bad", Some(&node_name(&bases[0])), &[nowhere]);
    scene.cluster.apply(&format!("{good}\n{bad}"))?;
    let expected = [("biz1", "1.0.0", "Available"), ("biz2", "1.0.0", "Failed")];
    let modules = wait_modules(&scene, &scene.namespace, &expected)?;

    let (ip, name) = (bases[0].ip().to_string(), bases[0].options().hostname.clone());
    for family in ["koupleless.alipay.com", "koupleless.io"] {
        for selector in
            [format!("{family}/base-instance-ip={ip}"), format!("{family}/base-instance-name={name}")]
        {
            let lines = custom_columns(&scene, &selector)?;
            let states: Vec<&str> = lines.iter().map(|(_, status)| status.as_str()).collect();
            ensure!(states == ["Available", "Failed"], "{selector}: {lines:?}");
            let story = scene.kubectl(&["describe", "module", "-l", &selector])?;
            for told in
                ["biz1", "1.0.0", "good", &node_name(&bases[0]), "Arklet.PullBizError", "Retry", "nowhere"]
            {
                ensure!(story.contains(told), "{selector}: {told} is not in\n{story}");
            }
        }
    }
    let other = format!("koupleless.alipay.com/base-instance-ip={}", bases[1].ip());
    ensure!(custom_columns(&scene, &other)?.is_empty(), "the other base has none");
    let table = scene.kubectl(&["get", "md"])?;
    ensure!(table.contains("VERSION") && table.contains("Arklet.PullBizError"), "{table}");

    let good = modules.iter().find(|module| text(module, "/spec/name") == "biz1").unwrap_or(&Value::Null);
    ensure!(good["spec"]["managed"] == true && text(good, "/spec/pod") == "good", "{good}");
    ensure!(text(good, "/spec/url").ends_with("biz1-1.0.0-ark-biz.jar"), "{good}");
    ensure!(condition(good, "Ready")["status"] == "True", "{good}");
    ensure!(good["metadata"]["ownerReferences"].is_null(), "nothing but the controller collects it: {good}");

    scene.kubectl(&["delete", "pod", "good", "bad", "--wait=false"])?;
    wait_modules(&scene, &scene.namespace, &[])?;
    Ok(())
}

/// The second failure: the Pod is deleted by force while no controller runs.
#[test]
fn what_was_installed_goes_though_its_pod_went_by_force_while_no_controller_ran() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    let node = node_name(base);
    let pods = ["one", "two"].map(|name| (name, if name == "one" { "biz1" } else { "biz2" }));
    for (name, biz) in pods {
        let pod = manifest::pod(&scene, name, Some(&node), &[manifest::container(biz, "1.0.0")?]);
        scene.cluster.apply(&pod.to_string())?;
    }
    scene.wait_pods_ready(2)?;
    let both = [("biz1", "1.0.0", "Available"), ("biz2", "1.0.0", "Available")];
    wait_modules(&scene, &scene.namespace, &both)?;
    scene.controller.kill()?;
    scene.kubectl(&["delete", "pod", "one", "--force", "--grace-period=0"])?;
    scene.controller.start_again()?;
    wait_for("the module of the lost Pod is uninstalled", Duration::from_secs(60), || {
        let biz: Vec<String> = base.query_all_biz()?.into_iter().map(|biz| biz.name).collect();
        ensure!(biz == ["biz2"], "{biz:?}");
        Ok(Some(()))
    })?;
    wait_modules(&scene, &scene.namespace, &[("biz2", "1.0.0", "Available")])?;
    Ok(())
}

/// A module that nobody here asked for is shown and left alone. A Pod that names it adopts it, and a
/// statically merged one stays even then.
#[test]
fn what_somebody_else_installed_is_shown_and_left_alone() -> Result<()> {
    let own = "unmanaged";
    let scene = Scene::start(Way::Http, &[("NAMESPACE", own)])?;
    scene
        .cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}).to_string())?;
    let (base, _merged) = base_with_merged_biz1(&scene)?;
    let shown = wait_modules(&scene, own, &[("biz1", "1.0.0", "Available")])?;
    ensure!(shown[0]["spec"]["managed"] == false && shown[0]["spec"]["inPlace"] == true, "{shown:?}");
    base.install("biz2", "1.0.0")?;
    let both = [("biz1", "1.0.0", "Available"), ("biz2", "1.0.0", "Available")];
    let shown = wait_modules(&scene, own, &both)?;
    ensure!(shown.iter().all(|module| module["spec"]["managed"] == false), "{shown:?}");
    stays("what the base has", Duration::from_secs(3), &2, || Ok(base.query_all_biz()?.len()))?;

    let adopts =
        manifest::pod(&scene, "adopts", Some(&node_name(&base)), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&adopts.to_string())?;
    scene.wait_pods_ready(1)?;
    scene.kubectl(&["delete", "pod", "adopts"])?;
    stays("what the base has", Duration::from_secs(3), &2, || Ok(base.query_all_biz()?.len()))
}

/// Whoever may create Module objects in a namespace of his own, before and after a restart of the controller.
#[test]
fn what_a_tenant_makes_up_uninstalls_nothing() -> Result<()> {
    let own = "made-up";
    let mut scene = Scene::start(Way::Http, &[("NAMESPACE", own)])?;
    scene
        .cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}).to_string())?;
    let (base, _merged) = base_with_merged_biz1(&scene)?;
    let shown = wait_modules(&scene, own, &[("biz1", "1.0.0", "Available")])?;
    // The very name that it would have from us, in a namespace where nobody asks for the module.
    let mut fake = shown[0].clone();
    fake["metadata"] = json!({
        "name": text(&fake, "/metadata/name"),
        "namespace": scene.namespace,
        "labels": fake["metadata"]["labels"],
    });
    (fake["spec"]["managed"], fake["spec"]["inPlace"]) = (json!(true), json!(false));
    scene.cluster.apply(&fake.to_string())?;
    let there =
        || -> Result<Vec<String>> { Ok(base.query_all_biz()?.into_iter().map(|biz| biz.name).collect()) };
    stays("what the base has", Duration::from_secs(5), &vec!["biz1".to_owned()], there)?;
    scene.controller.kill()?;
    scene.controller.start_again()?;
    stays("what the base has", Duration::from_secs(8), &vec!["biz1".to_owned()], there)?;
    let shown = wait_modules(&scene, own, &[("biz1", "1.0.0", "Available")])?;
    ensure!(shown[0]["spec"]["managed"] == false && shown[0]["spec"]["inPlace"] == true, "{shown:?}");
    Ok(())
}

/// A base into which biz1 is statically merged: it is installed when the base starts.
fn base_with_merged_biz1(scene: &Scene) -> Result<(JavaBase, WorkDir)> {
    let merged = WorkDir::new("merged")?;
    let package = testkit::artifacts::java()?.package("biz1", "1.0.0")?;
    std::fs::copy(&package, merged.path().join("biz1-1.0.0-ark-biz.jar"))?;
    let mut options = scene.base();
    let dir = merged.path().display().to_string();
    options.properties.push(("com.alipay.sofa.ark.static.biz.dir".to_owned(), dir));
    let base = JavaBase::start(options)?;
    scene.wait_node_ready(&base, true)?;
    Ok((base, merged))
}

/// A changed URL is another package, though the version is the same: in place on a bare Pod.
#[test]
fn a_changed_package_of_the_same_version_replaces_it() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = &scene.bases(1)?[0];
    let container = manifest::container("biz1", "1.0.0")?;
    scene.cluster.apply(&manifest::pod(&scene, "p", Some(&node_name(base)), &[container]).to_string())?;
    scene.wait_pods_ready(1)?;
    let packages = testkit::package_server::PackageServer::start()?;
    let url = packages.url("biz1", "1.0.0");
    let recording = scene.record_pods()?;
    scene.kubectl(&["set", "image", "pod/p", &format!("biz1={url}")])?;
    wait_for("the Pod runs the other package", Duration::from_secs(60), || {
        let pod = scene.pod("p")?;
        let image = text(&pod, "/status/containerStatuses/0/imageID").to_owned();
        ensure!(image == url && e2e::seen::is_ready(&pod), "{}", pod["status"]);
        Ok(Some(()))
    })?;
    ensure!(packages.requests("biz1", "1.0.0") == 1, "{} requests", packages.requests("biz1", "1.0.0"));
    let unready = recording.first("p", |change| !e2e::seen::is_ready(&change.object))?;
    ensure!(unready.is_some(), "it is not Ready in between");
    let modules = wait_modules(&scene, &scene.namespace, &[("biz1", "1.0.0", "Available")])?;
    ensure!(text(&modules[0], "/spec/url") == url, "{}", modules[0]["spec"]);
    Ok(())
}
