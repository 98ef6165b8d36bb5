//! Which Pod is newer (rule O2).
//!
//! Of one owner, the one of the later revision: a paused rollout that is scaled makes new Pods of an
//! old revision, and an undo makes an old revision the latest. Of different owners, the one that was
//! made later. The two cannot simply be used in turn, or three Pods could each be newer than the
//! next. So a Pod ranks as late as the latest Pod of its owner that is not of a later revision, and
//! that decides; what is equal then is told apart within the owner.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use crate::view::{Owner, PodView};

/// Revisions of ReplicaSets, by UID.
pub(crate) type Revisions = HashMap<Arc<str>, u64>;

/// What one Pod is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    /// The latest creation among the owner's Pods of this revision or an earlier one, up to this Pod.
    made_by: Timestamp,
    /// Keeps an owner's Pods together. Where two owners made Pods in one second, the same of them is newer on every base:
    /// by their UIDs each could win on another base.
    owner: Option<&'a Owner>,
    /// A bare Pod, which is an owner of its own; empty for others.
    lone: &'a str,
    revision: u64,
    created: Timestamp,
    uid: &'a str,
}

/// Sorts Pods, the newest first.
pub(crate) fn newest_first(pods: &mut Vec<&PodView>, revisions: &Revisions) {
    let mut groups: BTreeMap<(Option<&Owner>, &str), Vec<&PodView>> = BTreeMap::new();
    for pod in pods.iter() {
        groups.entry((pod.owner.as_ref(), lone(pod))).or_default().push(pod);
    }
    let mut ranked: Vec<(Rank<'_>, &PodView)> = Vec::with_capacity(pods.len());
    for group in groups.into_values() {
        rank(&group, revisions, &mut ranked);
    }
    ranked.sort_by(|(a, _), (b, _)| b.cmp(a));
    pods.clear();
    pods.extend(ranked.into_iter().map(|(_, pod)| pod));
}

/// The UID of a bare Pod; empty for one that somebody made.
fn lone(pod: &PodView) -> &str {
    if pod.owner.is_some() { "" } else { &pod.pod.uid }
}

/// Of two Pods of different owners, whether the first is older: each ranked as if it were the only one of its owner.
pub(crate) fn is_older(pod: &PodView, than: &PodView) -> bool {
    let [pod, than] = [pod, than].map(|pod| (pod.created, pod.owner.as_ref(), lone(pod)));
    pod < than
}

/// The label in which the controller of DaemonSets writes the generation of its template. A template cannot say another.
pub const DAEMON_SET_GENERATION: &str = "pod-template-generation";

/// The revision that a Pod is of: that of its ReplicaSet, or its generation where a DaemonSet made it.
fn revision(pod: &PodView, revisions: &Revisions) -> Option<u64> {
    if pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "DaemonSet") {
        return pod.labels.get(DAEMON_SET_GENERATION)?.parse().ok();
    }
    revisions.get(pod.controller.as_ref()?).copied()
}

