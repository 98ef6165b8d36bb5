//! Who lives: every replica's own Lease, and what becomes of one that is not renewed
//! (rules W1 to W6 and W9).
//!
//! No wall clock is compared: a replica counts its own time between two versions that it saw, and
//! its own fence from when it sent a renewal that was acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::twin::{Twin, Yielding, is_twin};
use crate::{
    action::{Action, Fencing},
    config::ClusterConfig,
    request::{Request, WriteError},
    view::{Door, MemberState, MemberView},
};

/// How often the own Lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long a replica acts after it sent a renewal that was acknowledged: with clocks that differ
/// by a tenth it has stopped for 1.3 s when another may have ended it.
const FENCE: Duration = Duration::from_secs(7);
/// After so long without a change another is taken for dead, if the API server confirms it.
const SUSPECT_AFTER: Duration = Duration::from_secs(10);
/// A deleted Lease is held for so long.
const GONE_HOLDS: Duration = Duration::from_secs(10);
/// Between two attempts that failed.
const AGAIN: Duration = Duration::from_millis(500);
/// The Lease of one that is dead and holds nothing is kept for so long, for people to see.
const KEEP_DEAD: Duration = Duration::from_secs(60);

/// What is being done about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// It is read.
    Asking,
    /// It is being ended, or its Lease deleted.
    Writing,
}

#[derive(Debug)]
struct Other {
    view: MemberView,
    /// Since when its version has not changed, or since when this replica can tell.
    since: Duration,
    /// It has renewed since it was first seen, so it really lives.
    renewed: bool,
    doubt: Doubt,
    /// Not to be asked about before.
    not_before: Duration,
}

/// The replicas, seen from one of them.
#[derive(Debug)]
pub(crate) struct Membership {
    config: ClusterConfig,
    door: Option<Door>,
    /// What existed at the start is known.
    synced: bool,
    epoch: u64,
    own: MemberView,
    /// When the write that is under way was decided.
    sent: Option<Duration>,
    next_at: Duration,
    fence_until: Duration,
    others: BTreeMap<Arc<str>, Other>,
    yielding: Yielding,
    /// Incarnations whose Leases were deleted while they may have lived, and until when they hold.
    gone: BTreeMap<Arc<str>, Duration>,
}

impl Membership {
    pub(crate) fn new(config: ClusterConfig, door: Option<Door>) -> Self {
        let own = own(&config, door.as_ref(), 1);
        Self {
            config,
            door,
            synced: false,
            epoch: 1,
            own,
            sent: None,
            next_at: Duration::ZERO,
            fence_until: Duration::ZERO,
            others: BTreeMap::new(),
            yielding: Yielding::default(),
            gone: BTreeMap::new(),
        }
    }

    /// Who this replica is at present: the holder of what it owns.
    pub(crate) fn incarnation(&self) -> &Arc<str> {
        &self.own.incarnation
    }

    /// It may act.
    pub(crate) fn may_act(&self, now: Duration) -> bool {
        now < self.fence_until
    }

    /// What existed at the start is known: it may join. One that joined before would be given VNodes that it cannot take.
    pub(crate) fn synced(&mut self) {
        self.synced = true;
    }

    /// To be called before anything else of a step: while the own renewals do not succeed, nothing
    /// can be said of others (rule W3).
    pub(crate) fn look(&mut self, now: Duration) {
        if !self.may_act(now) {
            for other in self.others.values_mut() {
                other.since = now;
            }
        }
        self.gone.retain(|_, until| *until > now);
    }

    /// A view of a membership Lease. True where this replica was ended: nothing is its own any more.
    pub(crate) fn see(&mut self, view: MemberView, now: Duration, out: &mut Vec<Action>) -> bool {
        if view.name == self.own.name {
            let older = view.uid == self.own.uid && view.resource_version < self.own.resource_version;
            if older {
                return false;
            }
            if view.state != MemberState::Living {
                self.fall(now, out);
                return true;
            }
            (self.own.uid, self.own.resource_version) = (view.uid, view.resource_version);
            return false;
        }
        match self.others.get_mut(&view.name) {
            Some(other) if other.view.uid == view.uid => {
                if view.resource_version > other.view.resource_version {
                    other.since = now;
                    other.renewed |= view.state == MemberState::Living;
                    other.view = view;
                }
            }
            _ => {
                let (doubt, not_before) = (Doubt::None, Duration::ZERO);
                let other = Other { since: now, renewed: false, doubt, not_before, view };
                self.others.insert(other.view.name.clone(), other);
            }
        }
        false
    }

