//! Permits of several replicas: a Lease for each owner lists the Pods that hold one, and is written by compare-and-swap.
//!
//! One write takes a permit. None gives it back, as a rule: whoever wants the next one leaves out of the list whom it sees
//! served, failed in the place of another, or gone, which all replicas do. What somebody would not see is given back by a
//! write: a Pod that wants no permit any more and does not serve, whether it did before or not. The Lease stays when an
//! update is over, because the next one begins with the same write, and goes with the last Pod of its owner.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{BaseIdentity, name::permits_name};

use super::{Mine, Of, Permits, Room, Seen, State};
use crate::{
    action::Action,
    request::{Request, WriteError},
    view::{Owner, PermitsView, PodView},
    write_slot::WriteSlot,
};

/// Who gives a permit back waits so long for what it came to to be seen by all, which saves the write.
const RETURN_AFTER: Duration = Duration::from_secs(5);
/// A permit of before that nobody of this replica has asked for is given back after this: a base that was taken over has
/// long told what it has.
const STRAY_AFTER: Duration = Duration::from_secs(30);
/// A Pod that holds a permit and was never seen may be newer than what was seen of Pods: a watch is blind for 35 s at most.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// Between the replicas that see that there is room, so that not all of them write, and all but one in vain.
const STAGGER: Duration = Duration::from_millis(100);

/// What there is once for all owners.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    env: Arc<str>,
    /// All Leases that existed at the start are known.
    synced: bool,
    wakes: BTreeMap<Owner, Duration>,
}

impl Shared {
    pub(super) fn new(env: Arc<str>) -> Self {
        Self { env, synced: false, wakes: BTreeMap::new() }
    }
}

/// The Lease of one owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// The newest view of it; none where there is none.
    view: Option<PermitsView>,
    /// Since when it lists a Pod.
    since: BTreeMap<Arc<str>, Duration>,
    /// Which of these Pods are known to be gone.
    ended: BTreeSet<Arc<str>>,
    slot: WriteSlot,
    /// Since when there is room for one who waits.
    room_since: Option<Duration>,
}

/// What a step sees of the rest.
pub(crate) struct Turn<'a> {
    /// On the engine's clock.
    pub(crate) now: Duration,
    /// How many replicas are before this one.
    pub(crate) place: u32,
    /// This replica acts for the VNode.
    pub(crate) owns: &'a dyn Fn(&Arc<str>) -> bool,
    pub(crate) out: &'a mut Vec<Action>,
}

impl Listed {
    pub(super) fn is_empty(&self) -> bool {
        self.view.is_none() && !self.slot.is_busy()
    }

    pub(super) fn pod_ended(&mut self, uid: &Arc<str>) {
        if self.version(uid).is_some() {
            self.ended.insert(uid.clone());
        }
    }

    fn holders(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        self.view.iter().flat_map(|view| &view.holders).map(|(uid, version)| (uid, *version))
    }

    /// With which version a Pod got its permit.
    fn version(&self, uid: &Arc<str>) -> Option<u64> {
        self.view.as_ref()?.holders.get(uid).copied()
    }

    /// Takes a view; false where it is older than what is known.
    fn see(&mut self, view: PermitsView, now: Duration) -> bool {
        let older =
            |seen: &PermitsView| seen.uid == view.uid && view.resource_version < seen.resource_version;
        if self.view.as_ref().is_some_and(older) {
            return false;
        }
        for uid in view.holders.keys() {
            self.since.entry(uid.clone()).or_insert(now);
        }
        self.since.retain(|uid, _| view.holders.contains_key(uid));
        self.ended.retain(|uid| view.holders.contains_key(uid));
        self.view = Some(view);
        true
    }

    /// When a Pod that is not known is taken for gone.
    fn gone_at(&self, uid: &Arc<str>) -> Duration {
        let since = self.since.get(uid).copied().unwrap_or_default();
        if self.ended.contains(uid) { Duration::ZERO } else { since + GONE_AFTER }
    }
}

impl Of {
    /// Nothing hangs on its Pods.
    pub(super) fn is_quiet(&self) -> bool {
        self.mine.is_empty() && self.listed.is_empty()
    }

    /// The permit that the Lease gives to a Pod is not used any more.
    fn is_finished(&self, uid: &Arc<str>, version: u64, now: Duration) -> bool {
        match self.pods.find(uid) {
            Some(seen) => seen.is_done_with(version),
            None => now >= self.listed.gone_at(uid),
        }
    }

    /// Who has just begun to look can see that too: who serves no more has served before its time.
    fn shows_finished(&self, uid: &Arc<str>, version: u64, now: Duration) -> bool {
        self.is_finished(uid, version, now) && self.pods.find(uid).is_none_or(Seen::shows_it)
    }

    /// The Lease gives a permit to a Pod of which this replica knows no better.
    pub(super) fn inherits(&self, uid: &Arc<str>, now: Duration) -> bool {
        // Who asks waits for the Lease to say so anew: it may be on its way without this Pod.
        let knows_better =
            matches!(self.mine.get(uid).map(|mine| mine.state), Some(State::Returned(_) | State::Asked));
        !knows_better && self.is_listed(uid, now)
    }

