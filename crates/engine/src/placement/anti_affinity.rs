//! Why a Pod that keeps away from others finds no place: the scheduler's rule of required pod anti-affinity, as far as Pods of
//! the same owner are concerned.
//!
//! As `k8s.io/kubernetes/pkg/scheduler/framework/plugins/interpodaffinity` has it. An API server that knows
//! `matchLabelKeys` (1.31) has made requirements of `labelSelector` of them before anybody sees the Pod; an older one forgets
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Operator, Requirement, Site};
use crate::view::{NodeView, Phase, PodView, UnplacedView};

/// One of `podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AntiAffinity {
    /// `topologyKey`: the label of Nodes whose value no two of them share.
    pub topology_key: String,
    /// `labelSelector`, all of which must hold; none where there is none, which matches no Pod.
    pub selector: Option<Vec<Requirement>>,
    /// It is about Pods of the Pod's own namespace, as it is where nothing else is said. One that names others too, by
    /// labels that we do not know, may not be.
    pub own_namespace: bool,
    /// `matchLabelKeys`: of a Pod they are among what must hold of `selector` already, of a template they are not yet.
    pub keys: Vec<String>,
}

/// The label by which a Deployment tells the Pods of its revisions apart.
const REVISION: &str = "pod-template-hash";

impl AntiAffinity {
    /// It keeps the Pods of a template with these labels from a Pod with the others, which is of another revision.
    pub(crate) fn keeps_from_earlier(
        &self,
        template: &BTreeMap<String, String>,
        earlier: &BTreeMap<String, String>,
    ) -> bool {
        // What the template itself does not have is no requirement.
        let differs = |key: &String| {
            *key == REVISION || template.get(key).is_some_and(|value| earlier.get(key) != Some(value))
        };
        self.matches(earlier) && !self.keys.iter().any(differs)
    }

    /// It keeps the Pods of a template with these labels from each other.
    pub(crate) fn keeps_apart(&self, template: &BTreeMap<String, String>) -> bool {
        self.matches(template)
    }

    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let holds = |requirement: &Requirement| {
            let value = labels.get(&requirement.key).map(String::as_str);
            match requirement.operator {
                Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => {
                    requirement.holds(value)
                }
                // A label selector knows no others.
                Operator::Gt | Operator::Lt | Operator::Unknown => false,
            }
        };
        self.own_namespace && self.selector.as_ref().is_some_and(|selector| selector.iter().all(holds))
    }
}

/// That a Pod's own siblings keep it from every Node that it may be on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The Nodes that would take it but for them.
    pub(crate) nodes: usize,
    /// One of them, by name.
    pub(crate) sibling: String,
    /// They are of another revision, so that an update waits for itself.
    pub(crate) in_update: bool,
}

/// Whether siblings are what keeps a Pod from all Nodes; none where there is no Node for it, or where one of them is kept from it by
/// something else or by nothing but time.
pub(crate) fn blocked_by_siblings<'a>(
    pod: &UnplacedView,
    nodes: &[&NodeView],
    pods: impl Iterator<Item = &'a PodView>,
) -> Option<Blocked> {
    let by_name: BTreeMap<&str, &NodeView> = nodes.iter().map(|node| (&*node.name, *node)).collect();
    // Of each rule the values that are taken.
    let mut taken: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); pod.anti_affinity.len()];
    let (mut sibling, mut in_update) = (None, false);
    for other in pods.filter(|other| stays(other) && is_sibling(pod, other)) {
        let Some(node) = by_name.get(&*other.node) else { continue };
        for (rule, taken) in pod.anti_affinity.iter().zip(&mut taken) {
            if rule.matches(&other.labels)
                && let Some(value) = node.labels.get(rule.topology_key.as_str())
            {
                taken.insert(value);
                in_update |= pod.controller.is_some() && other.controller != pod.controller;
                sibling.get_or_insert_with(|| other.pod.name.to_string());
            }
        }
    }
    let sibling = sibling?;
    let admitted = nodes.iter().filter(|node| pod.placement.admits(&Site::now(node)));
    let mut count = 0;
    for node in admitted {
        let mut rules = pod.anti_affinity.iter().zip(&taken);
        let is_taken = rules.any(|(rule, taken)| {
            node.labels.get(rule.topology_key.as_str()).is_some_and(|value| taken.contains(&**value))
        });
        if !is_taken {
            return None;
        }
        count += 1;
    }
    (count > 0).then_some(Blocked { nodes: count, sibling, in_update })
}

/// One that goes makes room by itself, and one that has ended takes none.
fn stays(pod: &PodView) -> bool {
    pod.deletion.is_none() && !matches!(pod.status.phase, Phase::Succeeded | Phase::Failed)
}

