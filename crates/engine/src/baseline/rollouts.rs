//! Which template of a workload was rolled out last. Kubernetes does not say: a Deployment that was made with no
//! replicas is complete to it (`NewReplicaSetAvailable`) although no Pod ever ran, a DaemonSet only tells how things stand
//! now, and when all bases restart at once nothing is Ready. So whoever leads writes down what it saw, as a condition
//! in the workload's status: there it outlives us, no `kubectl apply` or undo takes it away, and who may only edit
//! workloads cannot make it up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{InstallStrategy, ModuleSpec, bilingual};

use super::comes;
use crate::{
    action::{Action, Announcement, Regarding},
    event::Now,
    plans,
    pod::translate,
    replicas::Workloads,
    request::{Request, WriteError},
    trace::TraceId,
    view::{RolledOut, WorkloadRef, WorkloadView},
    write_slot::WriteSlot,
};

/// Whoever takes the condition away again is answered this rarely. Nobody rolls out more often, either.
const PAUSE: Duration = Duration::from_secs(60);

/// What is known of one workload.
#[derive(Debug, Default)]
struct Known {
    /// What was rolled out last.
    last: Option<Arc<RolledOut>>,
    /// What its condition said when it was seen last.
    told: Option<Arc<RolledOut>>,
    slot: WriteSlot,
    not_before: Duration,
    wake: Option<Duration>,
}

/// What was rolled out last, by the workload's UID.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    known: BTreeMap<Arc<str>, Known>,
    wakes: BTreeSet<(Duration, Arc<str>)>,
}

/// What a step sees of the rest.
pub(crate) struct Turn<'a> {
    pub(crate) env: &'a str,
    /// It is ours to write: of several replicas one does.
    pub(crate) writes: bool,
    pub(crate) now: Now,
    pub(crate) out: &'a mut Vec<Action>,
}

impl Rollouts {
    /// What was rolled out last; none where nobody saw that.
    pub(crate) fn of(&self, uid: &str) -> Option<&Arc<RolledOut>> {
        self.known.get(uid)?.last.as_ref()
    }

    /// When [`Self::tick`] is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// A workload appeared or changed.
    pub(crate) fn see(&mut self, view: &WorkloadView, turn: Turn<'_>) {
        let known = self.known.entry(view.workload.uid.clone()).or_default();
        if known.told != view.rolled_out {
            known.told.clone_from(&view.rolled_out);
            if known.told.is_some() {
                known.last.clone_from(&known.told);
            }
        }
        if view.is_rolled_out() {
            let now = rolled_out(view);
            if !known.last.as_ref().is_some_and(|last| last.is_same_now(&now)) {
                known.last = Some(Arc::new(now.after(known.last.as_deref())));
            }
        }
        self.advance(view, turn);
    }

    /// A workload is gone.
    pub(crate) fn forget(&mut self, uid: &Arc<str>) {
        if let Some(at) = self.known.remove(uid).and_then(|known| known.wake) {
            self.wakes.remove(&(at, uid.clone()));
        }
    }

    /// A write ended.
    pub(crate) fn written(&mut self, view: &WorkloadView, result: &Result<(), WriteError>, turn: Turn<'_>) {
        let Some(known) = self.known.get_mut(&view.workload.uid) else { return };
        known.slot.ended(turn.now.mono, result);
        match result {
            Ok(()) => known.not_before = turn.now.mono + PAUSE,
            Err(error @ WriteError::Refused(_)) if known.slot.is_first_failure() => {
                announce_refusal(&view.workload, error, turn.out);
            }
            Err(_) => {}
        }
        self.advance(view, turn);
    }

    /// Time passed, or what is written is ours from now on.
    pub(crate) fn tick(&mut self, workloads: &Workloads, all: bool, turn: Turn<'_>) {
        let Turn { env, writes, now, out } = turn;
        let due: Vec<Arc<str>> = match all {
            true => self.known.keys().cloned().collect(),
            false => {
                self.wakes.iter().take_while(|(at, _)| *at <= now.mono).map(|(_, uid)| uid.clone()).collect()
            }
        };
        for view in due.iter().filter_map(|uid| workloads.get(uid)) {
            self.advance(view, Turn { env, writes, now, out });
        }
    }

    /// Writes down what was rolled out, where the workload does not say so.
    fn advance(&mut self, view: &WorkloadView, turn: Turn<'_>) {
        let uid = &view.workload.uid;
        let Some(known) = self.known.get_mut(uid) else { return };
        if let Some(at) = known.wake.take() {
            self.wakes.remove(&(at, uid.clone()));
        }
        let Some(last) = known.last.as_ref().filter(|last| view.rolled_out.as_ref() != Some(last)) else {
            return;
        };
        let is_told = comes(view, turn.env) || view.template.annotations.contains_key(plans::ANNOTATION);
        if !turn.writes || known.slot.is_busy() || last.modules.is_empty() || !is_told {
            return;
        }
        let due = known.not_before.max(known.slot.wake().unwrap_or_default());
        if turn.now.mono < due {
            known.wake = Some(due);
            self.wakes.insert((due, uid.clone()));
            return;
        }
        known.slot.sent();
        turn.out.push(Action::Request(Request::RecordRollout {
            workload: view.workload.clone(),
            rolled_out: last.clone(),
            at: turn.now.wall,
        }));
    }
}

fn announce_refusal(workload: &WorkloadRef, error: &WriteError, out: &mut Vec<Action>) {
    let resource = match workload.kind {
        crate::view::WorkloadKind::Deployment => "deployments/status",
        crate::view::WorkloadKind::DaemonSet => "daemonsets/status",
    };
    let note = bilingual!(
        "writing down what was rolled out was refused, so bases that start after a restart of the controller may not be \
         told to install it (the controller needs the verb patch on {resource}): {error}",
        "记录已发布的内容时被拒绝，控制器重启之后才启动的基座可能得不到安装它的通知（控制器需要 {resource} 的 patch 权限）：{error}"
    );
    out.push(Action::Announce(Box::new(Announcement {
        regarding: Regarding::Workload(workload.clone()),
        warning: true,
        reason: "WriteRefused".to_owned(),
        action: "RecordRollout",
        what: note.clone(),
        note,
        code: None,
        detail: String::new(),
        base: None,
        biz: None,
        trace: TraceId::of(&[&workload.uid, "RecordRollout"]),
        alarm: None,
    })));
}

/// The template as it is now. What cannot be read of it is left out: the Pod itself says what is wrong with it.
fn rolled_out(view: &WorkloadView) -> RolledOut {
    let told = |spec: ModuleSpec| ModuleSpec {
        strategy: InstallStrategy::default(),
        args: [].into(),
        envs: [].into(),
        ..spec
    };
    let modules = translate::of_template(view).into_iter().map(told).collect();
    RolledOut { modules, placement: view.template.placement.clone(), earlier: Vec::new() }
}
