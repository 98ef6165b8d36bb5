//! ModuleBaseline objects: in what the bases that each selects differ from what workloads want of them. The replica that leads
//! writes that into their statuses, and nothing else: whatever differs is left as it is.
//!
//! Only what changed is looked at again, and where there is no such object, nothing is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::base::Standing;
use crate::{
    action::Action,
    event::Now,
    request::{Request, WriteError},
    view::{BaselineRef, BaselineStatus, BaselineView, NodeView, Sample},
    write_slot::WriteSlot,
};

/// A status is written no more often than this.
const PAUSE: Duration = Duration::from_secs(1);

/// What happens within this time is looked at together.
const TOGETHER: Duration = Duration::from_millis(250);

/// So many differences are named in a status: it is for people, and `kubectl koupleless baseline` names them all.
pub(crate) const MOST_SAMPLES: usize = 20;

/// What is known of one object.
#[derive(Debug)]
struct Known {
    view: BaselineView,
    slot: WriteSlot,
}

/// Which bases are to be looked at again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// All of them.
    All,
    /// Those behind these Nodes.
    Nodes(BTreeSet<Arc<str>>),
}

impl Default for Stale {
    fn default() -> Self {
        Self::Nodes(BTreeSet::new())
    }
}

/// All ModuleBaseline objects, and how bases stand.
#[derive(Debug, Default)]
pub(crate) struct Drifts {
    known: BTreeMap<Arc<str>, Known>,
    /// By Node. Empty where there is no object.
    standings: HashMap<Arc<str>, Standing>,
    stale: Stale,
    wake: Option<Duration>,
    not_before: Duration,
}

impl Drifts {
    /// When a look is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.wake
    }

    /// An object appeared or changed.
    pub(crate) fn see(&mut self, view: BaselineView, now: Duration) {
        let is_first = self.known.is_empty();
        let name = view.baseline.name.clone();
        match self.known.get_mut(&name).filter(|known| known.view.baseline.uid == view.baseline.uid) {
            // A version of 0 could not be read; a later one is told again.
            Some(known) if view.resource_version < known.view.resource_version => return,
            Some(known) => known.view = view,
            None => drop(self.known.insert(name, Known { view, slot: WriteSlot::default() })),
        }
        if is_first {
            self.touch_all(now);
        }
        self.wake_at(now + TOGETHER);
    }

    /// An object is gone.
    pub(crate) fn lose(&mut self, baseline: &BaselineRef) {
        if self.known.get(&baseline.name).is_some_and(|known| known.view.baseline.uid == baseline.uid) {
            self.known.remove(&baseline.name);
        }
        if self.known.is_empty() {
            *self = Self::default();
        }
    }

    /// Something changed on the base behind this Node.
    pub(crate) fn touch(&mut self, node: &Arc<str>, now: Duration) {
        if self.known.is_empty() {
            return;
        }
        if let Stale::Nodes(nodes) = &mut self.stale
            && !nodes.contains(node)
        {
            nodes.insert(node.clone());
        }
        self.wake_at(now + TOGETHER);
    }

    /// Something changed that may concern any base.
    pub(crate) fn touch_all(&mut self, now: Duration) {
        if self.known.is_empty() {
            return;
        }
        self.stale = Stale::All;
        self.wake_at(now + TOGETHER);
    }

    fn wake_at(&mut self, at: Duration) {
        let at = at.max(self.not_before);
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Another replica leads: what changes from now on is its matter.
    pub(crate) fn rest(&mut self) {
        self.standings.clear();
        (self.stale, self.wake) = (Stale::All, None);
    }

    /// What is to be looked at now.
    pub(crate) fn begin_look(&mut self, now: Duration) -> Stale {
        (self.wake, self.not_before) = (None, now + PAUSE);
        let stale = std::mem::take(&mut self.stale);
        if stale == Stale::All {
            self.standings.clear();
        }
        stale
    }

    /// How a base stands; none where its Node is gone.
    pub(crate) fn note(&mut self, node: &Arc<str>, standing: Option<Standing>) {
        match standing {
            Some(standing) => drop(self.standings.insert(node.clone(), standing)),
            None => drop(self.standings.remove(node)),
        }
    }

    /// Writes what has changed into the statuses of the objects that are of this environment.
    pub(crate) fn end_look(&mut self, nodes: &[&NodeView], env: &Arc<str>, now: Now, out: &mut Vec<Action>) {
        let Self { known, standings, .. } = self;
        let mut again: Option<Duration> = None;
        for known in known.values_mut() {
            let Some(next) = told(&known.view, nodes, standings, env, now) else { continue };
            if next == known.view.status {
                continue;
            }
            if known.slot.is_free(now.mono) {
                known.slot.sent();
                out.push(Action::Request(Request::PatchBaselineStatus {
                    baseline: known.view.baseline.clone(),
                    resource_version: known.view.resource_version,
                    status: Box::new(next),
                }));
            } else if let Some(at) = known.slot.wake() {
                again = Some(again.map_or(at, |again| again.min(at)));
            }
        }
        if let Some(at) = again {
            self.wake_at(at);
        }
    }

    /// The write of a status ended.
    pub(crate) fn written(&mut self, baseline: &BaselineRef, result: &Result<(), WriteError>, now: Duration) {
        let known = self.known.get_mut(&baseline.name);
        let Some(known) = known.filter(|known| known.view.baseline.uid == baseline.uid) else { return };
        known.slot.ended(now, result);
        let at = known.slot.wake().unwrap_or_default().max(now + TOGETHER);
        self.wake_at(at);
    }
}

/// What an object's status shall be; none where another controller writes it: two that see different bases would write it in
/// turns.
fn told(
    view: &BaselineView,
    nodes: &[&NodeView],
    standings: &HashMap<Arc<str>, Standing>,
    env: &Arc<str>,
    now: Now,
) -> Option<BaselineStatus> {
    let of = if view.env.is_empty() { &view.status.env } else { &view.env };
    if !of.is_empty() && of != env {
        return None;
    }
    let mut status = BaselineStatus { generation: view.generation, ..BaselineStatus::default() };
    for node in nodes.iter().filter(|node| view.selector.selects(&node.labels)) {
        let Some(standing) = standings.get(&node.name) else { continue };
        if !standing.is_ready {
            status.not_ready = status.not_ready.saturating_add(1);
            continue;
        }
        status.bases = status.bases.saturating_add(1);
        status.under_plan = status.under_plan.saturating_add(u32::from(standing.under_plan));
        for difference in &standing.differences {
            status.counts.add(difference.kind);
            if status.samples.len() < MOST_SAMPLES {
                status.samples.push(Sample { base: node.name.clone(), difference: difference.clone() });
            }
        }
    }
    if status.bases > 0 || status.not_ready > 0 || !of.is_empty() {
        status.env = env.clone();
    }
    let is_same = view.status.generation > 0
        && (status.counts.sum() == 0) == (view.status.counts.sum() == 0)
        && (status.bases == 0) == (view.status.bases == 0);
    status.since = view.status.since.filter(|_| is_same).or(Some(now.wall));
    Some(status)
}

#[cfg(test)]
mod tests;
