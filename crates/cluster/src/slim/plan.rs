//! An operation plan, from JSON to [`PlanView`].

use engine::view::{PlanRef, PlanTarget, PlanView, WorkloadKind};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::NamespaceResourceScope;
use model::{BizId, bilingual};
use plan::{
    BatchPhase, BatchStatus, Draft, DraftBatch, DraftHealth, DraftMetric, Failure, HealthStatus, Invalid,
    MetricStatus, Operator, Phase, Reading, Requirement, Selector, Spec, Status, Steering,
};
use serde::Deserialize;

use super::{Kind, Slim, Unreadable, meta::MetaJson, nothing, version};
use crate::{
    definition::fingerprint,
    plans::{
        OperationPlanSpec, OperationPlanStatus, PlanBatch, PlanBatchStatus, PlanFailure, PlanHealth,
        PlanHealthStatus, PlanMetric, PlanMetricStatus, PlanOperator, PlanSelector, PlanStop, PlanTargetKind,
    },
};

/// An operation plan of a watch or a response.
pub(crate) type Plan = Slim<PlanView>;

#[derive(Deserialize)]
struct PlanJson {
    metadata: MetaJson,
    spec: OperationPlanSpec,
    #[serde(default, deserialize_with = "nothing")]
    status: OperationPlanStatus,
}

impl Kind for PlanView {
    const KIND: &'static str = "OperationPlan";
    const GROUP: &'static str = "koupleless.io";
    const VERSION: &'static str = "v1alpha1";
    const PLURAL: &'static str = "operationplans";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let PlanJson { metadata, spec, status } = serde_json::from_str(json)?;
        let number = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        let steering = Steering {
            confirmed: number(spec.confirmed),
            attempt: number(spec.attempt),
            paused: spec.paused.unwrap_or_default(),
            abort: spec.stop == Some(PlanStop::Abort),
        };
        let spec = OperationPlanSpec { confirmed: None, attempt: None, paused: None, stop: None, ..spec };
        Ok(Self {
            plan: PlanRef {
                namespace: metadata.namespace.ok_or(Unreadable::Missing("namespace"))?,
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
            resource_version: version(&metadata.resource_version),
            generation: metadata.generation,
            target: PlanTarget {
                kind: match spec.target.kind {
                    PlanTargetKind::Deployment => WorkloadKind::Deployment,
                    PlanTargetKind::DaemonSet => WorkloadKind::DaemonSet,
                },
                name: spec.target.name.as_str().into(),
            },
            steering,
            digest: digest(&spec)?.into(),
            spec: draft(spec).and_then(Spec::of),
            env: status.environment.clone().unwrap_or_default().into(),
            status: self::status(status),
        })
    }
}

/// Names all of a spec but what people set while the plan runs.
fn digest(spec: &OperationPlanSpec) -> Result<String, Unreadable> {
    Ok(fingerprint(&serde_json::to_string(spec)?))
}

fn draft(spec: OperationPlanSpec) -> Result<Draft, Invalid> {
    let word = |what: &str, error: model::biz::WordError| {
        let what = format!("module.{what}: {error}");
        Invalid::new(what, bilingual!("write it as the Pod template does", "请与 Pod 模板中的写法一致"))
    };
    let name = spec.module.name.parse().map_err(|error| word("name", error))?;
    let version = spec.module.version.parse().map_err(|error| word("version", error))?;
    let batches = spec.batches.into_iter().map(batch).collect::<Result<_, _>>()?;
    Ok(Draft {
        module: BizId { name, version },
        batches,
        ready_timeout_seconds: positive("readyTimeoutSeconds", spec.ready_timeout_seconds)?,
        max_failed: positive("maxFailed", i64::from(spec.max_failed))?,
        metrics: spec.metrics.into_iter().map(metric).collect(),
        health: spec.health.map(health),
    })
}

