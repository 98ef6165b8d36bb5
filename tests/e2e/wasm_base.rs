//! WebAssembly bases at the controller: bases as any others.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    Client, Scene, Way, long_run, manifest, seen,
    shell::{commands, read},
};
use serde_json::{Value, json};
use testkit::{
    artifacts,
    wait::wait_for,
    wasm_base::{WasmBase, WasmBaseOptions},
    work_dir::WorkDir,
};

/// How long a base takes to be a Node that is Ready.
const NODE: Duration = Duration::from_secs(30);

/// Bases of a scene, their Nodes Ready.
fn bases(scene: &Scene, count: usize) -> Result<Vec<WasmBase>> {
    let bases = (0..count).map(|_| WasmBase::start(scene.wasm_base())).collect::<Result<Vec<_>>>()?;
    for base in &bases {
        wait_ready(scene, base)?;
    }
    Ok(bases)
}

fn wait_ready(scene: &Scene, base: &WasmBase) -> Result<()> {
    wait_for(&format!("{} Ready", base.node()), NODE, || {
        let node = scene.cluster.kubectl_json(&["get", "node", &base.node()])?;
        let ready = seen::condition(&node, "Ready")["status"].clone();
        ensure!(ready == "True", "Ready is {ready}; the base says: {}", base.log());
        Ok(Some(()))
    })
}

/// A container of one of the samples.
fn container(name: &str, version: &str) -> Result<Value> {
    let package = artifacts::wasm_base()?.package(name, version)?;
    Ok(manifest::container_of(name, version, &format!("file://{}", package.display())))
}

/// The Deployment of the manual's 5.1 for bases of this stack, spread over all bases, none of which may be without.
fn deployment(scene: &Scene, replicas: u32) -> Result<Value> {
    let mut deployment = manifest::deployment(scene, "biz1", replicas, &[container("biz1", "1.0.0")?]);
    deployment["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": "100%", "maxUnavailable": 0});
    let affinity = &mut deployment["spec"]["template"]["spec"]["affinity"];
    let terms =
        &mut affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    terms[0]["matchExpressions"][0]["values"] = json!(["wasm"]);
    affinity["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": "biz1"}},
            "matchLabelKeys": ["pod-template-hash"],
            "topologyKey": "topology.kubernetes.io/zone",
        }],
    });
    Ok(deployment)
}

fn update(scene: &Scene, version: &str) -> Result<()> {
    let patch = json!({"spec": {"template": {"spec": {"containers": [container("biz1", version)?]}}}});
    scene.kubectl(&["patch", "deployment", "biz1", "--type=strategic", "-p", &patch.to_string()])?;
    let rollout = scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=120s"]);
    rollout.map(drop).with_context(|| match scene.pods(&[]) {
        Ok(pods) => format!("{:#?}", pods.iter().map(seen::summary).collect::<Vec<_>>()),
        Err(error) => error.to_string(),
    })
}

fn wait_biz(base: &WasmBase, expected: &[&str]) -> Result<()> {
    wait_for(&format!("{} holds {expected:?}", base.identity()), Duration::from_secs(60), || {
        let biz = base.biz()?;
        ensure!(biz == expected, "{biz:?}");
        Ok(Some(()))
    })
}

#[test]
fn over_http() -> Result<()> {
    online_updated_without_a_failed_request_scaled_and_offline(Way::Http)
}

#[test]
fn over_mqtt_with_mosquitto() -> Result<()> {
    online_updated_without_a_failed_request_scaled_and_offline(Way::Mosquitto)
}

#[test]
fn over_mqtt_with_the_embedded_broker() -> Result<()> {
    online_updated_without_a_failed_request_scaled_and_offline(Way::Embedded)
}

