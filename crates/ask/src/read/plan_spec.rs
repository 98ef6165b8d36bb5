//! The batches of a plan as somebody wrote them, in the words of the crate that carries plans out.

use model::bilingual;
use plan::{
    BatchPhase, BatchStatus, Draft, DraftBatch, DraftHealth, Invalid, Operator, Requirement, Selector, Spec,
    Status,
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Plan,
    json::nothing,
    selector::{RequirementJson, SelectorJson},
};
use crate::text::Text;

/// What a plan releases, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Name and version.
    pub module: (Text, Text),
    pub batches: Vec<BatchJson>,
    /// Where a module is asked for its health; none where it is not.
    pub(super) health: Option<HealthJson>,
}

/// `spec.health`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HealthJson {
    port: i64,
    web_context_path: Option<String>,
}

/// One of `spec.batches`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchJson {
    #[serde(deserialize_with = "nothing")]
    pub name: String,
    #[serde(deserialize_with = "nothing")]
    pub(super) selector: SelectorJson,
    pub(super) size: Option<Value>,
    pub count: Option<u32>,
    #[serde(deserialize_with = "nothing")]
    pub soak_seconds: u64,
    #[serde(deserialize_with = "nothing")]
    pub confirm: bool,
    pub(super) max_unavailable: Option<Value>,
}

impl Plan {
    /// Its batches, each part by itself.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub fn spec(&self) -> Result<Spec, Invalid> {
        let (name, version) = &self.written.module;
        let bad = |what: &str| {
            Invalid::new(
                bilingual!("its {what} is none", "它的 {what} 不正确"),
                bilingual!("write it as the Pod template does", "请与 Pod 模板中的写法一致"),
            )
        };
        let module = model::BizId {
            name: name.parse().map_err(|_| bad("module.name"))?,
            version: version.parse().map_err(|_| bad("module.version"))?,
        };
        let batches = self.written.batches.iter().map(BatchJson::draft).collect::<Result<_, _>>()?;
        let health = self.written.health.clone();
        let health =
            health.map(|HealthJson { port, web_context_path }| DraftHealth { port, web_context_path });
        // The controller alone knows which servers may be asked; and they change nothing of which bases come when.
        let metrics = Vec::new();
        Spec::of(Draft { module, batches, ready_timeout_seconds: 1, max_failed: 0, metrics, health })
    }

    /// It never changes again.
    pub fn is_over(&self) -> bool {
        plan::Phase::from_name(&self.status.phase).is_some_and(plan::Phase::is_over)
    }

    /// How far it is.
    pub fn standing(&self) -> Status {
        let batch = |batch: &super::plan::Batch| BatchStatus {
            name: (*batch.name).into(),
            phase: BatchPhase::from_name(&batch.phase).unwrap_or_default(),
            threshold: batch.threshold,
            ..BatchStatus::default()
        };
        Status { batches: self.status.batches.iter().map(batch).collect(), ..Status::default() }
    }
}

impl BatchJson {
    /// How many bases, as somebody wrote it; empty where nobody did.
    pub fn size(&self) -> String {
        self.size.as_ref().map(amount).unwrap_or_default()
    }

    /// How many may be unavailable, as somebody wrote it; empty where nobody did.
    pub fn max_unavailable(&self) -> String {
        self.max_unavailable.as_ref().map(amount).unwrap_or_default()
    }

    /// Its selector, as kubectl takes one.
    pub fn selector(&self) -> String {
        self.selector.to_string()
    }

    fn draft(&self) -> Result<DraftBatch, Invalid> {
        Ok(DraftBatch {
            name: self.name.clone(),
            selector: selector(&self.selector)?,
            size: self.size.as_ref().map(amount),
            count: self.count,
            ..DraftBatch::default()
        })
    }
}

/// A number or a percentage.
fn amount(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

fn selector(json: &SelectorJson) -> Result<Selector, Invalid> {
    let requirement = |json: &RequirementJson| {
        let operator = Operator::from_name(&json.operator).ok_or_else(|| {
            let what = format!("{:?} is no operator of a selector", json.operator);
            Invalid::new(
                what,
                bilingual!(
                    "write In, NotIn, Exists or DoesNotExist",
                    "请写 In、NotIn、Exists 或 DoesNotExist"
                ),
            )
        })?;
        Ok(Requirement { key: json.key.clone(), operator, values: json.values.clone() })
    };
    let expressions = json.match_expressions.iter().map(requirement).collect::<Result<_, _>>()?;
    Ok(Selector { labels: json.match_labels.clone(), expressions })
}
