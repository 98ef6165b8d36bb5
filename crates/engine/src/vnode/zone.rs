//! The zone of the machine that a base runs on (`VNODE_ZONE_SOURCE=base`): looked up before its Node is made, because a zone
//! that changes under Pods does harm.

use std::{sync::Arc, time::Duration};

use super::{Context, VNode};
use crate::{
    config::ZoneSource,
    request::{BasePod, WriteError},
};

/// When it is looked for again where the API server did not say: the Node waits for it, and is not made without the server either.
const AGAIN: Duration = Duration::from_secs(5);

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct BaseZone {
    asked: bool,
    /// Not to be asked for before.
    ask_after: Option<Duration>,
    /// The answer; none inside where the base has no Pod, or its machine no zone.
    known: Option<Option<Arc<str>>>,
}

impl BaseZone {
    /// The base's own Pod was found, or there is none, or nobody knows: then it is looked for again.
    pub(super) fn found(&mut self, found: &Result<Option<BasePod>, WriteError>, now: Duration) {
        if !std::mem::take(&mut self.asked) {
            return;
        }
        match found {
            Ok(pod) => self.known = Some(pod.as_ref().and_then(|pod| pod.zone.clone())),
            Err(_) => self.ask_after = Some(now + AGAIN),
        }
    }

    /// The zone, where it is known and there is one.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.known.as_ref()?.as_ref()
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        self.ask_after.filter(|_| !self.asked && self.known.is_none())
    }
}

impl VNode {
    /// Whether the Node can be made: its zone is known, or is none of its base's. Else it is asked for.
    pub(super) fn knows_zone(&mut self, ctx: &mut Context<'_>) -> bool {
        if ctx.config.zones != ZoneSource::Base || self.base_zone.known.is_some() {
            return true;
        }
        if !self.base_zone.asked && self.base_zone.ask_after.is_none_or(|at| at <= ctx.now.mono) {
            self.base_zone.asked = true;
            ctx.out.push(self.find_base_pod(true));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arklet::{Answer, CommandKind};

    use super::*;
    use crate::{
        Action, ClusterEvent, Config, Event, Request, Watched,
        testing::{self, Case},
        view::{NodeView, PodRef},
    };

    /// A controller that has heard a base, which has answered: what comes of it.
    fn heard() -> (Case, Vec<Action>) {
        Case::heard_first(Config { zones: ZoneSource::Base, ..Config::new("dev") })
    }

    fn asked(actions: &[Action]) -> usize {
        actions
            .iter()
            .filter(|action| matches!(action, Action::Request(Request::FindBasePod { zone: true, .. })))
            .count()
    }

    fn created(actions: Vec<Action>) -> Option<NodeView> {
        actions.into_iter().find_map(|action| match action {
            Action::Request(Request::CreateNode(node)) => Some(*node),
            _ => None,
        })
    }

    fn found(zone: Option<&str>) -> Event {
        let pod = PodRef { namespace: "ns".into(), name: "host-b".into(), uid: "u".into() };
        let found =
            BasePod { pod, node: "machine".into(), zone: zone.map(Into::into), labels: BTreeMap::new() };
        Event::BasePod { base: "b".parse().unwrap(), found: Ok(Some(found)) }
    }

    #[test]
    fn a_node_is_made_in_the_zone_of_its_bases_machine() {
        let (mut case, actions) = heard();
        assert_eq!((asked(&actions), created(actions)), (1, None), "the zone comes first");
        let node = created(case.step(found(Some("eu-1a")))).unwrap();
        assert_eq!(node.labels.get("topology.kubernetes.io/zone").map(|zone| &**zone), Some("eu-1a"));
    }

    #[test]
    fn a_base_without_a_pod_or_on_a_machine_without_a_zone_has_none() {
        let nothing = Event::BasePod { base: "b".parse().unwrap(), found: Ok(None) };
        for answer in [found(None), nothing] {
            let (mut case, _) = heard();
            let node = created(case.step(answer)).unwrap();
            assert_eq!(node.labels.get("topology.kubernetes.io/zone"), None);
        }
    }

    #[test]
    fn where_nobody_knows_it_is_asked_for_again_and_not_at_once() {
        let (mut case, _) = heard();
        let error = WriteError::Unavailable { reason: "away".into(), retry_after: None };
        let actions = case.step(Event::BasePod { base: "b".parse().unwrap(), found: Err(error) });
        assert_eq!((asked(&actions), created(actions)), (0, None));
        case.seconds += AGAIN.as_secs();
        let actions = case.step(Event::Tick);
        assert_eq!(asked(&actions), 1, "{actions:?}");
        assert!(created(case.step(found(Some("eu-1a")))).is_some());
    }

    #[test]
    fn a_node_that_is_there_keeps_its_zone() {
        let mut case = Case::new(Config { zones: ZoneSource::Base, ..Config::new("dev") });
        let mut node = testing::node("b");
        node.labels.insert("topology.kubernetes.io/zone".into(), "eu-1b".into());
        case.step(Event::Cluster(ClusterEvent::Node(Box::new(node))));
        for kind in Watched::NEEDED {
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        let mut actions = case.heard("b");
        actions.extend(case.answered("b", CommandKind::QueryAllBiz, None, Ok(Answer::Biz(Vec::new()))));
        assert_eq!(asked(&actions), 0);
        let patched = |action: &Action| match action {
            Action::Request(Request::PatchNode { desired }) => {
                desired.labels.contains_key("topology.kubernetes.io/zone")
            }
            _ => false,
        };
        assert!(!actions.iter().any(patched), "{actions:?}");
    }
}
