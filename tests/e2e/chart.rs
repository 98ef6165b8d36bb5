//! `deploy/chart` without a cluster: Helm takes it, and it makes what `module-controller install` prints.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, ensure};
use e2e::shell::read;
use serde_json::Value;
use testkit::{artifacts, controller, work_dir::WorkDir};

const CHART: &str = "deploy/chart";

/// What Helm printed; an error has what it said.
fn helm(args: &[&str]) -> Result<String> {
    let dir = WorkDir::new("helm")?;
    let mut command = Command::new(artifacts::helm()?);
    command.args(args).current_dir(artifacts::repository()).env("HOME", dir.path());
    output(command)
}

fn output(mut command: Command) -> Result<String> {
    let output = command.output().context("starting a program")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}{printed}");
    Ok(printed)
}

/// The objects of a release in a namespace, with values as `--set-json` takes them.
fn rendered(namespace: &str, values: &[&str]) -> Result<Vec<Value>> {
    let mut args = vec!["template", "module-controller", CHART, "--namespace", namespace];
    args.extend(values.iter().flat_map(|value| ["--set-json", *value]));
    objects(&helm(&args)?)
}

fn printed(flags: &[&str]) -> Result<Vec<Value>> {
    let mut command = Command::new(controller::program()?);
    command.arg("install").args(flags).env_clear();
    objects(&output(command)?)
}

fn objects(text: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).context("reading YAML")?;
    Ok(all.into_iter().filter(|object| !object.is_null()).collect())
}

/// The objects by kind and name, without what says by whom they are managed, and with variables in their order.
fn comparable(objects: Vec<Value>) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for mut object in objects {
        for metadata in ["/metadata", "/spec/template/metadata"] {
            for (map, key) in [
                ("labels", "app.kubernetes.io/managed-by"),
                ("labels", "helm.sh/chart"),
                ("annotations", "helm.sh/resource-policy"),
            ] {
                if let Some(map) =
                    object.pointer_mut(&format!("{metadata}/{map}")).and_then(Value::as_object_mut)
                {
                    map.remove(key);
                }
            }
        }
        if let Some(env) =
            object.pointer_mut("/spec/template/spec/containers/0/env").and_then(Value::as_array_mut)
        {
            env.sort_by_key(|variable| variable["name"].to_string());
        }
        let metadata = &object["metadata"];
        let key = format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"]);
        ensure!(all.insert(key.clone(), object).is_none(), "{key} is there twice");
    }
    Ok(all)
}

#[test]
fn it_makes_what_install_prints() -> Result<()> {
    let broker = "env={\"MQTT_BROKER\": \"broker.example\", \"MQTT_USERNAME\": \"controller\"}";
    let embedded = "env={\"MQTT_BROKER\": \"embedded\", \"MQTT_PORT\": \"1884\"}";
    let pairs: [(&str, &[&str], &[&str]); 7] = [
        ("module-controller", &[], &[]),
        ("module-controller", &["--replicas", "3"], &["replicas=3"]),
        (
            "module-controller",
            &["--peers", "--env", "ENV=prod", "--env", "LOG_FORMAT=json"],
            &["peers=true", "env={\"ENV\": \"prod\", \"LOG_FORMAT\": \"json\"}"],
        ),
        (
            "module-controller",
            &[
                "--tunnel",
                "mqtt",
                "--replicas",
                "2",
                "--env",
                "MQTT_BROKER=broker.example",
                "--env",
                "MQTT_USERNAME=controller",
                "--env-from-secret",
                "mqtt",
            ],
            &["tunnels={\"http\": false, \"mqtt\": true}", "replicas=2", broker, "envFromSecret=\"mqtt\""],
        ),
        (
            "module-controller",
            &["--tunnel", "http,mqtt", "--env", "MQTT_BROKER=embedded", "--env", "MQTT_PORT=1884"],
            &["tunnels.mqtt=true", embedded],
        ),
        ("other", &["--kubelet-api", "--replicas", "2"], &["kubeletApi=true", "replicas=2"]),
        (
            "other",
            &["--replicas", "3", "--peers", "--account-policies", "--image", "registry.example/mc:2"],
            &[
                "replicas=3",
                "peers=true",
                "accountPolicies=true",
                "image={\"repository\": \"registry.example/mc\", \"tag\": \"2\"}",
            ],
        ),
    ];
    for (namespace, flags, values) in pairs {
        let mut wanted = printed(&[flags, &["--namespace", namespace]].concat())?;
        // Helm makes the namespace itself, with --create-namespace.
        wanted.retain(|object| object["kind"] != "Namespace");
        let (wanted, made) = (comparable(wanted)?, comparable(rendered(namespace, values)?)?);
        let names: Vec<_> = made.keys().collect();
        ensure!(wanted.keys().eq(made.keys()), "{values:?}: {names:?} and not {:?}", wanted.keys());
        for (key, object) in &wanted {
            ensure!(
                made.get(key) == Some(object),
                "{values:?}: {key} is\n{:?}\nand not\n{object}",
                made.get(key)
            );
        }
    }
    Ok(())
}

