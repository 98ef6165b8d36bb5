//! All VNodes at one moment, for people who look for a fault.

use std::time::Duration;

use super::Engine;
use crate::vnode::snapshot::VNodeSnapshot;

impl Engine {
    /// Every VNode as of `now` on the engine's clock, by the name of its Node; only the one of this name where there is one.
    pub fn snapshot(&self, node: Option<&str>, now: Duration) -> Vec<VNodeSnapshot> {
        let meant = self.vnodes.values().filter(|vnode| node.is_none_or(|node| **vnode.name() == *node));
        let mut all: Vec<VNodeSnapshot> =
            meant.map(|vnode| vnode.snapshot(now, &self.config.times)).collect();
        all.sort_by(|a, b| a.node.cmp(&b.node));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vnode::testing::Case;

    fn snapshot(case: &Case) -> VNodeSnapshot {
        let mut all = case.engine.snapshot(None, Duration::from_secs(case.seconds));
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn what_a_pod_waits_for_is_told_from_the_first_moment() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let idle = snapshot(&case);
        assert_eq!((idle.liveness, idle.commands.len(), idle.waiting.len()), ("alive", 0, 0), "{idle:?}");
        case.slow = Some(Vec::new());
        case.create("biz1", "biz1");
        case.until(13);
        let at_work = snapshot(&case);
        let [command] = &*at_work.commands else { panic!("{at_work:?}") };
        assert_eq!((&*command.command, command.sent_seconds_ago), ("installBiz", 10));
        let [pod] = &*at_work.waiting else { panic!("{at_work:?}") };
        assert_eq!(pod.containers[0].waits_for.as_deref(), Some("the base to carry installBiz out"));
        assert_eq!(command.module, pod.containers[0].module);
        case.answer_at_last();
        case.until(33);
        let done = snapshot(&case);
        assert_eq!((done.ready, done.waiting.len(), done.commands.len()), (1, 0, 0), "{done:?}");
        assert!(case.engine.snapshot(Some("other"), Duration::ZERO).is_empty());
    }
}
