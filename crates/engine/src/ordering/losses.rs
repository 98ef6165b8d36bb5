//! Who lost a base to another owner, over all bases, and how many Pods were made to fail by it.
//!
//! A controller makes another Pod for each that fails. So whose template lost is remembered: what is made of it again does
//! not displace the winner, on whichever base it comes to. And the Pods that fail are counted, those of other replicas and
//! of before a restart too, as their statuses tell: one for each base and owner, and a few for each owner. Beyond that the
//! loser waits, which its controller has no answer to.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{BizId, ModuleSpec};

use crate::{
    pod::{displaced, translate},
    view::{Owner, Phase, PodView},
};

/// The most Pods of an owner that are Failed because it lost: enough to move to where there is room, and to be seen.
/// Kubernetes itself collects Failed Pods only beyond 12,500 of a cluster.
const MOST_FAILED: usize = 16;
/// How long one that failed counts after it is gone: a DaemonSet's goes at once, and its controller waits 15 min at most
/// between two of them.
const COUNTS: Duration = Duration::from_secs(3_600);
/// The most owners of whom that is known; of one more none fails.
const MOST_OWNERS: usize = 4_096;
/// The most templates that are known to have lost; then the one that is known longest is forgotten. It says so itself
/// again as long as one of its Pods waits.
const MOST_TEMPLATES: usize = 8_192;

/// The kinds under whose name the same Pods come again. A Job or an unknown kind may be made anew for each Pod, and a bare
/// Pod is: they count together, by kind and namespace.
const LASTING: [&str; 5] = ["Deployment", "ReplicaSet", "ReplicationController", "DaemonSet", "StatefulSet"];

/// What Pods are made of again: by which direct controller (UID), which biz, from which package.
type Template = (Arc<str>, BizId, Arc<str>);

/// One Pod that failed.
#[derive(Debug, Clone)]
struct Failed {
    uid: Arc<str>,
    node: Arc<str>,
    owner: Option<Owner>,
    /// Since when it is gone.
    gone: Option<Duration>,
}

/// Those of one owner, or of all that count together.
#[derive(Debug, Clone, Default)]
struct OfOwner {
    failed: Vec<Failed>,
    /// People were told that no more of them fail.
    told: bool,
}

/// Whether a loser may be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fails: its controller makes another.
    Fails,
    /// One of its owner has failed on this base.
    FailedBefore,
    /// So many of its owner have failed on all bases.
    TooMany {
        /// People have not been told.
        untold: bool,
    },
}

/// All that is known of losses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Losses {
    /// To whom each template has lost.
    lost: BTreeMap<Template, BTreeSet<Arc<str>>>,
    /// In the order in which it was learnt.
    learnt: VecDeque<Template>,
    failed: BTreeMap<Owner, OfOwner>,
    /// With whom a Pod counts, by its UID.
    counted: HashMap<Arc<str>, Owner>,
}

impl Losses {
    /// A view of a Pod came, on whichever base; true where a loss is learnt from it that was not known.
    pub(crate) fn see_pod(&mut self, pod: &PodView, now: Duration) -> bool {
        let Some(rival) = displaced::rival_of(&pod.status) else { return false };
        if pod.status.phase == Phase::Failed {
            self.failed(pod, now);
        }
        let Some(controller) = &pod.controller else { return false };
        let mut is_news = false;
        for spec in translate::specs(pod) {
            let template = (controller.clone(), spec.id, spec.url.as_told().clone());
            if !self.lost.contains_key(&template) {
                self.make_room();
                self.learnt.push_back(template.clone());
            }
            is_news |= self.lost.entry(template).or_default().insert(rival.into());
        }
        is_news
    }

    fn make_room(&mut self) {
        if self.learnt.len() >= MOST_TEMPLATES
            && let Some(oldest) = self.learnt.pop_front()
        {
            self.lost.remove(&oldest);
        }
    }

    /// A Pod is gone.
    pub(crate) fn lose_pod(&mut self, uid: &Arc<str>, now: Duration) {
        let Some(of) = self.counted.get(uid).and_then(|owner| self.failed.get_mut(owner)) else { return };
        if let Some(failed) = of.failed.iter_mut().find(|failed| failed.uid == *uid) {
            failed.gone.get_or_insert(now);
        }
    }

    /// Anybody has lost to anybody.
    pub(crate) fn are_any(&self) -> bool {
        !self.lost.is_empty()
    }

