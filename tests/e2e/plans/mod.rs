//! Operation plans: bases get a version batch by batch, and what no plan has released is held.

mod drift;
mod faults;
mod gate;
mod groups;
mod health;
mod leaders;
mod many;
mod metrics;
mod room;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Shell, Simulated, Way, manifest,
    seen::{self, is_ready, summary, text},
    shell::{commands, read, section},
};
use serde_json::{Value, json};
use testkit::{
    java_base::JavaBase,
    names,
    wait::{stays, wait_for},
};

pub(crate) const ON: (&str, &str) = ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");
const NAMES: &str = "module-controller.koupleless.io/operation-plan";
/// A plan goes on within a second; kubectl, the scheduler and a machine that is busy take theirs.
const SOON: Duration = Duration::from_secs(45);
/// What must not happen would have happened by then.
const WATCHED: Duration = Duration::from_secs(5);

/// A peer Deployment of biz1 that a plan can release: all new Pods are made at once, and each base holds both versions.
pub(crate) fn workload(scene: &Scene, container: &Value, plan: Option<&str>) -> Value {
    let version = text(container, "/env/0/value").to_owned();
    let mut deployment = manifest::deployment(scene, "biz1", 1, std::slice::from_ref(container));
    deployment["metadata"]["labels"] = json!({
        "module-controller.koupleless.io/env": scene.env,
        "module-controller.koupleless.io/component": "module-deployment",
    });
    let spec = &mut deployment["spec"];
    // Peers are given their number by the controller.
    drop(spec.as_object_mut().map(|spec| spec.remove("replicas")));
    spec["strategy"]["rollingUpdate"] = json!({"maxSurge": "100%", "maxUnavailable": 0});
    spec["template"]["metadata"]["labels"]["version"] = json!(version);
    if let Some(plan) = plan {
        spec["template"]["metadata"]["annotations"] = json!({NAMES: plan});
    }
    spec["template"]["spec"]["affinity"]["podAntiAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": "biz1", "version": version}},
            "topologyKey": "kubernetes.io/hostname",
        }],
    });
    deployment
}

pub(crate) fn release(scene: &Scene, version: &str, plan: Option<&str>) -> Result<()> {
    scene.cluster.apply(&workload(scene, &manifest::container("biz1", version)?, plan).to_string())
}

/// A plan with one base first, which a person confirms, and then the others.
pub(crate) fn plan(scene: &Scene, name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "koupleless.io/v1alpha1",
        "kind": "OperationPlan",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {
            "target": {"kind": "Deployment", "name": "biz1"},
            "module": {"name": "biz1", "version": version},
            "batches": [{"name": "beta", "size": 1, "soakSeconds": 1, "confirm": true}, {"name": "rest"}],
            "readyTimeoutSeconds": 60,
        },
    })
}

pub(crate) fn wait_phase(scene: &Scene, name: &str, phase: &str) -> Result<Value> {
    wait_phase_within(scene, name, phase, SOON)
}

pub(crate) fn wait_phase_within(scene: &Scene, name: &str, phase: &str, limit: Duration) -> Result<Value> {
    wait_for(&format!("plan {name} is {phase}"), limit, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", name])?;
        ensure!(text(&plan, "/status/phase") == phase, "{}", plan["status"]);
        Ok(Some(plan))
    })
}

pub(crate) fn steer(scene: &Scene, name: &str, spec: &Value) -> Result<()> {
    let patch = json!({ "spec": spec }).to_string();
    scene.kubectl(&["patch", "plan", name, "--type=merge", "-p", &patch]).map(drop)
}

/// How many of the Pods of a version are Ready, and how many are held.
fn stand(scene: &Scene, version: &str) -> Result<(usize, usize)> {
    let pods = scene.pods(&["-l", &format!("version={version}")])?;
    let is_held =
        |pod: &&Value| text(pod, "/status/containerStatuses/0/state/waiting/reason") == "HeldByPlan";
    Ok((pods.iter().filter(|pod| is_ready(pod)).count(), pods.iter().filter(is_held).count()))
}

pub(crate) fn wait_stand(scene: &Scene, version: &str, ready: usize, held: usize) -> Result<()> {
    wait_for(&format!("{ready} Pods of {version} are Ready and {held} held"), SOON, || {
        let seen = stand(scene, version)?;
        let pods: Vec<String> = scene.pods(&[])?.iter().map(summary).collect();
        ensure!(seen == (ready, held), "{seen:?}: {pods:?}");
        Ok(Some(()))
    })
}

fn simulated(scene: &Scene, count: usize) -> Result<Vec<Simulated>> {
    (0..count).map(|_| Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)).collect()
}