fn is_sibling(pod: &UnplacedView, other: &PodView) -> bool {
    other.owner.is_some() && other.owner == pod.owner
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{placement::Placement, testing, view::Owner};

    const NAME: &str = "module.koupleless.io/name";

    fn owner() -> Option<Owner> {
        Some(Owner { namespace: "default".into(), kind: "Deployment".into(), name: "biz1".into() })
    }

    /// A Pod that keeps away from all of the same name in its zone, as in the manual's 5.2.
    fn unplaced(revision: &str) -> UnplacedView {
        let own = Requirement { key: NAME.into(), operator: Operator::In, values: vec!["biz1".into()] };
        UnplacedView {
            pod: crate::view::PodRef { namespace: "default".into(), name: "new".into(), uid: "new".into() },
            resource_version: 1,
            owner: owner(),
            controller: Some(revision.into()),
            is_unschedulable: true,
            is_deleting: false,
            placement: Placement::default(),
            anti_affinity: vec![AntiAffinity {
                topology_key: "topology.kubernetes.io/zone".into(),
                selector: Some(vec![own]),
                own_namespace: true,
                keys: Vec::new(),
            }],
        }
    }

    fn node(base: &str) -> NodeView {
        let mut node = testing::node(base);
        node.labels.insert("topology.kubernetes.io/zone".into(), Arc::from(format!("vz-{base}")));
        node
    }

    fn on(base: &str, revision: &str) -> PodView {
        let mut pod = testing::pod(&format!("old-{base}"), "biz1", "1");
        pod.labels = BTreeMap::from([(NAME.to_owned(), "biz1".to_owned())]).into();
        pod.node = format!("virtual-node-{base}").into();
        (pod.owner, pod.controller) = (owner(), Some(revision.into()));
        pod
    }

    fn blocked(pod: &UnplacedView, nodes: &[NodeView], pods: &[PodView]) -> Option<(usize, bool)> {
        let nodes: Vec<&NodeView> = nodes.iter().collect();
        blocked_by_siblings(pod, &nodes, pods.iter()).map(|blocked| (blocked.nodes, blocked.in_update))
    }

    #[test]
    fn an_update_where_every_base_holds_a_pod_waits_for_itself() {
        let nodes = [node("a"), node("b")];
        let pods = [on("a", "rs-1"), on("b", "rs-1")];
        assert_eq!(blocked(&unplaced("rs-2"), &nodes, &pods), Some((2, true)));
        assert_eq!(blocked(&unplaced("rs-1"), &nodes, &pods), Some((2, false)), "more replicas than bases");
    }

    #[test]
    fn where_a_base_is_free_or_another_is_in_the_way_nothing_is_said_of_siblings() {
        let nodes = [node("a"), node("b")];
        assert_eq!(blocked(&unplaced("rs-2"), &nodes, &[on("a", "rs-1")]), None, "b is free, or full");
        let mut stranger = on("b", "rs-1");
        stranger.owner = None;
        assert_eq!(blocked(&unplaced("rs-2"), &nodes, &[on("a", "rs-1"), stranger]), None);
        assert_eq!(blocked(&unplaced("rs-2"), &[], &[on("a", "rs-1")]), None, "there is no base");
    }

    #[test]
    fn a_sibling_that_goes_or_has_ended_is_not_in_the_way() {
        for end in ["deleted", "failed"] {
            let mut pod = on("a", "rs-1");
            match end {
                "deleted" => pod.deletion = Some(std::time::Duration::ZERO),
                _ => pod.status.phase = Phase::Failed,
            }
            assert_eq!(blocked(&unplaced("rs-2"), &[node("a")], &[pod]), None, "{end}");
        }
    }

    #[test]
    fn only_the_bases_that_it_may_be_on_count() {
        let mut pod = unplaced("rs-2");
        pod.placement.node_selector.insert("topology.kubernetes.io/zone".into(), "vz-a".into());
        assert_eq!(blocked(&pod, &[node("a"), node("b")], &[on("a", "rs-1")]), Some((1, true)));
    }

    #[test]
    fn the_selector_decides_as_the_schedulers_does() {
        let requirement = |key: &str, operator, values: &[&str]| Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        let matches = |selector: Option<Vec<Requirement>>| {
            let mut pod = unplaced("rs-2");
            pod.anti_affinity[0].selector = selector;
            blocked(&pod, &[node("a")], &[on("a", "rs-1")]).is_some()
        };
        assert!(matches(Some(vec![])), "an empty selector is about all");
        assert!(!matches(None), "none is about nobody");
        assert!(matches(Some(vec![requirement(NAME, Operator::Exists, &[])])));
        assert!(matches(Some(vec![requirement("other", Operator::NotIn, &["x"])])));
        assert!(!matches(Some(vec![requirement(NAME, Operator::NotIn, &["biz1"])])));
        assert!(
            !matches(Some(vec![requirement("pod-template-hash", Operator::In, &["2"])])),
            "one revision only"
        );
        let mut elsewhere = unplaced("rs-2");
        elsewhere.anti_affinity[0].own_namespace = false;
        assert_eq!(blocked(&elsewhere, &[node("a")], &[on("a", "rs-1")]), None);
    }
}