    /// What this controller makes of this package has lost to that rival ([`displaced::title`]) on some base.
    pub(crate) fn has_lost(&self, controller: &Arc<str>, spec: &ModuleSpec, rival: &str) -> bool {
        let template = (controller.clone(), spec.id.clone(), spec.url.as_told().clone());
        self.lost.get(&template).is_some_and(|rivals| rivals.contains(rival))
    }

    /// Whether this Pod, which has lost its base, may be made to fail.
    pub(crate) fn judge(&mut self, pod: &PodView, now: Duration) -> Verdict {
        let owner = counts_with(pod);
        self.forget(&owner, now);
        let uid = &pod.pod.uid;
        let Some(of) = self.failed.get(&owner) else {
            let has_room = self.failed.len() < MOST_OWNERS;
            return if has_room { Verdict::Fails } else { Verdict::TooMany { untold: false } };
        };
        let others = || of.failed.iter().filter(|failed| failed.uid != *uid);
        if pod.owner.is_some() && others().any(|other| other.node == pod.node && other.owner == pod.owner) {
            return Verdict::FailedBefore;
        }
        match others().count() < MOST_FAILED {
            true => Verdict::Fails,
            false => Verdict::TooMany { untold: !of.told },
        }
    }

    /// This Pod fails, or is told to.
    pub(crate) fn failed(&mut self, pod: &PodView, now: Duration) {
        let owner = counts_with(pod);
        self.forget(&owner, now);
        if !self.failed.contains_key(&owner) && self.failed.len() >= MOST_OWNERS {
            return;
        }
        let of = self.failed.entry(owner.clone()).or_default();
        let is_known = of.failed.iter().any(|failed| failed.uid == pod.pod.uid);
        // What earlier versions have left behind may be more.
        if !is_known && of.failed.len() < MOST_FAILED {
            let (uid, node) = (pod.pod.uid.clone(), pod.node.clone());
            self.counted.insert(uid.clone(), owner);
            of.failed.push(Failed { uid, node, owner: pod.owner.clone(), gone: None });
        }
    }

    /// People are told that no more Pods of this one's owner fail.
    pub(crate) fn told(&mut self, pod: &PodView) {
        if let Some(of) = self.failed.get_mut(&counts_with(pod)) {
            of.told = true;
        }
    }

    /// What was long ago counts no more.
    fn forget(&mut self, owner: &Owner, now: Duration) {
        let stays = |failed: &Failed| failed.gone.is_none_or(|at| now < at + COUNTS);
        let is_full = self.failed.len() >= MOST_OWNERS;
        let counted = &mut self.counted;
        self.failed.retain(|whose, of| {
            if is_full || whose == owner {
                let before = of.failed.len();
                of.failed.retain(|failed| stays(failed) || counted.remove(&failed.uid).is_none());
                of.told &= of.failed.len() == before;
            }
            !of.failed.is_empty()
        });
    }
}