/// Ranks the Pods of one owner. Where a revision is not known, none of them is believed: the
/// ReplicaSet is so new that its watch has not told it, or it is gone.
fn rank<'a>(group: &[&'a PodView], revisions: &Revisions, ranked: &mut Vec<(Rank<'a>, &'a PodView)>) {
    let revision = |pod: &PodView| revision(pod, revisions);
    let all_known = group.iter().all(|pod| revision(pod).is_some());
    let mut own: Vec<(u64, &PodView)> =
        group.iter().map(|&pod| (revision(pod).filter(|_| all_known).unwrap_or_default(), pod)).collect();
    own.sort_by_key(|(revision, pod)| (*revision, pod.created, pod.pod.uid.clone()));
    let mut made_by = Timestamp::MIN;
    for (revision, pod) in own {
        made_by = made_by.max(pod.created);
        let (owner, lone) = (pod.owner.as_ref(), lone(pod));
        let rank = Rank { made_by, owner, lone, revision, created: pod.created, uid: &pod.pod.uid };
        ranked.push((rank, pod));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    /// A Pod of a Deployment's ReplicaSet, or a bare one.
    fn pod(name: &str, owner: Option<&str>, replica_set: &str, created: i64) -> PodView {
        PodView {
            owner: owner.map(|name| Owner {
                namespace: "ns".into(),
                kind: "Deployment".into(),
                name: name.into(),
            }),
            controller: owner.map(|_| replica_set.into()),
            created: Timestamp::from_second(created).unwrap(),
            ..testing::pod(name, "biz1", "1")
        }
    }

    fn revisions(known: &[(&str, u64)]) -> Revisions {
        known.iter().map(|(uid, revision)| ((*uid).into(), *revision)).collect()
    }

    fn order(pods: &[PodView], known: &[(&str, u64)]) -> Vec<String> {
        let mut refs: Vec<&PodView> = pods.iter().collect();
        newest_first(&mut refs, &revisions(known));
        refs.iter().map(|pod| pod.pod.name.to_string()).collect()
    }

    #[test]
    fn o2_the_revision_counts_before_the_creation() {
        let pods = [pod("late", Some("d"), "old", 9), pod("early", Some("d"), "new", 1)];
        assert_eq!(order(&pods, &[("old", 1), ("new", 2)]), ["early", "late"], "a paused rollout is scaled");
        assert_eq!(order(&pods, &[("old", 3), ("new", 2)]), ["late", "early"], "an undo");
    }

    /// A DaemonSet that is updated twice within one second makes both Pods of a base in it.
    #[test]
    fn o2_of_a_daemon_set_the_generation_counts() {
        let of = |name: &str, generation: &str, created| {
            let mut pod = pod(name, Some("d"), "the DaemonSet", created);
            pod.owner.as_mut().unwrap().kind = "DaemonSet".into();
            pod.labels.insert(DAEMON_SET_GENERATION.to_owned(), generation.to_owned());
            pod
        };
        for (older, newer) in [("a", "b"), ("b", "a")] {
            assert_eq!(order(&[of(older, "9", 5), of(newer, "10", 5)], &[]), [newer, older]);
        }
        assert_eq!(order(&[of("late", "1", 9), of("early", "2", 1)], &[]), ["early", "late"]);
        assert_eq!(order(&[of("late", "x", 9), of("early", "2", 1)], &[]), ["late", "early"], "not a number");
    }

    #[test]
    fn without_the_revision_the_creation_counts() {
        let pods = [pod("late", Some("d"), "old", 9), pod("early", Some("d"), "new", 1)];
        assert_eq!(order(&pods, &[("new", 2)]), ["late", "early"]);
        assert_eq!(order(&pods, &[]), ["late", "early"]);
    }

    #[test]
    fn o2_of_different_owners_the_later_counts() {
        let pods = [pod("a", Some("d"), "x", 5), pod("b", Some("e"), "y", 4), pod("c", None, "", 6)];
        assert_eq!(order(&pods, &[("x", 1), ("y", 9)]), ["c", "a", "b"]);
    }

    /// As when one file with two Deployments is applied: whatever UIDs their Pods have.
    #[test]
    fn o2_of_owners_in_one_second_the_same_is_newer_on_every_base() {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let tied = [pod(first, Some("d"), "x", 5), pod(second, Some("e"), "y", 5), pod("c", None, "", 5)];
            assert_eq!(order(&tied, &[("x", 9), ("y", 1)]), [second, first, "c"]);
            assert!(is_older(&tied[0], &tied[1]) && !is_older(&tied[1], &tied[0]));
            assert!(is_older(&tied[2], &tied[0]));
        }
    }

    #[test]
    fn three_pods_that_would_chase_each_other_have_an_order() {
        // By turns: c is newer than a (revision), a than b (creation), b than c (creation).
        let pods =
            [pod("a", Some("d"), "one", 10), pod("b", Some("e"), "y", 5), pod("c", Some("d"), "two", 1)];
        assert_eq!(order(&pods, &[("one", 1), ("two", 2), ("y", 1)]), ["c", "a", "b"]);
    }

    fn any_pods() -> impl Strategy<Value = Vec<PodView>> {
        let owners = prop::option::weighted(0.8, prop::sample::select(vec!["d", "e"]));
        let one = (owners, prop::sample::select(vec!["1", "2", "3"]), 0..6_i64);
        prop::collection::vec(one, 0..8).prop_map(|all| {
            let named = all.into_iter().enumerate();
            named
                .map(|(n, (owner, set, created))| {
                    let set = format!("{}{set}", owner.unwrap_or_default());
                    pod(&format!("p{n}"), owner, &set, created)
                })
                .collect()
        })
    }

    const KNOWN: [(&str, u64); 6] = [("d1", 4), ("d2", 2), ("d3", 3), ("e1", 1), ("e2", 7), ("e3", 5)];

    proptest! {
        /// One order, whatever order the Pods come in; and within an owner by (revision, creation, UID).
        #[test]
        fn the_order_is_one_and_keeps_to_each_owners(pods in any_pods()) {
            let sorted = order(&pods, &KNOWN);
            let mut turned = pods.clone();
            turned.reverse();
            prop_assert_eq!(&sorted, &order(&turned, &KNOWN));
            prop_assert_eq!(sorted.len(), pods.len());
            let known = revisions(&KNOWN);
            for owner in ["d", "e"] {
                let of = |pod: &&PodView| pod.owner.as_ref().is_some_and(|o| *o.name == *owner);
                let mut own: Vec<&PodView> = pods.iter().filter(of).collect();
                own.sort_by_key(|pod| {
                    let revision = known[pod.controller.as_ref().unwrap()];
                    std::cmp::Reverse((revision, pod.created, pod.pod.uid.clone()))
                });
                let own: Vec<String> = own.iter().map(|pod| pod.pod.name.to_string()).collect();
                let kept: Vec<String> = sorted.iter().filter(|name| own.contains(name)).cloned().collect();
                prop_assert_eq!(kept, own);
            }
        }

        /// Where every owner has one Pod, the later is newer.
        #[test]
        fn of_single_pods_the_creation_decides(made in prop::collection::vec(0..4_i64, 0..6)) {
            let pods: Vec<PodView> = made.iter().enumerate().map(|(n, created)| {
                pod(&format!("p{n}"), (n % 2 == 0).then_some(["d", "e", "f"][n / 2]), "d1", *created)
            }).collect();
            let mut by_creation: Vec<&PodView> = pods.iter().collect();
            by_creation.sort_by_key(|pod| std::cmp::Reverse((pod.created, pod.owner.clone(), pod.pod.uid.clone())));
            let expected: Vec<String> = by_creation.iter().map(|pod| pod.pod.name.to_string()).collect();
            prop_assert_eq!(order(&pods, &KNOWN), expected);
        }
    }
}
