//! The Pod that a base runs in: its name, and the labels by which people put bases into groups. People know a base by that
//! name, and it is not always the name of its host: `spec.hostname`, the machine's network, a name over 63 characters.
//!
//! A search makes the API server look at every Pod of a namespace, so it is made once for each base and address, and only where
//! it was said in which namespaces bases are, or which labels count. What a search for something else finds is taken too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Context, Liveness, VNode};
use crate::{
    config::Config,
    request::{BaseAddress, BasePod, WriteError},
};

/// When it is looked for again where the API server did not say.
const AGAIN: Duration = Duration::from_secs(5);

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnPod {
    /// By what it was looked for.
    asked: Option<BaseAddress>,
    /// Not to be looked for before.
    ask_after: Option<Duration>,
    /// It was found, or there is none.
    answered: bool,
    name: Option<Arc<str>>,
    labels: BTreeMap<Arc<str>, Arc<str>>,
}

impl OwnPod {
    /// It was found, or there is none, or nobody knows: then it is looked for again.
    pub(super) fn found(&mut self, found: &Result<Option<BasePod>, WriteError>, now: Duration) {
        match found {
            Ok(Some(pod)) => {
                (self.name, self.labels) = (Some(pod.pod.name.clone()), pod.labels.clone());
                self.answered = true;
            }
            // A base that is gone has had one.
            Ok(None) => self.answered = true,
            Err(_) => (self.asked, self.ask_after) = (None, Some(now + AGAIN)),
        }
    }

    /// Its name, where it was found.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        self.ask_after.filter(|_| self.asked.is_none())
    }
}

impl VNode {
    /// Looks for the base's own Pod where that was not done yet, or the base is elsewhere by now.
    pub(super) fn look_for_own_pod(&mut self, ctx: &mut Context<'_>) {
        let alive = self.life.liveness(ctx.now.mono, &ctx.config.times) == Liveness::Alive;
        let is_of_use = ctx.config.base_pods || !ctx.config.group_labels.is_empty();
        if is_of_use && alive && self.node.is_some() {
            self.search_own_pod(ctx);
        }
    }

    /// Whether the groups of the base are known, so that its Node can be made: a label that comes later puts a base into
    /// another batch of a plan, and what selects it is placed elsewhere meanwhile. Else they are asked for.
    pub(super) fn knows_groups(&mut self, ctx: &mut Context<'_>) -> bool {
        if ctx.config.group_labels.is_empty() {
            return true;
        }
        self.search_own_pod(ctx);
        self.own_pod.answered
    }

    fn search_own_pod(&mut self, ctx: &mut Context<'_>) {
        let address = self.address();
        let is_due = self.own_pod.ask_after.is_none_or(|at| at <= ctx.now.mono);
        if is_due && self.own_pod.asked.as_ref() != Some(&address) {
            self.own_pod = OwnPod { asked: Some(address), ..OwnPod::default() };
            ctx.out.push(self.find_base_pod(false));
        }
    }

    /// The labels that say to which groups the base belongs, of those that count: its Pod's, else its own words.
    pub(super) fn groups(&self, config: &Config) -> Vec<(Arc<str>, Arc<str>)> {
        let told = self.report.as_ref().map(|report| &report.labels);
        let value = |key: &Arc<str>| self.own_pod.labels.get(key).or_else(|| told?.get(key)).cloned();
        config.group_labels.iter().filter_map(|key| Some((key.clone(), value(key)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Action, Event, Request,
        testing::Case as Whole,
        view::{NodeView, PodRef},
        vnode::testing::{Case, id},
    };

    fn pod(name: &str, labels: &[(&str, &str)]) -> Result<Option<BasePod>, WriteError> {
        let pod = PodRef { namespace: "bases".into(), name: name.into(), uid: "u".into() };
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Ok(Some(BasePod { pod, node: "machine".into(), zone: None, labels }))
    }

    fn found(found: Result<Option<BasePod>, WriteError>) -> Event {
        Event::BasePod { base: "b".parse().unwrap(), found }
    }

    /// The manual's lines find a base by the name of its Pod.
    #[test]
    fn objects_bear_the_name_of_the_bases_pod_where_its_host_is_called_otherwise() {
        for (looked_for, instance) in [(true, "web-7d9f-x2x"), (false, "host-b")] {
            let mut case = Case::start(|config| config.base_pods = looked_for, &[]);
            case.create("p", "biz1");
            case.until(5);
            assert_eq!(case.modules[&id("biz1")].labels["koupleless.io/base-instance-name"], "host-b");
            let searches = case.sent.iter().filter(|sent| *sent == "search").count();
            assert_eq!(searches, usize::from(looked_for));
            if looked_for {
                case.step(found(pod("web-7d9f-x2x", &[])));
            }
            case.until(300);
            let labels = &case.modules[&id("biz1")].labels;
            for family in ["koupleless.alipay.com", "koupleless.io"] {
                assert_eq!(labels[&format!("{family}/base-instance-name")], instance);
            }
            let searches = case.sent.iter().filter(|sent| *sent == "search").count();
            assert_eq!(searches, usize::from(looked_for), "once");
        }
    }

    /// A controller that counts these labels, and has heard a base, which has answered: what comes of it.
    fn heard(labels: &[&str]) -> (Whole, Vec<Action>) {
        let group_labels = labels.iter().map(|label| (*label).into()).collect();
        Whole::heard_first(Config { group_labels, ..Config::new("dev") })
    }

    fn searches(actions: &[Action]) -> usize {
        let is_search = |action: &&Action| matches!(action, Action::Request(Request::FindBasePod { .. }));
        actions.iter().filter(is_search).count()
    }

    fn created(actions: Vec<Action>) -> Option<NodeView> {
        actions.into_iter().find_map(|action| match action {
            Action::Request(Request::CreateNode(node)) => Some(*node),
            _ => None,
        })
    }

    #[test]
    fn a_node_is_made_with_the_labels_of_its_bases_pod_that_count() {
        let (mut case, actions) = heard(&["example.com/ring", "type"]);
        assert_eq!((searches(&actions), created(actions)), (1, None), "the groups come first");
        let labels = [("example.com/ring", "beta"), ("app", "web"), ("type", "real")];
        let node = created(case.step(found(pod("web-0", &labels)))).unwrap();
        assert_eq!(node.labels.get("example.com/ring").map(|ring| &**ring), Some("beta"));
        assert_eq!(node.labels.get("app"), None, "nobody said that it counts");
        assert_eq!(node.labels.get("type").map(|kind| &**kind), Some("virtual-kubelet"), "ours stays ours");
    }

    #[test]
    fn a_base_without_a_pod_is_in_the_groups_that_it_tells() {
        let (mut case, _) = heard(&["ring"]);
        case.heard_with_labels("b", &[("ring", "blue"), ("app", "web")]);
        let node = created(case.step(found(Ok(None)))).unwrap();
        assert_eq!(node.labels.get("ring").map(|ring| &**ring), Some("blue"));
        assert_eq!(node.labels.get("app"), None);
    }

    #[test]
    fn where_nobody_knows_it_is_looked_for_again_and_not_at_once() {
        let (mut case, _) = heard(&["ring"]);
        let error = WriteError::Unavailable { reason: "away".into(), retry_after: None };
        let actions = case.step(found(Err(error)));
        assert_eq!((searches(&actions), created(actions)), (0, None));
        case.seconds += AGAIN.as_secs();
        let actions = case.step(Event::Tick);
        assert_eq!(searches(&actions), 1, "{actions:?}");
        assert!(created(case.step(found(pod("web-0", &[("ring", "beta")])))).is_some());
    }
}
