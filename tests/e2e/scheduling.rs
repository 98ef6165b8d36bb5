//! Where Kubernetes' own scheduler puts modules: on bases of the right version, and scattered.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Way, manifest,
    scene::node_name,
    seen::{condition, is_ready, summary, text},
};
use serde_json::{Value, json};
use testkit::{
    artifacts,
    java_base::JavaBase,
    names,
    wait::{stays, wait_for},
};

/// A sample of this repository, for the bases of a scene.
fn sample(scene: &Scene, file: &str) -> Result<String> {
    let path = artifacts::repository().join("docs/samples").join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let url = manifest::file_url("biz1", "1.0.0")?;
    let filled = text
        .replace("https://example.com/biz1-1.0.0-ark-biz.jar", &url)
        .replace("values: [\"2.0.0\"]", &format!("values: [\"{}\"]", scene.base_version));
    ensure!(filled.contains(&url) && filled.contains(&scene.base_version), "{file} has other values now");
    // `namespace` comes right after `name`, which every object has at this depth.
    Ok(filled.replace("metadata:\n  name:", &format!("metadata:\n  namespace: {}\n  name:", scene.namespace)))
}

/// The samples schedule as they stand, and the strong scatter holds.
#[test]
fn the_samples_schedule_and_the_strong_scatter_holds() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = scene.bases(2)?;
    scene.cluster.apply(&sample(&scene, "module-deployment.yaml")?)?;
    scene.wait_pods_ready(1)?;
    scene.kubectl(&["delete", "deployment", "test-module-deployment"])?;
    wait_for("its Pod is gone", Duration::from_secs(30), || Ok(scene.pods(&[])?.is_empty().then_some(())))?;

    scene.cluster.apply(&sample(&scene, "module-scatter.yaml")?)?;
    scene.kubectl(&["scale", "deployment", "test-module-scatter", "--replicas=3"])?;
    let placed = || {
        let pods = scene.pods(&[])?;
        let ready = pods.iter().filter(|pod| is_ready(pod));
        let nodes: BTreeSet<String> = ready.map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
        let pending = pods.iter().filter(|pod| is_unschedulable(pod)).count();
        Ok((nodes, pending, pods.len()))
    };
    let expected = (bases.iter().map(node_name).collect::<BTreeSet<_>>(), 1, 3);
    wait_for("one Pod on each base, and one Pending", Duration::from_secs(60), || {
        let seen = placed()?;
        ensure!(seen == expected, "{seen:?}");
        Ok(Some(()))
    })?;
    stays("where the Pods are", Duration::from_secs(3), &expected, placed)?;
    // A third base takes the third Pod.
    let third = scene.bases(1)?;
    let pods = scene.wait_pods_ready(3)?;
    let on_it = pods.iter().any(|pod| text(pod, "/spec/nodeName") == node_name(&third[0]));
    ensure!(on_it, "{:?}", pods.iter().map(summary).collect::<Vec<_>>());
    Ok(())
}

/// The manual's release of a base and a module that need each other (5.1): the module is deployed first.
#[test]
fn a_module_waits_for_a_base_of_its_version() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let _old = scene.bases(1)?;
    let version = names::unique("next");
    let mut deployment = manifest::deployment(&scene, "biz1", 1, &[manifest::container("biz1", "1.0.0")?]);
    let affinity = &mut deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &mut affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    terms[0]["matchExpressions"][1]["values"] = json!([version]);
    scene.cluster.apply(&deployment.to_string())?;
    let pending = wait_for("its Pod is Pending", Duration::from_secs(30), || {
        Ok(scene.pods(&[])?.into_iter().find(is_unschedulable))
    })?;
    let mut options = scene.base();
    options.version = version;
    let new = JavaBase::start(options)?;
    let pods = scene.wait_pods_ready(1)?;
    ensure!(
        pods[0]["metadata"]["uid"] == pending["metadata"]["uid"]
            && text(&pods[0], "/spec/nodeName") == node_name(&new),
        "{}",
        summary(&pods[0])
    );
    ensure!(new.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", new.serving("biz1")?);
    Ok(())
}

fn is_unschedulable(pod: &Value) -> bool {
    pod["status"]["phase"] == "Pending" && condition(pod, "PodScheduled")["reason"] == "Unschedulable"
}
