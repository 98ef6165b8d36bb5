//! What counts, of what, and what is written down for the next controller.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::{
    action::Action,
    event::Now,
    replicas::tests::deployment,
    request::{Request, WriteError},
    testing,
    view::{RolledOut, Rollout, Taint},
};

const MODULE: &str = "module-controller.koupleless.io/component";

fn base() -> NodeView {
    NodeView {
        name: "virtual-node-b".into(),
        labels: [("name".into(), "base".into())].into_iter().collect(),
        taints: vec![Taint { key: "vnode".into(), value: String::new(), effect: "NoExecute".into() }].into(),
        ..NodeView::default()
    }
}

/// How far a workload of three Pods is.
fn rollout(updated: i32, available: i32) -> Rollout {
    Rollout { generation: 1, observed_generation: 1, desired: 3, total: 3, updated, available }
}

/// A peer Deployment of this namespace, made at this time, whose three Pods all run.
fn workload(name: &str, biz: &[(&str, &str)], created: i64) -> WorkloadView {
    let mut view = deployment(3);
    let (namespace, _) = name.split_once('/').unwrap_or(("default", name));
    (view.workload.namespace, view.workload.name) = (namespace.into(), name.into());
    view.workload.uid = name.into();
    view.created = Timestamp::from_second(created).unwrap();
    view.rollout = rollout(3, 3);
    view.template.labels = [(MODULE.to_owned(), "module".to_owned())].into();
    view.template.containers = biz.iter().map(|(name, version)| testing::container(name, version)).collect();
    view
}

/// A controller that sees workloads one after the other, and what it writes.
#[derive(Default)]
struct Case {
    workloads: Workloads,
    rollouts: Rollouts,
    nodes: Vec<NodeView>,
    served_by: Option<&'static str>,
    follows: bool,
    seconds: u64,
}

impl Case {
    /// One that leads.
    fn leading() -> Self {
        Self { nodes: vec![base()], follows: false, seconds: 100, ..Self::default() }
    }

