//! Groups of bases, by labels that bases have themselves.

use super::*;

#[test]
fn a_batch_takes_the_bases_of_a_group_and_a_plan_is_previewed_and_made_by_commands() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON, ("BASE_LABELS", "ring")])?;
    let tunnel = scene.controller.http_tunnel();
    let labelled =
        |ring: &str| Simulated::labelled(&tunnel, &scene.base_version, &json!({"ring": ring, "other": "x"}));
    let bases = [labelled("blue")?, labelled("beta")?, labelled("blue")?];
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(3)?;
    let node = scene.cluster.kubectl_json(&["get", "node", &bases[1].node()])?;
    let label = |key: &str| node["metadata"]["labels"][key].clone();
    ensure!(label("ring") == "beta" && label("other") == Value::Null, "{}", node["metadata"]["labels"]);

    // The manifest of the next version, as a person has it, becomes a plan and a workload that names it.
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let next = workload(&scene, &manifest::container("biz1", "2.0.0")?, None);
    shell.write("biz1.yaml", &next.to_string())?;
    shell.run(
        "kubectl koupleless plan new --beta --beta-selector ring=beta --confirm --soak 1s -f biz1.yaml > planned.yaml",
    )?;
    shell.run("kubectl apply --dry-run=server -f planned.yaml")?;
    shell.run("kubectl apply -f planned.yaml")?;
    let waiting = wait_phase(&scene, "biz1-2.0.0", "AwaitingConfirm")?;
    ensure!(bases[1].biz().contains_key("biz1:2.0.0"), "{:?}", bases[1].biz());
    wait_stand(&scene, "2.0.0", 1, 2)?;
    let shown = shell.output("kubectl koupleless plan preview biz1-2.0.0")?;
    let port = |base: &Simulated| base.heartbeat()["port"].to_string();
    let line = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    ensure!(line("beta").contains(&port(&bases[1])), "{shown}");
    ensure!(line("rest").contains(&port(&bases[0])) && line("rest").contains(&port(&bases[2])), "{shown}");

    // What is applied again, as a tool does, takes nothing back.
    steer(&scene, "biz1-2.0.0", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    shell.run("kubectl apply -f planned.yaml")?;
    let waiting = wait_for("the last batch waits to be confirmed", SOON, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "biz1-2.0.0"])?;
        let status = &plan["status"];
        Ok((status["confirmable"] == 2).then_some(plan))
    })?;
    ensure!(waiting["spec"]["confirmed"] == 1, "{}", waiting["spec"]);
    shell.run("kubectl koupleless plan confirm biz1-2.0.0 --number 2")?;
    wait_phase(&scene, "biz1-2.0.0", "Succeeded")?;
    wait_stand(&scene, "2.0.0", 3, 0)
}