fn online_updated_without_a_failed_request_scaled_and_offline(way: Way) -> Result<()> {
    let mut scene = Scene::start(way, &[])?;
    let count = if long_run() { 3 } else { 2 };
    let bases = bases(&scene, count)?;
    let node = scene.cluster.kubectl_json(&["get", "node", &bases[0].node()])?;
    ensure!(node["metadata"]["labels"]["base.koupleless.io/stack"] == "wasm", "{node}");
    // What all modules together may take, which the base says when it is asked.
    wait_for("the Node's memory", Duration::from_secs(60), || {
        let node = scene.cluster.kubectl_json(&["get", "node", &bases[0].node()])?;
        ensure!(node["status"]["capacity"]["memory"] == "1073741824", "{}", node["status"]["capacity"]);
        Ok(Some(()))
    })?;

    scene.cluster.apply(&deployment(&scene, u32::try_from(count)?)?.to_string())?;
    scene.wait_pods_ready(count)?;
    for base in &bases {
        wait_biz(base, &["biz1:1.0.0 activated"])?;
        ensure!(base.serving("biz1")?.as_deref() == Some("1.0.0"), "{} serves nothing", base.identity());
    }

    updated_under_load(&scene, &bases)?;
    if let Some(broker) = &mut scene.broker {
        broker.kill()?;
        broker.start_again()?;
        for base in &bases {
            wait_for("the base to find the broker again", Duration::from_secs(30), || {
                let log = base.log();
                ensure!(log.matches("the broker hears the base").count() >= 2, "{log}");
                Ok(Some(()))
            })?;
        }
    }

    scene.kubectl(&["scale", "deployment/biz1", "--replicas=1"])?;
    scene.wait_pods_ready(1)?;
    wait_for("one base without", Duration::from_secs(20), || {
        let held = bases.iter().map(WasmBase::biz).collect::<Result<Vec<_>>>()?;
        ensure!(held.iter().filter(|biz| biz.is_empty()).count() == count - 1, "{held:?}");
        Ok(Some(()))
    })?;
    scene.kubectl(&["delete", "deployment", "biz1", "--wait=false"])?;
    for base in &bases {
        wait_biz(base, &[])?;
        ensure!(base.serving("biz1")?.is_none(), "the module still answers");
    }
    wait_for("the Pods are gone", Duration::from_secs(20), || {
        let pods = scene.pods(&[])?;
        ensure!(pods.is_empty(), "{} Pods", pods.len());
        Ok(Some(()))
    })
}

/// From one version to the next, again and again, until as many requests were answered as are promised: none fails, and where
/// the new version has answered the old one answers no more. Both versions have one path, which a Java base cannot hold.
fn updated_under_load(scene: &Scene, bases: &[WasmBase]) -> Result<()> {
    let promised = if long_run() { 100_000 } else { 1_000 };
    let clients: Vec<Client> = bases
        .iter()
        .map(|base| Client::start_at(SocketAddr::from((base.ip(), base.web_port())), &["biz1"]))
        .collect();
    let mut expected = vec!["1.0.0".to_owned()];
    for version in ["2.0.0", "3.0.0"].into_iter().cycle() {
        update(scene, version)?;
        expected.push(version.to_owned());
        for base in bases {
            wait_biz(base, &[&format!("biz1:{version} activated")])?;
            ensure!(base.serving("biz1")?.as_deref() == Some(version), "{} serves another", base.identity());
        }
        // Each has asked the new version by then.
        for client in &clients {
            wait_for("the client's answers", Duration::from_secs(20), || {
                ensure!(client.versions() == expected, "{:?} instead of {expected:?}", client.versions());
                Ok(Some(()))
            })?;
        }
        if expected.len() > 2 && clients.iter().map(Client::requests).sum::<usize>() >= promised {
            break;
        }
    }
    for client in clients {
        let versions = client.versions();
        ensure!(versions == expected, "{versions:?} instead of {expected:?}");
        let (requests, gaps) = client.stop()?;
        println!("{requests} requests, {} gaps, {} rollouts", gaps.len(), expected.len() - 1);
        ensure!(requests > 100, "only {requests} requests were sent");
        ensure!(gaps.is_empty(), "{:?}", gaps.iter().map(|gap| gap.to - gap.from).collect::<Vec<_>>());
    }
    Ok(())
}

/// What the base says of a failure is read as that of a Java base.
#[test]
fn a_module_that_does_not_start_says_so_in_its_pod() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let bases = bases(&scene, 1)?;
    let mut pod = manifest::pod(&scene, "failing", Some(&bases[0].node()), &[container("failing", "1.0.0")?]);
    pod["spec"]["affinity"] = Value::Null;
    scene.cluster.apply(&pod.to_string())?;
    let message = scene.wait_waiting("failing", "User.InstallBizUserError")?;
    ensure!(message.contains("it trapped"), "{message}");
    ensure!(bases[0].biz()?.is_empty(), "{:?}", bases[0].biz()?);
    Ok(())
}

/// A base that is told to end says goodbye, and its Node goes; one that is killed and started again under its identity gets
/// its modules back.
#[test]
fn a_base_that_was_killed_gets_its_modules_back_and_one_that_ends_says_so() -> Result<()> {
    let scene = Scene::start(Way::Http, &[])?;
    let mut bases = bases(&scene, 1)?;
    scene.cluster.apply(&deployment(&scene, 1)?.to_string())?;
    scene.wait_pods_ready(1)?;
    let base = &mut bases[0];
    base.kill()?;
    base.start_again()?;
    wait_biz(base, &["biz1:1.0.0 activated"])?;
    scene.wait_pods_ready(1)?;
    base.stop()?;
    wait_for("the Node is gone", Duration::from_secs(20), || {
        let nodes = scene.nodes()?;
        ensure!(nodes.is_empty(), "{} Nodes", nodes.len());
        Ok(Some(()))
    })
}

/// The base is killed, and has its modules back before the controller orders anything.
#[test]
fn what_was_rolled_out_is_played_back_over_http() -> Result<()> {
    played_back(Way::Http)
}

