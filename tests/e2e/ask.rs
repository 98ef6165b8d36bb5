//! `kubectl koupleless`: what it shows of real objects, with the rights of whoever asks.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scene, Shell, Simulated, Way, manifest};
use serde_json::{Value, json};
use testkit::{account, wait::wait_for};

const URL: &str = "https://packages.example/biz.jar";

/// A base that serves `good:1.0.0`, on which `bad:1.0.0` fails, and a Pod for a base that is not there.
fn scene() -> Result<(Scene, Simulated)> {
    let scene = Scene::start(Way::Http, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    base.fail_at_start("bad:1.0.0");
    for name in ["good", "bad"] {
        let container = manifest::container_of(name, "1.0.0", URL);
        scene.cluster.apply(&manifest::deployment(&scene, name, 1, &[container]).to_string())?;
    }
    Ok((scene, base))
}

fn failed(shell: &Shell, command: &str, code: i32) -> Result<(String, String)> {
    let output = shell.outcome(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.code() == Some(code), "`{command}` ended with {}: {out}{err}", output.status);
    Ok((out, err))
}

fn json(shell: &Shell, command: &str) -> Result<Value> {
    Ok(serde_json::from_str(&shell.output(command)?)?)
}

#[test]
fn bases_modules_pods_and_owners_are_shown_as_they_are() -> Result<()> {
    let (scene, base) = scene()?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let of = format!("--env {}", scene.env);
    // It waits until what is asked for is there and well.
    shell.run(&format!("kubectl koupleless status good --wait --timeout 60 {of}"))?;
    wait_for("the module that fails", Duration::from_secs(60), || {
        let (out, _) = failed(&shell, &format!("kubectl koupleless status bad {of}"), 1)?;
        ensure!(out.contains("bad:1.0.0") && out.contains("explain CODE"), "{out}");
        Ok(Some(()))
    })?;

    let tree = shell.output(&format!("kubectl koupleless tree {of}"))?;
    let line = |text: &str, part: &str| {
        text.lines().find(|line| line.contains(part)).map(str::to_owned).unwrap_or_default()
    };
    ensure!(line(&tree, &base.node()).contains("Ready"), "{tree}");
    ensure!(line(&tree, "─ good").contains("Available"), "{tree}");
    ensure!(line(&tree, &format!("{}/good-", scene.namespace)).contains("Deployment/good"), "{tree}");
    ensure!(line(&tree, "─ bad").contains("User.InstallBizUserError"), "{tree}");
    ensure!(!tree.contains('\u{1b}'), "colours where no terminal is: {tree}");
    let problems = shell.output(&format!("kubectl koupleless tree --problems {of}"))?;
    ensure!(problems.contains("─ bad") && !problems.contains("─ good"), "{problems}");

    let bases = json(&shell, &format!("kubectl koupleless bases -o json {of}"))?;
    ensure!(
        bases["items"][0]["node"] == base.node().as_str() && bases["items"][0]["modules"]["failed"] == 1,
        "{bases}"
    );
    let modules = shell.output(&format!("kubectl koupleless modules {of}"))?;
    ensure!(line(&modules, "good").contains("1/1") && line(&modules, "bad").contains("Failed"), "{modules}");
    let yaml = shell.output(&format!("kubectl koupleless modules -o yaml {of}"))?;
    ensure!(yaml.contains("module: good"), "{yaml}");

    // A base is found by its identity too, and the Events of its Node are there.
    let described = shell.output(&format!("kubectl koupleless describe base {} {of}", base.identity()))?;
    ensure!(
        described.contains("BaseJoined")
            && described.contains("good")
            && described.contains("True (BaseReady)"),
        "{described}"
    );
    let described = shell.output(&format!("kubectl koupleless describe module bad {of}"))?;
    ensure!(described.contains("module-controller explain User.InstallBizUserError"), "{described}");
    let (_, err) = failed(&shell, &format!("kubectl koupleless describe base nobody {of}"), 1)?;
    ensure!(err.contains("no base is called nobody"), "{err}");

    // Time that is up is told from what is not well.
    let (_, err) = failed(&shell, &format!("kubectl koupleless status bad --wait --timeout 3 {of}"), 4)?;
    ensure!(err.contains("waiting for module bad:1.0.0"), "{err}");

    // It follows: what is there, and what becomes of it.
    let until =
        |said: &str| format!("timeout 60 sh -c \"until grep -q '{said}' watched.txt; do sleep 0.1; done\"");
    let watched = shell.output(&format!(
        "module-controller tree bad --watch {of} > watched.txt & watching=$!\n\
         trap 'kill $watching' EXIT\n{}\nkubectl delete deployment bad > /dev/null\n{}\ncat watched.txt",
        until("─ bad"),
        until("Nothing here is called bad"),
    ))?;
    ensure!(watched.matches("BASE/MODULE/POD").count() >= 1 && !watched.contains('\u{1b}'), "{watched}");

    // The same by the program's own name.
    ensure!(
        shell.output(&format!("module-controller tree {of}"))?.contains("─ good"),
        "module-controller tree"
    );
    Ok(())
}

#[test]
fn kubectl_completes_it_and_explains_codes() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let completed = shell.output("kubectl __complete koupleless describe ''")?;
    ensure!(completed.contains("base\t") && completed.contains("module\t"), "{completed}");
    // Names of what is in the cluster too, and nothing where there is no cluster.
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    wait_for("the base's name to be offered", Duration::from_secs(30), || {
        let completed = shell.output("kubectl __complete koupleless describe base virtual-node-")?;
        ensure!(completed.contains(&base.node()), "{completed}");
        Ok(Some(()))
    })?;
    let completed = shell.output("kubectl __complete koupleless describe base x")?;
    ensure!(!completed.contains(&base.node()), "{completed}");
    let nowhere = "KUBECONFIG=/nowhere kubectl_complete-koupleless describe base ''";
    ensure!(!shell.output(nowhere)?.contains(&base.node()), "names without a cluster");
    let page = shell.output("kubectl koupleless explain Arklet.PullBizError --lang en")?;
    ensure!(page.starts_with("# Arklet.PullBizError"), "{page}");
    let help = shell.output("kubectl koupleless --help")?;
    ensure!(help.contains("Usage: kubectl koupleless") && !help.contains("HTTP_TUNNEL"), "{help}");
    let script = shell.output("module-controller completion bash")?;
    ensure!(script.contains("module-controller") && script.contains("describe"), "{script}");
    Ok(())
}

