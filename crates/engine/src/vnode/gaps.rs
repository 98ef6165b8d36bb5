//! How long a base served nothing of a module because Kubernetes deleted the older Pod before the newer one was there.
//!
//! A DaemonSet does so by default (`maxSurge: 0`), a StatefulSet always. The module's end is asked for with its Pod's, so
//! nothing can be done about it here; who could, by another `maxSurge`, is told what it costs.

use std::{collections::BTreeMap, time::Duration};

use model::{BizId, BizName, BizState, bilingual};

use super::{Context, News, Scope, VNode};
use crate::view::Owner;

/// Who comes later does not replace what went: an install may take 3 min, and be tried a second and a third time.
const LONGEST: Duration = Duration::from_secs(600);

/// By module, of those that went with their Pods; at most as many as the base held.
#[derive(Debug, Clone, Default)]
pub(super) struct Gaps(BTreeMap<BizName, Box<Gap>>);

#[derive(Debug, Clone)]
struct Gap {
    owner: Owner,
    /// What was served.
    id: BizId,
    since: Duration,
}

impl VNode {
    /// A biz is uninstalled, which was asked for at `sent`. Where it served, and the Pod that goes with it has an owner that
    /// may make another, a gap begins.
    pub(super) fn begin_gap(&mut self, id: &BizId, sent: Duration, now: Duration) {
        let serves = |biz: &model::BizStatus| biz.state == BizState::Activated;
        let mut others = self.inventory.of(&id.name).filter(|biz| biz.id != *id);
        if !self.inventory.find(id).is_some_and(serves) || others.any(serves) {
            return;
        }
        let mut going = self.pods.values().filter(|pod| pod.is_deleting());
        let owner =
            going.find_map(|pod| pod.biz().any(|biz| biz == id).then(|| pod.view.owner.clone()).flatten());
        self.gaps.0.retain(|_, gap| now < gap.since + LONGEST);
        if let Some(owner) = owner {
            self.gaps.0.insert(id.name.clone(), Box::new(Gap { owner, id: id.clone(), since: sent }));
        }
    }

    /// What is served again: the Pod that it is served for tells how long it was not. Where it is another owner's, nobody
    /// was replaced.
    pub(super) fn end_gaps(&mut self, alive: bool, scope: &Scope, ctx: &mut Context<'_>) {
        if self.gaps.0.is_empty() || !alive || !self.inventory.is_known() {
            return;
        }
        let now = ctx.now.mono;
        let over: Vec<BizName> = self
            .gaps
            .0
            .keys()
            .filter(|name| scope.holds(name) && self.inventory.serves_any(name))
            .cloned()
            .collect();
        for name in over {
            let Some(gap) = self.gaps.0.remove(&name) else { continue };
            let is_newer = |id: &BizId| id.name == name && self.inventory.serves(id);
            let mut live = self.pods.iter().filter(|(_, pod)| pod.is_live());
            let newer =
                live.find(|(_, pod)| pod.view.owner.as_ref() == Some(&gap.owner) && pod.biz().any(is_newer));
            let Some((uid, _)) = newer.filter(|_| now < gap.since + LONGEST) else { continue };
            let (seconds, older) = (now.saturating_sub(gap.since).as_secs_f64(), &gap.id);
            let note = bilingual!(
                "this base served nothing of {name} for {seconds:.1} s: the Pod of {older} was deleted before this one was there; a \
                 DaemonSet with maxSurge 1 and maxUnavailable 0 makes the newer Pod first",
                "这个基座有 {seconds:.1} 秒没有任何版本的 {name} 在服务：{older} 的 Pod 在新 Pod 就绪之前就被删除了；\
                 把 DaemonSet 设为 maxSurge 1、maxUnavailable 0，就会先创建新 Pod"
            );
            let news = News { warning: true, reason: "ServedNothing", action: "Replace", note };
            self.announce_of_pod(&uid.clone(), news, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        ClusterEvent, Event, testing,
        view::{Owner, PodRef, PodView},
        vnode::testing::Case,
    };

    fn pod(case: &mut Case, name: &str, version: &str, set: &str) -> PodRef {
        let owner = Owner { namespace: "default".into(), kind: "DaemonSet".into(), name: set.into() };
        let resource_version = case.next();
        let view = PodView { owner: Some(owner), resource_version, ..testing::pod(name, "biz1", version) };
        case.pods.insert(view.pod.uid.clone(), view.clone());
        case.step(Event::Cluster(ClusterEvent::Pod(Box::new(view.clone()))));
        view.pod
    }

    /// An older Pod serves, is deleted and gone at second 10.
    fn deleted() -> Case {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let older = pod(&mut case, "old", "1", "set");
        case.until(10);
        case.change(&older, |view| view.deletion = Some(Duration::from_secs(30)));
        assert!(case.pods.is_empty() && case.held.is_empty());
        case
    }

    fn told(case: &Case) -> Vec<(&str, &str)> {
        let of_gaps = case.said.iter().filter(|said| said.reason == "ServedNothing");
        of_gaps
            .map(|said| match &said.regarding {
                crate::action::Regarding::Pod(pod) => (&*pod.name, said.note.english()),
                _ => ("", said.note.english()),
            })
            .collect()
    }

    #[test]
    fn o12_what_kubernetes_deletes_first_leaves_a_gap_that_is_told_once() {
        let mut case = deleted();
        case.until(14);
        pod(&mut case, "new", "2", "set");
        case.until(60);
        let told = told(&case);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "new");
        assert!(told[0].1.contains("nothing of biz1 for 4.0 s"), "{told:?}");
    }

    #[test]
    fn who_comes_from_elsewhere_or_much_later_replaces_nobody() {
        let mut case = deleted();
        pod(&mut case, "other", "2", "another");
        case.until(60);
        assert_eq!(told(&case), []);
        let mut case = deleted();
        case.until(700);
        pod(&mut case, "new", "2", "set");
        case.until(720);
        assert_eq!(told(&case), []);
    }
}
