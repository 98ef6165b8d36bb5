//! When each VNode wants to be looked at again.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use model::BaseIdentity;

/// A queue of VNodes by the time at which they are due, each at most once.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queue: BTreeSet<(Duration, BaseIdentity)>,
    of: HashMap<BaseIdentity, Duration>,
}

impl Wakes {
    /// From now on this one is due then, or never.
    pub(super) fn set(&mut self, base: &BaseIdentity, due: Option<Duration>) {
        if let Some(old) = self.of.remove(base) {
            self.queue.remove(&(old, base.clone()));
        }
        if let Some(at) = due {
            self.of.insert(base.clone(), at);
            self.queue.insert((at, base.clone()));
        }
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// It is due, and not yet.
    pub(super) fn is_later(&self, base: &BaseIdentity, now: Duration) -> bool {
        self.of.get(base).is_some_and(|&at| at > now)
    }

    /// Takes the first that is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<BaseIdentity> {
        if self.next()? > now {
            return None;
        }
        let (_, base) = self.queue.pop_first()?;
        self.of.remove(&base);
        Some(base)
    }
}
