//! Who acts for a VNode: one Lease each, taken by compare-and-swap (rules W7, W8 and W10).

mod turns;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use model::{BaseIdentity, BaseReport, TunnelKind};

use super::{membership::Membership, shares::Shares};
use crate::{
    action::Action,
    config::MOST_BASES,
    request::{Request, WriteError},
    view::{LeaseView, NodeView},
    write_slot::WriteSlot,
};

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
        Action::Request(Request::ReleaseLease { node: node.clone(), holder: holder.clone(), delete: false })
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
pub(crate) struct Leases {
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

impl Leases {
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
        never_came.then_some(Action::Request(Request::ReleaseLease { node, holder, delete: true }))
    }

    /// This replica was ended: it holds nothing.
    pub(crate) fn drop_all(&mut self, members: &Membership, now: Duration) {
        for base in self.bases.values_mut() {
            (base.hold, base.slot) = (Hold::None, WriteSlot::default());
        }
        self.mine = 0;
        self.review_all(members, now);
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
}
