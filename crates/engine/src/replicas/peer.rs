//! One peer Deployment: when its replicas are written, and when not.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, bilingual};

use crate::{
    action::{Action, Announcement, Regarding},
    backoff,
    request::{Request, WriteError},
    trace::TraceId,
    view::WorkloadView,
    write_slot::WriteSlot,
};

/// Bases come and go in groups: this long the count may change before it is written. It is a part
/// of the second that is promised.
const SETTLE: Duration = Duration::from_millis(250);
/// A watch tells our own write within milliseconds; after so long without it we look no longer.
const ECHO: Duration = Duration::from_secs(5);
/// How often within [`ROW`] somebody may undo our write before we call it a contest. A person
/// tries once or twice; an autoscaler goes on for ever.
const REVERSALS: usize = 3;
const ROW: Duration = Duration::from_secs(60);
/// In a contest the replicas are set this rarely, and then more rarely still.
const SLOW: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));

/// What we wrote last, until the watch told it and somebody changed it.
#[derive(Debug)]
struct Written {
    replicas: i32,
    at: Duration,
    /// The watch has told it.
    seen: bool,
}

/// A Deployment whose replicas are kept.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// The Nodes that its template admits.
    pub(super) nodes: BTreeSet<Arc<str>>,
    /// When it wants to be looked at again.
    pub(super) wake: Option<Duration>,
    slot: WriteSlot,
    /// The last write met a newer version than ours.
    conflicted: bool,
    differs_since: Option<Duration>,
    /// The write under way: from how many to how many.
    sent: Option<(i32, i32)>,
    written: Option<Written>,
    reversals: VecDeque<Duration>,
    /// Contests in a row.
    contests: u32,
    not_before: Duration,
}

impl Peer {
    /// A new view of it came, of another version.
    pub(super) fn seen(&mut self, view: &WorkloadView, now: Duration, out: &mut Vec<Action>) {
        if std::mem::take(&mut self.conflicted) && !self.slot.is_busy() {
            // This is what the conflict asked to wait for.
            self.slot = WriteSlot::default();
        }
        let Some(written) = &mut self.written else { return };
        if view.replicas == written.replicas {
            written.seen = true;
        } else if written.seen {
            self.written = None;
            self.reversed(view, now, out);
        }
    }

    /// Somebody set the replicas to something else than we had.
    fn reversed(&mut self, view: &WorkloadView, now: Duration, out: &mut Vec<Action>) {
        let row = |at: &Duration| now.saturating_sub(*at) < ROW;
        if self.reversals.back().is_none_or(|at| now.saturating_sub(*at) >= SLOW.1 + ROW) {
            self.contests = 0;
        }
        self.reversals.retain(row);
        self.reversals.push_back(now);
        if self.contests == 0 && self.reversals.len() <= REVERSALS {
            return;
        }
        self.contests = self.contests.saturating_add(1);
        let wait = backoff::exponential(SLOW.0, SLOW.1, self.contests);
        self.not_before = now + wait;
        if self.contests == 1 {
            let (times, row, wait) = (self.reversals.len(), ROW.as_secs(), wait.as_secs());
            let note = bilingual!(
                "somebody else set the replicas back {times} times within {row} s (an autoscaler?); from now on they are set at \
                 most once in {wait} s. The label module-controller.koupleless.io/replicas-control: \"true\" on the Deployment \
                 leaves them to others",
                "{row} 秒内副本数被他人改回 {times} 次（是否有自动扩缩容？），此后最多每 {wait} 秒设置一次。给 Deployment 加上标签 \
                 module-controller.koupleless.io/replicas-control: \"true\"，副本数就交由他人管理"
            );
            announce(view, Some(NOT_MET), "PeerReplicasContested", note, out);
        }
    }

