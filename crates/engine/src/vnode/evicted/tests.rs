use std::time::Duration;

use model::BizState;

use crate::{
    testing,
    view::{Condition, ConditionStatus, NodeView, Phase, PodView, Taint},
    vnode::testing::{Case, id},
};

fn taint(key: &str) -> Taint {
    Taint { key: key.into(), value: String::new(), effect: "NoExecute".into() }
}

/// As the node lifecycle controller leaves a Node that nobody speaks for.
fn given_up(node: &mut NodeView) {
    for condition in &mut node.conditions {
        condition.status = ConditionStatus::Unknown;
        condition.reason = "NodeStatusUnknown".into();
    }
    node.taints.push(taint("node.kubernetes.io/unreachable"));
    node.resource_version += 1;
}

/// As the taint manager deletes a Pod.
fn evicted(pod: &mut PodView) {
    pod.deletion = Some(Duration::ZERO);
    pod.resource_version += 100;
    pod.status.conditions.push(Condition {
        kind: "DisruptionTarget".into(),
        status: ConditionStatus::True,
        reason: "DeletionByTaintManager".into(),
        message: "Taint manager: deleting due to NoExecute taint".into(),
        changed: None,
    });
}

/// A base with a module that serves.
fn served() -> Case {
    let mut case = Case::start(|_| {}, &[]);
    case.create("p", "biz1");
    case.until(10);
    assert_eq!(case.commands, ["install biz1:1"]);
    case
}

/// A controller that finds the Pod of that module evicted, and the base alive.
fn after_an_absence(further: Option<&str>) -> Case {
    let mut case = served();
    case.begin_anew(|node, pods| {
        given_up(node);
        node.taints.extend(further.map(taint));
        pods.values_mut().for_each(evicted);
    });
    case
}

#[test]
fn w12_the_lease_and_the_node_come_first_and_everything_else_later() {
    let mut case = after_an_absence(None);
    // Beside it, one that was not evicted yet, but is told as not Ready.
    case.pods.insert("uid-q".into(), testing::pod("q", "biz2", "1"));
    let unready = |pod: &mut PodView| pod.status.conditions.clear();
    case.begin_anew(|node, pods| {
        given_up(node);
        pods.values_mut().for_each(unready);
    });
    case.until(case.seconds + 1);
    let told = case.sent.iter().position(|sent| sent == "node Ready=Some(True)").expect("the Node is told");
    let lease = case.sent.iter().position(|sent| sent == "lease").expect("the Lease is renewed");
    let later = ["pod status", "delete pod", "module", "delete module", "installBiz", "uninstallBiz"];
    let first = case.sent.iter().position(|sent| later.contains(&sent.as_str())).expect("the rest is done");
    assert!(lease < first && told < first, "{:?}", case.sent);
}

#[test]
fn w12_an_evicted_pod_goes_and_its_module_waits_for_the_replacement() {
    let mut case = after_an_absence(None);
    case.until(case.seconds + 1);
    assert!(case.pods.is_empty(), "it was deleted as asked");
    assert!(case.modules[&id("biz1")].kept, "whoever runs the controller next knows");
    case.until(case.seconds + 50);
    case.create("replacement", "biz1");
    case.until(case.seconds + 120);
    assert_eq!(case.commands, ["install biz1:1"], "adopted as it is");
    let module = &case.modules[&id("biz1")];
    assert_eq!((&*module.pod, module.kept), ("replacement", false));
    let ready = case
        .pods
        .values()
        .all(|pod| pod.status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True));
    assert!(ready, "{:?}", case.pods);
}

#[test]
fn w12_without_a_replacement_it_is_uninstalled_after_a_minute() {
    let mut case = after_an_absence(None);
    let began = case.seconds;
    case.until(began + 59);
    assert_eq!((case.commands.len(), case.pods.len()), (1, 0));
    case.until(began + 62);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
    case.until(began + 70);
    assert!(case.modules.is_empty(), "{:?}", case.modules);
}

#[test]
fn w12_a_controller_that_starts_in_that_minute_keeps_it_too() {
    let mut case = after_an_absence(None);
    case.until(case.seconds + 30);
    case.begin_anew(|_, _| {});
    case.until(case.seconds + 50);
    assert_eq!(case.commands, ["install biz1:1"]);
    case.create("replacement", "biz1");
    case.until(case.seconds + 120);
    assert_eq!(case.commands, ["install biz1:1"]);
    assert!(!case.modules[&id("biz1")].kept);
}