#[test]
fn helm_finds_nothing_wrong_with_it() -> Result<()> {
    let everything = [
        "replicas=3",
        "peers=true",
        "kubeletApi=true",
        "networkPolicy.kubelet=[{\"ipBlock\": {\"cidr\": \"10.0.0.0/8\"}}]",
        "accountPolicies=true",
        "podMonitor.enabled=true",
        "serviceMonitor.enabled=true",
        "image.pullSecrets=[{\"name\": \"registry\"}]",
        "podLabels={\"team\": \"a\"}",
        "podAnnotations={\"a\": \"b\"}",
        "nodeSelector={\"disk\": \"ssd\"}",
        "priorityClassName=\"high\"",
        "service.type=\"LoadBalancer\"",
        "volumes=[{\"name\": \"tokens\", \"secret\": {\"secretName\": \"tokens\"}}]",
        "volumeMounts=[{\"name\": \"tokens\", \"mountPath\": \"/tokens\", \"readOnly\": true}]",
        "networkPolicy.bases=[{\"ipBlock\": {\"cidr\": \"10.0.0.0/8\"}}]",
        "service.annotations={\"a\": \"b\"}",
        "serviceAccount.annotations={\"a\": \"b\"}",
        "affinity={\"nodeAffinity\": {}}",
        "podMonitor.labels={\"release\": \"prometheus\"}",
        "podMonitor.interval=\"30s\"",
        "serviceMonitor.labels={\"release\": \"prometheus\"}",
        "serviceMonitor.interval=\"30s\"",
        "image.digest=\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
    ];
    helm(&["lint", "--strict", CHART])?;
    let mut lint = vec!["lint", "--strict", CHART];
    lint.extend(everything.iter().flat_map(|value| ["--set-json", *value]));
    helm(&lint)?;
    let all = rendered("module-controller", &everything)?;
    let one =
        |kind: &str| all.iter().find(|object| object["kind"] == kind).with_context(|| format!("a {kind}"));
    for kind in ["PodMonitor", "ServiceMonitor"] {
        let monitor = one(kind)?;
        let endpoint =
            monitor.pointer("/spec/podMetricsEndpoints/0").or(monitor.pointer("/spec/endpoints/0"));
        let endpoint = endpoint.context("an endpoint")?;
        ensure!(endpoint["interval"] == "30s" && endpoint["path"] == "/metrics", "{endpoint}");
        ensure!(monitor["metadata"]["labels"]["release"] == "prometheus", "{monitor}");
    }
    let peers = &one("NetworkPolicy")?["spec"]["ingress"][0]["from"];
    ensure!(peers[0]["ipBlock"]["cidr"] == "10.0.0.0/8", "{peers}");
    let template = &one("Deployment")?["spec"]["template"];
    let spec = &template["spec"];
    ensure!(template["metadata"]["labels"]["team"] == "a", "{template}");
    ensure!(spec["imagePullSecrets"][0]["name"] == "registry", "{spec}");
    ensure!(spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/tokens", "{spec}");
    ensure!(
        spec["containers"][0]["image"].as_str().is_some_and(|image| image.contains("@sha256:")),
        "{spec}"
    );
    ensure!(one("Service")?["spec"]["type"] == "LoadBalancer");
    let annotations = &one("CustomResourceDefinition")?["metadata"]["annotations"];
    ensure!(annotations["helm.sh/resource-policy"] == "keep", "{annotations}");
    Ok(())
}

/// The parts of the board that say what it may and does, by what they are, without names.
fn board(objects: &[Value]) -> Vec<(String, Value)> {
    let parts = |object: &Value| match object["kind"].as_str().unwrap_or_default() {
        kind @ "ClusterRole" => Some((kind.to_owned(), object["rules"].clone())),
        kind @ "Service" => Some((kind.to_owned(), object["spec"]["ports"].clone())),
        kind @ "NetworkPolicy" => Some((kind.to_owned(), object["spec"]["ingress"].clone())),
        kind @ "Deployment" => {
            let mut spec = object["spec"]["template"]["spec"].clone();
            spec["serviceAccountName"] = Value::Null;
            Some((kind.to_owned(), spec))
        }
        _ => None,
    };
    let is_the_boards =
        |object: &&Value| object["metadata"]["name"].as_str().is_some_and(|name| name.contains("-board"));
    let mut all: Vec<_> = objects.iter().filter(is_the_boards).filter_map(parts).collect();
    // Helm has an order of its own.
    all.sort_by_key(|(kind, part)| (kind.clone(), part.to_string()));
    all
}

#[test]
fn its_board_is_the_one_of_deploy_board() -> Result<()> {
    let mut plain = Vec::new();
    for file in ["role", "deployment", "service", "network-policy"] {
        plain.extend(objects(&read(&format!("deploy/board/{file}.yaml"))?)?);
    }
    let release = rendered("module-controller", &["board.enabled=true"])?;
    let (wanted, made) = (board(&plain), board(&release));
    ensure!(wanted.len() == 5, "{wanted:?}");
    ensure!(made == wanted, "{made:#?}\nand not\n{wanted:#?}");
    // The controller's Service, policies and budget select none of its Pods.
    let one = |kind: &str, name: &str| {
        let found =
            release.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.with_context(|| format!("no {kind} {name}"))
    };
    let pods = &one("Deployment", "module-controller-board")?["spec"]["template"]["metadata"]["labels"];
    for (kind, selector) in
        [("Service", "/spec/selector"), ("NetworkPolicy", "/spec/podSelector/matchLabels")]
    {
        let of = |name: &str| {
            let found = one(kind, name)?.pointer(selector).and_then(Value::as_object);
            found.with_context(|| format!("a selector of {kind} {name}"))
        };
        let (theirs, own) = (of("module-controller")?, of("module-controller-board")?);
        ensure!(theirs.iter().any(|(key, value)| pods[key] != *value), "{kind} selects {pods}");
        ensure!(own.iter().all(|(key, value)| pods[key] == *value), "{kind} of the board misses {pods}");
    }
    let behind_a_proxy = [
        "board={\"enabled\": true, \"tokenHeader\": \"X-Token\", \"clients\": [{\"podSelector\": {}}], \"replicas\": 2}",
    ];
    let objects = rendered("module-controller", &behind_a_proxy)?;
    let parts = board(&objects);
    let of = |kind: &str| parts.iter().find(|(one, _)| one == kind).map(|(_, part)| part).context("a part");
    ensure!(of("NetworkPolicy")?[0]["from"][0]["podSelector"].is_object(), "{parts:?}");
    ensure!(of("Deployment")?["containers"][0]["args"][2] == "--token-header=X-Token", "{parts:?}");
    Ok(())
}

/// Who reads values.yaml finds what each value does right above it.
#[test]
fn every_value_has_its_comment() -> Result<()> {
    let text = read("deploy/chart/values.yaml")?;
    let (mut above, mut section) = ("", "");
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let is_value = line.contains(':') && !line.trim_start().starts_with(['#', '-']);
        if is_value && depth == 0 {
            section = line;
        }
        // What is deeper, or in the resources, is Kubernetes' own.
        let ours = depth == 0 || (depth == 2 && section != "resources:");
        ensure!(
            !is_value || !ours || above.trim_start().starts_with('#'),
            "`{line}` has no comment above it"
        );
        above = line;
    }
    Ok(())
}