    /// A membership Lease is gone. True where it was this replica's.
    pub(crate) fn gone(&mut self, name: &Arc<str>, uid: &str, now: Duration, out: &mut Vec<Action>) -> bool {
        let is_it = |seen: &MemberView| uid.is_empty() || *seen.uid == *uid;
        if *name == self.own.name {
            let mine = !self.own.uid.is_empty() && is_it(&self.own);
            if mine {
                self.fall(now, out);
            }
            return mine;
        }
        if self.others.get(name).is_some_and(|other| is_it(&other.view))
            && let Some(other) = self.others.remove(name)
            && other.view.state == MemberState::Living
        {
            self.gone.insert(other.view.incarnation, now + GONE_HOLDS);
        }
        false
    }

    /// A write of a membership Lease ended. True where this replica was ended.
    pub(crate) fn written(
        &mut self,
        name: &Arc<str>,
        result: &Result<(), WriteError>,
        now: Duration,
        out: &mut Vec<Action>,
    ) -> bool {
        if *name != self.own.name {
            if let Some(other) = self.others.get_mut(name) {
                other.doubt = Doubt::None;
                // Whether it was carried out is told by the next look.
                other.not_before = now + AGAIN;
            }
            return false;
        }
        let Some(sent) = self.sent.take() else { return false };
        match result {
            Ok(()) => {
                self.fence_until = sent + FENCE;
                self.next_at = sent + RENEW_EVERY;
                out.push(Action::Fence(Fencing::OpenUntil { epoch: self.epoch, until: self.fence_until }));
            }
            // An earlier renewal may have succeeded without our knowing; what there is was told.
            Err(WriteError::Conflict(_)) => self.next_at = now,
            Err(WriteError::NotFound(_)) => {
                self.fall(now, out);
                return true;
            }
            Err(WriteError::Refused(_) | WriteError::Unavailable { .. }) => self.next_at = now + AGAIN,
        }
        false
    }

    /// A look at another's Lease ended; what there is was told before.
    pub(crate) fn read(
        &mut self,
        name: &Arc<str>,
        result: &Result<(), WriteError>,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        let may_act = self.may_act(now);
        let Some(other) = self.others.get_mut(name) else { return };
        other.doubt = Doubt::None;
        other.not_before = now + AGAIN;
        let unchanged = now.saturating_sub(other.since) >= SUSPECT_AFTER;
        if result.is_ok() && may_act && unchanged && other.view.state == MemberState::Living {
            kill(other, out);
        }
    }

    /// Everything of before is given up, and a new incarnation begins (rule W5), which joins when all is known anew: one
    /// that was away for long enough to be ended may have missed anything, and its watches take up again one by one.
    fn fall(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.epoch += 1;
        self.own = own(&self.config, self.door.as_ref(), self.epoch);
        (self.sent, self.synced) = (None, false);
        self.next_at = now;
        self.fence_until = Duration::ZERO;
        out.push(Action::Fence(Fencing::Shut { epoch: self.epoch }));
    }

