//! The update of a Deployment with a Pod on each base by an operation plan: all new Pods are held, one base comes first, a person
//! confirms it, and the others follow in parts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cluster::plans::{
    OperationPlan, OperationPlanSpec, PlanBatch, PlanModule, PlanTargetKind, PlanTargetSpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::objects;
use crate::plan_watch::PlanWatch;
use crate::stage::Stage;

use super::{patience, rollout};

/// The module that is deployed, and the Deployment.
pub const BIZ: &str = "planned";

/// The plan.
const PLAN: &str = "planned";

/// The parts in which the others follow the first base.
const PARTS: i32 = 4;

/// How long a base may take from when it begins: far less than a batch of many takes, so that one that is counted while it waits
/// for its turn would be late.
const READY_TIMEOUT_SECONDS: i64 = 60;

/// What the bases can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// One version of a module at a time.
    pub holds_one: bool,
}

impl Fleet {
    /// How many bases of a batch may be without the module at once.
    fn most_unavailable(self) -> &'static str {
        if self.holds_one { "10%" } else { "100%" }
    }

    /// The same of a Deployment that is updated without a plan: where a base holds both versions none has to be.
    fn most_unavailable_without(self) -> &'static str {
        if self.holds_one { "10%" } else { "0%" }
    }
}

/// One batch from its release on.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its name.
    pub name: String,
    /// How many bases are in it.
    pub bases: usize,
    /// From its release until the last of its Pods was seen Ready.
    pub took: Duration,
}

/// Makes the Deployment, or gives it this version, without a plan, and waits until it serves; says how long that took.
pub async fn without(stage: &Stage, fleet: Fleet, version: &str) -> Result<Duration> {
    let began = Instant::now();
    let object = objects::whole_deployment(
        BIZ,
        version,
        &stage.base_version,
        stage.places.len(),
        fleet.most_unavailable_without(),
    );
    rollout::give(stage, "without a plan", version, &object).await?;
    Ok(began.elapsed())
}

/// Gives the Deployment a version by a plan, and waits until the first base serves it and all others are held.
pub async fn hold(stage: &Stage, fleet: Fleet, version: &str) -> Result<PlanWatch> {
    let bases = stage.places.len();
    let watch = PlanWatch::start(stage.server.client.clone(), &stage.namespace, PLAN);
    stage.server.create_plan(&stage.namespace, &plan(fleet, version)).await?;
    let object = objects::whole_deployment(BIZ, version, &stage.base_version, bases, "0%");
    stage.server.apply_deployment(&stage.namespace, &objects::by_plan(object, PLAN)).await?;
    let limit = patience(bases * 10);
    watch.until("the first base serves", limit, |seen| seen.phase() == "AwaitingConfirm").await?;
    let held = |board: &crate::watch::Board| {
        let all = board.traces().filter(|(_, trace)| trace.gone.is_none());
        all.filter(|(_, trace)| trace.says.contains("HeldByPlan")).count()
    };
    let all = stage.pods.until("all other Pods are held", limit, |board| held(board) + 1 == bases);
    stage.pods.telling("Pods are held", all).await?;
    Ok(watch)
}

/// Confirms the first base, waits until all serve, and says how long each batch took.
pub async fn go_on(stage: &Stage, watch: &PlanWatch, version: &str) -> Result<Vec<Batch>> {
    let bases = stage.places.len();
    let offered = watch.seen().status.confirmable.context("the plan offers no number")?;
    stage.server.confirm_plan(&stage.namespace, PLAN, offered).await?;
    let limit = patience(bases * 10);
    let over = watch.until("the plan has succeeded", limit, |seen| seen.phase() == "Succeeded");
    stage.pods.telling("batches are released", over).await?;
    rollout::wait(stage, "by a plan", version, BIZ, bases).await?;
    batches(stage, watch, version)
}

/// Deletes the Deployment, and waits until its Pods are gone.
pub async fn end(stage: &Stage) -> Result<()> {
    rollout::end(stage, BIZ).await
}

/// In the order in which Pods became Ready the first are those of the first batch, and so on: none is released before those of the
/// batch before are Ready.
fn batches(stage: &Stage, watch: &PlanWatch, version: &str) -> Result<Vec<Batch>> {
    let (board, seen) = (stage.pods.board(), watch.seen());
    let image = objects::image_of(BIZ, version);
    let of_it = board.traces().filter(|(_, trace)| trace.image == image);
    let mut ready: Vec<Instant> = of_it.filter_map(|(_, trace)| trace.ready).collect();
    ready.sort_unstable();
    let mut so_far = 0;
    let mut all = Vec::new();
    for (batch, begun) in seen.status.batches.iter().zip(&seen.begun) {
        let bases = usize::try_from(batch.bases).context("the bases of a batch")?;
        so_far += bases;
        let last = so_far.checked_sub(1).and_then(|place| ready.get(place));
        let (begun, last) = begun.zip(last).with_context(|| {
            format!("batch {} was not seen whole: {} Pods Ready", batch.name, ready.len())
        })?;
        all.push(Batch { name: batch.name.clone(), bases, took: last.saturating_duration_since(begun) });
    }
    Ok(all)
}

fn plan(fleet: Fleet, version: &str) -> OperationPlan {
    let batch = |name: &str| PlanBatch {
        name: name.to_owned(),
        selector: None,
        size: None,
        count: None,
        soak_seconds: 0,
        confirm: false,
        max_unavailable: None,
    };
    let first = PlanBatch { size: Some(IntOrString::Int(1)), confirm: true, ..batch("first") };
    let most = IntOrString::String(fleet.most_unavailable().to_owned());
    let rest = PlanBatch { count: Some(PARTS), max_unavailable: Some(most), ..batch("rest") };
    OperationPlan::new(
        PLAN,
        OperationPlanSpec {
            target: PlanTargetSpec { kind: PlanTargetKind::Deployment, name: BIZ.to_owned() },
            module: PlanModule { name: BIZ.to_owned(), version: version.to_owned() },
            batches: vec![first, rest],
            ready_timeout_seconds: READY_TIMEOUT_SECONDS,
            max_failed: 0,
            metrics: Vec::new(),
            health: None,
            confirmed: None,
            attempt: None,
            paused: None,
            stop: None,
        },
    )
}
