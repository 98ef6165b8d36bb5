//! How many of an owner's bases may be without what served, at a time (rule O7).
//!
//! The rule says `max(1, maxUnavailable − unavailable)`. A Pod that a permit makes unavailable must not count twice, or
//! half as many would be under way as may be: what counts is who is unavailable already, and who will be by a permit.

use std::{collections::HashMap, sync::Arc};

use crate::view::WorkloadView;

/// The most permits of one owner: their UIDs fit into an annotation four times over, and no update needs more at once.
const MOST_AT_ONCE: usize = 1_000;

/// What a workload allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    most_unavailable: usize,
    desired: usize,
    /// As its controller counts: what is Ready, and for long enough.
    available: usize,
}

impl Limit {
    /// The same, with so many at least.
    pub(super) fn or_at_least(self, most_unavailable: usize) -> Self {
        Self { most_unavailable: self.most_unavailable.max(most_unavailable), ..self }
    }
}

impl From<&WorkloadView> for Limit {
    fn from(view: &WorkloadView) -> Self {
        let count = |number: i32| usize::try_from(number).unwrap_or_default();
        Self {
            most_unavailable: usize::try_from(view.most_unavailable()).unwrap_or(usize::MAX),
            desired: count(view.rollout.desired),
            available: count(view.rollout.available),
        }
    }
}

/// A Pod, as far as permits are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) node: Arc<str>,
    /// `metadata.resourceVersion`.
    pub(super) version: u64,
    /// It serves, and is not being deleted.
    pub(super) ready: bool,
    /// The last version of it that needed no permit any more: it served, or had failed in the place of another.
    pub(super) done_at: Option<u64>,
    /// It ended for good.
    pub(super) over: bool,
}

impl Seen {
    /// A permit that was asked for with this version is not used any more. A version of 0 could not be read.
    pub(super) fn is_done_with(&self, asked: u64) -> bool {
        self.over || self.done_at.is_some_and(|at| at == 0 || at > asked)
    }

    /// It is so in its last version: whoever sees the Pod for the first time knows it too.
    pub(super) fn shows_it(&self) -> bool {
        self.over || self.done_at == Some(self.version)
    }
}

/// The Pods of one owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Pods {
    all: HashMap<Arc<str>, Seen>,
    ready: usize,
    /// How many of them are Ready, by Node.
    ready_on: HashMap<Arc<str>, usize>,
}

impl Pods {
    /// A view of a Pod came. True where it tells something else than the one before.
    pub(super) fn see(&mut self, uid: &Arc<str>, mut seen: Seen) -> bool {
        let before = self.all.get(uid);
        seen.done_at = seen.done_at.or_else(|| before.and_then(|before| before.done_at));
        let what = |seen: &Seen| (seen.ready, seen.done_at.is_some(), seen.over);
        let is_news = before.map(what) != Some(what(&seen));
        if seen.ready {
            self.ready += 1;
            *self.ready_on.entry(seen.node.clone()).or_default() += 1;
        }
        let before = self.all.insert(uid.clone(), seen);
        self.uncount(before.as_ref());
        is_news
    }

    /// A Pod is gone. True where it was one of these.
    pub(super) fn lose(&mut self, uid: &Arc<str>) -> bool {
        let before = self.all.remove(uid);
        self.uncount(before.as_ref());
        before.is_some()
    }

    fn uncount(&mut self, before: Option<&Seen>) {
        let Some(before) = before.filter(|before| before.ready) else { return };
        self.ready = self.ready.saturating_sub(1);
        if let Some(count) = self.ready_on.get_mut(&before.node) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.ready_on.remove(&before.node);
            }
        }
    }

    pub(super) fn find(&self, uid: &Arc<str>) -> Option<&Seen> {
        self.all.get(uid)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many Pods serve until this one takes their place. Of one that is not known (yet) there is one.
    pub(super) fn cost(&self, uid: &Arc<str>) -> usize {
        let Some(own) = self.all.get(uid) else { return 1 };
        let ready = self.ready_on.get(&own.node).copied().unwrap_or_default();
        ready.saturating_sub(usize::from(own.ready))
    }
}

/// What is left of what a workload allows, while permits are given one by one.
#[derive(Debug, Clone)]
pub(super) struct Room<'a> {
    pods: &'a Pods,
    limit: Option<Limit>,
    held: usize,
    /// Pods that are unavailable, or will be.
    missing: usize,
}

impl<'a> Room<'a> {
    /// With nobody who holds a permit yet. Where nothing is known of the workload, one may.
    pub(super) fn new(pods: &'a Pods, limit: Option<Limit>) -> Self {
        let missing = limit.map_or(0, |limit| limit.desired.saturating_sub(pods.ready.min(limit.available)));
        Self { pods, limit, held: 0, missing }
    }

