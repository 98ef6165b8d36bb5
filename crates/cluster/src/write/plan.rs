//! Writes to the status of operation plans.

use engine::{ClusterEvent, Event, WriteError, view::PlanRef};
use model::Language;
use plan::{BatchPhase, HealthStatus, Phase, Status};
use serde_json::{Value, json};

use super::api::{Api, Collection, How};
use crate::{
    plans::{
        OperationPlanStatus, PlanBatchStatus, PlanCondition, PlanFailure, PlanHealthStatus, PlanMetricStatus,
    },
    slim::plan::Plan,
};

impl Api {
    /// Writes the status of a plan that is still of this version.
    pub(crate) async fn patch_plan_status(
        &self,
        plan: &PlanRef,
        resource_version: u64,
        generation: i64,
        (env, language): (&str, Language),
        status: &Status,
    ) -> Result<(), WriteError> {
        let metadata = json!({ "uid": plan.uid, "resourceVersion": resource_version.to_string() });
        let body = json!({ "metadata": metadata, "status": status_json(status, generation, env, language) });
        let place = Collection::plans(&plan.namespace);
        let written: Plan = self.patch_status(&place, &plan.name, How::Merge, &body).await?;
        if let Ok(view) = written.body {
            // Closed: the engine is gone, and so is the one who would care.
            let _ = self.events.send(Event::Cluster(ClusterEvent::Plan(Box::new(view)))).await;
        }
        Ok(())
    }
}

/// The whole status. A merge patch leaves alone what it does not name, so what is absent is named as null.
pub(crate) fn status_json(status: &Status, generation: i64, env: &str, language: Language) -> Value {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let batches = status.batches.iter().map(|batch| PlanBatchStatus {
        name: batch.name.to_string(),
        phase: batch.phase.as_str().to_owned(),
        threshold: batch.threshold.map(number),
        bases: count(batch.bases),
        ready: count(batch.ready),
    });
    let failures = status.failures.iter().map(|failure| PlanFailure {
        base: failure.base.to_string(),
        code: failure.code.to_string(),
        message: failure.message.clone(),
    });
    let metrics = status.metrics.iter().map(|metric| PlanMetricStatus {
        name: metric.name.to_string(),
        reading: metric.reading.as_str().to_owned(),
        message: metric.message.clone(),
    });
    let health = |of: &HealthStatus| PlanHealthStatus {
        up: count(of.up),
        down: count(of.down),
        unknown: count(of.unknown),
        message: of.message.clone(),
    };
    let told = OperationPlanStatus {
        phase: Some(status.phase.as_str().to_owned()),
        message: Some(status.message.clone()),
        code: status.code.map(|code| code.to_string()),
        suggestion: status.code.map(|code| code.suggestion(language).to_owned()),
        observed_generation: Some(generation),
        environment: (!env.is_empty()).then(|| env.to_owned()),
        digest: (!status.digest.is_empty()).then(|| status.digest.to_string()),
        attempt: Some(number(status.attempt)),
        confirmable: status.confirmable.map(number),
        offered: Some(number(status.offered)),
        batch: at_work(status),
        batches: batches.collect(),
        bases: Some(count(status.bases)),
        ready: Some(count(status.ready)),
        unavailable: Some(count(status.unavailable)),
        failed: Some(count(status.failed)),
        failures: failures.collect(),
        metrics: metrics.collect(),
        health: status.health.as_ref().map(health),
        warning: (!status.warning.is_empty()).then(|| status.warning.clone()),
        conditions: conditions(status),
    };
    let mut json = serde_json::to_value(told).unwrap_or_default();
    if let Value::Object(fields) = &mut json {
        for name in
            ["code", "suggestion", "environment", "digest", "confirmable", "batch", "health", "warning"]
        {
            fields.entry(name).or_insert(Value::Null);
        }
        for name in ["batches", "failures", "metrics"] {
            fields.entry(name).or_insert_with(|| json!([]));
        }
    }
    json
}

/// The first batch that is not over, with its number; none where all are.
fn at_work(status: &Status) -> Option<String> {
    let place = status.batches.iter().position(|batch| batch.phase != BatchPhase::Done)?;
    let name = &status.batches.get(place)?.name;
    Some(format!("{name} ({}/{})", place + 1, status.batches.len()))
}

/// As kstatus has them: what is neither reconciling nor stalled has come to its end.
fn conditions(status: &Status) -> Vec<PlanCondition> {
    let is_stalled = matches!(status.phase, Phase::Failed | Phase::Refused | Phase::Aborted);
    let is_reconciling = !is_stalled && !status.phase.is_over();
    let reason = status.code.map_or_else(|| status.phase.as_str().to_owned(), |code| code.to_string());
    let condition = |kind: &str, holds: bool| PlanCondition {
        r#type: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        // A dot is none of the characters that Kubernetes has in a reason.
        reason: reason.replace('.', "_"),
        message: status.message.clone(),
    };
    let warning = PlanCondition {
        r#type: "Warning".to_owned(),
        status: if status.warning.is_empty() { "False" } else { "True" }.to_owned(),
        reason: if status.warning.is_empty() { "NoneKnown" } else { "MayNotEnd" }.to_owned(),
        message: status.warning.clone(),
    };
    vec![condition("Reconciling", is_reconciling), condition("Stalled", is_stalled), healthy(status), warning]
}

/// Whether the module is UP where it serves. A plan that asks nobody does not know.
fn healthy(status: &Status) -> PlanCondition {
    let (holds, reason, message) = match &status.health {
        None => ("Unknown", "HealthUnknown", "the modules were not asked for their health"),
        Some(health) if health.down > 0 => ("False", "Down", &*health.message),
        Some(health) if health.unknown > 0 => ("Unknown", "HealthUnknown", &*health.message),
        Some(_) => ("True", "Up", "every base that was asked says UP"),
    };
    PlanCondition {
        r#type: "ModulesHealthy".to_owned(),
        status: holds.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}
