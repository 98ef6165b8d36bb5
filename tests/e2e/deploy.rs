//! `deploy/`: what is applied to a cluster is taken there, and is enough for the controller.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Shell, Way, deployed, manifest,
    scene::node_name,
    seen::{condition, is_ready, text},
    shell::{commands, read, section},
};
use serde_json::{Value, json};
use testkit::{
    account,
    cluster::{Cluster, ClusterOptions},
    names,
    wait::wait_for,
    work_dir::WorkDir,
};

const GUIDE: &str = "docs/guide/deployment.md";
/// The sections with the manual's files.
const MANUAL: &str = "## The manual's four files";
const OVERLAY: &str = "### Three of them";
/// The manual's namespace.
const NAMESPACE: &str = "default";
/// The controller's Pod, and its container.
const NAME: &str = "module-controller";

#[test]
fn the_manuals_files_are_what_the_restricted_level_admits_and_the_controller_lives_by() -> Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    let shell = Shell::new(&cluster, NAMESPACE)?;
    cluster.kubectl(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"])?;
    let page = read(GUIDE)?;
    for command in commands(section(&page, MANUAL)?) {
        shell.run(&command).with_context(|| GUIDE.to_owned())?;
    }
    let pod = cluster.kubectl_json(&["get", "pod", NAME, "-n", NAMESPACE])?;
    let container = &pod["spec"]["containers"][0];
    let controller = deployed::start(&cluster, NAMESPACE, &pod["spec"])?;
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let asks = &container[probe]["httpGet"];
        ensure!(asks["port"] == "admin", "{probe}: {asks}");
        let answer = controller.admin(text(asks, "/path"))?;
        ensure!(answer.status == 200, "{probe}: {answer:?}");
    }
    // The listeners are where the Pod says, when nothing else is set.
    let ports: Vec<&Value> = container["ports"].as_array().context("ports")?.iter().collect();
    let port = |name: &str| ports.iter().find(|port| port["name"] == name).map(|port| &port["containerPort"]);
    ensure!(port("admin") == Some(&json!(9090)) && port("httptunnel") == Some(&json!(7777)), "{ports:?}");
    deployed::takes_a_base(&cluster, &controller)?;
    let definition = cluster.kubectl_json(&["get", "crd", "modules.koupleless.io"])?;
    ensure!(condition(&definition, "Established")["status"] == "True", "{}", definition["status"]);
    drop(controller);
    in_the_place_of_one_come_three(&cluster, &shell, &page, &pod)
}

/// The overlay has the Pod three times and what replicas need.
fn in_the_place_of_one_come_three(cluster: &Cluster, shell: &Shell, page: &str, pod: &Value) -> Result<()> {
    for command in commands(section(page, OVERLAY)?) {
        shell.run(&command).with_context(|| GUIDE.to_owned())?;
    }
    let labelled = ["get", "pods", "-l", "app=module-controller", "-n", NAMESPACE];
    // The level holds for the Pods, which the Deployment makes later.
    let pods = wait_for("three Pods", Duration::from_secs(30), || {
        let list = cluster.kubectl_json(&labelled)?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        ensure!(pods.len() == 3, "{} Pods", pods.len());
        Ok(Some(pods))
    })?;
    let (one, several) = (&pod["spec"]["containers"][0], &pods[0]["spec"]["containers"][0]);
    for field in
        ["image", "ports", "startupProbe", "livenessProbe", "readinessProbe", "resources", "securityContext"]
    {
        ensure!(one[field] == several[field], "{field}: {} and {}", one[field], several[field]);
    }
    let added: Vec<&str> = deployed::variables(several)?
        .iter()
        .filter(|variable| !one["env"].as_array().is_some_and(|there| there.contains(variable)))
        .map(|variable| text(variable, "/name"))
        .collect();
    ensure!(added == ["IS_CLUSTER", "POD_UID", "POD_IP", "FORWARD_PORT"], "{added:?}");
    for kind in ["service", "poddisruptionbudget", "deployment"] {
        cluster.kubectl(&["get", kind, NAME, "-n", NAMESPACE])?;
    }
    let flow = cluster.kubectl_json(&["get", "flowschema", "module-controller-leases"])?;
    let subject = &flow["spec"]["rules"][0]["subjects"][0]["serviceAccount"];
    ensure!(subject["namespace"] == NAMESPACE, "{subject}");
    deployed::takes_a_base(cluster, &deployed::start(cluster, NAMESPACE, &pods[0]["spec"])?)
}

#[test]
fn with_the_role_of_the_go_controller_modules_go_online_and_offline() -> Result<()> {
    let mut scene = Scene::start(Way::Http, &[])?;
    let dir = WorkDir::new("upstream")?;
    scene.controller.stop()?;
    scene.controller.options_mut().kubeconfig = with_upstreams_role(&scene.cluster, &dir)?;
    scene.controller.start_again()?;
    let base = &scene.bases(1)?[0];
    let pod = manifest::pod(&scene, "biz1", Some(&node_name(base)), &[manifest::container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    wait_for("the Pod is Ready", Duration::from_secs(60), || {
        let pod = scene.pod("biz1")?;
        ensure!(is_ready(&pod), "{}", pod["status"]);
        Ok(Some(()))
    })?;
    ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{:?}", base.serving("biz1")?);
    scene.kubectl(&["delete", "pod", "biz1", "--wait=false"])?;
    wait_for("the Pod is gone, and its module", Duration::from_secs(20), || {
        let (pods, biz) = (scene.pods(&[])?.len(), base.query_all_biz()?);
        ensure!(pods == 0 && biz.is_empty(), "{pods} Pods, {biz:?}");
        Ok(Some(()))
    })
}

/// The kubeconfig of an account with what the Go controller's manifests grant: nothing in the groups `apps`,
/// `events.k8s.io` and `koupleless.io`.
fn with_upstreams_role(cluster: &Cluster, dir: &WorkDir) -> Result<std::path::PathBuf> {
    let name = names::unique("upstream");
    let rule = |groups: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [groups], "resources": resources, "verbs": verbs});
    let read = ["get", "watch", "list"];
    let all = ["get", "watch", "list", "update", "patch", "create", "delete"];
    let ours =
        ["pods", "pods/status", "pods/spec", "nodes", "nodes/status", "deployments", "daemonSets", "events"];
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [
                rule("", &ours, &all),
                rule("", &["configmaps", "secrets", "services"], &read),
                rule("coordination.k8s.io", &["leases"], &all),
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        },
    ]});
    cluster.apply(&objects.to_string())?;
    account::may(cluster, "default", &name, &["patch", "nodes"])?;
    account::kubeconfig(cluster, "default", &name, dir.join("kubeconfig"))
}