    /// The Pod gave its permit back, and neither was that written nor is it being written.
    pub(super) fn has_it_still(&self, uid: &Arc<str>, now: Duration) -> bool {
        let returned = self.mine.get(uid).is_some_and(|mine| matches!(mine.state, State::Returned(_)));
        returned && !self.listed.slot.is_busy() && self.is_listed(uid, now)
    }

    fn is_listed(&self, uid: &Arc<str>, now: Duration) -> bool {
        self.listed.version(uid).is_some_and(|version| !self.is_finished(uid, version, now))
    }

    /// Whom the Lease lists and who still needs it.
    fn kept(&self, now: Duration) -> BTreeMap<Arc<str>, u64> {
        let stays = |(uid, version): &(&Arc<str>, u64)| match self.mine.get(*uid).map(|mine| mine.state) {
            Some(State::Returned(_) | State::Asked) => false,
            Some(State::Stray(since)) if now >= since + STRAY_AFTER => false,
            _ => !self.is_finished(uid, *version, now),
        };
        self.listed.holders().filter(stays).map(|(uid, version)| (uid.clone(), version)).collect()
    }

    /// Notices what this replica's Pods have and want by what the Lease says of them.
    fn track(&mut self, turn: &Turn<'_>) {
        let now = turn.now;
        let stray: Vec<(Arc<str>, Arc<str>)> = self
            .listed
            .holders()
            .filter(|(uid, version)| {
                !self.mine.contains_key(*uid) && !self.shows_finished(uid, *version, now)
            })
            .filter_map(|(uid, _)| Some((uid.clone(), self.pods.find(uid)?.node.clone())))
            .filter(|(_, node)| (turn.owns)(node))
            .collect();
        for (uid, node) in stray {
            self.mine.insert(uid, Mine { base: None, node, version: 0, state: State::Stray(now) });
        }
        let (listed, written) = (&self.listed, !self.listed.slot.is_busy());
        self.mine.retain(|uid, mine| {
            if let State::Returned(since @ None) = &mut mine.state {
                *since = Some(now);
            }
            let ends = matches!(mine.state, State::Returned(_) | State::Stray(_));
            !(ends && written && listed.version(uid).is_none())
        });
    }

    /// When the permits that this replica has to give back by a write are due.
    fn returns_at(&self, now: Duration) -> Option<Duration> {
        let due = |(uid, mine): (&Arc<str>, &Mine)| {
            let version = self.listed.version(uid)?;
            let at = match mine.state {
                State::Returned(since) => since.unwrap_or(now) + RETURN_AFTER,
                State::Stray(since) => since + STRAY_AFTER,
                State::Asked | State::Held => return None,
            };
            (!self.shows_finished(uid, version, now)).then_some(at)
        };
        self.mine.iter().filter_map(due).min()
    }

    /// Writes what is to be written now, or says when to look again.
    fn advance(&mut self, owner: &Owner, env: &str, turn: &mut Turn<'_>) -> Option<Duration> {
        self.track(turn);
        let now = turn.now;
        let waits = self.of_state(State::Asked).next().is_some();
        let returns_at = self.returns_at(now);
        if !waits && returns_at.is_none() {
            self.listed.room_since = None;
            return None;
        }
        if !self.listed.slot.is_free(now) {
            return self.listed.slot.wake();
        }
        let mut holders = self.kept(now);
        let mut room = Room::new(&self.pods, self.limit());
        holders.keys().for_each(|uid| room.hold(uid));
        let admitted = self.admit(&mut room);
        if admitted.is_empty() {
            self.listed.room_since = None;
            if returns_at.is_none_or(|at| at > now) {
                let unseen = self.listed.holders().filter(|(uid, _)| self.pods.find(uid).is_none());
                let gone = unseen.map(|(uid, _)| self.listed.gone_at(uid)).filter(|&at| at > now);
                return gone.chain(returns_at).min();
            }
        } else {
            let at = *self.listed.room_since.get_or_insert(now) + STAGGER * turn.place;
            if now < at {
                return Some(at);
            }
        }
        holders.extend(admitted);
        let seen = self.listed.view.as_ref();
        turn.out.push(Action::Request(Request::WritePermits(Box::new(PermitsView {
            name: permits_name(env, &owner.namespace, &owner.kind, &owner.name).into(),
            uid: seen.map(|seen| seen.uid.clone()).unwrap_or_default(),
            resource_version: seen.map(|seen| seen.resource_version).unwrap_or_default(),
            owner: owner.clone(),
            holders,
        }))));
        self.listed.slot.sent();
        None
    }
}

