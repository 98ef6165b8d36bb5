//! One report: what of an announcement people on call want to know.

use engine::{Alarm, Announcement, Regarding, TraceId};
use jiff::Timestamp;
use model::{BaseIdentity, BizId, ErrorCode, Language};

use crate::repeats::Key;

/// What is told of one fault.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) alarm: Alarm,
    pub(crate) code: Option<ErrorCode>,
    /// What was being done, and the cause.
    pub(crate) what: String,
    /// None where it is about no base.
    pub(crate) base: Option<BaseIdentity>,
    /// `namespace/name` of the operation plan, where it is about one.
    pub(crate) plan: Option<String>,
    /// `namespace/name` of the Pod, where it is about one.
    pub(crate) pod: Option<String>,
    pub(crate) biz: Option<BizId>,
    pub(crate) trace: TraceId,
    pub(crate) at: Timestamp,
    /// How often it was seen since the last report of the same.
    pub(crate) repeated: u32,
}

impl Report {
    /// None where the announcement is no alarm.
    pub(crate) fn of(said: &Announcement, language: Language, at: Timestamp) -> Option<Self> {
        let (pod, plan) = match &said.regarding {
            Regarding::Pod(pod) => (Some(pod.to_string()), None),
            Regarding::Plan(plan) => (None, Some(plan.to_string())),
            Regarding::Node { .. } | Regarding::Workload(_) => (None, None),
        };
        Some(Self {
            alarm: said.alarm?,
            code: said.code,
            what: said.what.of(language).to_owned(),
            base: said.base.clone(),
            plan,
            pod,
            biz: said.biz.clone(),
            trace: said.trace,
            at,
            repeated: 0,
        })
    }

    /// What makes it a repeat of another.
    pub(crate) fn key(&self) -> Key {
        let is_everywhere = self.alarm == Alarm::BlastRadius;
        Key {
            alarm: self.alarm,
            code: self.code,
            base: self.base.clone().filter(|_| !is_everywhere),
            plan: self.plan.clone(),
            biz: self.biz.clone(),
        }
    }
}
