//! Writes to the status of ModuleBaseline objects.

use engine::{
    ClusterEvent, Event, WriteError,
    view::{BaselineRef, BaselineStatus},
};
use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, Language, bilingual};
use serde_json::{Value, json};

use super::api::{Api, Collection, How};
use crate::{
    baselines::{BaselineCondition, BaselineSample, ModuleBaselineStatus},
    slim::baseline::{Baseline, CONSISTENT},
};

impl Api {
    /// Writes the status of a ModuleBaseline that is still of this version.
    pub(crate) async fn patch_baseline_status(
        &self,
        baseline: &BaselineRef,
        resource_version: u64,
        language: Language,
        status: &BaselineStatus,
    ) -> Result<(), WriteError> {
        let metadata = json!({ "uid": baseline.uid, "resourceVersion": resource_version.to_string() });
        let body = json!({ "metadata": metadata, "status": status_json(status, language) });
        let written: Baseline =
            self.patch_status(&Collection::baselines(), &baseline.name, How::Merge, &body).await?;
        if let Ok(view) = written.body {
            // Closed: the engine is gone, and so is the one who would care.
            let _ = self.events.send(Event::Cluster(ClusterEvent::Baseline(Box::new(view)))).await;
        }
        Ok(())
    }
}

/// The whole status. A merge patch leaves alone what it does not name, so what is absent is named as null.
pub(crate) fn status_json(status: &BaselineStatus, language: Language) -> Value {
    let count = |count: u32| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let samples = status.samples.iter().map(|sample| BaselineSample {
        base: sample.base.to_string(),
        module: sample.difference.name.to_string(),
        difference: sample.difference.kind.as_str().to_owned(),
        wanted: text(&sample.difference.wanted),
        found: text(&sample.difference.found),
    });
    let told = ModuleBaselineStatus {
        observed_generation: Some(status.generation),
        environment: (!status.env.is_empty()).then(|| status.env.to_string()),
        bases: count(status.bases),
        under_plan: count(status.under_plan),
        not_ready: count(status.not_ready),
        missing: count(status.counts.missing),
        wrong_version: count(status.counts.wrong_version),
        not_active: count(status.counts.not_active),
        extra: count(status.counts.extra),
        samples: samples.collect(),
        code: (status.counts.sum() > 0).then(|| inconsistency().to_string()),
        conditions: conditions(status, language),
    };
    let mut json = serde_json::to_value(told).unwrap_or_default();
    if let Value::Object(fields) = &mut json {
        for name in ["code", "environment"] {
            fields.entry(name).or_insert(Value::Null);
        }
        fields.entry("samples").or_insert_with(|| json!([]));
    }
    json
}

fn inconsistency() -> ErrorCode {
    ErrorCode::new(ErrorSource::KouplelessBoard, ErrorType::BaselineInconsistency)
}

/// Whether bases are as they are wanted. As kstatus has it, a status that was told is complete, whatever it says.
fn conditions(status: &BaselineStatus, language: Language) -> Vec<BaselineCondition> {
    let BaselineStatus { bases, counts, .. } = status;
    let differ = counts.sum();
    let (holds, reason, message) = if differ > 0 {
        let suggestion = inconsistency().suggestion(language);
        let message = bilingual!(
            "{differ} modules differ on {bases} bases: {suggestion}",
            "{bases} 个基座上有 {differ} 个模块与期望不一致：{suggestion}"
        );
        ("False", "BaselineInconsistency", message)
    } else if *bases == 0 {
        let message = bilingual!(
            "no base that is Ready has the labels of the selector",
            "没有 Ready 的基座具有选择器中的标签"
        );
        ("Unknown", "NoBase", message)
    } else {
        let message = bilingual!(
            "{bases} bases are as their workloads want them",
            "{bases} 个基座与它们的工作负载所期望的一致"
        );
        ("True", "AsWanted", message)
    };
    let condition = |kind: &str, holds: &str, reason: &str, message: Bilingual| BaselineCondition {
        r#type: kind.to_owned(),
        status: holds.to_owned(),
        reason: reason.to_owned(),
        message: message.of(language).to_owned(),
        last_transition_time: status.since,
    };
    let told = |kind| {
        let message = bilingual!("it is told what differs; nothing is mended", "只报告不一致之处，不做修复");
        condition(kind, "False", "Told", message)
    };
    vec![condition(CONSISTENT, holds, reason, message), told("Reconciling"), told("Stalled")]
}