/// Whoever may see one namespace sees what is there, and is told what he does not see.
#[test]
fn a_tenant_sees_his_own_and_is_told_what_he_does_not_see() -> Result<()> {
    let (scene, _base) = scene()?;
    let (cluster, namespace) = (&scene.cluster, &scene.namespace);
    cluster.kubectl(&["create", "serviceaccount", "tenant", "-n", namespace])?;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "tenant", "namespace": namespace},
        "rules": [{"apiGroups": ["", "koupleless.io"], "resources": ["pods", "modules"], "verbs": ["list"]}]});
    cluster.apply(&role.to_string())?;
    let account = format!("--serviceaccount={namespace}:tenant");
    cluster.kubectl(&["create", "rolebinding", "tenant", "--role=tenant", &account, "-n", namespace])?;
    account::may(cluster, namespace, "tenant", &["list", "pods", "-n", namespace])?;
    let shell = Shell::new(cluster, namespace)?;
    let admin = format!("kubectl koupleless status good --wait --timeout 60 --env {}", scene.env);
    shell.run(&admin)?;
    shell.sign_in(cluster, namespace, "tenant")?;
    let output = shell.outcome("kubectl koupleless tree")?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && out.contains("─ good") && out.contains("Unknown"), "{out}{err}");
    for not in ["Nodes of bases", "Leases of bases", &format!("Pods outside the namespace {namespace}")] {
        ensure!(err.contains(&format!("not shown: {not}: ")), "{not} is not in {err}");
    }
    // What he asked for is there, and well, as far as he may see it.
    shell.run("kubectl koupleless status good")
}