/// With whom a Pod counts.
fn counts_with(pod: &PodView) -> Owner {
    match &pod.owner {
        Some(owner) if LASTING.contains(&&*owner.kind) => owner.clone(),
        Some(owner) => Owner { name: "".into(), ..owner.clone() },
        None => Owner { namespace: pod.pod.namespace.clone(), kind: "Pod".into(), name: "".into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pod::displaced::DISPLACED, testing};

    const NOW: Duration = Duration::from_secs(100);

    fn of(kind: &str, name: &str, pod: &str, node: &str) -> PodView {
        let owner = Owner { namespace: "ns".into(), kind: kind.into(), name: name.into() };
        PodView {
            owner: (!kind.is_empty()).then_some(owner),
            controller: (!kind.is_empty()).then(|| format!("uid-of-{name}").into()),
            node: node.into(),
            ..testing::pod(pod, "biz1", "1")
        }
    }

    fn says_it_lost(mut pod: PodView, phase: Phase) -> PodView {
        pod.status.phase = phase;
        pod.status.reason = DISPLACED.into();
        pod.status.message = displaced::lost_to("Deployment ns/winner", model::Language::English);
        pod
    }

    fn spec(pod: &PodView) -> ModuleSpec {
        translate::specs(pod).remove(0)
    }

    #[test]
    fn one_fails_for_each_base_and_owner_also_when_it_is_gone_and_whoever_made_it_fail() {
        let mut losses = Losses::default();
        let first = of("DaemonSet", "d", "one", "a");
        assert_eq!(losses.judge(&first, NOW), Verdict::Fails);
        losses.failed(&first, NOW);
        assert_eq!(losses.judge(&first, NOW), Verdict::Fails, "it may have to be told twice");
        let again = of("DaemonSet", "d", "two", "a");
        assert_eq!(losses.judge(&again, NOW), Verdict::FailedBefore);
        assert_eq!(losses.judge(&of("DaemonSet", "d", "two", "b"), NOW), Verdict::Fails);
        assert_eq!(losses.judge(&of("DaemonSet", "e", "two", "a"), NOW), Verdict::Fails);
        losses.lose_pod(&first.pod.uid, NOW);
        assert_eq!(losses.judge(&again, NOW), Verdict::FailedBefore, "the DaemonSet's goes at once");
        assert_eq!(losses.judge(&again, NOW + COUNTS), Verdict::Fails);

        let mut another = Losses::default();
        another.see_pod(&says_it_lost(first, Phase::Failed), NOW);
        assert_eq!(another.judge(&again, NOW), Verdict::FailedBefore, "as its status tells");
    }

    #[test]
    fn an_owner_has_a_limit_over_all_bases_which_is_told_once() {
        for (kind, name) in [("Deployment", |_| "d".to_owned()), ("Job", |n| format!("job-{n}"))]
            as [(&str, fn(usize) -> String); 2]
        {
            let mut losses = Losses::default();
            let pod = |n: usize| of(kind, &name(n), &format!("p{n}"), &format!("node-{n}"));
            for n in 0..MOST_FAILED {
                assert_eq!(losses.judge(&pod(n), NOW), Verdict::Fails, "{kind} {n}");
                losses.failed(&pod(n), NOW);
            }
            let more = pod(MOST_FAILED);
            assert_eq!(losses.judge(&more, NOW), Verdict::TooMany { untold: true });
            losses.told(&more);
            assert_eq!(losses.judge(&more, NOW), Verdict::TooMany { untold: false });
            losses.lose_pod(&pod(3).pod.uid, NOW);
            assert_eq!(losses.judge(&more, NOW + COUNTS), Verdict::Fails, "one is long gone");
        }
    }

    #[test]
    fn bare_pods_of_a_namespace_count_together() {
        let mut losses = Losses::default();
        let bare = |n: usize| of("", "", &format!("p{n}"), "a");
        for n in 0..MOST_FAILED {
            assert_eq!(losses.judge(&bare(n), NOW), Verdict::Fails, "each is an owner of its own: {n}");
            losses.failed(&bare(n), NOW);
        }
        assert_eq!(losses.judge(&bare(99), NOW), Verdict::TooMany { untold: true });
    }

    #[test]
    fn a_template_is_known_to_have_lost_wherever_one_of_its_pods_says_so() {
        let mut losses = Losses::default();
        let waits = says_it_lost(of("Deployment", "d", "p", "a"), Phase::Pending);
        assert!(losses.see_pod(&waits, NOW) && !losses.see_pod(&waits, NOW), "news once");
        let (controller, winner) = (waits.controller.clone().unwrap(), "Deployment ns/winner");
        assert!(losses.has_lost(&controller, &spec(&waits), winner));
        assert!(!losses.has_lost(&controller, &spec(&waits), "Deployment ns/other"));
        assert!(!losses.has_lost(&"another".into(), &spec(&waits), winner), "of a later template");
        let mut other = spec(&waits);
        other.url = "file:///packages/other.jar".parse().unwrap();
        assert!(!losses.has_lost(&controller, &other, winner), "the same version from another package");
        losses.lose_pod(&waits.pod.uid, NOW);
        assert!(losses.has_lost(&controller, &spec(&waits), winner));
        assert_eq!(
            losses.judge(&of("Deployment", "d", "q", "a"), NOW),
            Verdict::Fails,
            "that one did not fail"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut losses = Losses::default();
        for n in 0..MOST_TEMPLATES + 10 {
            let pod = of("ReplicaSet", &format!("r{n}"), &format!("p{n}"), "a");
            losses.see_pod(&says_it_lost(pod, Phase::Failed), NOW);
        }
        assert_eq!((losses.lost.len(), losses.learnt.len()), (MOST_TEMPLATES, MOST_TEMPLATES));
        assert_eq!((losses.failed.len(), losses.counted.len()), (MOST_OWNERS, MOST_OWNERS));
        let more = of("ReplicaSet", "more", "more", "a");
        assert_eq!(losses.judge(&more, NOW), Verdict::TooMany { untold: false });
        for n in 0..MOST_TEMPLATES {
            losses.lose_pod(&format!("uid-p{n}").into(), NOW);
        }
        assert_eq!(losses.judge(&more, NOW + COUNTS), Verdict::Fails, "when the others are long gone");
        assert!(losses.counted.is_empty());
    }
}