    /// A Pod has a permit.
    pub(super) fn hold(&mut self, uid: &Arc<str>) {
        self.held += 1;
        if self.limit.is_some() {
            self.missing += self.pods.cost(uid);
        }
    }

    /// Nobody gets a permit any more.
    pub(super) fn is_full(&self) -> bool {
        let beyond = |limit: Limit| self.held >= MOST_AT_ONCE || self.missing > limit.most_unavailable;
        self.held > 0 && self.limit.is_none_or(beyond)
    }

    /// A Pod gets a permit, if there is room for it.
    pub(super) fn admit(&mut self, uid: &Arc<str>) -> bool {
        let room = |limit: Limit| self.missing + self.pods.cost(uid) <= limit.most_unavailable;
        let fits = self.held == 0 || (!self.is_full() && self.limit.is_some_and(room));
        if fits {
            self.hold(uid);
        }
        fits
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn limit(most_unavailable: usize, desired: usize, available: usize) -> Limit {
        Limit { most_unavailable, desired, available }
    }

    fn uid(name: &str) -> Arc<str> {
        name.into()
    }

    fn seen(node: &str, ready: bool) -> Seen {
        Seen { node: node.into(), version: 1, ready, done_at: None, over: false }
    }

    /// Of the first so many Nodes each has a Ready Pod of before and a new one, `n0`, `n1`, …
    fn pods(nodes: usize) -> Pods {
        let mut pods = Pods::default();
        for n in 0..nodes {
            pods.see(&uid(&format!("o{n}")), seen(&format!("node-{n}"), true));
            pods.see(&uid(&format!("n{n}")), seen(&format!("node-{n}"), false));
        }
        pods
    }

    /// How many of the new Pods get a permit beside those that `hold` one.
    fn admitted(pods: &Pods, limit: Option<Limit>, hold: &[&str]) -> Vec<String> {
        let mut room = Room::new(pods, limit);
        hold.iter().for_each(|holder| room.hold(&uid(holder)));
        let ask = (0..10).map(|n| format!("n{n}")).filter(|name| pods.find(&uid(name)).is_some());
        ask.filter(|name| !hold.contains(&name.as_str()) && room.admit(&uid(name))).collect()
    }

    #[test]
    fn o7_as_many_as_may_be_unavailable_less_those_that_are() {
        let pods = pods(10);
        assert_eq!(admitted(&pods, Some(limit(3, 10, 10)), &[]).len(), 3);
        assert_eq!(admitted(&pods, Some(limit(3, 10, 8)), &[]).len(), 1, "its controller says that two are");
        assert_eq!(admitted(&pods, Some(limit(3, 12, 12)), &[]).len(), 1, "two are nowhere");
        assert_eq!(admitted(&pods, Some(limit(0, 10, 10)), &[]).len(), 1, "one always may");
        assert_eq!(admitted(&pods, Some(limit(3, 10, 0)), &["n0"]).len(), 0, "but one");
        assert_eq!(admitted(&pods, None, &[]).len(), 1, "nothing is known of the workload");
        assert_eq!(admitted(&pods, None, &["n0"]).len(), 0);
    }

    #[test]
    fn who_is_unavailable_by_a_permit_counts_once() {
        let mut pods = pods(10);
        let all = Some(limit(3, 10, 10));
        assert_eq!(admitted(&pods, all, &["n0", "n1"]).len(), 1);
        // The Pods of before have yielded, and their controller has noticed.
        for old in ["o0", "o1"] {
            pods.see(&uid(old), seen(&format!("node-{}", &old[1..]), false));
        }
        assert_eq!(admitted(&pods, Some(limit(3, 10, 8)), &["n0", "n1"]).len(), 1);
        assert_eq!(admitted(&pods, all, &["n0", "n1"]).len(), 1, "or has not");
    }

    #[test]
    fn what_kubernetes_took_away_already_costs_nothing_more() {
        let mut pods = pods(10);
        for old in ["o0", "o1", "o2"] {
            pods.lose(&uid(old));
        }
        let got = admitted(&pods, Some(limit(3, 10, 7)), &[]);
        assert_eq!(got, ["n0", "n1", "n2"], "those have nothing to lose, and the others may not");
    }

    #[test]
    fn a_base_with_several_pods_of_a_deployment_costs_as_many() {
        let mut pods = pods(4);
        pods.see(&uid("o0b"), seen("node-0", true));
        assert_eq!(admitted(&pods, Some(limit(2, 5, 5)), &["n1"]).len(), 1, "not the base with two");
        assert_eq!(admitted(&pods, Some(limit(2, 5, 5)), &[]), ["n0"], "or that one alone");
    }
}