#[test]
fn an_api_server_that_is_away_is_said_and_not_waited_for() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let port = testkit::names::free_port()?;
    shell.run(&format!("kubectl config set-cluster $(kubectl config view -o jsonpath='{{.clusters[0].name}}') --server=https://127.0.0.1:{port}"))?;
    let (_, err) = failed(&shell, "kubectl koupleless tree", 3)?;
    ensure!(err.contains(&format!("the API server at https://127.0.0.1:{port}/ does not answer")), "{err}");
    let (_, err) = failed(&shell, "module-controller bases --context nobody", 3)?;
    ensure!(err.contains("nobody") && err.contains("--context NAME"), "{err}");
    Ok(())
}

/// Nodes and Leases of a controller that is gone go, while none runs and after a question; a Node that is not ours stays.
#[test]
fn what_a_controller_left_is_cleaned_up_and_nothing_else() -> Result<()> {
    let (mut scene, base) = scene()?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    shell.run(&format!("kubectl koupleless status good --wait --timeout 60 --env {}", scene.env))?;
    let stranger = testkit::names::unique("worker");
    let label = |key: &str| format!("module-controller.koupleless.io/{key}");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": stranger, "labels": {
        label("component"): "vnode", label("env"): scene.env}}});
    scene.cluster.apply(&node.to_string())?;
    let env = scene.env.clone();
    let cleanup = |flags: &str| format!("module-controller cleanup --env {env} {flags}");

    let (out, _) = failed(&shell, &cleanup("--dry-run"), 1)?;
    ensure!(out.contains(&format!("Nodes to delete: 1 ({})", base.node())), "{out}");
    ensure!(
        out.contains(&format!("Node {stranger} has the label of a base")) && out.contains("Pods of modules"),
        "{out}"
    );
    let (out, err) = failed(&shell, &cleanup("--yes"), 1)?;
    ensure!(
        out.contains("a controller still acts") && err.contains("to see whether a controller"),
        "{out}{err}"
    );
    scene.controller.stop()?;
    let (_, err) = failed(&shell, &cleanup(""), 2)?;
    ensure!(err.contains("give --yes"), "{err}");
    let out = shell.output(&cleanup("--yes"))?;
    ensure!(
        out.contains(&format!("deleted: Node {}", base.node()))
            && out.contains("deleted: Lease kube-node-lease/"),
        "{out}"
    );
    let there = scene.cluster.kubectl(&["get", "nodes,leases", "-n", "kube-node-lease", "-o", "name"])?;
    ensure!(!there.contains(&base.node()) && there.contains(&stranger), "{there}");
    ensure!(shell.output(&cleanup("--yes"))?.contains("Nothing is left to delete."), "something is left");
    scene.cluster.kubectl(&["delete", "node", &stranger]).map(drop)
}

/// The report has what others need, and nothing that is not for them; no controller is asked for it.
#[test]
fn a_report_is_written_while_the_controller_is_down_and_has_no_secrets() -> Result<()> {
    let (mut scene, base) = scene()?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let mut container =
        manifest::container_of("hidden", "1.0.0", "https://me:s3cr3t@packages.example/biz.jar?token=s3cr3t");
    let version = json!({"name": "BIZ_VERSION", "value": "1.0.0"});
    container["env"] = json!([version, {"name": "DB", "value": "s3cr3t"}]);
    scene.cluster.apply(&manifest::deployment(&scene, "hidden", 1, &[container]).to_string())?;
    shell.run(&format!("kubectl koupleless status good hidden --wait --timeout 60 --env {}", scene.env))?;
    scene.controller.stop()?;
    shell.run(&format!("module-controller report --file report.zip --env {}", scene.env))?;
    let mut archive = zip::ZipArchive::new(std::fs::File::open(shell.path("report.zip"))?)?;
    let mut all = String::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        all.push_str(&format!("== {}\n", entry.name()?));
        std::io::Read::read_to_string(&mut entry, &mut all)?;
    }
    for part in [
        "== tree.txt",
        "== check.json",
        "== objects/nodes.json",
        "== objects/pods.json",
        &base.node(),
        "packages.example/biz.jar",
    ] {
        ensure!(all.contains(part), "{part} is not in the report");
    }
    ensure!(!all.contains("s3cr3t"), "a secret is in the report");
    // What is there is not written over.
    failed(&shell, "module-controller report --file report.zip", 1)?;
    let page = shell.output("module-controller man")?;
    ensure!(page.contains(".TH module"), "{page}");
    Ok(())
}