    /// A write ended.
    pub(super) fn ended(
        &mut self,
        view: &WorkloadView,
        now: Duration,
        result: &Result<(), WriteError>,
        out: &mut Vec<Action>,
    ) {
        self.slot.ended(now, result);
        let sent = self.sent.take();
        match result {
            Ok(()) => {
                if let Some((from, to)) = sent {
                    let note = bilingual!(
                        "replicas {from} to {to}: as many as Ready VNodes that the template admits",
                        "副本数由 {from} 改为 {to}：与模板可以调度到的 Ready VNode 数量一致"
                    );
                    announce(view, None, "PeerReplicas", note, out);
                }
                if let Some((_, 0)) = sent {
                    let note = bilingual!(
                        "there is no VNode that the template admits: compare its node affinity and tolerations with the \
                         labels and taints of the Nodes, or start a base that fits",
                        "没有模板可以调度到的 VNode：请核对模板的节点亲和性、容忍与 Node 的标签、污点，或启动符合条件的基座"
                    );
                    announce(view, Some(NO_NODE), &NO_NODE.to_string(), note, out);
                }
            }
            // It may have been carried out.
            Err(WriteError::Unavailable { .. }) => {}
            Err(error) => {
                self.written = None;
                self.conflicted = matches!(error, WriteError::Conflict(_));
                if let (WriteError::Refused(_), true) = (error, self.slot.is_first_failure()) {
                    let note = bilingual!(
                        "setting the replicas was refused (the controller needs the verb patch on deployments/scale): {error}",
                        "设置副本数时被拒绝（控制器需要 deployments/scale 的 patch 权限）：{error}"
                    );
                    announce(view, Some(NOT_MET), "WriteRefused", note, out);
                }
            }
        }
    }

    /// It is left alone at the moment.
    pub(super) fn rest(&mut self) {
        self.differs_since = None;
        self.wake = None;
    }

    /// Writes the replicas where they are not as many as Nodes.
    pub(super) fn advance(&mut self, view: &WorkloadView, now: Duration, out: &mut Vec<Action>) {
        self.wake = None;
        let wanted = i32::try_from(self.nodes.len()).unwrap_or(i32::MAX);
        if view.replicas == wanted {
            self.differs_since = None;
            return;
        }
        let since = *self.differs_since.get_or_insert(now);
        if self.slot.is_busy() {
            return;
        }
        let echo = self.written.as_ref().filter(|written| !written.seen && written.replicas == wanted);
        let due = [
            Some(since + SETTLE),
            Some(self.not_before),
            self.slot.wake(),
            echo.map(|written| written.at + ECHO),
        ];
        let due = due.into_iter().flatten().max().unwrap_or(now);
        if now < due {
            self.wake = Some(due);
            return;
        }
        self.slot.sent();
        self.sent = Some((view.replicas, wanted));
        self.written = Some(Written { replicas: wanted, at: now, seen: false });
        out.push(Action::Request(Request::ScaleDeployment {
            deployment: view.workload.clone(),
            replicas: wanted,
            resource_version: view.resource_version,
        }));
    }
}

/// The number of replicas that is wanted cannot be.
const NOT_MET: ErrorCode = ErrorCode::new(ErrorSource::ModuleController, ErrorType::RescaleRequirementNotMet);
/// There is no base that it could run on.
const NO_NODE: ErrorCode = ErrorCode::new(ErrorSource::ModuleController, ErrorType::ProcessNodeMissed);

/// What has a code is a warning.
fn announce(
    view: &WorkloadView,
    code: Option<ErrorCode>,
    reason: &str,
    note: Bilingual,
    out: &mut Vec<Action>,
) {
    out.push(Action::Announce(Box::new(Announcement {
        regarding: Regarding::Workload(view.workload.clone()),
        warning: code.is_some(),
        reason: reason.to_owned(),
        action: "Scale",
        what: note.clone(),
        note,
        code,
        detail: String::new(),
        base: None,
        biz: None,
        trace: TraceId::of(&[&view.workload.uid, reason, &view.resource_version.to_string()]),
        alarm: None,
    })));
}