#[test]
fn what_is_off_is_not_there() -> Result<()> {
    let off = [
        "crd=false",
        "networkPolicy.enabled=false",
        "podDisruptionBudget.enabled=false",
        "flowSchema.enabled=false",
    ];
    let all = rendered("module-controller", &[&off[..], &["replicas=3"]].concat())?;
    let absent = [
        "CustomResourceDefinition",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "FlowSchema",
        "PodMonitor",
        "ServiceMonitor",
    ];
    for kind in absent {
        ensure!(all.iter().all(|object| object["kind"] != kind), "{kind}");
    }
    ensure!(all.iter().any(|object| object["kind"] == "Deployment"));
    Ok(())
}

#[test]
fn what_the_controller_would_refuse_is_refused() -> Result<()> {
    let refused: [(&[&str], &str); 7] = [
        (&["replicas=0"], "replicas"),
        (&["replica=3"], "replica"),
        (&["env={\"IS_CLUSTER\": \"true\"}"], "IS_CLUSTER"),
        (&["env={\"MQTT_PASSWORD\": \"x\"}"], "MQTT_PASSWORD"),
        (&["tunnels.http=false"], "no tunnel is on"),
        (&["tunnels.mqtt=true"], "env.MQTT_BROKER"),
        (&["replicas=2", "tunnels.mqtt=true", "env={\"MQTT_BROKER\": \"embedded\"}"], "one broker"),
    ];
    for (values, with) in refused {
        let said = rendered("module-controller", values).err().map(|error| format!("{error:#}"));
        ensure!(said.as_ref().is_some_and(|said| said.contains(with)), "{values:?}: {said:?}");
    }
    let several = rendered("module-controller", &["replicas=2", "env={\"CLIENT_ID\": \"x\"}"]);
    ensure!(several.is_err(), "a second Pod of one id acts for nothing");
    Ok(())
}
