//! Operation plans, and one plan with what may be done with it.

use std::collections::BTreeMap;

use ask::{
    Text,
    read::{Base, Object, Plan, Workload},
    steer::{Change, Steer},
};
use jiff::Timestamp;
use model::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::phase;
use crate::{
    refusal::{already, not_now},
    rights::Verdict,
    shell::word,
    snapshot::Snapshot,
};

/// All plans.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Plans {
    items: Vec<PlanSummary>,
}

/// A plan in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanSummary {
    namespace: Text,
    name: Text,
    target: Target,
    module: ModuleVersion,
    phase: Text,
    code: Text,
    message: Text,
    suggestion: Text,
    /// Where it is, as `beta (1/3)`.
    batch: Text,
    attempt: u64,
    paused: bool,
    aborted: bool,
    /// The number to confirm; none where nothing waits for that.
    confirmable: Option<u64>,
    bases: u64,
    ready: u64,
    unavailable: u64,
    created: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModuleVersion {
    name: Text,
    version: Text,
}

/// One plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanDetail {
    plan: PlanSummary,
    /// Which plan of this name it is: one that was made anew is another.
    uid: Text,
    resource_version: Text,
    batches: Vec<Batch>,
    failures: Vec<FailedBase>,
    metrics: Vec<MetricReading>,
    /// None where no base was asked.
    health: Option<HealthReading>,
    /// Nodes on which the plan holds the module now.
    held: Vec<Text>,
    /// Why nobody can tell which bases come with which batch.
    preview_problem: Option<String>,
    yaml: String,
    /// The line of kubectl that brings the version before back.
    undo: String,
    actions: Vec<Action>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Batch {
    name: Text,
    phase: Text,
    bases: u64,
    ready: u64,
    size: String,
    count: Option<u32>,
    selector: String,
    soak_seconds: u64,
    confirm: bool,
    max_unavailable: String,
    /// Bases that come with it, as far as can be told now.
    nodes: Vec<String>,
}

/// What the bases of the batch at work said of the module's health.
#[derive(Debug, Serialize, ToSchema)]
struct HealthReading {
    up: u64,
    down: u64,
    unknown: u64,
    /// One that is not UP, and why.
    message: Text,
}

#[derive(Debug, Serialize, ToSchema)]
struct FailedBase {
    base: Text,
    code: Text,
    message: Text,
}

#[derive(Debug, Serialize, ToSchema)]
struct MetricReading {
    name: Text,
    server: Text,
    query: Text,
    condition: Text,
    reading: Text,
    message: Text,
}

/// What may be done with a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Action {
    name: &'static str,
    enabled: bool,
    /// Why not.
    reason: Option<String>,
    /// Of a confirmation.
    number: Option<u64>,
    /// The line of kubectl that does the same.
    command: String,
}

