//! Ownership: of many replicas one acts for a VNode, whatever fails.
//!
//! Two kinds of Leases: one for each replica says who lives ([`Membership`]), one for each VNode
//! says who acts for it ([`Leases`]). A replica that cannot renew the first stops by itself; one
//! that is dead is marked so before anybody takes over what it held.

mod leases;
mod membership;
mod reach;
mod shares;
#[cfg(test)]
mod tests;
mod twin;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    action::{Action, ToReplica},
    config::ClusterConfig,
    view::Door,
};
pub(crate) use leases::{Heard, Leases};
pub(crate) use membership::Membership;
pub(crate) use reach::{Reach, Seen};
pub use twin::Twin;

/// How often it is looked whether this replica has too much to do.
const BALANCE_EVERY: Duration = Duration::from_secs(1);
/// VNodes that are handed over at once.
const HANDED_OVER: usize = 20;
/// VNodes that are given up at once by one that is cut off from them, or yields: as many as are taken in that time.
const GIVEN_UP: usize = 200;
const GIVE_UP_EVERY: Duration = Duration::from_secs(1);
/// How often what belongs to nobody is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// As whom this replica lives, and the doors of the others.
type Introduction = (Arc<str>, BTreeMap<Arc<str>, Door>);

/// What a replica knows of the others, and of what each of them owns.
#[derive(Debug)]
pub(crate) struct Ownership {
    pub(crate) members: Membership,
    pub(crate) leases: Leases,
    pub(crate) reach: Reach,
    /// Something was left undone because the fence was shut.
    pub(crate) frozen: bool,
    /// This one does what one of them has to do.
    pub(crate) leads: bool,
    /// It has too much, and hands over until it has its share.
    sheds: bool,
    levels: u32,
    /// Who takes VNodes, and who lives: one that is cut off may die too.
    takers: Vec<Arc<str>>,
    living: Vec<Arc<str>>,
    /// Which replicas were told to whoever sends on between them, and as whom; none before that.
    told: Option<Introduction>,
    /// This one takes what others send on.
    is_open: bool,
    balance_at: Duration,
    give_up_at: Duration,
    sweep_at: Duration,
}

impl Ownership {
    pub(crate) fn new(config: ClusterConfig, door: Option<Door>) -> Self {
        Self {
            levels: config.levels,
            told: None,
            is_open: door.is_some(),
            members: Membership::new(config, door),
            leases: Leases::default(),
            reach: Reach::default(),
            frozen: false,
            leads: false,
            sheds: false,
            takers: Vec::new(),
            living: Vec::new(),
            balance_at: Duration::ZERO,
            give_up_at: Duration::ZERO,
            sweep_at: Duration::ZERO,
        }
    }

    /// Renews, ends the dead, and takes what is free where that is wanted.
    pub(crate) fn advance(
        &mut self,
        takes: bool,
        lease_duration: Duration,
        now: Duration,
        out: &mut Vec<Action>,
    ) {
        let (mine, all) = self.leases.counts();
        let (level, leases) = (level(mine, all, self.levels), &self.leases);
        self.members.look_for_twin();
        // One that yields takes nothing, which the others have to know.
        self.members.be_cut_off(self.reach.is_cut_off() || self.members.yields(), now);
        self.members.advance(level, |incarnation| leases.holds(incarnation), now, out);
        let takers: Vec<Arc<str>> = self.members.takers().map(|(name, _)| name.clone()).collect();
        let living: Vec<Arc<str>> = self.members.living().map(|(name, _)| name.clone()).collect();
        if (&takers, &living) != (&self.takers, &self.living) {
            (self.takers, self.living) = (takers, living);
            self.leases.members_changed(&self.members, now);
        }
        if self.is_open {
            self.introduce(out);
        }
        if self.takes(takes, now) {
            self.leases.advance(lease_duration, &self.members, now, out);
        } else if self.members.may_act(now) && self.gives() {
            self.leases.release_again(&self.members, now, out);
        }
    }

    /// It may take what is free. One that is cut off takes nothing while there are others that are not.
    fn takes(&self, wanted: bool, now: Duration) -> bool {
        wanted && !self.gives() && self.members.may_act(now)
    }

    fn gives(&self) -> bool {
        self.members.yields() || self.reach.is_cut_off() && self.members.others_reach()
    }

    /// Says which replicas live, where that has changed (rule W11).
    fn introduce(&mut self, out: &mut Vec<Action>) {
        let now = (self.members.incarnation().clone(), self.members.doors());
        if self.told.as_ref() != Some(&now) {
            let (own, others) = now.clone();
            out.push(Action::Replica(ToReplica::Replicas { own, others }));
            self.told = Some(now);
        }
    }

    /// How many VNodes this replica shall hand over now ([`Shares::surplus`]). What was begun is brought to its end.
    pub(crate) fn surplus(&mut self, now: Duration) -> usize {
        if now < self.balance_at || !self.members.may_act(now) {
            return 0;
        }
        self.balance_at = now + BALANCE_EVERY;
        if self.reach.is_cut_off() || self.members.yields() {
            return 0;
        }
        let surplus = self.leases.shares(&self.members).surplus(self.sheds);
        self.sheds = surplus > 0;
        surplus.min(HANDED_OVER)
    }

    /// How many VNodes shall be given to others now, because this replica does not reach them: not more than are
    /// taken in a second.
    pub(crate) fn given_up(&mut self, now: Duration) -> usize {
        let gives_up = self.reach.gives_up(now) || self.members.yields();
        if now < self.give_up_at || !self.members.may_act(now) || !gives_up {
            return 0;
        }
        self.give_up_at = now + GIVE_UP_EVERY;
        GIVEN_UP
    }

    /// It is time to look for what belongs to nobody.
    pub(crate) fn sweeps(&mut self, now: Duration) -> bool {
        let due = now >= self.sweep_at;
        if due {
            self.sweep_at = now + SWEEP_EVERY;
        }
        due
    }

    /// When it wants to be advanced; what is due while nothing is taken waits for a renewal, or for a base that is heard.
    pub(crate) fn next_wake(&self, takes: bool, now: Duration) -> Option<Duration> {
        let leases = self.leases.next_wake().filter(|_| self.takes(takes, now));
        let gives = Some(self.give_up_at).filter(|&at| at > now);
        self.members.next_wake(now).into_iter().chain(leases).chain(gives).min()
    }
}

/// Owned of all, in so many levels.
fn level(mine: usize, all: usize, levels: u32) -> u32 {
    let levels = usize::try_from(levels).unwrap_or(1).max(1);
    let level = (mine * levels).checked_div(all).unwrap_or(0).min(levels - 1);
    u32::try_from(level).unwrap_or(u32::MAX)
}