fn batch(batch: PlanBatch) -> Result<DraftBatch, Invalid> {
    Ok(DraftBatch {
        selector: batch.selector.map(selector).unwrap_or_default(),
        size: batch.size.map(text),
        count: batch.count.map(|count| positive("count", i64::from(count))).transpose()?,
        soak_seconds: positive("soakSeconds", batch.soak_seconds)?,
        confirm: batch.confirm,
        max_unavailable: batch.max_unavailable.map(text),
        name: batch.name,
    })
}

fn metric(metric: PlanMetric) -> DraftMetric {
    let PlanMetric { name, server, query, condition } = metric;
    DraftMetric { name, server, query, condition }
}

fn health(health: PlanHealth) -> DraftHealth {
    let PlanHealth { port, web_context_path } = health;
    DraftHealth { port: i64::from(port), web_context_path }
}

fn text(amount: IntOrString) -> String {
    match amount {
        IntOrString::Int(count) => count.to_string(),
        IntOrString::String(text) => text,
    }
}

fn positive<N: TryFrom<i64>>(name: &str, number: i64) -> Result<N, Invalid> {
    number.try_into().map_err(|_| {
        Invalid::new(
            bilingual!("{name} is {number}", "{name} 为 {number}"),
            bilingual!("write a number that is not negative", "请写不小于 0 的数"),
        )
    })
}

pub(super) fn selector(selector: PlanSelector) -> Selector {
    let expressions = selector.match_expressions.into_iter().map(|one| Requirement {
        key: one.key,
        operator: match one.operator {
            PlanOperator::In => Operator::In,
            PlanOperator::NotIn => Operator::NotIn,
            PlanOperator::Exists => Operator::Exists,
            PlanOperator::DoesNotExist => Operator::DoesNotExist,
        },
        values: one.values,
    });
    Selector { labels: selector.match_labels, expressions: expressions.collect() }
}

fn status(json: OperationPlanStatus) -> Status {
    let count = |count: Option<i32>| count.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let number = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok());
    Status {
        phase: json.phase.and_then(|name| Phase::from_name(&name)).unwrap_or_default(),
        code: json.code.and_then(|code| code.parse().ok()),
        message: json.message.unwrap_or_default(),
        digest: json.digest.unwrap_or_default().into(),
        attempt: number(json.attempt).unwrap_or_default(),
        confirmable: number(json.confirmable),
        offered: number(json.offered).unwrap_or_default(),
        batches: json.batches.into_iter().map(batch_status).collect(),
        bases: count(json.bases),
        ready: count(json.ready),
        unavailable: count(json.unavailable),
        failed: count(json.failed),
        failures: json.failures.into_iter().filter_map(failure).collect(),
        metrics: json.metrics.into_iter().filter_map(metric_status).collect(),
        health: json.health.map(health_status),
        warning: json.warning.unwrap_or_default(),
    }
}

fn batch_status(json: PlanBatchStatus) -> BatchStatus {
    BatchStatus {
        name: json.name.into(),
        phase: BatchPhase::from_name(&json.phase).unwrap_or_default(),
        threshold: json.threshold.and_then(|threshold| u64::try_from(threshold).ok()),
        bases: u32::try_from(json.bases).unwrap_or_default(),
        ready: u32::try_from(json.ready).unwrap_or_default(),
    }
}

fn failure(json: PlanFailure) -> Option<Failure> {
    Some(Failure { base: json.base.into(), code: json.code.parse().ok()?, message: json.message })
}

fn metric_status(json: PlanMetricStatus) -> Option<MetricStatus> {
    let reading = Reading::from_name(&json.reading)?;
    Some(MetricStatus { name: json.name.into(), reading, message: json.message })
}

fn health_status(json: PlanHealthStatus) -> HealthStatus {
    let count = |count: i32| u32::try_from(count).unwrap_or_default();
    HealthStatus {
        up: count(json.up),
        down: count(json.down),
        unknown: count(json.unknown),
        message: json.message,
    }
}

#[cfg(test)]
mod tests {
    use model::Language;

    use super::*;
    use crate::write::plan::status_json;

