use jiff::Timestamp;

use super::*;
use crate::{
    Request,
    action::Regarding,
    placement::{NodeSelectorTerm, Operator, Placement, Requirement, Toleration},
    view::{Condition, CountOrPercent, Rollout, TemplateView, WorkloadKind},
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A Deployment of the manual's 5.2, for bases named `base`.
pub(crate) fn deployment(replicas: i32) -> WorkloadView {
    let of_base = Requirement { key: "name".into(), operator: Operator::In, values: vec!["base".to_owned()] };
    WorkloadView {
        workload: WorkloadRef {
            kind: WorkloadKind::Deployment,
            namespace: "default".into(),
            name: "biz1".into(),
            uid: "d".into(),
        },
        resource_version: 1,
        labels: [("module-controller.koupleless.io/component".to_owned(), "module-deployment".to_owned())]
            .into(),
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
        paused: false,
        replicas,
        max_unavailable: CountOrPercent::Percent(25),
        max_surge: CountOrPercent::Percent(25),
        rollout: Rollout::default(),
        template: TemplateView {
            placement: Placement {
                terms: Some(vec![NodeSelectorTerm { expressions: vec![of_base], fields: Vec::new() }]),
                tolerations: vec![Toleration {
                    key: "vnode".into(),
                    operator: "Exists".into(),
                    value: String::new(),
                    effect: String::new(),
                }],
                ..Placement::default()
            },
            ..TemplateView::default()
        },
        rolled_out: None,
    }
}

fn node(name: &str, base: &str, ready: bool) -> NodeView {
    let taint =
        |key: &str| crate::view::Taint { key: key.into(), value: String::new(), effect: "NoExecute".into() };
    let mut taints = vec![taint("vnode")];
    if !ready {
        taints.push(taint("node.kubernetes.io/unreachable"));
    }
    NodeView {
        name: name.into(),
        uid: name.into(),
        labels: [("name".into(), base.into())].into_iter().collect(),
        taints: taints.into(),
        conditions: vec![Condition {
            kind: "Ready".into(),
            status: ready.into(),
            reason: "".into(),
            message: "".into(),
            changed: None,
        }],
        ..NodeView::default()
    }
}

/// The Peers with what they know, and an API server that does what it is told.
#[derive(Default)]
struct Case {
    peers: Peers,
    workloads: Workloads,
    nodes: BTreeMap<Arc<str>, NodeView>,
    now: Duration,
}

/// What came out, without the words.
#[derive(Debug, PartialEq)]
enum Out {
    Scale(i32),
    Told(String),
}

impl Case {
    fn begun(view: WorkloadView, nodes: &[NodeView]) -> (Self, Vec<Out>) {
        let mut case = Self { now: s(100), ..Self::default() };
        case.nodes = nodes.iter().map(|node| (node.name.clone(), node.clone())).collect();
        case.workloads.insert(view.workload.uid.clone(), view);
        let out = case.act(|peers, nodes, scope| peers.begin(nodes.values(), scope));
        (case, out)
    }

    fn act(&mut self, step: impl FnOnce(&mut Peers, &BTreeMap<Arc<str>, NodeView>, Scope<'_>)) -> Vec<Out> {
        let mut out = Vec::new();
        let scope = Scope { workloads: &self.workloads, env: "dev", now: self.now, out: &mut out };
        step(&mut self.peers, &self.nodes, scope);
        let word = |action| match action {
            Action::Request(Request::ScaleDeployment { replicas, .. }) => Out::Scale(replicas),
            Action::Announce(announcement) => {
                assert!(matches!(announcement.regarding, Regarding::Workload(_)));
                let code = announcement.code.map(|code| code.to_string());
                assert_eq!(announcement.warning, code.is_some(), "{}", announcement.reason);
                match code.filter(|code| *code != announcement.reason) {
                    Some(code) => Out::Told(format!("{} {code}", announcement.reason)),
                    None => Out::Told(announcement.reason),
                }
            }
            other => panic!("{other:?}"),
        };
        out.into_iter().map(word).collect()
    }

    fn put(&mut self, node: NodeView) -> Vec<Out> {
        self.nodes.insert(node.name.clone(), node.clone());
        self.act(|peers, _, scope| peers.node(&node.name, Some(&node), scope))
    }

    fn lose(&mut self, name: &str) -> Vec<Out> {
        self.nodes.remove(name);
        self.act(|peers, _, scope| peers.node(&name.into(), None, scope))
    }

    fn see(&mut self, change: impl FnOnce(&mut WorkloadView)) -> Vec<Out> {
        let view = self.workloads.get_mut("d").unwrap();
        view.resource_version += 1;
        change(view);
        self.act(|peers, nodes, scope| peers.workload(&"d".into(), nodes.values(), scope))
    }

    fn replicas(&mut self, replicas: i32) -> Vec<Out> {
        self.see(|view| view.replicas = replicas)
    }

    fn written(&mut self, result: Result<(), WriteError>) -> Vec<Out> {
        let deployment = self.workloads["d"].workload.clone();
        self.act(|peers, _, scope| peers.written(&deployment, &result, scope))
    }

    /// Goes on to the next wake, which must be there.
    fn wake(&mut self) -> Vec<Out> {
        self.now = self.peers.next_wake().unwrap();
        self.act(|peers, _, scope| peers.tick(scope))
    }
}

#[test]
fn replicas_follow_ready_nodes_within_a_second_and_joins_are_written_together() {
    let (mut case, out) = Case::begun(deployment(0), &[]);
    assert_eq!(out, []);
    let begun = case.now;
    for n in 0..3 {
        assert_eq!(case.put(node(&format!("n{n}"), "base", true)), []);
    }
    case.put(node("other", "another", true));
    assert_eq!(case.wake(), [Out::Scale(3)]);
    assert!(case.now - begun < s(1));
    assert_eq!(case.replicas(3), []);
    assert_eq!(case.written(Ok(())), [Out::Told("PeerReplicas".into())]);
    assert_eq!(case.peers.next_wake(), None);
    for n in 0..3 {
        case.lose(&format!("n{n}"));
    }
    assert_eq!(case.wake(), [Out::Scale(0)]);
    case.replicas(0);
    let told = ["PeerReplicas", "ModuleController.ProcessNodeMissed"];
    assert_eq!(case.written(Ok(())), told.map(|told| Out::Told(told.into())));
}

#[test]
fn a_node_counts_from_ready_until_it_is_gone() {
    let (mut case, _) = Case::begun(deployment(0), &[]);
    assert_eq!(case.put(node("n", "base", false)), []);
    assert_eq!(case.peers.next_wake(), None, "it was never Ready");
    case.put(node("n", "base", true));
    assert_eq!(case.wake(), [Out::Scale(1)]);
    case.replicas(1);
    case.written(Ok(()));
    case.put(node("n", "base", false));
    assert_eq!(case.peers.next_wake(), None, "NotReady, with Kubernetes' taints, it counts on");
    case.lose("n");
    assert_eq!(case.wake(), [Out::Scale(0)]);
}

#[test]
fn after_a_restart_every_node_counts_and_nothing_is_written_before_all_are_known() {
    let mut case = Case { now: s(1), ..Case::default() };
    case.workloads.insert("d".into(), deployment(2));
    assert_eq!(case.see(|_| {}), []);
    assert_eq!(case.put(node("a", "base", true)), []);
    assert_eq!(case.peers.next_wake(), None);
    case.nodes.insert("b".into(), node("b", "base", false));
    assert_eq!(case.act(|peers, nodes, scope| peers.begin(nodes.values(), scope)), []);
    assert_eq!(case.peers.next_wake(), None, "two Nodes, one of them silent, and two replicas");
}

#[test]
fn what_is_paused_deleted_or_not_ours_is_left_and_taken_up_again() {
    let (mut case, _) = Case::begun(deployment(0), &[node("n", "base", true)]);
    case.see(|view| view.paused = true);
    assert_eq!(case.peers.next_wake(), None);
    case.see(|view| view.paused = false);
    assert!(case.peers.next_wake().is_some());
    case.see(|view| view.deleting = true);
    assert_eq!(case.peers.next_wake(), None);
    case.see(|view| view.deleting = false);
    let skip = "virtual-kubelet.koupleless.io/replicas-control";
    case.see(|view| drop(view.labels.insert(skip.into(), "true".into())));
    assert_eq!(case.peers.next_wake(), None);
    case.see(|view| drop(view.labels.remove(skip)));
    assert_eq!(case.wake(), [Out::Scale(1)]);
    case.act(|peers, _, _| peers.forget(&"d".into()));
    assert_eq!(case.written(Ok(())), []);
}

#[test]
fn a_changed_template_is_matched_anew() {
    let (mut case, _) = Case::begun(deployment(1), &[node("a", "base", true), node("b", "base", true)]);
    assert_eq!(case.wake(), [Out::Scale(2)]);
    case.replicas(2);
    case.written(Ok(()));
    case.see(|view| view.template.placement.tolerations.clear());
    assert_eq!(case.wake(), [Out::Scale(0)]);
}

#[test]
fn a_conflict_is_tried_again_as_soon_as_the_watch_tells_why() {
    let (mut case, _) = Case::begun(deployment(0), &[node("n", "base", true)]);
    assert_eq!(case.wake(), [Out::Scale(1)]);
    assert_eq!(case.written(Err(WriteError::Conflict("changed".into()))), []);
    assert!(case.peers.next_wake().unwrap() > case.now, "not at once with the same version");
    assert_eq!(case.see(|view| view.rollout.available = 1), [Out::Scale(1)]);
}

#[test]
fn our_own_write_is_waited_for_and_not_repeated() {
    let (mut case, _) = Case::begun(deployment(0), &[node("n", "base", true)]);
    assert_eq!(case.wake(), [Out::Scale(1)]);
    case.written(Ok(()));
    assert_eq!(case.see(|view| view.rollout.available = 0), [], "a view of before our write");
    assert_eq!(case.peers.next_wake(), Some(case.now + s(5)));
    assert_eq!(case.replicas(1), []);
    assert_eq!(case.peers.next_wake(), None);
}

#[test]
fn whoever_sets_the_replicas_back_again_and_again_gets_a_slow_answer_and_an_event() {
    let (mut case, _) = Case::begun(deployment(0), &[node("n", "base", true)]);
    let mut told = Vec::new();
    for _ in 0..3 {
        assert_eq!(case.wake(), [Out::Scale(1)]);
        case.replicas(1);
        case.written(Ok(()));
        told.extend(case.replicas(5));
    }
    assert_eq!(told, [], "three times may be a person");
    assert_eq!(case.wake(), [Out::Scale(1)]);
    case.replicas(1);
    case.written(Ok(()));
    assert_eq!(
        case.replicas(5),
        [Out::Told("PeerReplicasContested ModuleController.RescaleRequirementNotMet".into())]
    );
    for wait in [60, 120, 240, 300, 300] {
        let begun = case.now;
        assert_eq!(case.wake(), [Out::Scale(1)]);
        assert_eq!(case.now - begun, s(wait));
        case.replicas(1);
        case.written(Ok(()));
        assert_eq!(case.replicas(5), [], "it is said once");
    }
    case.wake();
    case.replicas(1);
    case.written(Ok(()));
    case.now += s(3_600);
    case.replicas(5);
    assert!(case.peers.next_wake().unwrap() < case.now + s(1), "after a quiet hour it is forgotten");
}

#[test]
fn a_refusal_is_told_once_and_says_what_is_missing() {
    let (mut case, _) = Case::begun(deployment(0), &[node("n", "base", true)]);
    case.wake();
    let refused = || Err(WriteError::Refused("forbidden".into()));
    assert_eq!(
        case.written(refused()),
        [Out::Told("WriteRefused ModuleController.RescaleRequirementNotMet".into())]
    );
    assert_eq!(case.wake(), [Out::Scale(1)]);
    assert_eq!(case.written(refused()), []);
    assert!(case.peers.next_wake().unwrap() >= case.now + s(10));
}
