//! Permits to displace what serves: of one owner's Pods, at most as many bases at a time as its workload allows to be
//! unavailable (rule O7), and nothing that failed so elsewhere (rule O9).
//!
//! Where this is the only replica all of it is in memory. Else a Lease for each owner says which Pods hold a permit
//! ([`shared`]), and what is here is only what this replica's bases want.

mod bars;
mod room;
mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{BaseIdentity, ModuleSpec};

use crate::{
    config::Config,
    pod::{barred, translate},
    view::{Owner, Phase, PodView, WorkloadRef, WorkloadView},
};
pub(crate) use bars::Bar;
use bars::{Bars, News};
use room::{Limit, Pods, Room, Seen};
pub(crate) use shared::Turn;
use shared::{Listed, Shared};

/// Who asks for a permit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant<'a> {
    /// Whose Pod. A bare Pod is an owner of its own, of no kind ([`is_bare`]).
    pub(crate) whose: &'a Owner,
    /// Its UID.
    pub(crate) pod: &'a Arc<str>,
    /// The version of its last view.
    pub(crate) version: u64,
    /// Its Node.
    pub(crate) node: &'a Arc<str>,
    /// The base behind it.
    pub(crate) base: &'a BaseIdentity,
}

/// How a Pod of this replica's stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It waits for one.
    Asked,
    /// It has one.
    Held,
    /// It needs none any more; since when the Lease has not said so, where there is one.
    Returned(Option<Duration>),
    /// The Lease says that it has one, and nobody here has asked for it; since when.
    Stray(Duration),
}

/// A Pod of this replica's.
#[derive(Debug, Clone)]
struct Mine {
    base: Option<BaseIdentity>,
    node: Arc<str>,
    /// Which version of it asks.
    version: u64,
    state: State,
}

/// What is known of one owner.
#[derive(Debug, Clone, Default)]
struct Of {
    limit: Option<Limit>,
    /// How many a batch of an operation plan allows to be unavailable; none while none is at work.
    by_plan: Option<usize>,
    pods: Pods,
    mine: BTreeMap<Arc<str>, Mine>,
    listed: Listed,
}

impl Of {
    fn is_empty(&self) -> bool {
        self.limit.is_none()
            && self.by_plan.is_none()
            && self.pods.is_empty()
            && self.mine.is_empty()
            && self.listed.is_empty()
    }

    /// What its workload allows; where a plan releases it that says to allow none, and the plan's batch says how many.
    fn limit(&self) -> Option<Limit> {
        let by_plan = self.by_plan.unwrap_or_default();
        self.limit.map(|limit| limit.or_at_least(by_plan))
    }

    /// Gives a permit to whom there is room for among those that wait, with the version that each asks with. Who takes
    /// nothing away that serves comes first: the one that always may is not one more to be unavailable then.
    fn admit(&self, room: &mut Room<'_>) -> Vec<(Arc<str>, u64)> {
        if room.is_full() {
            return Vec::new();
        }
        let mut waiting: Vec<(&Arc<str>, &Mine)> =
            self.mine.iter().filter(|(_, mine)| mine.state == State::Asked).collect();
        waiting.sort_by_key(|(uid, _)| self.pods.cost(uid));
        let admitted = waiting.into_iter().filter(|(uid, _)| room.admit(uid));
        admitted.map(|(uid, mine)| (uid.clone(), mine.version)).collect()
    }

    fn of_state(&self, state: State) -> impl Iterator<Item = &Arc<str>> {
        self.mine.iter().filter(move |(_, mine)| mine.state == state).map(|(uid, _)| uid)
    }
}

/// Who holds a permit and who waits for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permits {
    /// None where this is the only replica.
    shared: Option<Shared>,
    /// Pods are looked at: there are other replicas, or workloads that say how many may be unavailable.
    tracks: bool,
    owners: BTreeMap<Owner, Of>,
    bars: Bars,
    /// Owners of whom something has changed.
    changed: BTreeSet<Owner>,
    freed: Vec<BaseIdentity>,
}

impl Permits {
    pub(crate) fn new(config: &Config) -> Self {
        let shared = config.cluster.is_some().then(|| Shared::new(config.env.clone()));
        Self { tracks: shared.is_some() || config.module_deployments, shared, ..Self::default() }
    }