impl Permits {
    /// All Leases that existed at the start are known.
    pub(crate) fn synced(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.synced = true;
            self.changed.extend(self.owners.keys().cloned());
        }
    }

    /// A view of a Lease came.
    pub(crate) fn see_lease(&mut self, view: PermitsView, now: Duration) {
        let Some(shared) = &self.shared else { return };
        let owner = view.owner.clone();
        if *view.name != permits_name(&shared.env, &owner.namespace, &owner.kind, &owner.name) {
            return;
        }
        let of = self.owners.entry(owner.clone()).or_default();
        if of.listed.see(view, now) {
            self.compare(&owner);
        }
    }

    /// A Lease is gone.
    pub(crate) fn lose_lease(&mut self, name: &str, uid: &str) {
        let is_it = |view: &PermitsView| *view.name == *name && (uid.is_empty() || *view.uid == *uid);
        let Some(owner) = self.owner_of(name) else { return };
        let Some(of) = self.owners.get_mut(&owner) else { return };
        if of.listed.view.as_ref().is_some_and(is_it) {
            of.listed.view = None;
            self.compare(&owner);
        }
    }

    /// A write of a Lease ended. What there is was told before. Where it was refused for the first time, these wait in vain:
    /// their bases, and the Pods' UIDs.
    pub(crate) fn written(
        &mut self,
        name: &str,
        now: Duration,
        result: &Result<(), WriteError>,
    ) -> Vec<(BaseIdentity, Arc<str>)> {
        let Some(owner) = self.owner_of(name) else { return Vec::new() };
        let Some(of) = self.owners.get_mut(&owner) else { return Vec::new() };
        of.listed.slot.ended(now, result);
        let is_news = matches!(result, Err(WriteError::Refused(_))) && of.listed.slot.is_first_failure();
        let waiting = of.mine.iter().filter(|(_, mine)| is_news && mine.state == State::Asked);
        let told = waiting.filter_map(|(uid, mine)| Some((mine.base.clone()?, uid.clone()))).collect();
        self.changed.insert(owner);
        told
    }

    /// Who of this replica's has a permit by what the Lease says now.
    fn compare(&mut self, owner: &Owner) {
        let Some(of) = self.owners.get_mut(owner) else { return };
        for (uid, mine) in &mut of.mine {
            match (mine.state, of.listed.version(uid)) {
                (State::Asked, Some(version)) if version == mine.version => {
                    mine.state = State::Held;
                    self.freed.extend(mine.base.clone());
                }
                // Somebody saw it done, or the Lease was deleted: it asks again.
                (State::Held, None) => mine.state = State::Asked,
                _ => {}
            }
        }
        self.changed.insert(owner.clone());
    }

    fn owner_of(&self, name: &str) -> Option<Owner> {
        let env = &self.shared.as_ref()?.env;
        let is_it = |owner: &&Owner| permits_name(env, &owner.namespace, &owner.kind, &owner.name) == name;
        self.owners.keys().find(is_it).cloned()
    }

    /// This replica acts for the Pod's VNode from now on: what the Lease says of it is this one's to keep true.
    pub(crate) fn take_up(&mut self, pod: &PodView) {
        if let Some(owner) = &pod.owner
            && self.owners.get(owner).is_some_and(|of| of.listed.version(&pod.pod.uid).is_some())
        {
            self.changed.insert(owner.clone());
        }
    }

    /// This replica does not act for a VNode any more. Who acts for it next goes on with its permits.
    pub(crate) fn let_go(&mut self, node: &str) {
        for of in self.owners.values_mut() {
            of.mine.retain(|_, mine| *mine.node != *node);
        }
    }

    /// Writes what is to be written.
    pub(crate) fn advance(&mut self, mut turn: Turn<'_>) {
        let Some(shared) = self.shared.as_mut().filter(|shared| shared.synced) else { return };
        let due = shared.wakes.iter().filter(|(_, at)| **at <= turn.now).map(|(owner, _)| owner.clone());
        self.changed.extend(due.collect::<Vec<_>>());
        for owner in std::mem::take(&mut self.changed) {
            shared.wakes.remove(&owner);
            let Some(of) = self.owners.get_mut(&owner) else { continue };
            if let Some(at) = of.advance(&owner, &shared.env, &mut turn) {
                shared.wakes.insert(owner.clone(), at);
            }
            if of.is_empty() {
                self.owners.remove(&owner);
            }
        }
    }

    /// When it wants to be advanced, if nothing happens until then.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.shared.as_ref().filter(|shared| shared.synced)?.wakes.values().min().copied()
    }

    /// Deletes the Leases of owners that have no Pods any more. One that lists a Pod which may not have been seen yet stays.
    pub(crate) fn sweep(&mut self, now: Duration, out: &mut Vec<Action>) {
        for of in self.owners.values_mut() {
            let idle = of.pods.is_empty() && of.mine.is_empty() && of.listed.slot.is_free(now);
            let gone = of.listed.holders().all(|(uid, _)| now >= of.listed.gone_at(uid));
            if let Some(PermitsView { name, uid, resource_version, .. }) =
                of.listed.view.as_ref().filter(|_| idle && gone)
            {
                let (name, uid, resource_version) = (name.clone(), uid.clone(), *resource_version);
                out.push(Action::Request(Request::DeletePermits { name, uid, resource_version }));
                of.listed.slot.sent();
            }
        }
    }
}