/// Version 1.0.0 serves on so many simulated bases.
pub(crate) fn serving(count: usize) -> Result<(Scene, Vec<Simulated>)> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = simulated(&scene, count)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(count)?;
    Ok((scene, bases))
}

fn versions(bases: &[JavaBase]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for base in bases {
        all.push(base.serving("biz1")?.with_context(|| format!("{} serves nothing", base.identity()))?);
    }
    all.sort();
    Ok(all)
}

#[test]
fn on_real_bases_one_goes_first_a_person_confirms_and_the_others_follow() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = scene.bases(2)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    ensure!(waiting["status"]["batch"] == "beta (1/2)" && waiting["status"]["ready"] == 1, "{waiting}");
    ensure!(versions(&bases)? == ["1.0.0", "2.0.0"], "{:?}", versions(&bases)?);
    wait_stand(&scene, "2.0.0", 1, 1)?;
    // An early number opens nothing.
    steer(&scene, "p", &json!({"confirmed": 7}))?;
    let both = ["1.0.0".to_owned(), "2.0.0".to_owned()].to_vec();
    stays("the other base keeps what serves", WATCHED, &both, || versions(&bases))?;
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_phase(&scene, "p", "Succeeded")?;
    wait_stand(&scene, "2.0.0", 2, 0)?;
    ensure!(versions(&bases)? == ["2.0.0", "2.0.0"], "{:?}", versions(&bases)?);
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=60s"])?;
    // Back, without a plan, and forward again by the plan that has succeeded: nothing is held.
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    wait_stand(&scene, "1.0.0", 2, 0)?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_stand(&scene, "2.0.0", 2, 0)
}

#[test]
fn pods_may_come_before_their_plan_and_the_controller_may_die_meanwhile() -> Result<()> {
    let (mut scene, bases) = serving(3)?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_stand(&scene, "2.0.0", 0, 3)?;
    let pods = scene.pods(&["-l", "version=2.0.0"])?;
    let told = text(&pods[0], "/status/containerStatuses/0/state/waiting/message");
    ensure!(told.contains("KouplelessBoard.OperationPlanNotFound"), "{told}");
    // One that does not watch plans says so, and what turns that on.
    scene.controller.kill()?;
    scene.controller.options_mut().env.retain(|(name, _)| name != ON.0);
    scene.controller.start_again()?;
    let event = scene.wait_event(text(&pods[0], "/metadata/name"), "PlansNotWatched")?;
    ensure!(text(&event, "/note").contains(ON.0), "{event}");
    scene.controller.kill()?;
    scene.controller.options_mut().env.push((ON.0.to_owned(), ON.1.to_owned()));
    scene.controller.start_again()?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    wait_stand(&scene, "2.0.0", 1, 2)?;
    scene.controller.kill()?;
    scene.controller.start_again()?;
    stays("what waits for a person waits", WATCHED, &(1, 2), || stand(&scene, "2.0.0"))?;
    steer(&scene, "p", &json!({"confirmed": 1}))?;
    wait_phase(&scene, "p", "Succeeded")?;
    wait_stand(&scene, "2.0.0", 3, 0)?;
    for base in &bases {
        let done = base.done();
        ensure!(done.iter().filter(|one| one.contains("installBiz biz1:2.0.0")).count() == 1, "{done:?}");
    }
    // A tool prunes the plan, and a base starts anew: what was rolled out is not held.
    scene.kubectl(&["rollout", "status", "deployment/biz1", "--timeout=60s"])?;
    scene.kubectl(&["delete", "plan", "p"])?;
    bases[0].start_anew();
    wait_for("the base that started anew has what was rolled out", SOON, || {
        let biz = bases[0].biz();
        ensure!(biz.get("biz1:2.0.0").is_some_and(|state| state == "activated"), "{biz:?}");
        Ok(Some(()))
    })?;
    wait_stand(&scene, "2.0.0", 3, 0)
}

