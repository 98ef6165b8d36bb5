//! The demo at size: a fleet of simulated bases with modules on each, and an update of one of them that a plan steers.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::process::{Process, Tie};

use super::{narration::Narration, parts::Parts};
use crate::cargo;

/// What the bases report, and the modules select: the real bases have another version.
const VERSION: &str = "fleet";
/// What goes online on each.
const MODULES: [&str; 10] = [
    "account",
    "billing",
    "cart",
    "catalog",
    "coupon",
    "inventory",
    "message",
    "order",
    "search",
    "shipping",
];
/// Which of them is updated.
const UPDATED: &str = "order";
/// The plan of its update.
const PLAN: &str = "order-2.0.0";

/// So long bases and Pods may take, for each: a thousand of them come in a minute or two.
const EACH: Duration = Duration::from_millis(100);
/// And whatever their number is.
const LEAST: Duration = Duration::from_secs(60);

/// Builds the program that the bases run in.
pub(crate) fn prepare() -> Result<()> {
    cargo::run(&["build", "--workspace", "--bin", "fleet"])
}

/// Starts so many bases, with all modules on each, and an update that waits for somebody. They run as long as what is given
/// back.
pub(crate) fn show(narration: &mut Narration, parts: &Parts, bases: u32) -> Result<Process> {
    narration.step(format!("A fleet comes: {bases} simulated bases become Nodes"));
    let fleet = start(parts, bases)?;
    let selector = format!("base.koupleless.io/version={VERSION}");
    narration.wait("all of them to be Ready", limit(bases), || {
        let nodes = parts.cluster.kubectl_json(&["get", "nodes", "-l", &selector])?;
        let items = nodes.pointer("/items").and_then(Value::as_array).context("no list of Nodes")?;
        let ready = items.iter().filter(|node| super::job::is_ready(node)).count();
        ensure!(ready == usize::try_from(bases)?, "{ready} Nodes are Ready");
        Ok(Some(()))
    })?;
    narration.done("each simulated base is a Node");

    narration.step(format!("{} modules go online on each of them, as DaemonSets", MODULES.len()));
    for module in MODULES {
        parts.cluster.apply(&daemon_set(module, "1.0.0", None).to_string())?;
    }
    let pods = bases * u32::try_from(MODULES.len())?;
    narration.wait("all Pods to be Ready", limit(pods), || all_ready(parts, u64::from(pods)))?;
    narration.done(format!("{pods} modules serve"));

    narration.step(format!("{UPDATED} is updated to 2.0.0, on one base first: its template names a plan"));
    parts.cluster.apply(&plan().to_string())?;
    parts.cluster.apply(&daemon_set(UPDATED, "2.0.0", Some(PLAN)).to_string())?;
    narration.wait("the plan to ask for a confirmation", limit(bases), || {
        let plan = parts.cluster.kubectl_json(&["-n", "default", "get", "operationplan", PLAN])?;
        let of = |field: &str| plan.pointer(field).and_then(Value::as_str).unwrap_or_default();
        let phase = of("/status/phase");
        ensure!(phase == "AwaitingConfirm", "it is {phase:?}: {}", of("/status/message"));
        Ok(Some(()))
    })?;
    super::job::show_kubectl(narration, parts, &format!("get operationplan {PLAN}"))?;
    narration.done("one base has 2.0.0, all others wait until somebody confirms, on the board or by kubectl");
    Ok(fleet)
}

fn limit(count: u32) -> Duration {
    LEAST + EACH * count
}

fn start(parts: &Parts, bases: u32) -> Result<Process> {
    let program = env::current_exe().context("where this program is")?.with_file_name("fleet");
    let controller = parts.controller.http_tunnel();
    let controller = controller.strip_prefix("http://").context("an HTTP tunnel")?;
    let mut command = Command::new(&program);
    command.args(["--bases", &bases.to_string(), "--controller", controller, "--env", super::parts::ENV]);
    command.args(["--version", VERSION]);
    Process::spawn("the fleet", command, &parts.dir.join("fleet.log"), Tie::Guard)
}

fn all_ready(parts: &Parts, wanted: u64) -> Result<Option<()>> {
    let sets = parts.cluster.kubectl_json(&["-n", "default", "get", "daemonsets"])?;
    let items = sets.pointer("/items").and_then(Value::as_array).context("no list of DaemonSets")?;
    let ready = items.iter().filter_map(|set| set.pointer("/status/numberReady")?.as_u64()).sum::<u64>();
    ensure!(ready == wanted, "{ready} of {wanted} Pods are Ready");
    Ok(Some(()))
}

/// A module on each base of the fleet. A base holds the old version until the new one serves.
fn daemon_set(module: &str, version: &str, plan: Option<&str>) -> Value {
    let labels = json!({"module-controller.koupleless.io/component": "module", "app": module});
    let annotations = plan.map(|plan| json!({"module-controller.koupleless.io/operation-plan": plan}));
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": module, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": module}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "nodeSelector": {"base.koupleless.io/version": VERSION},
                    "tolerations": [{"key": "schedule.koupleless.io/virtual-node", "operator": "Exists"}],
                    "containers": [{
                        "name": module, "image": format!("file:///packages/{module}-{version}-ark-biz.jar"),
                        "env": [{"name": "BIZ_VERSION", "value": version}],
                    }],
                },
            },
        },
    })
}

fn plan() -> Value {
    json!({
        "apiVersion": "koupleless.io/v1alpha1", "kind": "OperationPlan",
        "metadata": {"name": PLAN, "namespace": "default"},
        "spec": {
            "target": {"kind": "DaemonSet", "name": UPDATED},
            "module": {"name": UPDATED, "version": "2.0.0"},
            "batches": [
                {"name": "beta", "size": 1, "confirm": true},
                {"name": "rest", "count": 3, "maxUnavailable": "10%", "confirm": true},
            ],
        },
    })
}
