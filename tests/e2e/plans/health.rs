//! Batches whose modules have to be UP, as a real base tells it.

use testkit::{artifacts, wasm_base::WasmBase};

use super::*;

/// A version of biz1 for WebAssembly bases.
fn released(scene: &Scene, version: &str, plan: Option<&str>) -> Result<()> {
    let package = artifacts::wasm_base()?.package("biz1", version)?;
    let container = manifest::container_of("biz1", version, &format!("file://{}", package.display()));
    let mut workload = workload(scene, &container, plan);
    let affinity = &mut workload["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &mut affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    terms[0]["matchExpressions"][0]["values"] = json!(["wasm"]);
    scene.cluster.apply(&workload.to_string())
}

/// A plan with one batch, which is asked for its health at this port.
fn asking(scene: &Scene, name: &str, version: &str, port: u16) -> Value {
    let mut plan = plan(scene, name, version);
    plan["spec"]["batches"] = json!([{"name": "all", "soakSeconds": 5}]);
    plan["spec"]["health"] = json!({"port": port, "webContextPath": "biz1"});
    plan
}

/// What the plan says of the health of its modules.
fn health(plan: &Value) -> (&str, &str, &str) {
    let healthy = seen::condition(plan, "ModulesHealthy");
    (text(healthy, "/status"), text(healthy, "/reason"), text(healthy, "/message"))
}

fn wait_plan(scene: &Scene, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_for(what, SOON, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        ensure!(is_so(&plan), "{}", plan["status"]);
        Ok(Some(plan))
    })
}

#[test]
fn a_batch_waits_for_modules_that_are_down_and_says_where_nobody_knows() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let base = WasmBase::start(scene.wasm_base())?;
    released(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(1)?;
    scene.cluster.apply(&asking(&scene, "p", "2.0.0", base.web_port()).to_string())?;
    released(&scene, "2.0.0", Some("p"))?;
    wait_plan(&scene, "the batch soaks", |plan| text(plan, "/status/batches/0/phase") == "Soaking")?;
    for _ in 0..5 {
        ensure!(base.http_get("/biz1/trap")?.status == 500);
    }
    let down = wait_plan(&scene, "the plan knows that its module is DOWN", |plan| health(plan).1 == "Down")?;
    ensure!(text(&down, "/status/message").contains("it is DOWN"), "{}", down["status"]);
    ensure!(down["status"]["health"]["down"] == 1 && health(&down).0 == "False", "{}", down["status"]);
    ensure!(text(&down, "/status/batches/0/phase") == "Gating", "{}", down["status"]);
    wait_for("the module is UP again", SOON, || {
        ensure!(base.serving("biz1")?.as_deref() == Some("2.0.0"));
        let answer = base.http_get("/biz1/actuator/health")?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(Some(()))
    })?;
    let done = wait_phase(&scene, "p", "Succeeded")?;
    ensure!(health(&done).1 == "Up" && done["status"]["health"]["up"] == 1, "{}", done["status"]);
    let shown = Shell::new(&scene.cluster, &scene.namespace)?.output("kubectl koupleless plan show p")?;
    ensure!(shown.contains("Health of its modules: 1 UP, 0 DOWN, 0 unknown"), "{shown}");

    // Nothing listens there.
    scene.cluster.apply(&asking(&scene, "q", "3.0.0", 1).to_string())?;
    released(&scene, "3.0.0", Some("q"))?;
    let done = wait_phase(&scene, "q", "Succeeded")?;
    let (status, reason, why) = health(&done);
    ensure!(
        (status, reason) == ("Unknown", "HealthUnknown") && why.contains("refused"),
        "{}",
        done["status"]
    );
    ensure!(base.serving("biz1")?.as_deref() == Some("3.0.0"));
    Ok(())
}
