//! How many modules, Pods and Nodes stand how, for the metrics page.

use std::{collections::BTreeMap, time::Duration};

use super::Engine;

/// Modules, Pods, Nodes and Leases, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Biz on bases, by state in the words of Arklet.
    pub modules: BTreeMap<&'static str, usize>,
    /// Module Pods that are known to be Ready.
    pub pods_ready: usize,
    /// Those that are not.
    pub pods_not_ready: usize,
    /// How long that Pod has not been Ready which has not been so for longest; zero where all are.
    pub longest_not_ready: Duration,
    /// Nodes that are not Ready because their base is silent.
    pub silent: usize,
    /// Those whose base sends heartbeats, and answers no command.
    pub unanswering: usize,
    /// Those whose base says that it does not serve.
    pub not_serving: usize,
    /// How long ago the Lease was renewed that was renewed longest ago; zero where there is none.
    pub oldest_lease: Duration,
}

impl Engine {
    /// Counts, as of `now` on the engine's clock. Goes through every module, so it is for once in a while.
    pub fn census(&self, now: Duration) -> Census {
        let mut census = Census::default();
        for vnode in self.vnodes.values() {
            vnode.count(now, &self.config.times, &mut census);
        }
        census
    }
}

#[cfg(test)]
mod tests {
    use model::BaseState;

    use super::*;
    use crate::vnode::testing::{Case, report};

    fn census(case: &Case) -> Census {
        case.engine.census(Duration::from_secs(case.seconds))
    }

    #[test]
    fn a_pod_that_is_not_ready_is_counted_with_the_time_that_it_has_not_been() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        assert_eq!(census(&case).longest_not_ready, Duration::ZERO);
        case.slow = Some(Vec::new());
        case.create("biz1", "biz1");
        case.until(23);
        let counted = census(&case);
        assert_eq!((counted.pods_not_ready, counted.longest_not_ready), (1, Duration::from_secs(20)));
        case.answer_at_last();
        case.until(33);
        let counted = census(&case);
        assert_eq!((counted.pods_ready, counted.longest_not_ready), (1, Duration::ZERO));
    }

    #[test]
    fn a_node_that_is_not_ready_is_counted_with_its_reason() {
        let reasons = |case: &Case| {
            let counted = census(case);
            (counted.silent, counted.unanswering, counted.not_serving)
        };
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        assert_eq!(reasons(&case), (0, 0, 0));
        case.step(report(BaseState::NotServing));
        assert_eq!(reasons(&case), (0, 0, 1));
        case.step(report(BaseState::Activated));
        case.is_silent = true;
        for _ in 0..60 {
            case.step(report(BaseState::Activated));
            case.until(case.seconds + 1);
        }
        assert_eq!(reasons(&case), (0, 1, 0), "it sends heartbeats and answers nothing");
        case.until(case.seconds + 40);
        assert_eq!(reasons(&case), (1, 0, 0));
    }
}