/// As a base whose Pod is rescheduled: its Node goes, and the older Pod with it.
#[test]
fn a_base_that_starts_as_another_while_a_plan_waits_serves_the_older_version() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let mut bases = scene.bases(1)?;
    let stays = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(2)?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_stand(&scene, "2.0.0", 0, 2)?;
    let base = &mut bases[0];
    base.stop()?;
    base.options_mut().identity = names::unique("base");
    base.start_again()?;
    let soon = Duration::from_secs(90);
    wait_for("the base serves 1.0.0", soon, || {
        let serving = base.serving("biz1")?;
        let pods: Vec<String> = scene.pods(&[])?.iter().map(summary).collect();
        ensure!(serving.as_deref() == Some("1.0.0"), "{serving:?}: {pods:?}");
        Ok(Some(()))
    })?;
    // Its batch brings it on, as any other.
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    wait_phase_within(&scene, "p", "AwaitingConfirm", soon)?;
    steer(&scene, "p", &json!({"confirmed": 1}))?;
    wait_phase_within(&scene, "p", "Succeeded", soon)?;
    wait_stand(&scene, "2.0.0", 2, 0)?;
    ensure!(bases[0].serving("biz1")?.as_deref() == Some("2.0.0"), "{:?}", versions(&bases));
    ensure!(stays.biz().keys().collect::<Vec<_>>() == ["biz1:2.0.0"], "{:?}", stays.biz());
    Ok(())
}

#[test]
fn a_bad_version_stops_at_the_first_base_and_what_serves_stays() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = scene.bases(2)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(2)?;
    let mut short = plan(&scene, "p", "2.0.0");
    short["spec"]["readyTimeoutSeconds"] = json!(10);
    scene.cluster.apply(&short.to_string())?;
    let bad = manifest::container_of("biz1", "2.0.0", "file:///nowhere/biz1-2.0.0.jar");
    scene.cluster.apply(&workload(&scene, &bad, Some("p")).to_string())?;
    let failed = wait_phase(&scene, "p", "Failed")?;
    ensure!(text(&failed, "/status/failures/0/code").contains('.'), "{}", failed["status"]);
    ensure!(versions(&bases)? == ["1.0.0", "1.0.0"], "{:?}", versions(&bases)?);
    ensure!(stand(&scene, "2.0.0")?.1 == 1, "the other base was released");
    // The mended package comes with the same plan, and another attempt.
    release(&scene, "2.0.0", Some("p"))?;
    steer(&scene, "p", &json!({"attempt": 1}))?;
    let waiting = wait_phase(&scene, "p", "AwaitingConfirm")?;
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_phase(&scene, "p", "Succeeded")?;
    ensure!(versions(&bases)? == ["2.0.0", "2.0.0"], "{:?}", versions(&bases)?);
    Ok(())
}

#[test]
fn after_an_undo_a_tool_that_applies_the_bad_template_again_installs_nothing() -> Result<()> {
    let (scene, bases) = serving(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    wait_phase(&scene, "p", "RolledBack")?;
    wait_stand(&scene, "1.0.0", 2, 0)?;
    let installed = |base: &Simulated| base.done().iter().filter(|one| one.contains("2.0.0")).count();
    let before: Vec<usize> = bases.iter().map(installed).collect();
    release(&scene, "2.0.0", Some("p"))?;
    wait_for("the base that the plan had not released holds its Pod", SOON, || {
        ensure!(stand(&scene, "2.0.0")?.1 >= 1, "{:?}", stand(&scene, "2.0.0")?);
        Ok(Some(()))
    })?;
    let untouched = before.iter().position(|count| *count == 0).context("both bases had it")?;
    stays("nothing is installed where it was not", WATCHED, &0, || Ok(installed(&bases[untouched])))
}

#[test]
fn what_makes_no_sense_is_refused_with_its_mend_and_goes_on_when_it_is_mended() -> Result<()> {
    let (scene, _bases) = serving(2)?;
    scene.cluster.apply(&plan(&scene, "p", "2.0.0").to_string())?;
    let mut narrow = workload(&scene, &manifest::container("biz1", "2.0.0")?, Some("p"));
    narrow["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": "50%", "maxUnavailable": 0});
    scene.cluster.apply(&narrow.to_string())?;
    let refused = wait_phase(&scene, "p", "Refused")?;
    ensure!(text(&refused, "/status/message").contains("maxSurge: 100%"), "{}", refused["status"]);
    ensure!(refused["status"]["code"] == "OtherUpstream.InvalidParameter", "{}", refused["status"]);
    release(&scene, "2.0.0", Some("p"))?;
    wait_phase(&scene, "p", "AwaitingConfirm").map(drop)
}

