//! What needs a person first.

use ask::{
    Text,
    picture::Line,
    read::{Base, Plan, Pod, Replica},
};
use jiff::Timestamp;
use model::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Count, is_fine, phase};
use crate::snapshot::Snapshot;

/// More nobody reads at once.
const SHOWN: usize = 200;

/// How the cluster stands as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    bases: Count,
    modules: Count,
    /// Pods that are on no base yet.
    unplaced: usize,
    plans: PlanCounts,
    /// Differences of bases from what their workloads want; none where not all that it takes is seen.
    drift: Option<usize>,
    replicas: Vec<ReplicaSummary>,
    /// What needs a person first, the most urgent first.
    attention: Vec<Attention>,
    /// So many more do.
    more: usize,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct PlanCounts {
    running: usize,
    /// For a confirmation.
    waiting: usize,
    paused: usize,
    failed: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplicaSummary {
    namespace: Text,
    client_id: Text,
    env: Text,
    state: Text,
    cut_off: bool,
    renewed: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Plan,
    Replica,
    Base,
    Module,
    Pod,
}

#[derive(Debug, Serialize, ToSchema)]
struct Attention {
    kind: Kind,
    namespace: Text,
    /// The plan, the Node, the module, the Pod or the replica.
    name: Text,
    /// Of a module.
    version: Text,
    node: Text,
    code: Text,
    message: Text,
    since: Option<Timestamp>,
    /// Nothing goes on until a person acts.
    r#final: bool,
}

impl Attention {
    fn new(kind: Kind, name: &Text) -> Self {
        let nothing = Text::default;
        Self {
            kind,
            namespace: nothing(),
            name: name.clone(),
            version: nothing(),
            node: nothing(),
            code: nothing(),
            message: nothing(),
            since: None,
            r#final: false,
        }
    }
}

pub(crate) fn overview(snapshot: &Snapshot, language: Language) -> Overview {
    let picture = &snapshot.picture;
    let (mut bases, mut modules, mut plans) = (Count::default(), Count::default(), PlanCounts::default());
    let mut attention: Vec<Attention> =
        snapshot.plans.iter().filter_map(|plan| of_plan(plan, &mut plans)).collect();
    let cut_off = picture.replicas.iter().filter(|one| one.cut_off);
    attention.extend(cut_off.map(|replica| of_cut_off(replica, language)));
    attention.extend(picture.bases.iter().filter_map(|base| of_base(base, &mut bases)));
    attention.extend(snapshot.lines.iter().filter_map(|line| of_line(line, &mut modules)));
    let before = attention.len();
    attention.extend(picture.unplaced().map(of_pod));
    let unplaced = attention.len() - before;
    attention.sort_by(|a, b| {
        let key = |one: &Attention| (!one.r#final, one.kind, one.since.is_none(), one.since);
        key(a).cmp(&key(b)).then_with(|| (&a.node, &a.name).cmp(&(&b.node, &b.name)))
    });
    let more = attention.len().saturating_sub(SHOWN);
    attention.truncate(SHOWN);
    let is_told = !snapshot.drift.bases.is_empty() || !snapshot.drift.silent.is_empty();
    let drift = is_told.then(|| snapshot.drift.bases.iter().map(|(_, all)| all.len()).sum());
    let replicas = picture.replicas.iter().map(of_replica).collect();
    Overview { bases, modules, unplaced, plans, drift, replicas, attention, more }
}

fn of_cut_off(replica: &Replica, language: Language) -> Attention {
    Attention {
        namespace: replica.namespace.clone(),
        message: match language {
            Language::English => "it says that it reaches no base".into(),
            Language::Chinese => "该副本报告无法连接任何基座".into(),
        },
        since: replica.renewed,
        ..Attention::new(Kind::Replica, &replica.client_id)
    }
}

/// Counts it; and where it is not Ready, why. One of which only modules are seen is no silent one.
fn of_base(base: &Base, count: &mut Count) -> Option<Attention> {
    let ready = base.ready.as_ref()?;
    count.add(base.is_ready());
    (!base.is_ready()).then(|| Attention {
        node: base.node.clone(),
        code: ready.reason.clone(),
        message: ready.message.clone(),
        since: ready.since.or(base.created),
        ..Attention::new(Kind::Base, &base.node)
    })
}

/// Counts it; and where it does not serve, why.
fn of_line(line: &Line, count: &mut Count) -> Option<Attention> {
    count.add(is_fine(line));
    (!is_fine(line)).then(|| Attention {
        namespace: line.namespace.clone(),
        version: line.version.clone(),
        node: line.node.clone(),
        code: line.code.clone(),
        message: if line.message.is_empty() { line.state.clone() } else { line.message.clone() },
        since: line.since,
        r#final: line.barred,
        ..Attention::new(Kind::Module, &line.module)
    })
}

fn of_pod(pod: &Pod) -> Attention {
    Attention {
        namespace: pod.namespace.clone(),
        message: pod.message.clone(),
        since: pod.created,
        ..Attention::new(Kind::Pod, &pod.name)
    }
}

fn of_replica(replica: &Replica) -> ReplicaSummary {
    ReplicaSummary {
        namespace: replica.namespace.clone(),
        client_id: replica.client_id.clone(),
        env: replica.env.clone(),
        state: replica.state.clone(),
        cut_off: replica.cut_off,
        renewed: replica.renewed,
    }
}

/// Counts it; and what a person has to do with it.
fn of_plan(plan: &Plan, counts: &mut PlanCounts) -> Option<Attention> {
    let needs_a_person = match &*phase(plan) {
        "Running" | "Pending" => {
            counts.running += 1;
            // A metric that nobody can tell asks for a person while it runs.
            plan.status.confirmable.is_some()
        }
        "AwaitingConfirm" => {
            counts.waiting += 1;
            true
        }
        "Paused" => {
            counts.paused += 1;
            true
        }
        "Failed" | "Refused" => {
            counts.failed += 1;
            true
        }
        _ => false,
    };
    needs_a_person.then(|| Attention {
        namespace: plan.namespace.clone(),
        code: plan.status.code.clone(),
        message: plan.status.message.clone(),
        since: plan.created,
        r#final: true,
        ..Attention::new(Kind::Plan, &plan.name)
    })
}
