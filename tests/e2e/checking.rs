//! `module-controller check` on a real API server and a real broker: nothing on a healthy cluster, and each mistake that is
//! planted with its remedy. What needs no server is in `crates/ask/src/check/tests.rs`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Shell, Simulated, Stranger, Way, manifest,
    shell::{commands, read, section},
};
use serde_json::{Value, json};
use testkit::{
    account,
    broker::{Broker, BrokerOptions},
    cluster::{Cluster, ClusterOptions},
    names,
    wait::wait_for,
};

const GUIDE: &str = "docs/guide/asking.md";
/// The section whose commands are run here: elsewhere there is always something to be found.
const SECTION: &str = "## What is wrong";

/// What `check` says, whatever it ends with.
fn check(shell: &Shell, flags: &str) -> Result<(i32, Value)> {
    let output = shell.outcome(&format!("module-controller check -o json {flags}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).with_context(|| format!("check {flags}: {said}"))?;
    Ok((output.status.code().unwrap_or(-1), report))
}

fn codes(report: &Value) -> Vec<&str> {
    let all = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|finding| finding["code"].as_str()).collect()
}

/// A code, and that its finding says what to do.
fn finds(report: &Value, code: &str) -> Result<()> {
    let all = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = all.iter().find(|finding| finding["code"] == code);
    let remedy = found.and_then(|finding| finding["remedy"].as_str()).unwrap_or_default();
    ensure!(remedy.len() > 20, "no {code} with a remedy in {report}");
    Ok(())
}

/// A Deployment of modules in the scene's namespace.
fn module(scene: &Scene, name: &str) -> Value {
    manifest::deployment(
        scene,
        name,
        1,
        &[manifest::container_of(name, "1.0.0", "https://packages.example/biz.jar")],
    )
}

#[test]
fn on_a_healthy_cluster_nothing_is_found_and_then_each_mistake_is() -> Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    let shell = Shell::new(&cluster, "default")?;
    // Before there is anything whoever asks may install it, or not.
    let (code, report) = check(&shell, "")?;
    ensure!(code == 0 && codes(&report).is_empty(), "{code}: {report}");
    cluster.kubectl(&["create", "serviceaccount", "nobody"])?;

    let scene = Scene::alone(cluster, &[])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    scene.cluster.apply(&module(&scene, "good").to_string())?;
    scene.wait_pods_ready(1)?;
    let (code, report) = check(&shell, "")?;
    ensure!(code == 0 && codes(&report).is_empty() && report["workloads"] == 1, "{code}: {report}");
    let page = read(GUIDE)?;
    shell.write("module.yaml", &module(&scene, "good").to_string())?;
    let broker = Broker::start(&BrokerOptions::default())?;
    for command in commands(section(&page, SECTION)?) {
        shell.run(&command.replace(":1883", &format!(":{}", broker.port()))).context(GUIDE)?;
    }

    planted(&scene, &shell)?;
    base.fall_silent();
    wait_for("the silent base to be found", Duration::from_secs(90), || {
        let (_, report) = check(&shell, "")?;
        ensure!(codes(&report).contains(&"BaseSilent"), "{report}");
        Ok(Some(()))
    })?;
    // Who may read nothing is told what was not checked.
    shell.sign_in(&scene.cluster, "default", "nobody")?;
    let (code, report) = check(&shell, "")?;
    ensure!(code == 1 && report["skipped"].as_array().is_some_and(|all| all.len() > 5), "{code}: {report}");
    finds(&report, "InstallForbidden")
}

/// What a real server has to say something to.
const PLANTED: [&str; 13] = [
    "LimitRangeRequests",
    "QuotaExhausted",
    "ContainersInjected",
    "NoMatchingBase",
    "TolerationMissing",
    "PermissionMissing",
    "ReplicasNotSharing",
    "ControllerNotReady",
    "ClientIdShared",
    "DefinitionOutdated",
    "ClockSkewed",
    "ServiceMissing",
    "PortClosed",
];

/// Plants it, and finds it.
fn planted(scene: &Scene, shell: &Shell) -> Result<()> {
    let cluster = &scene.cluster;
    plant_in_the_way(scene)?;
    // A controller whose account has no rights, and that has two replicas which do not share; one with the right account.
    cluster.kubectl(&["create", "namespace", "second"])?;
    cluster.apply(&controller("second", "second", 2, &[("CLIENT_ID", "one")]).to_string())?;
    let nobody =
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 9090}]}]});
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "metrics-only", "namespace": "second"}, "spec": nobody});
    cluster.apply(&policy.to_string())?;
    let of_ours = [("IS_CLUSTER", "true"), ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true"), ("ENV", "other")];
    cluster.apply(&controller(account::NAMESPACE, account::NAME, 1, &of_ours).to_string())?;
    plant_a_clock(cluster)?;
    let revision = "module-controller.koupleless.io/definition-revision=0";
    cluster.kubectl(&["annotate", "crd", "modules.koupleless.io", "--overwrite", revision])?;
    let report =
        wait_for("each mistake to be found, once the quota is counted", Duration::from_secs(60), || {
            let (code, report) = check(shell, "")?;
            ensure!(code == 1, "{code}: {report}");
            PLANTED.iter().try_for_each(|code| finds(&report, code))?;
            Ok(Some(report))
        })?;
    let all = report["findings"].as_array().context("findings")?;
    let denied = all.iter().filter(|finding| finding["code"] == "PermissionMissing");
    let whose: Vec<&Value> = denied.map(|finding| &finding["about"]).collect();
    ensure!(whose == ["ServiceAccount second/second"], "who lacks rights: {whose:?}");
    let ignored = ["LimitRangeRequests", "QuotaExhausted"].map(|code| format!("--ignore {code}")).join(" ");
    let (_, report) = check(shell, &ignored)?;
    ensure!(!codes(&report).contains(&"QuotaExhausted"), "{report}");
    // As text it says the same, in the reader's language.
    let text = shell.outcome("LANG=zh_CN.UTF-8 module-controller check")?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    ensure!(text.contains("NoMatchingBase") && text.contains("个问题"), "{text}");
    let explained = shell.output("module-controller explain nomatchingbase --lang en")?;
    ensure!(explained.contains("What to do: "), "{explained}");
    cluster.kubectl(&["delete", "mutatingwebhookconfiguration", "planted"]).map(drop)
}

