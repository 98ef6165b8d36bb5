//! Who acts for a VNode: one Lease each, taken by compare-and-swap (rules W7, W8 and W10).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use model::{BaseIdentity, BaseReport, TunnelKind};

use super::{
    membership::{Holding, Membership},
    shares::Shares,
};
use crate::{
    action::Action,
    config::MOST_BASES,
    event::WriteError,
    view::{LeaseView, NodeView},
    write_slot::WriteSlot,
};

/// The one of rank r waits so long, r times.
const RANK_STEP: Duration = Duration::from_millis(300);
/// After so long anyone may take what is free.
const ANYONE: Duration = Duration::from_secs(2);
/// A Lease whose holder nobody knows is held until it has not changed for so long: a controller
/// that is alone renews every 10 s.
const UNKNOWN_HOLDS: Duration = Duration::from_secs(20);
/// A Node without a Lease counts as held for so long: whoever held the Lease renews every 10 s and
/// finds out that it is gone.
const MISSING_HOLDS: Duration = Duration::from_secs(15);
/// Leases taken in one second at most.
const CLAIMS_PER_SECOND: u32 = 200;
/// What a base said of itself counts for so long.
const HEARD_COUNTS: Duration = Duration::from_secs(60);

/// What this replica has to do with a VNode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    None,
    /// The Lease is being taken.
    Taking,
    /// It acts for it.
    Mine,
    /// It acts no more, and is about to say so.
    Releasing,
}

/// What a base said last.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) tunnel: TunnelKind,
    pub(crate) report: BaseReport,
    pub(crate) at: Duration,
}

/// One base, whoever acts for it.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) identity: BaseIdentity,
    pub(crate) node: Option<NodeView>,
    pub(crate) heard: Option<Heard>,
    hold: Hold,
    /// Its Lease has been free since then.
    free_since: Option<Duration>,
    since: Duration,
    slot: WriteSlot,
    /// In the queue for then.
    due: Option<Duration>,
}

impl Base {
    /// Its Lease is released, for another, which is left some time to take it. What is to be written.
    fn release(&mut self, node: &Arc<str>, holder: &Arc<str>, now: Duration) -> Action {
        self.hold = Hold::Releasing;
        self.slot.was_the_last(now);
        Action::ReleaseLease { node: node.clone(), holder: holder.clone(), delete: false }
    }
}

#[derive(Debug)]
struct Lease {
    view: LeaseView,
    /// Since when this replica has seen this version.
    since: Duration,
}

/// The VNodes of the environment.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    bases: BTreeMap<Arc<str>, Base>,
    names: HashMap<BaseIdentity, Arc<str>>,
    leases: BTreeMap<Arc<str>, Lease>,
    /// How many Leases each incarnation holds.
    held: BTreeMap<Arc<str>, usize>,
    /// When Leases were seen to go, of VNodes that are there.
    missing: BTreeMap<Arc<str>, Duration>,
    due: BTreeSet<(Duration, Arc<str>)>,
    mine: usize,
    /// The second that Leases are counted in, and how many were taken in it.
    window: (Duration, u32),
}

impl Claims {
    /// This replica acts for the VNode.
    pub(crate) fn is_mine(&self, node: &str) -> bool {
        self.bases.get(node).is_some_and(|base| base.hold == Hold::Mine)
    }

