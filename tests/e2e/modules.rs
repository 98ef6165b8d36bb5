//! What a module Pod may be made of: several containers, packages from anywhere, annotations.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Stranger, Way, manifest,
    scene::node_name,
    seen::{condition, is_ready, text},
    snapshot::commands,
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    package_server::{Behaviour, PackageServer},
    wait::wait_for,
};

over_every_way!(several_modules_on_one_base_and_a_pod_of_two_is_ready_only_when_both_are,);

fn several_modules_on_one_base_and_a_pod_of_two_is_ready_only_when_both_are(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[])?;
    let base = &scene.bases(1)?[0];
    let packages = PackageServer::start()?;
    packages.set("biz2", "1.0.0", Behaviour::Slow(Duration::from_secs(3)));
    let by_http = manifest::container_of("biz2", "1.0.0", &packages.url("biz2", "1.0.0"));
    let pair = manifest::pod(&scene, "pair", None, &[manifest::container("biz1", "1.0.0")?, by_http]);
    let alone = manifest::pod(&scene, "alone", None, &[manifest::container("slow", "1.0.0")?]);
    let alone = manifest::annotated(alone, &[("args", r#"["--biz.delay.ms=0"]"#)]);

    let recording = scene.record_pods()?;
    scene.cluster.apply(&format!("{pair}\n{alone}"))?;
    scene.wait_pods_ready(2)?;
    for path in ["biz1", "biz2", "slow"] {
        ensure!(base.serving(path)?.as_deref() == Some("1.0.0"), "{path}: {:?}", base.serving(path)?);
    }
    ensure!(packages.requests("biz2", "1.0.0") == 1, "{} requests", packages.requests("biz2", "1.0.0"));

    let one_of_two = recording
        .first("pair", |change| ready_containers(&change.object) == 1)?
        .context("both containers were told ready in one write")?;
    let ready = condition(&one_of_two.object, "Ready");
    ensure!(
        ready["status"] == "False"
            && ready["reason"] == "ContainersNotReady"
            && text(ready, "/message").contains("biz2"),
        "{ready}"
    );
    let too_early = recording
        .first("pair", |change| is_ready(&change.object) && ready_containers(&change.object) != 2)?;
    ensure!(too_early.is_none(), "{too_early:?}");

    scene.kubectl(&["delete", "pod", "pair", "--wait=false"])?;
    wait_for(
        "both modules of the deleted Pod are gone, and the third stays",
        Duration::from_secs(20),
        || {
            let biz: Vec<String> = base.query_all_biz()?.into_iter().map(|biz| biz.name).collect();
            ensure!(biz == ["slow"], "{biz:?}");
            Ok(Some(()))
        },
    )?;
    scene.wait_pods_ready(1)?;
    ensure!(base.serving("slow")?.as_deref() == Some("1.0.0"), "it no longer serves");
    Ok(())
}

fn ready_containers(pod: &Value) -> usize {
    let containers = pod["status"]["containerStatuses"].as_array();
    containers.map_or(0, |all| all.iter().filter(|one| one["ready"] == true).count())
}

#[test]
fn annotations_reach_the_base() -> Result<()> {
    let scene = Scene::start(Way::Mosquitto, &[])?;
    let base = &scene.bases(1)?[0];
    let port = scene.broker.as_ref().context("a broker")?.port();
    let mut stranger = Stranger::connect(port)?;
    stranger.subscribe(&format!("koupleless_{}/{}/installBiz", scene.env, base.identity()))?;
    args_and_envs(&scene, base, &mut stranger)?;
    uninstall_then_install(&scene, base, &mut stranger)
}

/// The container's own come before those of the Pod. What a module was given as `info.*` it tells at
/// `actuator/info`; this SOFAArk does nothing with envs, so the command itself has to tell.
fn args_and_envs(scene: &Scene, base: &JavaBase, stranger: &mut Stranger) -> Result<()> {
    let containers = [manifest::container("biz1", "1.0.0")?, manifest::container("biz2", "1.0.0")?];
    let pod = manifest::pod(scene, "told", None, &containers);
    let pod = manifest::annotated(
        pod,
        &[
            ("args", r#"["--info.greeting=to all"]"#),
            ("args.biz2", r#"["--info.greeting=to biz2", "--info.two=2"]"#),
            ("envs", r#"{"COLOUR": "green"}"#),
            ("envs.biz1", r#"{"COLOUR": "red", "SIZE": "7"}"#),
        ],
    );
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    let info = |module: &str| base.http_get(&format!("/{module}/actuator/info"))?.json();
    ensure!(info("biz1")?["greeting"] == "to all", "{}", info("biz1")?);
    ensure!(info("biz2")?["greeting"] == "to biz2" && info("biz2")?["two"] == "2", "{}", info("biz2")?);
    let mut envs = [hear_install(stranger)?, hear_install(stranger)?]
        .map(|command| (text(&command, "/bizName").to_owned(), command["envs"].clone()));
    envs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let expected = [
        ("biz1".to_owned(), json!({"COLOUR": "red", "SIZE": "7"})),
        ("biz2".to_owned(), json!({"COLOUR": "green"})),
    ];
    ensure!(envs == expected, "{envs:?}");
    Ok(())
}

/// The newer Pod's strategy lets its version take the place of the one that serves on the same web
/// context path.
fn uninstall_then_install(scene: &Scene, base: &JavaBase, stranger: &mut Stranger) -> Result<()> {
    let pod =
        manifest::pod(scene, "second", Some(&node_name(base)), &[manifest::container("biz1", "2.0.0")?]);
    let pod = manifest::annotated(pod, &[("install-strategy", "uninstallThenInstall")]);
    scene.kubectl(&["delete", "pod", "told", "--wait=false"])?;
    wait_for("the first Pod is gone", Duration::from_secs(20), || {
        Ok(scene.pods(&[])?.is_empty().then_some(()))
    })?;
    base.install("biz1", "1.0.0")?;
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    ensure!(base.serving("biz1")?.as_deref() == Some("2.0.0"), "{:?}", base.serving("biz1")?);
    let biz = base.query_all_biz()?;
    ensure!(biz.len() == 1 && biz[0].version == "2.0.0", "{biz:?}");
    let command = hear_install(stranger)?;
    ensure!(command["installStrategy"] == "uninstallThenInstall", "{command}");
    ensure!(commands(base).iter().any(|told| told.contains("uninstall")), "{:?}", commands(base));
    Ok(())
}

/// The `data` of the next install command that the base is sent.
fn hear_install(stranger: &mut Stranger) -> Result<Value> {
    let (_, payload) = stranger.hear()?;
    serde_json::from_str(&payload).with_context(|| format!("the command is {payload:?}"))
}