/// A base of a controller whose clock is far behind.
fn plant_a_clock(cluster: &Cluster) -> Result<()> {
    let name = "virtual-node-of-another-time";
    let labels = json!({"module-controller.koupleless.io/component": "vnode", "module-controller.koupleless.io/env": "other"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
    cluster.apply(&node.to_string())?;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease"},
        "spec": {"holderIdentity": "late", "renewTime": "2020-01-01T00:00:00.000000Z"},
    });
    cluster.apply(&lease.to_string())
}

/// What is in the way of the scene's Pods, and a Deployment that can be placed nowhere.
fn plant_in_the_way(scene: &Scene) -> Result<()> {
    let apply = |object: Value| scene.cluster.apply(&object.to_string());
    let metadata = json!({"name": "planted", "namespace": scene.namespace});
    let core = |kind: &str, spec: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec});
    apply(core("LimitRange", json!({"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]})))?;
    apply(core("ResourceQuota", json!({"hard": {"pods": "1"}})))?;
    apply(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "planted"},
        "webhooks": [{
            "name": "inject.planted.example", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Ignore", "clientConfig": {"url": "https://127.0.0.1:1/inject"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        }],
    }))?;
    let mut nowhere = module(scene, "nowhere");
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = json!({"base.koupleless.io/version": "of-nobody"});
    nowhere["spec"]["template"]["spec"]["tolerations"] = json!([]);
    nowhere["spec"]["replicas"] = json!(0);
    apply(nowhere)
}

/// A Deployment of a controller, which no kubelet here runs.
fn controller(namespace: &str, account: &str, replicas: u32, variables: &[(&str, &str)]) -> Value {
    let all = variables.iter().chain(&[("ENABLE_HTTP_TUNNEL", "true")]);
    let env: Vec<Value> = all.map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "controller", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "controller"}}, "template": {
            "metadata": {"labels": {"app": "controller"}},
            "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "none", "env": env}]},
        }},
    })
}

#[test]
fn a_manifest_is_checked_where_no_cluster_is() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let mut bad = module(&scene, "bad");
    bad["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    bad["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    shell.write("bad.yaml", &bad.to_string())?;
    shell.write("none.yaml", "")?;
    let (code, report) = check(&shell, "-f bad.yaml --kubeconfig none.yaml")?;
    ensure!(code == 1 && codes(&report) == ["SelectorMismatch", "VersionMissing"], "{code}: {report}");
    shell.write("good.yaml", &module(&scene, "good").to_string())?;
    let (code, report) = check(&shell, "-f good.yaml --kubeconfig none.yaml")?;
    ensure!(code == 3 && codes(&report).is_empty(), "{code}: {report}");
    let output = shell.outcome("echo 'kind: [' | module-controller check -f -")?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    Ok(())
}

#[test]
fn what_is_wrong_with_a_broker_is_found() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let of = format!("-n {} --env {}", scene.namespace, scene.env);
    let open = Broker::start(&BrokerOptions::default())?;
    let at = |broker: &Broker| format!("{of} --mqtt-broker 127.0.0.1:{}", broker.port());
    let only_of_broker = |report: &Value| -> Vec<String> {
        let ours = ["BrokerUnreachable", "BrokerUntrusted", "BrokerRefuses", "CommandsRetained"];
        codes(report).into_iter().filter(|code| ours.contains(code)).map(str::to_owned).collect()
    };
    let (_, report) = check(&shell, &at(&open))?;
    ensure!(only_of_broker(&report).is_empty(), "{report}");
    let topic = format!("koupleless_{}/a-base/installBiz", scene.env);
    Stranger::connect(open.port())?.publish(&topic, "{}", true)?;
    let (_, report) = check(&shell, &at(&open))?;
    finds(&report, "CommandsRetained")?;
    ensure!(report.to_string().contains(&topic), "{report}");
    let (_, report) = check(&shell, &format!("{of} --mqtt-broker 127.0.0.1:{}", names::free_port()?))?;
    finds(&report, "BrokerUnreachable")?;
    let closed =
        Broker::start(&BrokerOptions { users: vec![("a".into(), "b".into())], ..BrokerOptions::default() })?;
    let (_, report) = check(&shell, &format!("{} --mqtt-username a --mqtt-password wrong", at(&closed)))?;
    finds(&report, "BrokerRefuses")?;
    let (_, report) = check(&shell, &format!("{} --mqtt-username a --mqtt-password b", at(&closed)))?;
    ensure!(only_of_broker(&report).is_empty(), "{report}");
    let (ours, others) = (
        Broker::start(&BrokerOptions { tls: true, ..BrokerOptions::default() })?,
        Broker::start(&BrokerOptions { tls: true, ..BrokerOptions::default() })?,
    );
    let with = |ca: &Broker| -> Result<String> {
        let ca = ca.ca().context("the broker's authority")?;
        Ok(format!("{} --mqtt-ca-path {}", at(&ours), ca.display()))
    };
    let (_, report) = check(&shell, &with(&ours)?)?;
    ensure!(only_of_broker(&report).is_empty(), "{report}");
    let (_, report) = check(&shell, &with(&others)?)?;
    finds(&report, "BrokerUntrusted")
}