    /// Takes the permit for a Pod; true where the Pod has it (already). Else the base is looked at again when it has.
    pub(crate) fn take(&mut self, who: Claimant<'_>, now: Duration) -> bool {
        if is_bare(who.whose) || self.holds(who.whose, who.pod) {
            return true;
        }
        let is_shared = self.shared.is_some();
        let of = self.owners.entry(who.whose.clone()).or_default();
        let has = match is_shared {
            true => of.inherits(who.pod, now) || of.has_it_still(who.pod, now),
            false => {
                let mut room = Room::new(&of.pods, of.limit());
                of.of_state(State::Held).for_each(|holder| room.hold(holder));
                room.admit(who.pod)
            }
        };
        let asked = of.mine.get(who.pod).filter(|mine| mine.state == State::Asked);
        let mine = Mine {
            base: Some(who.base.clone()),
            node: who.node.clone(),
            // What was asked for with an earlier one is given by that.
            version: asked.map_or(who.version, |mine| mine.version),
            state: if has { State::Held } else { State::Asked },
        };
        of.mine.insert(who.pod.clone(), mine);
        if !has {
            self.changed.insert(who.whose.clone());
        }
        has
    }

    /// The Pod got a permit under a replica of before, and its place is not taken yet: it goes on.
    pub(crate) fn inherit(&mut self, who: Claimant<'_>, now: Duration) -> bool {
        let inherits = self.shared.is_some()
            && !is_bare(who.whose)
            && self.owners.get(who.whose).is_some_and(|of| of.inherits(who.pod, now));
        inherits && self.take(who, now)
    }

    /// The Pod has the permit.
    pub(crate) fn holds(&self, whose: &Owner, pod: &Arc<str>) -> bool {
        let mine = || self.owners.get(whose)?.mine.get(pod);
        is_bare(whose) || mine().is_some_and(|mine| mine.state == State::Held)
    }

    /// Gives the permit back, or does not ask for it any more.
    pub(crate) fn give_back(&mut self, whose: &Owner, pod: &Arc<str>) {
        let Some(of) = self.owners.get_mut(whose) else { return };
        let Some(mine) = of.mine.get_mut(pod) else { return };
        match self.shared {
            Some(_) => mine.state = State::Returned(None),
            None => drop(of.mine.remove(pod)),
        }
        self.changed.insert(whose.clone());
    }

    /// The same has failed as a replacement for another Pod, so that it is not to be tried for this one
    /// too: a bad version costs one base, not all. The base is looked at again when that is over.
    pub(crate) fn is_spoilt(&mut self, bar: &Bar, pod: &Arc<str>, base: &BaseIdentity) -> bool {
        self.bars.is_spoilt(bar, pod, base)
    }

    /// All that has failed as a replacement on a base, with the UID of the Pod it failed for. Whoever
    /// waited because of what is no longer among it is looked at again.
    pub(crate) fn bars(&mut self, base: &BaseIdentity, bars: Vec<(Bar, Arc<str>)>) {
        let news = self.bars.of_base(base, bars);
        self.hear(news);
    }

    /// Who waited because of a bar goes on; and who waits for a permit to do what has just failed elsewhere thinks again.
    fn hear(&mut self, news: News) {
        self.freed.extend(news.released);
        let owners = news.halted.iter().filter_map(|owner| self.owners.get(owner));
        let waiting = owners.flat_map(|of| of.mine.values()).filter(|mine| mine.state == State::Asked);
        self.freed.extend(waiting.filter_map(|mine| mine.base.clone()));
    }

    /// A view of a Pod came, on whichever base.
    pub(crate) fn see_pod(&mut self, pod: &PodView) {
        let Some(owner) = pod.owner.as_ref().filter(|_| self.tracks) else { return };
        let uid = &pod.pod.uid;
        let over = matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
        let live = pod.deletion.is_none() && !over;
        let ready = live && pod.status.is_ready();
        let barred = if live { barred::specs(pod) } else { Vec::new() };
        let done = ready || !barred.is_empty();
        self.see_bars(uid, owner, barred, live && !ready, pod);
        let seen = Seen {
            node: pod.node.clone(),
            version: pod.resource_version,
            ready,
            done_at: done.then_some(pod.resource_version),
            over,
        };
        let of = self.owners.entry(owner.clone()).or_default();
        if of.pods.see(uid, seen) && !of.is_quiet() {
            self.changed.insert(owner.clone());
        }
    }

