//! The page in a browser: what the scripts of `board/tests/cluster` do on it, and what they need done outside.

use anyhow::bail;
use e2e::manifest;
use jiff::Timestamp;

use super::*;
use crate::plans;

/// biz1 on each base, as `plan new` prepares it: all new Pods are made at once, and none beside one of the same version.
fn workload(scene: &Scene) -> Result<Value> {
    let mut deployment = plans::workload(scene, &manifest::container("biz1", "1.0.0")?, None);
    deployment["spec"]["template"]["metadata"]["labels"]
        .as_object_mut()
        .map(|labels| labels.remove("version"));
    deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": "biz1"}},
            "matchLabelKeys": ["pod-template-hash"],
            "topologyKey": "kubernetes.io/hostname",
        }],
    });
    Ok(deployment)
}

#[test]
fn a_plan_is_made_confirmed_failed_retried_and_aborted_in_the_browser() -> Result<()> {
    let scene = Scene::start(Way::Http, &[plans::ON])?;
    let bases = Simulated::fleet(&scene.controller.http_tunnel(), &scene.base_version, 3)?;
    scene.cluster.apply(&workload(&scene)?.to_string())?;
    scene.wait_pods_ready(3)?;
    let mut board = Board::start(&scene.cluster, &[])?;
    plan_roles(&scene)?;
    person(&scene, "releaser", &["module-controller-plan-editor"])?;
    person(&scene, "watcher", &[])?;
    for name in ["releaser", "watcher"] {
        sees_all(&scene, name)?;
    }
    let right = ["create", "operationplans.koupleless.io", "-n", &scene.namespace];
    account::may(&scene.cluster, &scene.namespace, "releaser", &right)?;
    let (releaser, watcher) = (token(&scene, "releaser")?, token(&scene, "watcher")?);
    let variables = [("NAMESPACE", &*scene.namespace), ("RELEASER", &releaser), ("WATCHER", &watcher)];
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    board.browse("plan", &variables, |board, what| {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        let of = || rest.split_once(' ').context("two words are needed");
        match verb {
            // A line that the page offers, as somebody pastes it.
            "shell" => shell.output(rest).map(|_| String::new()),
            "phase" => wait_phase(&scene, of()?.0, of()?.1).map(|_| String::new()),
            "plan" => {
                let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", of()?.0])?;
                Ok(plan.pointer(of()?.1).cloned().unwrap_or_default().to_string())
            }
            "break" => {
                bases.iter().for_each(|base| base.fail_at_start(rest));
                Ok(String::new())
            }
            "mend" => {
                bases.iter().for_each(|base| base.mend(rest));
                Ok(String::new())
            }
            "kill" => board.kill().map(|()| String::new()),
            "start" => board.start_again().map(|()| String::new()),
            // The token that was given is worth nothing from now on; another one is.
            "expel" => {
                scene.kubectl(&["delete", "serviceaccount", rest])?;
                person(&scene, rest, &[])?;
                token(&scene, rest)
            }
            other => bail!("nobody knows how to {other}"),
        }
    })
}

/// What nobody may take for more than text.
const HOSTILE: &str = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>\u{202e}";

/// A Node that says it is a base, with a hostile text wherever one fits, in an environment that no controller has.
fn hostile_base(name: &str) -> Value {
    let now = format!("{:.0}", Timestamp::now());
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "module-controller.koupleless.io/component": "vnode", "module-controller.koupleless.io/env": "hostile",
                "base.koupleless.io/name": "a-name-that-has-no-end-and-no-place-to-break-it-and-goes-on-012",
            },
            "annotations": {"base.koupleless.io/identity": HOSTILE},
        },
        "spec": {"taints": [{"key": "hostile", "value": "x", "effect": "NoSchedule"}]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "False", "reason": "BaseSilent", "message": HOSTILE,
                "lastHeartbeatTime": now, "lastTransitionTime": now}],
        },
    })
}

#[test]
fn every_page_shows_what_is_there_in_both_languages_and_themes() -> Result<()> {
    // Pictures of what this test made, and of nothing else.
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[plans::ON])?;
    let bases = Simulated::fleet(&scene.controller.http_tunnel(), &scene.base_version, 2)?;
    let java = scene.bases(1)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    let mut board = Board::start(&scene.cluster, &[])?;
    plan_roles(&scene)?;
    person(&scene, "sre", &["module-controller-plan-editor"])?;
    sees_all(&scene, "sre")?;
    let hostile = format!("hostile-{}", scene.namespace);
    let plan = plan(&scene, "biz1-2.0.0", "2.0.0");
    scene.cluster.apply(&plan.to_string())?;
    release(&scene, "2.0.0", Some("biz1-2.0.0"))?;
    wait_phase(&scene, "biz1-2.0.0", "AwaitingConfirm")?;
    bases[1].fall_silent();
    let pictures = artifacts::repository().join("target/pictures");
    std::fs::create_dir_all(&pictures).context("the folder of pictures")?;
    let (token, node) = (token(&scene, "sre")?, bases[0].node());
    let java_node = java.iter().map(e2e::scene::node_name).collect::<String>();
    let variables = [
        ("NAMESPACE", &*scene.namespace),
        ("SRE", &token),
        ("NODE", &node),
        ("JAVA_NODE", &java_node),
        ("HOSTILE", &hostile),
        ("PICTURES", &pictures.to_string_lossy()),
    ];
    board.browse("pages", &variables, |_, what| match what {
        // Made anew for each page, with a heartbeat of now: where that is old, Kubernetes writes a message of its own over this one's.
        "hostile" => {
            scene.cluster.kubectl(&["delete", "node", &hostile, "--ignore-not-found"])?;
            scene.cluster.apply(&hostile_base(&hostile).to_string()).map(|()| String::new())
        }
        other => bail!("nobody knows how to {other}"),
    })
}
