//! A ModuleBaseline, from JSON to [`BaselineView`].

use engine::{
    drift::{Difference, Kind as DriftKind},
    view::{BaselineRef, BaselineStatus, BaselineView, Counts, Sample},
};
use kube::core::ClusterResourceScope;
use serde::Deserialize;

use super::{Kind, Slim, Unreadable, meta::MetaJson, nothing, plan::selector, version};
use crate::baselines::{BaselineSample, ModuleBaselineSpec, ModuleBaselineStatus};

/// A ModuleBaseline of a watch or a response.
pub(crate) type Baseline = Slim<BaselineView>;

/// The condition that says whether bases are as they are wanted.
pub(crate) const CONSISTENT: &str = "Consistent";

#[derive(Deserialize)]
struct BaselineJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: ModuleBaselineSpec,
    #[serde(default, deserialize_with = "nothing")]
    status: ModuleBaselineStatus,
}

impl Kind for BaselineView {
    const KIND: &'static str = "ModuleBaseline";
    const GROUP: &'static str = "koupleless.io";
    const VERSION: &'static str = "v1alpha1";
    const PLURAL: &'static str = "modulebaselines";
    type Scope = ClusterResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        let BaselineJson { metadata, spec, status } = serde_json::from_str(json)?;
        Ok(Self {
            baseline: BaselineRef {
                name: metadata.name.ok_or(Unreadable::Missing("name"))?,
                uid: metadata.uid.ok_or(Unreadable::Missing("uid"))?,
            },
            resource_version: version(&metadata.resource_version),
            generation: metadata.generation,
            selector: spec.selector.map(selector).unwrap_or_default(),
            env: spec.environment.unwrap_or_default().into(),
            status: self::status(status),
        })
    }
}

fn status(json: ModuleBaselineStatus) -> BaselineStatus {
    let count = |count: Option<i32>| count.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let consistent = json.conditions.iter().find(|condition| condition.r#type == CONSISTENT);
    BaselineStatus {
        env: json.environment.unwrap_or_default().into(),
        generation: json.observed_generation.unwrap_or_default(),
        bases: count(json.bases),
        under_plan: count(json.under_plan),
        not_ready: count(json.not_ready),
        counts: Counts {
            missing: count(json.missing),
            wrong_version: count(json.wrong_version),
            not_active: count(json.not_active),
            extra: count(json.extra),
        },
        since: consistent.and_then(|condition| condition.last_transition_time),
        samples: json.samples.into_iter().filter_map(sample).collect(),
    }
}

fn sample(json: BaselineSample) -> Option<Sample> {
    let kind = DriftKind::from_name(&json.difference)?;
    let (name, wanted) = (json.module.into(), json.wanted.map(Into::into));
    let difference = Difference { kind, name, wanted, found: json.found.map(Into::into) };
    Some(Sample { base: json.base.into(), difference })
}

#[cfg(test)]
mod tests {
    use model::Language;

    use super::*;
    use crate::write::baseline::status_json;

    fn read(spec: &str, status: &str) -> BaselineView {
        let metadata = r#"{"name": "all", "uid": "u", "resourceVersion": "7", "generation": 3}"#;
        let json = format!(r#"{{"metadata": {metadata}, "spec": {spec}, "status": {status}}}"#);
        BaselineView::read(&json).unwrap()
    }

    #[test]
    fn a_status_is_read_as_it_was_written() {
        let difference = Difference {
            kind: DriftKind::WrongVersion,
            name: "biz1".into(),
            wanted: Some("1".into()),
            found: Some("2".into()),
        };
        let missing = Difference { kind: DriftKind::Missing, found: None, ..difference.clone() };
        let sample = |difference| Sample { base: "virtual-node-a".into(), difference };
        let status = BaselineStatus {
            env: "dev".into(),
            generation: 3,
            bases: 9,
            under_plan: 1,
            not_ready: 2,
            counts: Counts { missing: 1, wrong_version: 1, not_active: 0, extra: 0 },
            samples: vec![sample(difference), sample(missing)],
            since: "2026-11-29T10:00:00Z".parse().ok(),
        };
        assert_eq!(read("{}", &status_json(&status, Language::English).to_string()).status, status);
        let none = BaselineStatus { since: status.since, generation: 1, ..BaselineStatus::default() };
        assert_eq!(read("{}", &status_json(&none, Language::English).to_string()).status, none);
    }

    #[test]
    fn whom_it_selects_is_read_and_all_where_it_says_nothing() {
        let view = read(r#"{"selector": {"matchLabels": {"ring": "beta"}}, "environment": "prod"}"#, "null");
        assert_eq!((view.selector.labels.len(), &*view.env), (1, "prod"));
        assert_eq!(read("null", "{}").selector, plan::Selector::default());
    }
}