    fn turn(&mut self, act: impl FnOnce(&mut Rollouts, &Workloads, Turn<'_>)) -> Vec<Arc<RolledOut>> {
        let mut out = Vec::new();
        let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
        act(
            &mut self.rollouts,
            &self.workloads,
            Turn { env: "dev", writes: !self.follows, now, out: &mut out },
        );
        out.into_iter()
            .filter_map(|action| match action {
                Action::Request(Request::RecordRollout { rolled_out, .. }) => Some(rolled_out),
                Action::Announce(told) => {
                    assert!(told.warning && told.note.english().contains("deployments/status"), "{told:?}");
                    None
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn see(&mut self, view: WorkloadView) -> Vec<Arc<RolledOut>> {
        let uid = view.workload.uid.clone();
        self.workloads.insert(uid.clone(), view);
        self.turn(|rollouts, workloads, turn| rollouts.see(&workloads[&uid], turn))
    }

    /// The same workload, changed.
    fn change(&mut self, uid: &str, change: impl FnOnce(&mut WorkloadView)) -> Vec<Arc<RolledOut>> {
        let mut view = self.workloads[uid].clone();
        change(&mut view);
        self.see(view)
    }

    fn written(&mut self, uid: &str, result: Result<(), WriteError>) -> Vec<Arc<RolledOut>> {
        self.turn(|rollouts, workloads, turn| rollouts.written(&workloads[uid], &result, turn))
    }

    fn told(&self) -> Vec<String> {
        let nodes: Vec<&NodeView> = self.nodes.iter().collect();
        let sources =
            Sources { workloads: &self.workloads, rollouts: &self.rollouts, nodes: &nodes, env: "dev" };
        let specs = modules(&base(), &sources, |_| self.served_by.map(Into::into));
        specs.iter().map(|spec| spec.id.to_string()).collect()
    }
}

fn baseline(views: Vec<WorkloadView>) -> Vec<String> {
    let mut case = Case::leading();
    for view in views {
        case.see(view);
    }
    case.told()
}

#[test]
fn every_container_of_what_matches_is_in_it() {
    let mut other = workload("other", &[("biz3", "1")], 1);
    other.template.placement.node_selector.insert("name".into(), "another".into());
    let mut set = workload("set", &[("biz4", "1")], 1);
    (set.workload.kind, set.replicas) = (WorkloadKind::DaemonSet, 0);
    set.labels.clear();
    let both = workload("both", &[("biz1", "1"), ("biz2", "2")], 1);
    assert_eq!(baseline(vec![both, other, set]), ["biz1:1", "biz2:2", "biz4:1"]);
}

#[test]
fn what_does_not_come_to_every_base_is_not() {
    let mut scatter = workload("a", &[("biz1", "1")], 1);
    scatter.labels.clear();
    let mut leaving = workload("b", &[("biz2", "1")], 1);
    leaving.deleting = true;
    let mut no_module = workload("c", &[("biz3", "1")], 1);
    no_module.template.labels.clear();
    let mut unreadable = workload("d", &[("biz4", "1")], 1);
    unreadable.template.containers[0].env.clear();
    let mut intolerant = workload("e", &[("biz5", "1")], 1);
    intolerant.template.placement.tolerations.clear();
    let mut paused = workload("f", &[("biz6", "1")], 1);
    paused.paused = true;
    assert_eq!(baseline(vec![scatter, leaving, no_module, unreadable, intolerant, paused]), [""; 0]);
}

/// What Kubernetes calls complete: no Pods are wanted, and there are none.
#[test]
fn what_was_never_rolled_out_is_not_whatever_kubernetes_calls_it() {
    let mut none = workload("none", &[("biz1", "1")], 1);
    (none.replicas, none.rollout) = (0, Rollout { desired: 0, total: 0, ..rollout(0, 0) });
    let mut fails = workload("fails", &[("biz2", "1")], 1);
    fails.rollout = rollout(3, 0);
    let mut set = workload("set", &[("biz3", "1")], 1);
    (set.workload.kind, set.replicas, set.rollout) = (WorkloadKind::DaemonSet, 0, rollout(3, 0));
    let mut case = Case::leading();
    for view in [none, fails, set] {
        assert!(case.see(view).is_empty());
    }
    assert_eq!(case.told(), [""; 0]);
    // From no replicas to three it stays what Kubernetes calls complete.
    case.change("none", |view| (view.replicas, view.rollout) = (3, rollout(3, 0)));
    assert_eq!(case.told(), [""; 0]);
    case.change("none", |view| view.rollout = rollout(3, 3));
    assert_eq!(case.told(), ["biz1:1"]);
}

#[test]
fn what_was_rolled_out_counts_though_nothing_is_ready_and_a_later_template_does_not_work() {
    let mut case = Case::leading();
    let written = case.see(workload("w", &[("biz1", "1")], 1));
    assert_eq!(written.len(), 1);
    case.change("w", |view| view.rollout = rollout(3, 0));
    assert_eq!(case.told(), ["biz1:1"]);
    let bad = |view: &mut WorkloadView| {
        view.template.containers = vec![testing::container("biz1", "2")];
        view.rollout = rollout(1, 2);
    };
    case.change("w", bad);
    assert_eq!(case.told(), ["biz1:1"]);
    // The next controller sees what this one wrote down.
    let mut next = Case::leading();
    let mut view = case.workloads["w"].clone();
    view.rolled_out = written.first().cloned();
    assert!(next.see(view).is_empty());
    assert_eq!(next.told(), ["biz1:1"]);
    next.change("w", |view| view.rollout = rollout(3, 3));
    assert_eq!(next.told(), ["biz1:2"]);
}

/// An incompatible release of base and module: each base is told the module of its own version.
#[test]
fn what_was_rolled_out_is_for_the_bases_that_it_was_rolled_out_to() {
    let mut case = Case::leading();
    case.see(workload("w", &[("biz1", "1")], 1));
    case.change("w", |view| {
        view.template.containers = vec![testing::container("biz1", "2")];
        view.template.placement.node_selector.insert("version".into(), "2".into());
        view.rollout = rollout(1, 2);
    });
    assert_eq!(case.told(), ["biz1:1"]);
    case.change("w", |view| view.rollout = rollout(3, 3));
    assert_eq!(case.told(), [""; 0], "a base of version 1");
}

#[test]
fn no_replicas_by_our_own_hand_are_no_wish_of_anybody() {
    let mut case = Case::leading();
    case.see(workload("w", &[("biz1", "1")], 1));
    case.change("w", |view| {
        (view.replicas, view.rollout) = (0, Rollout { desired: 0, total: 0, ..rollout(0, 0) })
    });
    assert_eq!(case.told(), [""; 0], "a base is there, and somebody wants none");
    case.nodes.clear();
    assert_eq!(case.told(), ["biz1:1"], "all bases had gone, and the first is back");
}

#[test]
fn of_one_name_the_workload_that_was_made_last_counts() {
    let [old, new] = [("old", "1", 1), ("new", "2", 2)]
        .map(|(name, version, created)| workload(name, &[("biz1", version)], created));
    assert_eq!(baseline(vec![new.clone(), old.clone()]), ["biz1:2"]);
    let bad = WorkloadView { rollout: rollout(3, 0), ..new };
    assert_eq!(baseline(vec![bad, old]), ["biz1:1"]);
}

#[test]
fn a_name_belongs_to_the_namespace_that_serves_it_and_else_to_the_one_that_had_it_first() {
    let [first, later, own] = [("a/first", "1", 1), ("b/later", "9", 3), ("a/own", "2", 2)]
        .map(|(name, version, created)| workload(name, &[("biz1", version)], created));
    let mut case = Case::leading();
    for view in [later, first, own] {
        case.see(view);
    }
    assert_eq!(case.told(), ["biz1:2"]);
    case.served_by = Some("b");
    assert_eq!(case.told(), ["biz1:9"]);
    case.served_by = Some("c");
    assert_eq!(case.told(), ["biz1:2"], "who offers nothing");
}

#[test]
fn it_is_written_down_once_and_whoever_takes_it_away_is_answered_once_a_minute() {
    let mut case = Case::leading();
    let written = case.see(workload("w", &[("biz1", "1")], 1));
    assert_eq!(written.len(), 1);
    assert!(case.change("w", |_| {}).is_empty(), "under way");
    case.written("w", Ok(()));
    let told = written.first().cloned();
    assert!(case.change("w", |view| view.rolled_out = told).is_empty());
    for _ in 0..20 {
        case.seconds += 1;
        assert!(case.change("w", |view| view.rolled_out = None).is_empty());
    }
    let at = case.rollouts.next_wake().unwrap();
    assert_eq!(at, Duration::from_secs(160));
    case.seconds = 160;
    let again = case.turn(|rollouts, workloads, turn| rollouts.tick(workloads, false, turn));
    assert_eq!(again, written);
}

#[test]
fn of_several_replicas_one_writes_and_whoever_comes_after_it_goes_on() {
    let mut case = Case { follows: true, ..Case::leading() };
    assert!(case.see(workload("w", &[("biz1", "1")], 1)).is_empty());
    assert_eq!(case.told(), ["biz1:1"]);
    case.follows = false;
    assert_eq!(case.turn(|rollouts, workloads, turn| rollouts.tick(workloads, true, turn)).len(), 1);
    let refused = || Err(WriteError::Refused("no right".into()));
    assert!(case.written("w", refused()).is_empty());
    assert!(case.rollouts.next_wake().unwrap() >= Duration::from_secs(105));
    case.workloads.clear();
    case.rollouts.forget(&"w".into());
    assert_eq!((case.rollouts.next_wake(), case.told()), (None, Vec::new()));
}