/// A DaemonSet with a Pod of this version on each base.
fn daemon_set(scene: &Scene, version: &str, plan: Option<&str>) -> Result<String> {
    let more = json!({"updateStrategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}});
    let container = manifest::container("biz1", version)?;
    let mut set = manifest::workload(scene, "DaemonSet", "biz1", &[container], &more);
    set["metadata"]["labels"] = json!({"module-controller.koupleless.io/env": scene.env});
    set["spec"]["template"]["metadata"]["labels"]["version"] = json!(version);
    if let Some(plan) = plan {
        set["spec"]["template"]["metadata"]["annotations"] = json!({NAMES: plan});
    }
    Ok(set.to_string())
}

/// The DaemonSet controller deletes the older Pod as soon as it is not Ready for a moment, and so may anybody.
#[test]
fn of_a_daemon_set_what_serves_stays_where_the_older_pod_goes_while_the_newer_is_held() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let bases = simulated(&scene, 2)?;
    scene.cluster.apply(&daemon_set(&scene, "1.0.0", None)?)?;
    scene.wait_pods_ready(2)?;
    let mut plan = plan(&scene, "p", "2.0.0");
    plan["spec"]["target"]["kind"] = json!("DaemonSet");
    scene.cluster.apply(&plan.to_string())?;
    scene.cluster.apply(&daemon_set(&scene, "2.0.0", Some("p"))?)?;
    wait_phase(&scene, "p", "AwaitingConfirm")?;
    wait_stand(&scene, "2.0.0", 1, 1)?;
    let old = wait_for("one of the older Pods is left", SOON, || {
        let pods = scene.pods(&["-l", "version=1.0.0"])?;
        Ok((pods.len() == 1).then(|| text(&pods[0], "/metadata/name").to_owned()))
    })?;
    scene.kubectl(&["delete", "pod", &old, "--timeout=30s"])?;
    let uninstalled = || {
        let done = bases.iter().flat_map(Simulated::done);
        Ok(done.filter(|one| one.contains("uninstallBiz biz1:1.0.0")).count())
    };
    stays("the module of the older Pod", WATCHED, &1, uninstalled)?;
    steer(&scene, "p", &json!({"confirmed": 1}))?;
    wait_phase(&scene, "p", "Succeeded")?;
    wait_stand(&scene, "2.0.0", 2, 0)?;
    wait_for("the older version goes when the newer serves", SOON, || {
        let count = uninstalled()?;
        ensure!(count == 2, "{count}");
        Ok(Some(()))
    })
}

/// As its readers type them: the page begins where the version of before runs on three bases.
#[test]
fn every_command_of_the_page_works() -> Result<()> {
    let scene = Scene::start(Way::Http, &[ON])?;
    let _bases = simulated(&scene, 3)?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    let env = format!("  labels:\n    module-controller.koupleless.io/env: {}", scene.env);
    let sample = read("docs/samples/planned-deployment.yaml")?
        .replace("values: [\"1.0.0\"]", &format!("values: [\"{}\"]", scene.base_version))
        .replacen("  labels:", &env, 1);
    let before = sample.replace("2.0.0", "1.0.0").replace(NAMES, "example.com/nothing");
    scene.kubectl(&["apply", "-f", &write(&shell, "before.yaml", &before)?])?;
    scene.wait_pods_ready(3)?;
    shell.write("docs/samples/planned-deployment.yaml", &sample)?;
    shell.write("docs/samples/operation-plan.yaml", &read("docs/samples/operation-plan.yaml")?)?;
    shell.write("deployment.yaml", &before)?;
    // Other controllers have bases in this cluster too.
    let baseline = read("docs/samples/module-baseline.yaml")?;
    let baseline = baseline.replace("spec: {}", &format!("spec: {{environment: {}}}", scene.env));
    shell.write("docs/samples/module-baseline.yaml", &baseline)?;
    let page = read("docs/guide/plans.md")?;
    // A policy is for a whole cluster: `policies.rs` has one of its own, and runs these.
    let elsewhere = commands(section(&page, "## Who may confirm")?);
    let mut all = commands(&page);
    all.retain(|command| !elsewhere.contains(command));
    ensure!(all.len() > 6, "{all:?}");
    for command in all {
        ensure!(command.starts_with("kubectl "), "nobody runs `{command}`");
        shell.run(&command).with_context(|| command.clone())?;
    }
    scene.cluster.kubectl(&["delete", "modulebaseline", "all"])?;
    wait_for("all serve the version of before again", SOON, || {
        let pods = scene.pods(&[])?;
        let old = |pod: &&Value| text(pod, "/spec/containers/0/env/0/value") == "1.0.0" && is_ready(pod);
        let seen: Vec<String> = pods.iter().map(summary).collect();
        ensure!(pods.iter().filter(old).count() == 3 && pods.len() == 3, "{seen:?}");
        Ok(Some(()))
    })
}

fn write(shell: &Shell, file: &str, text: &str) -> Result<String> {
    shell.write(file, text)?;
    Ok(shell.path(file).to_string_lossy().into_owned())
}
