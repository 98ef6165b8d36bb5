//! Deployments whose anti-affinity leaves no room for new Pods beside those of before, as the real scheduler has it.

use super::*;

/// With an anti-affinity that knows no version.
fn apart_from_all(scene: &Scene, version: &str, plan: Option<&str>) -> Result<String> {
    let mut deployment = workload(scene, &manifest::container("biz1", version)?, plan);
    let terms = &mut deployment["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"];
    terms["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"] =
        json!({"matchLabels": {"app": "biz1"}});
    Ok(deployment.to_string())
}

#[test]
fn a_template_that_keeps_its_pods_from_those_of_before_is_refused_until_it_is_mended() -> Result<()> {
    let (scene, bases) = serving(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    scene.cluster.apply(&apart_from_all(&scene, "2.0.0", Some("p"))?)?;
    let refused = wait_phase(&scene, "p", "Refused")?;
    ensure!(text(&refused, "/status/message").contains("podAntiAffinity"), "{}", refused["status"]);
    ensure!(text(&refused, "/status/message").contains("matchLabelKeys"), "{}", refused["status"]);
    ensure!(refused["status"]["code"] == "OtherUpstream.InvalidParameter", "{}", refused["status"]);
    ensure!(bases.iter().all(|base| base.biz().contains_key("biz1:1.0.0")), "something went");
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm").map(drop)
}

/// The scheduler also asks what is there whether it lets the new one come.
#[test]
fn where_the_pods_of_before_keep_new_ones_away_it_is_told() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = simulated(&scene, 2)?;
    scene.cluster.apply(&apart_from_all(&scene, "1.0.0", None)?)?;
    scene.wait_pods_ready(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_for("the plan says that its Pods find no base", SOON, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        let told = text(&plan, "/status/warning");
        let conditions = plan["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let warns = conditions.iter().any(|one| one["type"] == "Warning" && one["status"] == "True");
        ensure!(told.contains("2 of its Pods find no base") && warns, "{}", plan["status"]);
        Ok(Some(()))
    })?;
    ensure!(bases.iter().all(|base| base.biz().contains_key("biz1:1.0.0")), "something went");
    // What it advises: once without a plan.
    let mut next = workload(&scene, &manifest::container("biz1", "1.0.0")?, None);
    next["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 0, "maxUnavailable": 1});
    scene.cluster.apply(&next.to_string())?;
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=90s"])?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    ensure!(waiting["status"]["warning"].is_null(), "{}", waiting["status"]);
    Ok(())
}