    fn plan(spec: &str, status: &str) -> PlanView {
        let metadata =
            r#"{"namespace": "ns", "name": "p", "uid": "u", "resourceVersion": "7", "generation": 3}"#;
        PlanView::read(&format!(r#"{{"metadata": {metadata}, "spec": {spec}, "status": {status}}}"#)).unwrap()
    }

    const SPEC: &str = r#""target": {"kind": "Deployment", "name": "biz1"}, "module": {"name": "biz1", "version": "2"},
        "batches": [{"name": "beta", "size": 1, "confirm": true, "selector": {"matchLabels": {"zone": "a"}}}, {"name": "rest"}]"#;

    #[test]
    fn what_people_set_while_it_runs_is_no_part_of_what_may_not_change() {
        let before = plan(&format!("{{{SPEC}}}"), "{}");
        let steered = plan(
            &format!(r#"{{{SPEC}, "confirmed": 1, "attempt": 2, "paused": true, "stop": "Abort"}}"#),
            "null",
        );
        assert_eq!(before.digest, steered.digest);
        assert_eq!(steered.steering, Steering { confirmed: 1, attempt: 2, paused: true, abort: true });
        assert_eq!(before.spec.as_ref().unwrap().batches.len(), 2);
        let defaulted = plan(&format!(r#"{{{SPEC}, "readyTimeoutSeconds": 600, "maxFailed": 0}}"#), "{}");
        assert_eq!(before.digest, defaulted.digest, "what the API server fills in changes nothing");
        let other = plan(&format!(r#"{{{SPEC}, "maxFailed": 1}}"#), "{}");
        assert_ne!(before.digest, other.digest);
    }

    #[test]
    fn where_the_health_is_asked_for_is_part_of_what_may_not_change() {
        let before = plan(&format!("{{{SPEC}}}"), "{}");
        let asked =
            plan(&format!(r#"{{{SPEC}, "health": {{"port": 8080, "webContextPath": "shop"}}}}"#), "{}");
        assert_ne!(before.digest, asked.digest);
        let endpoint = asked.spec.unwrap().health.unwrap();
        assert_eq!((endpoint.port, &*endpoint.path), (8080, "/shop/actuator/health"));
        let told =
            plan(&format!(r#"{{{SPEC}, "health": {{"port": 0}}}}"#), "{}").spec.unwrap_err().to_string();
        assert!(told.starts_with("health.port is 0"), "{told}");
    }

    #[test]
    fn what_makes_no_sense_is_told_and_not_skipped() {
        let spec = SPEC.replace(r#""size": 1"#, r#""size": "0%""#);
        let told = plan(&format!("{{{spec}}}"), "{}").spec.unwrap_err().to_string();
        assert!(told.starts_with("batch beta: \"0%\" is no number of bases"), "{told}");
        let told = plan(&format!(r#"{{{SPEC}, "maxFailed": -1}}"#), "{}").spec.unwrap_err().to_string();
        assert!(told.starts_with("maxFailed is -1"), "{told}");
    }

    #[test]
    fn a_status_is_read_as_it_was_written() {
        let status = Status {
            phase: Phase::Failed,
            code: "User.InstallModuleFailed".parse().ok(),
            message: "it failed".to_owned(),
            digest: "d".into(),
            attempt: 2,
            confirmable: Some(4),
            offered: 4,
            batches: vec![BatchStatus {
                name: "beta".into(),
                phase: BatchPhase::Soaking,
                threshold: Some((1 << 53) - 1),
                bases: 3,
                ready: 2,
            }],
            bases: 9,
            ready: 2,
            unavailable: 1,
            failed: 1,
            failures: vec![Failure {
                base: "host".into(),
                code: "User.InstallModuleFailed".parse().unwrap(),
                message: "why".to_owned(),
            }],
            metrics: vec![MetricStatus {
                name: "errors".into(),
                reading: Reading::Missing,
                message: "no data".to_owned(),
            }],
            health: Some(HealthStatus { up: 1, down: 1, unknown: 2, message: "it is DOWN".to_owned() }),
            warning: "a Pod finds no base".to_owned(),
        };
        let json = status_json(&status, 3, "dev", Language::English).to_string();
        assert_eq!(plan(&format!("{{{SPEC}}}"), &json).status, status);
    }
}