#[test]
fn w12_without_module_objects_it_is_kept_all_the_same() {
    let mut case = served();
    case.modules.clear();
    case.begin_anew(|node, pods| {
        given_up(node);
        pods.values_mut().for_each(evicted);
    });
    case.step(crate::Event::Cluster(crate::ClusterEvent::Unavailable(crate::event::Watched::Modules)));
    case.until(case.seconds + 30);
    assert_eq!((case.commands.len(), case.pods.len()), (1, 0));
}

#[test]
fn who_deletes_or_evicts_on_purpose_has_it_uninstalled_at_once() {
    let mut case = served();
    case.begin_anew(|node, pods| {
        given_up(node);
        for pod in pods.values_mut() {
            evicted(pod);
            pod.status.conditions.retain(|condition| condition.kind != "DisruptionTarget".into());
        }
    });
    case.until(case.seconds + 2);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
    assert!(case.pods.is_empty());

    let mut case = after_an_absence(Some("example.com/decommissioned"));
    case.until(case.seconds + 2);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
}

#[test]
fn another_version_is_not_kept_waiting_and_what_does_not_serve_is_not_kept() {
    let mut case = after_an_absence(None);
    case.until(case.seconds + 1);
    let mut newer = testing::pod("newer", "biz1", "2");
    newer.resource_version = case.next();
    case.pods.insert(newer.pod.uid.clone(), newer.clone());
    case.step(crate::Event::Cluster(crate::ClusterEvent::Pod(Box::new(newer))));
    case.until(case.seconds + 10);
    assert!(!case.held.contains_key(&id("biz1")), "{:?} {:?}", case.held, case.commands);

    let mut case = served();
    case.held.insert(id("biz1"), BizState::Broken);
    case.begin_anew(|node, pods| {
        given_up(node);
        pods.values_mut().for_each(evicted);
    });
    case.until(case.seconds + 5);
    assert_eq!(case.commands.last().map(String::as_str), Some("uninstall biz1:1"));
}

/// As the garbage collector takes a Pod whose Node does not exist: it is marked, and gone.
fn collected(case: &mut Case) {
    for uid in case.pods.keys().cloned().collect::<Vec<_>>() {
        let mut pod = case.pods.remove(&uid).unwrap();
        pod.resource_version = case.next() + 1_000;
        pod.status.phase = Phase::Failed;
        pod.status.conditions.push(Condition {
            kind: "DisruptionTarget".into(),
            status: ConditionStatus::True,
            reason: "DeletionByPodGC".into(),
            message: "PodGC: node no longer exists".into(),
            changed: None,
        });
        case.step(crate::Event::Cluster(crate::ClusterEvent::Pod(Box::new(pod.clone()))));
        case.step(crate::Event::Cluster(crate::ClusterEvent::PodGone(pod.pod)));
    }
}

/// A base falls silent, somebody deletes its Node, and the garbage collector its Pods.
fn without_node() -> Case {
    let mut case = served();
    case.is_silent = true;
    case.until(case.seconds + 30);
    case.delete_node();
    case.until(case.seconds + 20);
    collected(&mut case);
    case
}

fn is_adopted(mut case: Case) {
    case.is_silent = false;
    case.until(case.seconds + 30);
    assert!(case.node.is_some() && case.modules[&id("biz1")].kept);
    case.create("replacement", "biz1");
    case.until(case.seconds + 120);
    assert_eq!(case.commands, ["install biz1:1"], "adopted as it is");
    let module = &case.modules[&id("biz1")];
    assert_eq!((&*module.pod, module.kept), ("replacement", false));
}

#[test]
fn what_the_garbage_collector_took_is_adopted_by_its_replacement() {
    is_adopted(without_node());
    let mut given_up = without_node();
    given_up.until(given_up.seconds + 100);
    is_adopted(given_up);
    let mut restarted = without_node();
    restarted.begin_without_node();
    is_adopted(restarted);
}

#[test]
fn of_a_base_that_comes_without_a_node_what_nobody_asks_for_goes_after_a_minute() {
    let mut case = without_node();
    case.begin_without_node();
    case.is_silent = false;
    let began = case.seconds;
    case.until(began + 50);
    assert_eq!(case.commands.len(), 1);
    case.until(began + 75);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
}

#[test]
fn of_a_base_that_comes_without_a_node_what_somebody_deleted_goes_at_once() {
    let mut case = served();
    case.is_silent = true;
    case.until(case.seconds + 30);
    case.delete_node();
    case.begin_without_node();
    let (_, mut pod) = case.pods.pop_first().unwrap();
    pod.deletion = Some(Duration::ZERO);
    case.pods.insert(pod.pod.uid.clone(), pod.clone());
    case.step(crate::Event::Cluster(crate::ClusterEvent::Pod(Box::new(pod))));
    case.is_silent = false;
    case.until(case.seconds + 15);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
    assert!(case.pods.is_empty());
}