    /// Renews, and ends those that are dead. `holds` says whether an incarnation still holds something.
    pub(crate) fn advance(
        &mut self,
        level: u32,
        holds: impl Fn(&str) -> bool,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        if self.synced && self.sent.is_none() && now >= self.next_at {
            self.sent = Some(now);
            self.own.level = level;
            out.push(Action::Request(Request::WriteMember(Box::new(self.own.clone()))));
        }
        if !self.may_act(now) {
            return;
        }
        let sweeps = self.is_first();
        for other in self.others.values_mut() {
            if other.doubt != Doubt::None || now < other.not_before {
                continue;
            }
            let unchanged = now.saturating_sub(other.since);
            match other.view.state {
                MemberState::Living if is_predecessor(&other.view, &self.own) => kill(other, out),
                MemberState::Living if unchanged >= SUSPECT_AFTER => {
                    other.doubt = Doubt::Asking;
                    out.push(Action::Request(Request::ReadMember { name: other.view.name.clone() }));
                }
                MemberState::Released | MemberState::Killed
                    if sweeps && unchanged >= KEEP_DEAD && !holds(&other.view.incarnation) =>
                {
                    other.doubt = Doubt::Writing;
                    let (name, uid) = (other.view.name.clone(), other.view.uid.clone());
                    out.push(Action::Request(Request::DeleteMember { name, uid }));
                }
                _ => {}
            }
        }
    }

    /// When [`Self::advance`] is due.
    pub(crate) fn next_wake(&self, now: Duration) -> Option<Duration> {
        let own = (self.synced && self.sent.is_none()).then_some(self.next_at);
        let others = self.others.values().filter(|other| other.doubt == Doubt::None).map(|other| {
            let wait = if other.view.state == MemberState::Living { SUSPECT_AFTER } else { KEEP_DEAD };
            (other.since + wait).max(other.not_before)
        });
        // What is due and was not done waits for the next renewal.
        own.into_iter().chain(others.filter(|&at| at > now)).min()
    }

    /// The last word, once nothing is sent any more (rule W6): nobody needs to wait for it to be dead.
    pub(crate) fn release(&self) -> Option<MemberView> {
        let joined = !self.own.uid.is_empty();
        let released = MemberView { state: MemberState::Released, ..self.own.clone() };
        joined.then_some(released)
    }

    /// Since when, or from when on, what this incarnation holds is free; none while it is not.
    pub(crate) fn free_at(&self, holder: &str) -> Holding {
        if *holder == *self.own.incarnation {
            return Holding::Own;
        }
        let known = self.others.values().find(|other| *other.view.incarnation == *holder);
        match (known.map(|other| other.view.state), self.gone.get(holder)) {
            (Some(MemberState::Living), _) => Holding::Held,
            (Some(MemberState::Released | MemberState::Killed), _) => Holding::Free,
            (None, until) => Holding::Unknown(until.copied()),
        }
    }

    /// The incarnations that live, with this one, and the level that each published.
    pub(crate) fn living(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        let alive = |other: &&Other| other.view.state == MemberState::Living;
        let others = self.others.values().filter(alive).map(|other| &other.view);
        others.chain([&self.own]).map(|view| (&view.incarnation, view.level))
    }

    /// The others that live and take what is sent on to them, by incarnation.
    pub(crate) fn doors(&self) -> BTreeMap<Arc<str>, Door> {
        let alive = self.others.values().filter(|other| other.view.state == MemberState::Living);
        alive.filter_map(|other| Some((other.view.incarnation.clone(), other.view.door.clone()?))).collect()
    }

    /// Whether another that lives takes what is sent on to it.
    pub(crate) fn has_door(&self, incarnation: &str) -> bool {
        let is_it = |other: &&Other| *other.view.incarnation == *incarnation;
        self.others
            .values()
            .find(is_it)
            .is_some_and(|other| other.view.state == MemberState::Living && other.view.door.is_some())
    }

    /// Those of [`Self::living`] that take VNodes: all that are not cut off from the bases, or all, where there is none.
    pub(crate) fn takers(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        let any = !self.own.cut_off || self.others_reach();
        let others = self.others.values().map(|other| &other.view);
        let living = others.filter(|view| view.state == MemberState::Living).chain([&self.own]);
        living.filter(move |view| !(any && view.cut_off)).map(|view| (&view.incarnation, view.level))
    }

    /// Another that lives and knows no operation plans, as an older version: it installs what none has released.
    pub(crate) fn without_plans(&self) -> Option<&Arc<str>> {
        let others = self.others.values().map(|other| &other.view);
        let mut living = others.filter(|view| view.state == MemberState::Living);
        living.find(|view| !view.knows_plans).map(|view| &view.client_id)
    }

