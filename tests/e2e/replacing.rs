//! A version that fails in the place of another (rule O9): what served serves again, the
//! rollout stops, and the newer version is not tried over it again until somebody says so.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Client, Scene, Way, manifest,
    seen::{condition, is_ready, summary, text},
    snapshot::commands,
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    wait::{stays, wait_for},
};

use crate::rolling::deployed;

const BARRED: &str = "module-controller.koupleless.io/Barred";

/// Longer than the first wait before a failed install is tried again (10 s).
const WATCHED: Duration = Duration::from_secs(12);

#[test]
fn what_fails_at_start_costs_one_base_one_gap_and_is_not_tried_again() -> Result<()> {
    let (mut scene, bases) = deployed(Way::Http)?;
    let clients: Vec<Client> = bases.iter().map(|base| Client::start(base, &["biz1"])).collect();
    let patch = json!({"spec": {"template": {
        "metadata": {"annotations": {"module-controller.koupleless.io/args": r#"["--biz.fail=true"]"#}},
        "spec": {"containers": [manifest::container("biz1", "2.0.0")?]},
    }}});
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch.to_string()])?;
    let barred =
        wait_for("the newer version is barred and the older serves again", Duration::from_secs(60), || {
            let pods = scene.pods(&[])?;
            let seen: Vec<String> = pods.iter().map(summary).collect();
            let barred = pods.iter().find(|pod| is_barred(pod)).with_context(|| format!("{seen:?}"))?;
            ensure!(pods.len() == 4 && versions_ready(&pods) == ["1.0.0", "1.0.0"], "{seen:?}");
            Ok(Some(barred.clone()))
        })?;
    let waiting = &barred["status"]["containerStatuses"][0]["state"]["waiting"];
    ensure!(waiting["reason"] == "User.InstallBizUserError", "{waiting}");
    ensure!(text(&barred, "/metadata/name").starts_with("biz1-"), "{}", summary(&barred));
    let bar = condition(&barred, BARRED);
    ensure!(text(bar, "/message").contains("biz1:2.0.0"), "{bar}");

    // Both go on to serve, and neither base is told to do anything any more.
    let told = || Ok(bases.iter().map(|base| (serving(base), replacements(base))).collect::<Vec<_>>());
    let before = told()?;
    let replaced: usize = before.iter().map(|(_, replaced)| replaced).sum();
    ensure!(replaced == 1, "{replaced} replacements");
    stays("what serves, and what the bases were told", WATCHED, &before, told)?;
    // A controller that starts anew knows it too.
    scene.controller.kill()?;
    scene.controller.start_again()?;
    stays("the same after a restart", Duration::from_secs(4), &before, told)?;
    let gaps = clients.into_iter().map(|client| Ok(client.stop()?.1)).collect::<Result<Vec<_>>>()?;
    let mut count: Vec<usize> = gaps.iter().map(Vec::len).collect();
    count.sort_unstable();
    ensure!(count == [0, 1], "one base has one gap and the other none: {gaps:?}");
    let status = scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=1s"]);
    ensure!(status.is_err(), "the rollout says {status:?}");

    the_annotation_lifts_it(&scene, &bases, text(&barred, "/metadata/name"))?;
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=60s"])?;
    crate::rolling::check_versions(&scene, &bases, "1.0.0")
}

/// It is tried once more, and fails once more.
fn the_annotation_lifts_it(scene: &Scene, bases: &[JavaBase], pod: &str) -> Result<()> {
    let before: usize = bases.iter().map(replacements).sum();
    scene.kubectl(&["annotate", "pod", pod, "module-controller.koupleless.io/retry=1"])?;
    wait_for("it is tried once more, and barred again", Duration::from_secs(60), || {
        let now: usize = bases.iter().map(replacements).sum();
        let pods = scene.pods(&[])?;
        let seen: Vec<String> = pods.iter().map(summary).collect();
        ensure!(now == before + 1, "{now} replacements, {before} before; {seen:?}");
        let barred: Vec<&str> =
            pods.iter().filter(|pod| is_barred(pod)).map(|pod| text(pod, "/metadata/name")).collect();
        ensure!(
            barred == [pod] && versions_ready(&pods) == ["1.0.0", "1.0.0"],
            "{seen:?}, barred {barred:?}"
        );
        Ok(Some(()))
    })
}

fn is_barred(pod: &Value) -> bool {
    condition(pod, BARRED)["status"] == "True"
}

fn versions_ready(pods: &[Value]) -> Vec<&str> {
    pods.iter().filter(|pod| is_ready(pod)).map(|pod| text(pod, "/spec/containers/0/env/0/value")).collect()
}

/// What it serves; `None` while it is being replaced or does not answer.
fn serving(base: &JavaBase) -> Option<String> {
    base.serving("biz1").ok().flatten()
}

/// How often the version that served was uninstalled for another.
fn replacements(base: &JavaBase) -> usize {
    commands(base).iter().filter(|told| told.contains("uninstall")).count()
}
