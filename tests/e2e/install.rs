//! `module-controller install` and the chart on a real API server: what they make is taken there under the Pod Security
//! level `restricted`, and is enough for the controller. No kubelet is here: Pods stay Pending.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Shell, deployed,
    seen::{condition, text},
    shell::{commands, read, section},
};
use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, ClusterOptions},
    wait::wait_for,
};

const GUIDE: &str = "docs/guide/deployment.md";
const NAMESPACE: &str = "module-controller";
const NAME: &str = "module-controller";

/// The sections whose commands are run here, each in a cluster of its own or after one another.
const KUBECTL: [&str; 4] =
    ["### With kubectl", "## Settings", "## Several replicas", "### For the controller's account"];
const HELM: [&str; 2] = ["### With Helm", "### What Helm installed"];
const UNINSTALL: &str = "### What kubectl installed";

/// What is run elsewhere: by `deploy.rs` and, for the tenants' policies, below.
const ELSEWHERE: [&str; 3] = ["## The manual's four files", "### Three of them", "### For tenants"];

#[test]
fn every_command_of_the_guide_is_in_a_section_that_is_run() -> Result<()> {
    let page = read(GUIDE)?;
    let run = KUBECTL.iter().chain(&HELM).chain([&UNINSTALL]).chain(&ELSEWHERE);
    let mut run: Vec<String> = run.map(|heading| (*heading).to_owned()).collect();
    let headings = page.lines().filter(|line| line.starts_with("##"));
    let mut there = Vec::new();
    for heading in headings {
        if !commands(section(&page, heading)?).is_empty() {
            there.push(heading.to_owned());
        }
    }
    run.sort();
    there.sort();
    ensure!(run == there, "run are {run:?}, and in {GUIDE} are {there:?}");
    let edits = commands(&page).into_iter().find(|command| command.contains("| sed "));
    ensure!(edits.is_none(), "{GUIDE}: manifests are not edited: {edits:?}");
    Ok(())
}

#[test]
fn what_install_prints_is_taken_and_a_controller_lives_by_it_until_it_is_uninstalled() -> Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    let shell = Shell::new(&cluster, "default")?;
    let page = read(GUIDE)?;
    run(&shell, section(&page, KUBECTL[0])?)?;
    restricted_is_enforced(&cluster)?;
    let definition = cluster.kubectl_json(&["get", "crd", "modules.koupleless.io"])?;
    ensure!(condition(&definition, "Established")["status"] == "True", "{}", definition["status"]);
    lives(&cluster, 1)?;
    // Once more is no change, and server-side apply takes it too: also beside the first, in another namespace.
    let again = shell.output("module-controller install | kubectl apply -f -")?;
    ensure!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    let kustomized = shell.output("kubectl apply -k deploy/install")?;
    ensure!(kustomized.lines().all(|line| line.ends_with(" unchanged")), "{kustomized}");
    shell.run("module-controller install | kubectl apply --server-side -f -")?;
    let other = "module-controller install --namespace other";
    shell.run(&format!("{other} | kubectl apply --server-side -f -"))?;
    for flags in [
        "--replicas 3 --peers --account-policies",
        "--tunnel http,mqtt --env MQTT_BROKER=embedded",
        "--tunnel mqtt --env MQTT_BROKER=broker.example --env-from-secret mqtt",
    ] {
        shell.run(&format!("{other} {flags} | kubectl apply --server-side --dry-run=server -f -"))?;
        shell.run(&format!("{other} {flags} | kubectl apply --server-side -f -"))?;
    }
    run(&shell, section(&page, KUBECTL[1])?)?;
    run(&shell, section(&page, KUBECTL[2])?)?;
    lives(&cluster, 3)?;
    run(&shell, section(&page, KUBECTL[3])?)?;
    cluster.kubectl(&["get", "validatingadmissionpolicy", "module-controller-nodes"])?;
    run(&shell, section(&page, ELSEWHERE[2])?)?;
    cluster.kubectl(&["get", "validatingadmissionpolicy", "module-controller-tenants"])?;
    run(&shell, section(&page, UNINSTALL)?)?;
    for left in ["clusterroles", "clusterrolebindings", "flowschemas", "crds"] {
        let names = cluster.kubectl(&["get", left, "-o", "name"])?;
        let ours = names.lines().filter(|name| {
            name.ends_with("/module-controller")
                || name.contains("/module-controller-")
                || name.contains("koupleless")
        });
        let ours: Vec<&str> = ours.filter(|name| !name.contains("module-controller-other")).collect();
        ensure!(ours.is_empty(), "{ours:?} are left");
    }
    Ok(())
}