    /// Another lives and is not cut off from the bases.
    pub(crate) fn others_reach(&self) -> bool {
        self.others.values().any(|other| other.view.state == MemberState::Living && !other.view.cut_off)
    }

    /// Says whether this one is cut off from the bases, at once where that has changed.
    pub(crate) fn be_cut_off(&mut self, cut_off: bool, now: Duration) {
        if std::mem::replace(&mut self.own.cut_off, cut_off) != cut_off {
            self.next_at = self.next_at.min(now);
        }
    }

    /// Looks whether another of its name lives.
    pub(crate) fn look_for_twin(&mut self) {
        let joins = self.own.uid.is_empty() && self.sent.is_none();
        self.yielding.look(&self.own, joins, self.others.values().map(|other| &other.view));
    }

    /// Another of its name was there before: this one acts for nothing.
    pub(crate) fn yields(&self) -> bool {
        self.yielding.yields()
    }

    /// Another that is known to live under this one's name.
    pub(crate) fn twin(&self) -> Option<Twin> {
        let twin = self.others.values().find(|other| other.renewed && is_twin(&other.view, &self.own))?;
        Some(Twin {
            client_id: self.own.client_id.clone(),
            pod_uid: twin.view.pod_uid.clone(),
            incarnation: twin.view.incarnation.clone(),
            yields: self.yields(),
        })
    }

    /// This one does what one of them has to do: the first of those that take VNodes.
    pub(crate) fn is_first(&self) -> bool {
        let first = self.takers().map(|(incarnation, _)| incarnation).min();
        first == Some(&self.own.incarnation) && !self.yields()
    }

    /// This one's place among those that live, in the order of their names, and how many they are.
    pub(crate) fn place(&self) -> (u32, u32) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let before = self.living().filter(|(incarnation, _)| *incarnation < &self.own.incarnation);
        (count(before.count()), count(self.living().count()))
    }

    /// How many are before this one in taking a VNode: those that lack some of their share, those with less to do, then
    /// by hash.
    pub(crate) fn rank(&self, node: &str, lacks: impl Fn(&Arc<str>) -> bool) -> u32 {
        let key =
            |(incarnation, level): (&Arc<str>, u32)| (!lacks(incarnation), level, hash(node, incarnation));
        let mine = key((&self.own.incarnation, self.own.level));
        u32::try_from(self.takers().filter(|&member| key(member) < mine).count()).unwrap_or(u32::MAX)
    }
}

/// What is known of the one who holds a VNode's Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// This replica.
    Own,
    /// It lives, as far as anybody knows.
    Held,
    /// It was ended, or left.
    Free,
    /// There is no Lease of it; it counts as held until then where one was deleted.
    Unknown(Option<Duration>),
}

fn own(config: &ClusterConfig, door: Option<&Door>, epoch: u64) -> MemberView {
    let incarnation = format!("{}-{epoch}", config.incarnation);
    MemberView {
        name: format!("module-controller-{incarnation}").into(),
        incarnation: incarnation.into(),
        client_id: config.client_id.clone(),
        pod_uid: config.pod_uid.clone(),
        door: door.cloned(),
        knows_plans: true,
        ..MemberView::default()
    }
}

/// The same Pod runs one process at a time: the one before this one is dead (rule W9).
fn is_predecessor(other: &MemberView, own: &MemberView) -> bool {
    !own.pod_uid.is_empty() && other.pod_uid == own.pod_uid
}

/// Rule 4: the very version that was seen is marked, and only then is what it holds free.
fn kill(other: &mut Other, out: &mut Vec<Action>) {
    other.doubt = Doubt::Writing;
    out.push(Action::Request(Request::WriteMember(Box::new(MemberView {
        state: MemberState::Killed,
        ..other.view.clone()
    }))));
}

fn hash(node: &str, incarnation: &str) -> [u8; 8] {
    let digest = Sha256::new().chain_update(node).chain_update([0]).chain_update(incarnation).finalize();
    let mut first = [0; 8];
    first.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    first
}
