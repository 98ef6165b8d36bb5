//! When this replica takes which VNode.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    super::membership::{Holding, Membership},
    Heard, Hold, Leases,
};
use crate::{action::Action, request::Request, view::LeaseView};

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
const TAKEN_PER_SECOND: u32 = 200;
/// What a base said of itself counts for so long.
const HEARD_COUNTS: Duration = Duration::from_secs(60);

impl Leases {
    /// The replicas changed: whom something was handed over to may be gone.
    pub(crate) fn members_changed(&mut self, members: &Membership, now: Duration) {
        for base in self.bases.values_mut() {
            base.slot.last_is_told();
        }
        self.review_all(members, now);
    }

    pub(super) fn review_all(&mut self, members: &Membership, now: Duration) {
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
            match self.take_at(&name, members, now) {
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
            if self.window.1 >= TAKEN_PER_SECOND {
                self.queue(&name, Some(self.window.0 + Duration::from_secs(1)));
                continue;
            }
            self.window.1 += 1;
            let known = self.leases.get(&name).map(|lease| lease.view.clone());
            let seen = known.unwrap_or_else(|| LeaseView { node: name.clone(), ..LeaseView::default() });
            if let Some(base) = self.bases.get_mut(&name) {
                base.hold = Hold::Taking;
                base.slot.sent();
                out.push(Action::Request(Request::TakeLease {
                    seen,
                    holder: members.incarnation().clone(),
                    duration,
                }));
            }
        }
    }

    /// When [`Self::advance`] is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Finds out anew when this replica may take it.
    pub(super) fn review(&mut self, name: &Arc<str>, members: &Membership, now: Duration) {
        let Some(base) = self.bases.get(name) else { return };
        let silent = |heard: &Heard| now.saturating_sub(heard.at) >= HEARD_COUNTS;
        if base.hold == Hold::None && base.node.is_none() && base.heard.as_ref().is_none_or(silent) {
            return self.drop_base(name);
        }
        let at = self.take_at(name, members, now);
        // A base without a Node is forgotten when it was not heard for long.
        let forget = self.bases.get(name).and_then(|base| match (&base.node, &base.heard, base.hold) {
            (None, Some(heard), Hold::None) => Some(heard.at + HEARD_COUNTS),
            _ => None,
        });
        self.queue(name, at.into_iter().chain(forget).min());
    }

    pub(super) fn queue(&mut self, name: &Arc<str>, at: Option<Duration>) {
        let Some(base) = self.bases.get_mut(name) else { return };
        if let Some(old) = std::mem::replace(&mut base.due, at) {
            self.due.remove(&(old, name.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, name.clone()));
        }
    }

    /// When this replica may take the VNode; none while it is held, or is being taken.
    fn take_at(&mut self, name: &Arc<str>, members: &Membership, now: Duration) -> Option<Duration> {
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