#[test]
fn what_was_rolled_out_is_played_back_over_mqtt() -> Result<()> {
    played_back(Way::Mosquitto)
}

fn played_back(way: Way) -> Result<()> {
    let scene = Scene::start(way, &[("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true")])?;
    let mut options = scene.wasm_base();
    options.properties = vec![("base.playback".to_owned(), "true".to_owned())];
    let mut base = WasmBase::start(options.clone())?;
    wait_ready(&scene, &base)?;
    let mut set = deployment(&scene, 0)?;
    set["kind"] = json!("DaemonSet");
    if let Some(spec) = set["spec"].as_object_mut() {
        spec.remove("replicas");
        spec.remove("strategy");
    }
    set["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"] = Value::Null;
    scene.cluster.apply(&set.to_string())?;
    wait_for("the rollout is written down", Duration::from_secs(60), || {
        let seen = scene.kubectl(&["get", "daemonset", "biz1", "-o", "json"])?;
        ensure!(seen.contains("module-controller.koupleless.io/RolledOut"), "{seen}");
        Ok(Some(()))
    })?;
    base.kill()?;
    base.start_again()?;
    wait_biz(&base, &["biz1:1.0.0 activated"])?;
    ensure!(base.log().contains("the baseline has 1 modules"), "{}", base.log());
    // A base that was never heard before has the module before it is ready.
    options.identity = testkit::names::unique("wasm");
    options.local_ip = testkit::names::loopback_ip();
    let newcomer = WasmBase::start(options)?;
    wait_ready(&scene, &newcomer)?;
    ensure!(newcomer.log().contains("the baseline has 1 modules"), "{}", newcomer.log());
    ensure!(newcomer.biz()? == ["biz1:1.0.0 activated"], "{:?}", newcomer.biz()?);
    scene.wait_pods_ready(2)?;
    ensure!(newcomer.http_get("/actuator/health")?.status == 200);
    Ok(())
}

/// Stamps what is a component and no more.
fn stamp(arguments: &[&str]) -> Result<()> {
    let dir = WorkDir::new("stamp")?;
    fs::write(dir.join("component.wasm"), b"\0asm\x0d\0\x01\0")?;
    let mut command = Command::new(artifacts::wasm_base()?.program());
    let output = command.args(arguments).current_dir(dir.path()).output().context("starting it")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(dir.join("biz1-1.0.0.wasm").is_file(), "it wrote no package");
    Ok(())
}

/// The base that a command starts, with this scene's controller and broker in the place of those that it names.
fn started_by(scene: &Scene, arguments: &[&str]) -> Result<WasmBaseOptions> {
    let mut options = WasmBaseOptions { http_tunnel: None, mqtt: None, ..scene.wasm_base() };
    for argument in arguments {
        let (name, value) = argument
            .strip_prefix("--")
            .and_then(|argument| argument.split_once('='))
            .with_context(|| format!("`{argument}` is no property"))?;
        let value = match name {
            "base.version" => {
                options.version = value.to_owned();
                continue;
            }
            "koupleless.arklet.http.heartbeat.endpoint" => scene.controller.http_tunnel(),
            "koupleless.arklet.mqtt.broker" => "127.0.0.1".to_owned(),
            "koupleless.arklet.mqtt.port" => scene.broker_port().context("a broker")?.to_string(),
            "base.env" => scene.env.clone(),
            _ => value.to_owned(),
        };
        options.properties.push((name.to_owned(), value));
    }
    Ok(options)
}

/// The log of a module by this URL, whose host is a base that has the module by then.
fn log_of(scene: &Scene, url: &str) -> Result<()> {
    let base = &bases(scene, 1)?[0];
    let pod = manifest::pod(scene, "logged", Some(&base.node()), &[container("biz1", "1.0.0")?]);
    scene.cluster.apply(&pod.to_string())?;
    scene.wait_pods_ready(1)?;
    let query = url.strip_prefix("http://base:1238").context("it is not Arklet's port of the base")?;
    let answer = testkit::http::get(&base.arklet_url(query), NODE)?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

#[test]
fn every_command_of_its_page_works() -> Result<()> {
    let scene = Scene::start(Way::Both, &[])?;
    let commands = commands(&read("docs/guide/wasm-base.md")?);
    ensure!(!commands.is_empty(), "the page has no commands");
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["base", "stamp", ..] => stamp(&words[1..]).with_context(|| command.clone())?,
            ["base", "run", properties @ ..] => {
                let base =
                    WasmBase::start(started_by(&scene, properties)?).with_context(|| command.clone())?;
                wait_ready(&scene, &base).with_context(|| command.clone())?;
            }
            ["curl", url] => log_of(&scene, url.trim_matches('\'')).with_context(|| command.clone())?,
            _ => bail!("nobody runs `{command}`"),
        }
    }
    Ok(())
}