    /// The VNodes that this replica acts for, and all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.mine, self.bases.len())
    }

    /// What each of those that take VNodes has.
    pub(super) fn shares(&self, members: &Membership) -> Shares {
        let own = members.incarnation();
        let mut takers: Vec<&Arc<str>> = members.takers().map(|(incarnation, _)| incarnation).collect();
        takers.sort();
        let held = takers.iter().map(|taker| self.held_by(taker, members)).collect();
        let place = takers.iter().position(|taker| *taker == own);
        // A base that another hears and this one does not may have no Node yet; its Lease counts for both.
        let owned = self.held.iter().filter(|(holder, _)| !holder.is_empty()).map(|(_, count)| count).sum();
        Shares { held, place, all: self.bases.len().max(owned) }
    }

    fn held_by(&self, incarnation: &Arc<str>, members: &Membership) -> usize {
        let is_own = incarnation == members.incarnation();
        if is_own { self.mine } else { self.held.get(incarnation).copied().unwrap_or_default() }
    }

    /// What is known of a base, whoever acts for it.
    pub(crate) fn base(&self, node: &str) -> Option<&Base> {
        self.bases.get(node)
    }

    /// The name of a base's Node, where it is known.
    pub(crate) fn name_of(&self, identity: &BaseIdentity) -> Option<&Arc<str>> {
        self.names.get(identity)
    }

    /// Who holds the Lease of a base's Node, where that is known.
    pub(crate) fn holder_of(&self, identity: &BaseIdentity) -> Option<&Arc<str>> {
        self.leases.get(self.names.get(identity)?).map(|lease| &lease.view.holder)
    }

    /// A base said goodbye. True where it has no Node and nobody acts for it: then it is none to take up.
    pub(crate) fn forget_stranger(&mut self, name: &Arc<str>) -> bool {
        let unused = |base: &Base| base.node.is_none() && base.hold == Hold::None;
        let held = self.leases.get(name).is_some_and(|lease| !lease.view.holder.is_empty());
        let forgotten = !held && self.bases.get(name).is_none_or(unused);
        if forgotten {
            self.drop_base(name);
        }
        forgotten
    }

    /// All Nodes of the environment.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeView> {
        self.bases.values().filter_map(|base| base.node.as_ref())
    }

    /// Somebody acts for it, or may: it is not given up.
    pub(crate) fn is_known(&self, node: &str) -> bool {
        self.bases.contains_key(node) || self.leases.get(node).is_some_and(|l| !l.view.holder.is_empty())
    }

    /// An incarnation holds a VNode's Lease.
    pub(crate) fn holds(&self, incarnation: &str) -> bool {
        self.leases.values().any(|lease| *lease.view.holder == *incarnation)
    }

    /// A base may be remembered under this Node's name: two bases never share a Node, and not any number is remembered.
    pub(crate) fn has_room_for(&self, name: &Arc<str>, identity: &BaseIdentity) -> bool {
        self.bases.get(name).map_or(self.bases.len() < MOST_BASES, |base| base.identity == *identity)
    }

    /// A base was heard that this replica does not act for.
    pub(crate) fn heard(&mut self, name: Arc<str>, heard: Heard, members: &Membership, now: Duration) {
        let identity = heard.report.identity.clone();
        self.enter(&name, &identity, now).heard = Some(heard);
        self.review(&name, members, now);
    }

    /// A view of a Node of the environment.
    pub(crate) fn see_node(
        &mut self,
        identity: &BaseIdentity,
        view: NodeView,
        members: &Membership,
        now: Duration,
    ) {
        let name = view.name.clone();
        // One that was heard under the name that its Node would have, before that was seen.
        if let Some(other) = self.names.get(identity).filter(|other| **other != name).cloned() {
            let unused =
                self.bases.get(&other).is_some_and(|base| base.node.is_none() && base.hold == Hold::None);
            if !unused {
                return;
            }
            self.drop_base(&other);
        }
        let base = self.enter(&name, identity, now);
        let older = |seen: &NodeView| seen.uid == view.uid && seen.resource_version > view.resource_version;
        if !base.node.as_ref().is_some_and(older) {
            base.node = Some(view);
        }
        self.review(&name, members, now);
    }

    /// A Node is gone.
    pub(crate) fn lose_node(&mut self, name: &Arc<str>, uid: &str, members: &Membership, now: Duration) {
        if let Some(base) = self.bases.get_mut(name)
            && base.node.as_ref().is_some_and(|node| *node.uid == *uid)
        {
            base.node = None;
            // What it said before its Node went, which may have been its goodbye to another replica, calls for no new one.
            base.heard = None;
            self.review(name, members, now);
        }
    }

    /// A view of a VNode's Lease. True where this replica must stop acting for it.
    pub(crate) fn see_lease(&mut self, view: LeaseView, members: &Membership, now: Duration) -> bool {
        let node = view.node.clone();
        let known = self.leases.get(&node).map(|lease| &lease.view);
        if known.is_some_and(|known| known.uid == view.uid && known.resource_version >= view.resource_version)
        {
            return false;
        }
        let other = view.holder != *members.incarnation();
        if other && !view.holder.is_empty() {
            self.is_taken_up(&node);
        }
        self.missing.remove(&node);
        self.count_anew(&node);
        self.tally(&node, Some(Lease { view, since: now }));
        let lost = other && self.is_mine(&node);
        if lost {
            self.let_go(&node);
        }
        self.review(&node, members, now);
        lost
    }

    /// A VNode's Lease is gone. True where this replica must stop acting for it; not where it
    /// deletes the VNode itself (`leaves`).
    pub(crate) fn lose_lease(
        &mut self,
        node: &Arc<str>,
        uid: &str,
        leaves: bool,
        members: &Membership,
        now: Duration,
    ) -> bool {
        if !self.leases.get(node).is_some_and(|lease| uid.is_empty() || *lease.view.uid == *uid) {
            return false;
        }
        self.tally(node, None);
        self.missing.insert(node.clone(), now);
        self.count_anew(node);
        let lost = self.is_mine(node) && !leaves;
        if lost {
            self.let_go(node);
        }
        self.review(node, members, now);
        lost
    }

    /// An attempt to take a Lease ended. True where this replica acts for the VNode from now on.
    pub(crate) fn taken(
        &mut self,
        node: &Arc<str>,
        result: &Result<(), WriteError>,
        members: &Membership,
        now: Duration,
    ) -> bool {
        let Some(base) = self.bases.get_mut(node).filter(|base| base.hold == Hold::Taking) else {
            return false;
        };
        base.slot.ended(now, result);
        base.hold = Hold::None;
        // An attempt whose end was not told may have succeeded: then what there is says so.
        let held = self.leases.get(node).is_some_and(|lease| lease.view.holder == *members.incarnation());
        let taken = result.is_ok() || (held && matches!(result, Err(WriteError::Conflict(_))));
        if taken {
            (base.hold, base.slot) = (Hold::Mine, WriteSlot::default());
            base.free_since = None;
            self.mine += 1;
        }
        self.review(node, members, now);
        taken
    }

    /// Another shall have it: nothing is done for it any more. What is to be written.
    pub(crate) fn hand_over(
        &mut self,
        node: &Arc<str>,
        members: &Membership,
        now: Duration,
    ) -> Option<Action> {
        let base = self.bases.get_mut(node).filter(|base| base.hold == Hold::Mine)?;
        self.mine -= 1;
        Some(base.release(node, members.incarnation(), now))
    }

    /// A release ended. Where it failed, the Lease is this replica's still: it is taken again soon, or released
    /// ([`Self::release_again`]).
    pub(crate) fn released(
        &mut self,
        node: &Arc<str>,
        result: &Result<(), WriteError>,
        members: &Membership,
        now: Duration,
    ) {
        if let Some(base) = self.bases.get_mut(node).filter(|base| base.hold == Hold::Releasing) {
            base.hold = Hold::None;
            if result.is_err() {
                base.slot.ended(now, result);
            }
            self.review(node, members, now);
        }
    }

    /// What this replica holds by Lease and does not act for, while it takes nothing: nobody else could take it.
    pub(crate) fn release_again(&mut self, members: &Membership, now: Duration, out: &mut Vec<Action>) {
        let own = members.incarnation();
        for (node, base) in &mut self.bases {
            let held = self.leases.get(node).is_some_and(|lease| lease.view.holder == *own);
            if held && base.hold == Hold::None && base.slot.is_free(now) {
                out.push(base.release(node, own, now));
            }
        }
    }

    /// The VNode is no more. What is to be written where its Lease did not go with its Node.
    pub(crate) fn left(&mut self, node: &Arc<str>, never_came: bool, members: &Membership) -> Option<Action> {
        self.let_go(node);
        self.drop_base(node);
        let (node, holder) = (node.clone(), members.incarnation().clone());
        never_came.then_some(Action::ReleaseLease { node, holder, delete: true })
    }

    /// This replica was ended: it holds nothing.
    pub(crate) fn drop_all(&mut self, members: &Membership, now: Duration) {
        for base in self.bases.values_mut() {
            (base.hold, base.slot) = (Hold::None, WriteSlot::default());
        }
        self.mine = 0;
        self.review_all(members, now);
    }

    /// The replicas changed: whom something was handed over to may be gone.
    pub(crate) fn members_changed(&mut self, members: &Membership, now: Duration) {
        for base in self.bases.values_mut() {
            base.slot.last_is_told();
        }
        self.review_all(members, now);
    }

    fn review_all(&mut self, members: &Membership, now: Duration) {
        let names: Vec<Arc<str>> = self.bases.keys().cloned().collect();
        for name in names {
            self.review(&name, members, now);
        }
    }

    /// Takes what is due, the longest without renewal first.
    pub(crate) fn advance(
        &mut self,
        duration: Duration,
        members: &Membership,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        let mut due = Vec::new();
        while let Some((at, name)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.remove(&(at, name.clone()));
            if let Some(base) = self.bases.get_mut(&name) {
                base.due = None;
            }
            // What was known when it was put there may have changed.
            match self.claim_at(&name, members, now) {
                Some(at) if at <= now => due.push(name),
                _ => self.review(&name, members, now),
            }
        }
        let renewed = |name: &Arc<str>| self.leases.get(name).and_then(|lease| lease.view.renewed);
        due.sort_by_cached_key(|name| (renewed(name).unwrap_or(Timestamp::MIN), name.clone()));
        for name in due {
            if self.window.1 == 0 || now >= self.window.0 + Duration::from_secs(1) {
                self.window = (now, 0);
            }
            if self.window.1 >= CLAIMS_PER_SECOND {
                self.queue(&name, Some(self.window.0 + Duration::from_secs(1)));
                continue;
            }
            self.window.1 += 1;
            let known = self.leases.get(&name).map(|lease| lease.view.clone());
            let seen = known.unwrap_or_else(|| LeaseView { node: name.clone(), ..LeaseView::default() });
            if let Some(base) = self.bases.get_mut(&name) {
                base.hold = Hold::Taking;
                base.slot.sent();
                out.push(Action::TakeLease { seen, holder: members.incarnation().clone(), duration });
            }
        }
    }

    /// When [`Self::advance`] is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    fn enter(&mut self, name: &Arc<str>, identity: &BaseIdentity, now: Duration) -> &mut Base {
        self.names.insert(identity.clone(), name.clone());
        self.bases.entry(name.clone()).or_insert_with(|| Base {
            identity: identity.clone(),
            node: None,
            heard: None,
            hold: Hold::None,
            free_since: None,
            since: now,
            slot: WriteSlot::default(),
            due: None,
        })
    }

    /// A Lease came in the place of another, or went.
    fn tally(&mut self, node: &Arc<str>, lease: Option<Lease>) {
        if let Some(lease) = &lease {
            *self.held.entry(lease.view.holder.clone()).or_default() += 1;
        }
        let before = match lease {
            Some(lease) => self.leases.insert(node.clone(), lease),
            None => self.leases.remove(node),
        };
        if let Some(Lease { view, .. }) = before
            && let Some(count) = self.held.get_mut(&view.holder)
        {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&view.holder);
            }
        }
    }

    /// Another holds it: what this replica tried there has come to its end.
    fn is_taken_up(&mut self, node: &Arc<str>) {
        if let Some(base) = self.bases.get_mut(node).filter(|base| base.hold == Hold::None) {
            base.slot = WriteSlot::default();
        }
    }

    /// Its Lease is another: how long it is free is counted anew.
    fn count_anew(&mut self, node: &Arc<str>) {
        if let Some(base) = self.bases.get_mut(node) {
            base.free_since = None;
        }
    }

    fn let_go(&mut self, node: &Arc<str>) {
        if let Some(base) = self.bases.get_mut(node).filter(|base| base.hold == Hold::Mine) {
            base.hold = Hold::None;
            self.mine -= 1;
        }
    }

    fn drop_base(&mut self, name: &Arc<str>) {
        self.queue(name, None);
        self.missing.remove(name);
        if let Some(base) = self.bases.remove(name)
            && self.names.get(&base.identity) == Some(name)
        {
            self.names.remove(&base.identity);
        }
    }

    /// Finds out anew when this replica may take it.
    fn review(&mut self, name: &Arc<str>, members: &Membership, now: Duration) {
        let Some(base) = self.bases.get(name) else { return };
        let silent = |heard: &Heard| now.saturating_sub(heard.at) >= HEARD_COUNTS;
        if base.hold == Hold::None && base.node.is_none() && base.heard.as_ref().is_none_or(silent) {
            return self.drop_base(name);
        }
        let at = self.claim_at(name, members, now);
        // A base without a Node is forgotten when it was not heard for long.
        let forget = self.bases.get(name).and_then(|base| match (&base.node, &base.heard, base.hold) {
            (None, Some(heard), Hold::None) => Some(heard.at + HEARD_COUNTS),
            _ => None,
        });
        self.queue(name, at.into_iter().chain(forget).min());
    }

    fn queue(&mut self, name: &Arc<str>, at: Option<Duration>) {
        let Some(base) = self.bases.get_mut(name) else { return };
        if let Some(old) = std::mem::replace(&mut base.due, at) {
            self.due.remove(&(old, name.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, name.clone()));
        }
    }

    /// When this replica may take the VNode; none while it is held, or is being taken.
    fn claim_at(&mut self, name: &Arc<str>, members: &Membership, now: Duration) -> Option<Duration> {
        let base = self.bases.get(name).filter(|base| base.hold == Hold::None)?;
        let lease = self.leases.get(name);
        let free = match lease {
            Some(lease) if lease.view.holder.is_empty() => Some(now),
            Some(lease) => match members.free_at(&lease.view.holder) {
                Holding::Held => None,
                Holding::Own | Holding::Free => Some(now),
                Holding::Unknown(until) => {
                    Some((lease.since + UNKNOWN_HOLDS).max(until.unwrap_or_default()).max(now))
                }
            },
            // A base that has no Node yet has no owner either.
            None if base.node.is_none() => Some(now),
            None => {
                let since = self.missing.get(name).copied().unwrap_or(base.since);
                Some((since + MISSING_HOLDS).max(now))
            }
        };
        let wait = free.map(|_| self.turn(name, members)).unwrap_or_default();
        let base = self.bases.get_mut(name)?;
        let Some(free) = free else {
            base.free_since = None;
            return None;
        };
        let since = *base.free_since.get_or_insert(free);
        Some((since + wait).max(base.slot.wake().unwrap_or_default()))
    }

    /// How long this replica lets others go first in taking a VNode.
    fn turn(&self, name: &str, members: &Membership) -> Duration {
        let shares = self.shares(members);
        if shares.is_full() {
            return ANYONE;
        }
        let lacks = |incarnation: &Arc<str>| shares.lacks(self.held_by(incarnation, members));
        (RANK_STEP * members.rank(name, lacks)).min(ANYONE)
    }
}