/// What plans can be for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Targets {
    items: Vec<TargetSummary>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TargetSummary {
    namespace: Text,
    kind: Text,
    name: Text,
    modules: Vec<Release>,
    /// The plan that its Pods name.
    plan: Option<String>,
    replicas: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Release {
    name: String,
    version: String,
    url: String,
}

impl PlanSummary {
    pub(super) fn of(plan: &Plan) -> Self {
        let (kind, name) = plan.target.split_once('/').unwrap_or_default();
        let status = &plan.status;
        Self {
            namespace: plan.namespace.clone(),
            name: plan.name.clone(),
            target: Target { kind: kind.to_owned(), name: name.to_owned() },
            module: ModuleVersion {
                name: plan.written.module.0.clone(),
                version: plan.written.module.1.clone(),
            },
            phase: phase(plan),
            code: status.code.clone(),
            message: status.message.clone(),
            suggestion: status.suggestion.clone(),
            batch: status.batch.clone(),
            attempt: status.attempt,
            paused: plan.steering.paused,
            aborted: !plan.steering.stop.is_empty(),
            confirmable: status.confirmable,
            bases: status.bases,
            ready: status.ready,
            unavailable: status.unavailable,
            created: plan.created,
        }
    }
}

pub(crate) fn plans(snapshot: &Snapshot) -> Plans {
    Plans { items: snapshot.plans.iter().map(|plan| PlanSummary::of(plan)).collect() }
}

/// A plan as the API server has it now, with what of the cluster concerns it. `may` is whether the viewer may change it.
pub(crate) fn plan(
    snapshot: &Snapshot,
    plan: &Plan,
    yaml: String,
    may: &Verdict,
    language: Language,
) -> PlanDetail {
    let (nodes, preview_problem) = match preview(snapshot, plan, language) {
        Ok(nodes) => (nodes, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let target = plan.target.to_lowercase();
    let undo = format!("kubectl rollout undo {} -n {}", word(&target), word(&plan.namespace));
    PlanDetail {
        uid: plan.uid.clone(),
        resource_version: plan.resource_version.clone(),
        batches: batches(plan, nodes),
        failures: plan
            .status
            .failures
            .iter()
            .map(|one| FailedBase {
                base: one.base.clone(),
                code: one.code.clone(),
                message: one.message.clone(),
            })
            .collect(),
        metrics: metrics(plan),
        health: plan.status.health.as_ref().map(|said| HealthReading {
            up: said.up,
            down: said.down,
            unknown: said.unknown,
            message: said.message.clone(),
        }),
        held: held(snapshot, plan),
        preview_problem,
        yaml,
        undo,
        actions: actions(plan, may, language),
        plan: PlanSummary::of(plan),
    }
}

/// A batch of the spec may be several of the status: one in equal parts has a number behind its name.
fn batches(plan: &Plan, nodes: Vec<(String, Vec<String>)>) -> Vec<Batch> {
    let mut nodes: BTreeMap<String, Vec<String>> = nodes.into_iter().collect();
    let written = |name: &str| {
        let whole = plan.written.batches.iter().find(|one| one.name == name);
        whole.or_else(|| {
            let of_parts = |one: &&ask::read::BatchJson| {
                one.count.is_some() && name.strip_prefix(&*one.name).is_some_and(|rest| rest.starts_with('-'))
            };
            plan.written.batches.iter().find(of_parts)
        })
    };
    let mut all: Vec<(Text, Text, u64, u64)> = plan
        .status
        .batches
        .iter()
        .map(|batch| (batch.name.clone(), batch.phase.clone(), batch.bases, batch.ready))
        .collect();
    if all.is_empty() {
        let names: Vec<String> = match nodes.is_empty() {
            false => plan
                .spec()
                .map(|spec| spec.batches.iter().map(|one| one.name.to_string()).collect())
                .unwrap_or_default(),
            true => plan.written.batches.iter().map(|one| one.name.clone()).collect(),
        };
        all = names.into_iter().map(|name| (name.into(), "Waiting".into(), 0, 0)).collect();
    }
    let batch = |(name, phase, bases, ready): (Text, Text, u64, u64)| {
        let written = written(&name);
        Batch {
            phase,
            bases,
            ready,
            size: written.map(ask::read::BatchJson::size).unwrap_or_default(),
            count: written.and_then(|one| one.count),
            selector: written.map(ask::read::BatchJson::selector).unwrap_or_default(),
            soak_seconds: written.map(|one| one.soak_seconds).unwrap_or_default(),
            confirm: written.is_some_and(|one| one.confirm),
            max_unavailable: written.map(ask::read::BatchJson::max_unavailable).unwrap_or_default(),
            nodes: nodes.remove(&*name).unwrap_or_default(),
            name,
        }
    };
    all.into_iter().map(batch).collect()
}

fn metrics(plan: &Plan) -> Vec<MetricReading> {
    let of = |metric: &ask::read::Metric| {
        let read = plan.status.metrics.iter().find(|read| read.name == metric.name);
        MetricReading {
            name: metric.name.clone(),
            server: metric.server.clone(),
            query: metric.query.clone(),
            condition: metric.condition.clone(),
            reading: read.map(|read| read.reading.clone()).unwrap_or_default(),
            message: read.map(|read| read.message.clone()).unwrap_or_default(),
        }
    };
    plan.metrics.iter().map(of).collect()
}

/// Which bases come with which batch, or why that cannot be told.
fn preview(
    snapshot: &Snapshot,
    plan: &Plan,
    language: Language,
) -> Result<Vec<(String, Vec<String>)>, String> {
    let spec = plan.spec().map_err(|invalid| invalid.told().of(language).to_owned())?;
    if !snapshot.sees(Base::NAME) {
        return Err(no_bases(language));
    }
    let workload = snapshot.workload(&plan.namespace, &plan.target).ok_or_else(|| {
        format!("{} in {} is not there, or you may not see it", plan.target, plan.namespace)
    })?;
    Ok(come_with(snapshot, workload, &spec, &plan.standing(), &plan.uid))
}

/// Why nobody can tell which bases there are.
pub(crate) fn no_bases(language: Language) -> String {
    match language {
        Language::English => "you do not see Nodes, which say which bases there are".to_owned(),
        Language::Chinese => "无法查看 Node，因此无法得知有哪些基座".to_owned(),
    }
}

/// A workload that is not there, as far as the viewer can tell.
pub(crate) fn not_there(target: &str, namespace: &str, language: Language) -> String {
    match language {
        Language::English => format!("{target} in {namespace} is not there, or you may not see it"),
        Language::Chinese => format!("命名空间 {namespace} 中没有 {target}，或你无权查看"),
    }
}

/// The batches of a spec, each with the bases that come with it.
pub(crate) fn come_with(
    snapshot: &Snapshot,
    workload: &Workload,
    spec: &plan::Spec,
    standing: &plan::Status,
    uid: &str,
) -> Vec<(String, Vec<String>)> {
    let bases = workload.bases(snapshot.nodes.iter().map(|node| node.site()), uid);
    let batches = plan::preview(spec, standing, &bases);
    let names = spec.batches.iter().map(|batch| batch.name.to_string());
    let keys = |bases: Vec<&plan::Base>| {
        let mut keys: Vec<String> = bases.into_iter().map(|base| base.key.to_string()).collect();
        keys.sort_unstable();
        keys
    };
    names.zip(batches.into_iter().map(keys)).collect()
}

/// Nodes with a Pod of its workload whose module it holds.
fn held(snapshot: &Snapshot, plan: &Plan) -> Vec<Text> {
    let is_its = |pod: &&std::sync::Arc<ask::read::Pod>| {
        let owner = pod.owner.as_ref();
        let target = owner.map(|owner| format!("{}/{}", owner.kind, owner.name)).unwrap_or_default();
        pod.namespace == plan.namespace
            && target == plan.target
            && pod.containers.iter().any(|container| container.state.is_held())
    };
    snapshot.picture.pods.iter().filter(is_its).map(|pod| pod.node.clone()).collect()
}

fn actions(plan: &Plan, may: &Verdict, language: Language) -> Vec<Action> {
    let all =
        [Steer::Confirm(plan.status.confirmable), Steer::Pause, Steer::Resume, Steer::Retry, Steer::Abort];
    let action = |steer: Steer| {
        let reason = match steer.decide(plan) {
            Change::Write(_) if may.allowed => None,
            Change::Write(_) => Some(match language {
                Language::English => format!("you may not change plans in {}", plan.namespace),
                Language::Chinese => format!("你没有修改命名空间 {} 中工单的权限", plan.namespace),
            }),
            Change::Already => Some(already(steer, language).to_owned()),
            Change::Not(why) => Some(not_now(&why, language)),
        };
        let number = if let Steer::Confirm(number) = steer { number } else { None };
        let with = number.map(|number| format!(" --number {number}")).unwrap_or_default();
        let name = steer.word();
        Action {
            name,
            enabled: reason.is_none(),
            reason,
            number,
            command: format!(
                "kubectl koupleless plan {name} {} -n {}{with}",
                word(&plan.name),
                word(&plan.namespace)
            ),
        }
    };
    all.into_iter().map(action).collect()
}

pub(crate) fn targets(snapshot: &Snapshot) -> Targets {
    let of = |workload: &Workload| TargetSummary {
        namespace: workload.namespace.clone(),
        kind: workload.kind.clone(),
        name: workload.name.clone(),
        modules: workload
            .modules()
            .map(|(name, version, url)| Release {
                name: name.to_owned(),
                version: version.to_owned(),
                url: url.to_owned(),
            })
            .collect(),
        plan: Some(workload.plan().to_owned()).filter(|plan| !plan.is_empty()),
        replicas: (&*workload.kind == "Deployment").then_some(workload.replicas),
    };
    Targets { items: snapshot.workloads().map(of).collect() }
}
