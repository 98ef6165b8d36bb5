//! `module-controller install` as it is typed: no settings, no cluster.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where, and stop")]
#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null")]

use std::{
    fs, io,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_module-controller"));
    command.arg("install").args(args).env_clear().stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

/// The objects that it prints.
fn printed(args: &[&str]) -> Vec<Value> {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

fn refused(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty(), "nothing of it is to be applied");
    String::from_utf8(output.stderr).unwrap()
}

fn of<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The variables of the controller, as a text or as where they come from.
fn env(objects: &[Value]) -> Vec<(String, Value)> {
    let container = &of(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let name = |variable: &Value| variable["name"].as_str().unwrap().to_owned();
    let value = |variable: &Value| match &variable["value"] {
        Value::Null => variable["valueFrom"].clone(),
        value => value.clone(),
    };
    container["env"].as_array().unwrap().iter().map(|one| (name(one), value(one))).collect()
}

fn variable(objects: &[Value], name: &str) -> Value {
    let all: Vec<Value> =
        env(objects).into_iter().filter(|(there, _)| there == name).map(|(_, value)| value).collect();
    assert!(all.len() < 2, "{name} is there twice");
    all.into_iter().next().unwrap_or_default()
}

/// The names and ports of a list, as `httptunnel 7777`.
fn ports(list: &Value, number: &str) -> Vec<String> {
    let port = |port: &Value| format!("{} {}", port["name"].as_str().unwrap(), port[number]);
    list.as_array().unwrap().iter().map(port).collect()
}

fn deploy(file: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    serde_saphyr::from_multiple(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The rules of all roles, whatever their names, with where they hold.
fn rules(objects: &[Value], own: &str) -> Vec<String> {
    let roles = objects.iter().filter(|object| object["kind"] == "Role" || object["kind"] == "ClusterRole");
    let place =
        |role: &Value| role["metadata"]["namespace"].as_str().unwrap_or("everywhere").replace(own, "own");
    let mut all: Vec<String> = roles.map(|role| format!("{} {}", place(role), role["rules"])).collect();
    all.sort();
    all
}

#[test]
fn every_object_has_the_usual_labels_and_its_place() {
    let objects = printed(&["--replicas", "3", "--peers", "--account-policies"]);
    let version = env!("CARGO_PKG_VERSION");
    let template = &of(&objects, "Deployment")[0]["spec"]["template"];
    for object in objects.iter().chain([template]) {
        let labels = &object["metadata"]["labels"];
        for (key, value) in [
            ("name", "module-controller"),
            ("instance", "module-controller"),
            ("version", version),
            ("component", "controller"),
            ("part-of", "koupleless"),
            ("managed-by", "kubectl"),
        ] {
            assert_eq!(labels[format!("app.kubernetes.io/{key}")], value, "{object}");
        }
    }
    let text = Value::from(objects.clone()).to_string();
    for of_the_manual in ["virtual-kubelet-role", "\"virtual-kubelet\"", ":virtual-kubelet'"] {
        assert!(!text.contains(of_the_manual), "{of_the_manual} is the manual's own");
    }
    assert!(objects.iter().all(|object| object["metadata"]["namespace"] != "default"), "{text}");
    let first: Vec<&Value> = objects.iter().take(2).map(|object| &object["kind"]).collect();
    assert_eq!(first, ["Namespace", "CustomResourceDefinition"]);
    assert_eq!(objects.last().unwrap()["kind"], "Deployment");
    let annotations = &of(&objects, "CustomResourceDefinition")[0]["metadata"]["annotations"];
    assert_eq!(annotations["module-controller.koupleless.io/definition-revision"], "1");
}

#[test]
fn the_rules_are_those_of_deploy() {
    let (base, peers) = (deploy("base/role.yaml"), deploy("peers/role.yaml"));
    let replicas = deploy("overlays/cluster/role.yaml");
    let expected = |roles: &[&[Value]]| rules(&roles.concat(), "default");
    assert_eq!(rules(&printed(&[]), "module-controller"), expected(&[&base]));
    assert_eq!(rules(&printed(&["--peers"]), "module-controller"), expected(&[&base, &peers]));
    let kubelet = deploy("kubelet/role.yaml");
    assert_eq!(rules(&printed(&["--kubelet-api"]), "module-controller"), expected(&[&base, &kubelet]));
    let all = printed(&["--peers", "--replicas", "2", "--namespace", "other"]);
    assert_eq!(rules(&all, "other"), expected(&[&base, &peers, &replicas]));
}

#[test]
fn the_container_is_that_of_deploy() {
    let (single, several) = (printed(&[]), printed(&["--replicas", "3"]));
    let deployed = deploy("overlays/cluster/deployment.yaml");
    let container =
        |objects: &[Value]| of(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0].clone();
    for field in ["image", "startupProbe", "livenessProbe", "readinessProbe", "resources", "securityContext"]
    {
        assert_eq!(container(&single)[field], container(&deployed)[field], "{field}");
        assert_eq!(container(&several)[field], container(&deployed)[field], "{field}");
    }
    let sorted = |objects: &[Value]| {
        let mut all = env(objects);
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    assert_eq!(sorted(&several), sorted(&deployed));
    assert_eq!(
        sorted(&single),
        sorted(&deploy("base/module-controller.yaml").into_iter().map(of_a_pod).collect::<Vec<_>>())
    );
}

/// A Pod as the Deployment that would make it.
fn of_a_pod(pod: Value) -> Value {
    json!({"kind": "Deployment", "spec": {"template": {"spec": pod["spec"]}}})
}

#[test]
fn one_replica_is_replaced_and_several_are_spread() {
    let (single, several) = (printed(&[]), printed(&["--replicas", "3"]));
    let (one, three) = (&of(&single, "Deployment")[0]["spec"], &of(&several, "Deployment")[0]["spec"]);
    assert_eq!((&one["replicas"], &one["strategy"]), (&json!(1), &json!({"type": "Recreate"})));
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    assert_eq!((&three["replicas"], &three["strategy"]), (&json!(3), &rolling));
    let spread = |spec: &Value| spec["template"]["spec"]["topologySpreadConstraints"].clone();
    assert_eq!(spread(one), Value::Null);
    assert_eq!(spread(three)[0]["labelSelector"], three["selector"]);
    for kind in ["PodDisruptionBudget", "FlowSchema"] {
        assert!(of(&single, kind).is_empty() && of(&several, kind).len() == 1, "{kind}");
    }
    for selecting in ["/spec/selector", "/spec/podSelector/matchLabels"] {
        let selected = several.iter().filter_map(|object| object.pointer(selecting)).next().unwrap();
        let labels = &three["template"]["metadata"]["labels"];
        let wanted = selected.as_object().unwrap();
        assert!(
            wanted.iter().all(|(key, value)| labels[key] == *value || key == "matchLabels"),
            "{selecting}"
        );
    }
    let flow = &of(&several, "FlowSchema")[0]["spec"]["rules"][0]["subjects"][0]["serviceAccount"];
    assert_eq!(*flow, json!({"name": "module-controller", "namespace": "module-controller"}));
}

#[test]
fn each_tunnel_has_its_ports_and_no_other() {
    let open = |args: &[&str]| {
        let objects = printed(args);
        let container = &of(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
        let policy = &of(&objects, "NetworkPolicy")[0]["spec"]["ingress"];
        let policy = policy.as_array().unwrap().iter().map(|rule| {
            assert_eq!(rule["ports"].as_array().unwrap().len(), 1);
            rule["ports"][0]["port"].as_str().unwrap().to_owned()
        });
        let named = ports(&container["ports"], "containerPort");
        let let_in: Vec<String> = policy.collect();
        let names: Vec<&str> = named.iter().filter_map(|port| port.split(' ').next()).collect();
        assert!(
            let_in.iter().all(|port| names.contains(&&**port)) && let_in.len() == names.len(),
            "{let_in:?}"
        );
        (named, ports(&of(&objects, "Service")[0]["spec"]["ports"], "port"))
    };
    let one = |args: &[&str], container: &[&str], service: &[&str]| {
        let (named, served) = open(args);
        assert_eq!(
            (named.as_slice(), served.as_slice()),
            (
                &container.iter().map(|&s| s.to_owned()).collect::<Vec<_>>()[..],
                &service.iter().map(|&s| s.to_owned()).collect::<Vec<_>>()[..]
            ),
            "{args:?}"
        );
    };
    one(&[], &["httptunnel 7777", "admin 9090"], &["httptunnel 7777", "metrics 9090"]);
    one(
        &["--replicas", "2"],
        &["httptunnel 7777", "admin 9090", "forward 7778"],
        &["httptunnel 7777", "metrics 9090"],
    );
    let broker = ["--tunnel", "mqtt", "--env", "MQTT_BROKER=broker.example"];
    one(&broker, &["admin 9090"], &["metrics 9090"]);
    one(&[&broker[..], &["--replicas", "2"]].concat(), &["admin 9090"], &["metrics 9090"]);
    let embedded = ["--tunnel", "http,mqtt", "--env", "MQTT_BROKER=embedded", "--env", "MQTT_PORT=1884"];
    one(
        &embedded,
        &["httptunnel 7777", "mqtt 1884", "admin 9090"],
        &["httptunnel 7777", "mqtt 1884", "metrics 9090"],
    );
}

#[test]
fn settings_are_passed_on_and_the_last_word_counts() {
    let objects = printed(&[
        "--env",
        "ENV=test",
        "--env",
        "ENV=prod",
        "--env",
        "LOG_FORMAT=json",
        "--image",
        "registry.example/mc:1",
        "--env-from-secret",
        "mqtt",
        "--peers",
        "--tunnel",
        "mqtt",
        "--env",
        "MQTT_BROKER=broker.example",
    ]);
    let is = |name: &str, value: &str| assert_eq!(variable(&objects, name), value, "{name}");
    is("ENV", "prod");
    is("LOG_FORMAT", "json");
    is("ENABLE_HTTP_TUNNEL", "false");
    is("ENABLE_MQTT_TUNNEL", "true");
    is("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");
    let container = &of(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example/mc:1");
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "mqtt"}}]));
}

#[test]
fn two_namespaces_share_nothing_but_the_definitions() {
    let key = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"])
    };
    let all = |namespace: &str| printed(&["--namespace", namespace, "--replicas", "2", "--peers"]);
    let (one, other) = (all("module-controller"), all("test"));
    let shared: Vec<String> =
        one.iter().map(key).filter(|this| other.iter().map(key).any(|that| that == *this)).collect();
    let definition = |name: &str| format!("\"CustomResourceDefinition\" null \"{name}.koupleless.io\"");
    assert_eq!(shared, ["modules", "operationplans", "modulebaselines"].map(definition));
    assert!(of(&printed(&["--namespace", "default"]), "Namespace").is_empty(), "its labels are not ours");
}

#[test]
fn what_the_controller_would_refuse_is_refused_and_nothing_printed() {
    assert!(refused(&["--tunnel", "mqtt"]).contains("MQTT_BROKER"));
    let embedded = ["--tunnel", "mqtt", "--env", "MQTT_BROKER=embedded", "--replicas", "2"];
    assert!(refused(&embedded).contains("MQTT_BROKER"));
    assert!(refused(&["--env", "VNODE_WORKER_NUM=none"]).contains("VNODE_WORKER_NUM"));
    assert!(refused(&["--namespace", "Not_A_Name"]).contains("NAMESPACE"));
    assert!(refused(&["--env", "MQTT_PASSWORD=x"]).contains("--env-from-secret"));
    assert!(refused(&["--env", "IS_CLUSTER=true"]).contains("--replicas"));
    assert!(refused(&["--replicas", "2", "--env", "CLIENT_ID=x"]).contains("CLIENT_ID"));
    assert!(refused(&["--replicas", "0"]).contains("1..=99"));
}

#[test]
fn the_readers_own_settings_do_not_matter() {
    let there = [("ENV", "mine"), ("NAMESPACE", "mine"), ("ENABLE_HTTP_TUNNEL", "perhaps")];
    let output = program(&[]).envs(there).output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, run(&[]).stdout);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = program(&[]).stdout(writer).output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn help_says_what_kubectl_can_do_with_it() {
    let output = run(&["--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    for said in
        ["kubectl apply -f -", "kubectl apply --server-side -f -", "--env-from-secret", "[default: 1]"]
    {
        assert!(help.contains(said), "{said} is not in\n{help}");
    }
}