#[test]
fn a_release_is_installed_upgraded_rolled_back_and_uninstalled() -> Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    let shell = Shell::new(&cluster, "default")?.with_helm()?;
    let page = read(GUIDE)?;
    let mut seen = Vec::new();
    for command in HELM
        .iter()
        .map(|heading| section(&page, heading))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flat_map(commands)
    {
        shell.run(&command).with_context(|| GUIDE.to_owned())?;
        let verb = command.split(' ').nth(1).unwrap_or_default().to_owned();
        let peers = || cluster.kubectl(&["get", "clusterrole", "module-controller-peers"]);
        match &*verb {
            "label" => {
                restricted_is_enforced(&cluster)?;
                lives(&cluster, 1)?;
                cluster.apply(&module().to_string())?;
                // It would run beside others that share its bases.
                let several = "helm upgrade module-controller deploy/chart --namespace module-controller --set replicas=2";
                let refused = shell.run(several).err().map(|error| format!("{error:#}")).unwrap_or_default();
                ensure!(refused.contains("--replicas=0"), "{refused:?}");
            }
            "upgrade" => {
                peers()?;
                lives(&cluster, 3)?;
            }
            "rollback" => {
                ensure!(peers().is_err(), "what the first revision had not is there");
                lives(&cluster, 1)?;
            }
            "uninstall" => {
                for (kind, namespace) in
                    [("deployment", NAMESPACE), ("serviceaccount", NAMESPACE), ("role", "kube-node-lease")]
                {
                    let there =
                        cluster.kubectl(&["get", kind, NAME, "-n", namespace, "--ignore-not-found"])?;
                    ensure!(there.is_empty(), "{there}");
                }
                // With the definition would go what the controller has written down; the next release takes it over.
                let kept = || cluster.kubectl(&["get", "module", "kept", "-n", "default"]);
                kept()?;
                shell.run("helm install module-controller deploy/chart --namespace module-controller")?;
                kept()?;
                shell.run(&command)?;
            }
            _ => {}
        }
        seen.push(verb);
    }
    for verb in ["install", "label", "upgrade", "rollback", "uninstall"] {
        ensure!(seen.iter().any(|there| there == verb), "no {verb} in {seen:?}");
    }
    let crds = cluster.kubectl(&["get", "crds", "-o", "name"])?;
    ensure!(crds.is_empty(), "{crds}");
    Ok(())
}

fn module() -> Value {
    json!({"apiVersion": "koupleless.io/v1alpha1", "kind": "Module",
           "metadata": {"name": "kept", "namespace": "default"}, "spec": {"name": "biz1"}})
}

/// The Deployment makes so many Pods, and a controller with the variables and the account of one takes a base.
fn lives(cluster: &Cluster, replicas: usize) -> Result<()> {
    let pods = wait_for("the Deployment's Pods", Duration::from_secs(60), || {
        let deployment = cluster.kubectl_json(&["get", "deployment", NAME, "-n", NAMESPACE])?;
        let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        let list = cluster.kubectl_json(&[
            "get",
            "pods",
            "-n",
            NAMESPACE,
            "-l",
            "app.kubernetes.io/name=module-controller",
        ])?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let new = pods.iter().all(|pod| pod["spec"]["containers"][0]["env"] == *env);
        ensure!(pods.len() == replicas && new, "{} Pods, of this template: {new}", pods.len());
        Ok(Some(pods))
    })?;
    let spec = &pods.first().context("a Pod")?["spec"];
    let container = &spec["containers"][0];
    let controller = deployed::start(cluster, NAMESPACE, spec)?;
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let answer = controller.admin(text(container, &format!("/{probe}/httpGet/path")))?;
        ensure!(answer.status == 200, "{probe}: {answer:?}");
    }
    deployed::takes_a_base(cluster, &controller)
}

fn run(shell: &Shell, section: &str) -> Result<()> {
    for command in commands(section) {
        shell.run(&command).with_context(|| GUIDE.to_owned())?;
    }
    Ok(())
}

/// A Pod that asks for nothing special is refused where the controller's was admitted.
fn restricted_is_enforced(cluster: &Cluster) -> Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "c", "image": "none"}]},
    });
    let refused = cluster.apply(&pod.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains("violates PodSecurity \"restricted"), "a plain Pod: {refused:?}");
    Ok(())
}
