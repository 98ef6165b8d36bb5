//! Module Pods that find no place because of their own siblings: who waits so is told it, once.

use model::bilingual;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    action::{Action, Announcement, Regarding},
    backoff,
    placement::{Blocked, blocked_by_siblings},
    trace::TraceId,
    view::{NodeView, Owner, PodView, UnplacedView},
};

/// In an ordinary update an old Pod makes room within seconds: what waits for longer is looked at, and then more rarely.
const LOOK: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// Of more nobody reads, and each costs a look at all bases.
const MOST: usize = 256;

#[derive(Debug)]
struct Waiting {
    view: UnplacedView,
    /// How often it was looked at.
    looks: u32,
    /// When it is looked at next; none once it was told.
    at: Option<Duration>,
}

/// The Pods that the scheduler finds no Node for.
#[derive(Debug, Default)]
pub(crate) struct Unplaced {
    pods: BTreeMap<Arc<str>, Waiting>,
    wakes: BTreeSet<(Duration, Arc<str>)>,
}

impl Unplaced {
    /// When [`Self::tick`] is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// How many there are of an owner.
    pub(crate) fn of(&self, owner: &Owner) -> usize {
        self.pods.values().filter(|waiting| waiting.view.owner.as_ref() == Some(owner)).count()
    }

    /// A Pod appeared, or changed.
    pub(crate) fn see(&mut self, view: UnplacedView, now: Duration) {
        if !view.is_unschedulable || view.is_deleting {
            self.lose(&view.pod.uid);
            return;
        }
        if let Some(waiting) = self.pods.get_mut(&view.pod.uid) {
            waiting.view = view;
        } else if self.pods.len() < MOST {
            let (uid, at) = (view.pod.uid.clone(), now + LOOK.0);
            self.wakes.insert((at, uid.clone()));
            self.pods.insert(uid, Waiting { view, looks: 0, at: Some(at) });
        }
    }

    /// A Pod is gone, or is bound. True where it was one of these.
    pub(crate) fn lose(&mut self, uid: &Arc<str>) -> bool {
        let Some(waiting) = self.pods.remove(uid) else { return false };
        if let Some(at) = waiting.at {
            self.wakes.remove(&(at, uid.clone()));
        }
        true
    }

    /// Looks at what has waited for long enough; among several replicas one of them (`speaks`) tells it.
    pub(crate) fn tick<'a, P: Iterator<Item = &'a PodView>>(
        &mut self,
        now: Duration,
        speaks: bool,
        nodes: &[&NodeView],
        pods: impl Fn() -> P,
        out: &mut Vec<Action>,
    ) {
        while let Some((_, uid)) = self.wakes.first().filter(|(at, _)| *at <= now).cloned() {
            self.wakes.pop_first();
            let Some(waiting) = self.pods.get_mut(&uid) else { continue };
            let blocked = match speaks {
                true => blocked_by_siblings(&waiting.view, nodes, pods()),
                false => None,
            };
            // Who comes to speak looks soon.
            waiting.looks = if speaks { waiting.looks.saturating_add(1) } else { 1 };
            waiting.at = None;
            match blocked {
                Some(blocked) => announce(&waiting.view, &blocked, out),
                None => {
                    let at = now + backoff::exponential(LOOK.0, LOOK.1, waiting.looks);
                    waiting.at = Some(at);
                    self.wakes.insert((at, uid));
                }
            }
        }
    }
}

fn announce(view: &UnplacedView, blocked: &Blocked, out: &mut Vec<Action>) {
    let Blocked { nodes, sibling, in_update } = blocked;
    let owner = view.owner.as_ref().map(|owner| format!("{} {}", owner.kind, owner.name)).unwrap_or_default();
    let note = match in_update {
        true => bilingual!(
            "no base takes this Pod: on each of the {nodes} that it may be on is a Pod of {owner} already ({sibling}, say), and its \
             required podAntiAffinity keeps it away from those. The update waits for itself. Set maxUnavailable to 1 or more (30% of \
             up to 3 replicas is 0), or let the anti-affinity match one revision only: by matchLabelKeys: [pod-template-hash] where \
             Kubernetes is 1.31 or newer, else by a label with the version that is in the template and not in the Deployment's selector",
            "没有基座可以放置这个 Pod：它可以去的 {nodes} 个基座上都已有 {owner} 的 Pod（例如 {sibling}），而必需的 podAntiAffinity \
             不允许与它们共处。更新在等待自己：请把 maxUnavailable 设为 1 或更大（不超过 3 个副本时，30% 等于 0），或让反亲和只匹配一个版本：\
             Kubernetes 1.31 及以上用 matchLabelKeys: [pod-template-hash]，否则在模板中加一个带版本的标签，且不写入 Deployment 的 selector"
        ),
        false => bilingual!(
            "no base takes this Pod: on each of the {nodes} that it may be on is a Pod of {owner} already ({sibling}, say), and its \
             required podAntiAffinity keeps it away from those. There are more replicas than bases: it is placed when another base comes",
            "没有基座可以放置这个 Pod：它可以去的 {nodes} 个基座上都已有 {owner} 的 Pod（例如 {sibling}），而必需的 podAntiAffinity \
             不允许与它们共处。副本数多于基座数：有新的基座时才会放置"
        ),
    };
    out.push(Action::Announce(Box::new(Announcement {
        regarding: Regarding::Pod(view.pod.clone()),
        warning: *in_update,
        reason: "BlockedByOwnPods".to_owned(),
        action: "Schedule",
        what: note.clone(),
        note,
        code: None,
        detail: String::new(),
        base: None,
        biz: None,
        trace: TraceId::of(&[&view.pod.uid, "BlockedByOwnPods"]),
        alarm: None,
    })));
}