    /// What failed for a Pod stays so until the Pod serves, goes, or asks for something else; that it may be tried once
    /// more says nothing of it.
    fn see_bars(
        &mut self,
        uid: &Arc<str>,
        owner: &Owner,
        barred: Vec<ModuleSpec>,
        waits: bool,
        pod: &PodView,
    ) {
        let known = self.bars.known(uid);
        if barred.is_empty() && known.is_empty() {
            return;
        }
        let asked = translate::specs(pod);
        let stays = |(_, spec): &&Bar| waits && asked.contains(spec) && !barred.contains(spec);
        let kept: Vec<Bar> = known.iter().filter(stays).cloned().collect();
        let bars = barred.into_iter().map(|spec| (owner.clone(), spec)).chain(kept).collect();
        let news = self.bars.of_pod(uid, bars);
        self.hear(news);
    }

    /// A Pod is gone.
    pub(crate) fn lose_pod(&mut self, uid: &Arc<str>) {
        if !self.tracks {
            return;
        }
        let news = self.bars.of_pod(uid, Vec::new());
        self.hear(news);
        let Some(owner) =
            self.owners.iter().find(|(_, of)| of.pods.find(uid).is_some()).map(|(owner, _)| owner.clone())
        else {
            return;
        };
        let Some(of) = self.owners.get_mut(&owner) else { return };
        of.pods.lose(uid);
        of.listed.pod_ended(uid);
        if !of.is_quiet() {
            self.changed.insert(owner);
        } else if of.is_empty() {
            self.owners.remove(&owner);
        }
    }

    /// A workload says how many of its Pods may be unavailable, and how many are.
    pub(crate) fn see_workload(&mut self, view: &WorkloadView) {
        let owner = view.workload.owner();
        let of = self.owners.entry(owner.clone()).or_default();
        let limit = Some(Limit::from(view));
        if of.limit != limit {
            of.limit = limit;
            self.changed.insert(owner);
        }
    }

    /// A batch of an operation plan is at work on a workload, or none any more.
    pub(crate) fn see_batch(&mut self, owner: &Owner, most_unavailable: Option<usize>) {
        if most_unavailable.is_none() && !self.owners.contains_key(owner) {
            return;
        }
        let of = self.owners.entry(owner.clone()).or_default();
        if of.by_plan != most_unavailable {
            of.by_plan = most_unavailable;
            self.changed.insert(owner.clone());
        }
        if of.is_empty() {
            self.owners.remove(owner);
        }
    }

    /// A workload is gone.
    pub(crate) fn lose_workload(&mut self, workload: &WorkloadRef) {
        let owner = workload.owner();
        let Some(of) = self.owners.get_mut(&owner) else { return };
        of.limit = None;
        if of.is_empty() {
            self.owners.remove(&owner);
        }
    }

    /// A base that waited for a permit that it has now, or because of a bar that fell.
    pub(crate) fn next_freed(&mut self) -> Option<BaseIdentity> {
        loop {
            if let Some(base) = self.freed.pop() {
                return Some(base);
            }
            if self.shared.is_some() {
                return None;
            }
            let owner = self.changed.pop_first()?;
            self.grant(&owner);
        }
    }

    /// Where this is the only replica: who waits gets what there is room for.
    fn grant(&mut self, owner: &Owner) {
        let Some(of) = self.owners.get_mut(owner) else { return };
        let mut room = Room::new(&of.pods, of.limit());
        of.of_state(State::Held).for_each(|uid| room.hold(uid));
        for (uid, _) in of.admit(&mut room) {
            let Some(mine) = of.mine.get_mut(&uid) else { continue };
            mine.state = State::Held;
            self.freed.extend(mine.base.clone());
        }
        if of.is_empty() {
            self.owners.remove(owner);
        }
    }
}

/// A bare Pod, which is on one base only: no other waits for it.
pub(crate) fn is_bare(owner: &Owner) -> bool {
    owner.kind.is_empty()
}

#[cfg(test)]
mod tests;
