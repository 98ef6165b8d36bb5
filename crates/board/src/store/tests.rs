//! A store as the watches fill it.

use kube::{core::Status, runtime::watcher::Event};
use serde_json::{Value, json};

use super::{kinds::Kept, shelf::Shelf, *};

/// Lists these objects, as a watch does at its beginning.
fn list<T: Kept>(shelf: &Shelf<T>, objects: &[Value]) {
    let texts = Interner::default();
    shelf.take(Event::Init, &texts);
    for object in objects {
        shelf.take(Event::InitApply(serde_json::from_value(object.clone()).unwrap()), &texts);
    }
    shelf.take(Event::InitDone, &texts);
}

pub(crate) fn node(name: &str, ready: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"base.koupleless.io/name": "base", "base.koupleless.io/host-name": format!("{name}-host"), "zone": "a"}},
        "spec": {"taints": [{"key": "t", "value": "v", "effect": "NoSchedule"}]},
        "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "BaseSilent", "message": "nothing was heard"}]},
    })
}

fn module(namespace: &str, node: &str, version: &str, state: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": format!("{node}-{version}")},
        "spec": {"name": "cart", "version": version, "vnode": node, "pod": format!("cart-{node}"), "managed": true},
        "status": {"status": state, "errorCode": if state == "Failed" { "User.InstallModuleFailed" } else { "" }},
    })
}

fn pod(namespace: &str, node: &str, version: &str, held: bool) -> Value {
    let state = if held {
        json!({"waiting": {"reason": "HeldByPlan", "message": "held"}})
    } else {
        json!({"running": {}})
    };
    json!({
        "metadata": {"namespace": namespace, "name": format!("cart-{node}"), "labels": {"pod-template-hash": "h"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-h", "controller": true}]},
        "spec": {"nodeName": node, "containers": [{"name": "cart", "image": "https://h/cart.jar", "env": [{"name": "BIZ_VERSION", "value": version}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if held { "False" } else { "True" }}],
            "containerStatuses": [{"name": "cart", "ready": !held, "state": state}]},
    })
}

fn plan(namespace: &str, status: &Value) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": "cart-2", "uid": "u", "resourceVersion": "7"},
        "spec": {"target": {"kind": "Deployment", "name": "cart"}, "module": {"name": "cart", "version": "2"},
            "batches": [{"name": "beta", "size": 1, "confirm": true}, {"name": "rest", "count": 2}]},
        "status": status,
    })
}

fn deployment(namespace: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": "cart", "labels": {"module-controller.koupleless.io/component": "module-deployment"}},
        "spec": {"template": {"spec": {"tolerations": [{"operator": "Exists"}], "containers": [
            {"name": "cart", "image": "https://h/cart-2.jar", "env": [{"name": "BIZ_VERSION", "value": "2"}]}]}}},
    })
}

/// Three bases, one of them silent; a module in two namespaces, that fails in one; a plan that waits in each.
pub(crate) fn shop() -> Store {
    let store = Store::new();
    list(&store.nodes, &[node("node-a", "True"), node("node-b", "True"), node("node-c", "False")]);
    list(
        &store.modules,
        &[module("shop", "node-a", "2", "Available"), module("bank", "node-b", "1", "Failed")],
    );
    list(&store.pods[0], &[pod("shop", "node-a", "2", false), pod("shop", "node-c", "2", true)]);
    list(&store.pods[1], &[]);
    let waiting = json!({"phase": "AwaitingConfirm", "confirmable": 1, "batch": "beta (1/3)",
        "batches": [{"name": "beta", "phase": "AwaitingConfirm", "bases": 1, "ready": 1}, {"name": "rest-1", "phase": "Waiting"},
                    {"name": "rest-2", "phase": "Waiting"}]});
    list(&store.plans, &[plan("shop", &waiting), plan("bank", &json!({}))]);
    list(&store.deployments, &[deployment("shop")]);
    list(&store.daemon_sets, &[]);
    list(&store.replicas, &[]);
    list(
        &store.leases,
        &[
            json!({"metadata": {"namespace": "kube-node-lease", "name": "node-a"}, "spec": {"holderIdentity": "replica-a"}}),
        ],
    );
    store
}

fn refused(code: u16) -> kube::runtime::watcher::Error {
    let status = Status { code, message: "no".to_owned(), ..Status::default() };
    kube::runtime::watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()))
}

#[test]
fn what_changes_nothing_that_is_shown_is_no_news() {
    let store = shop();
    let version = |store: &Store| store.leases.standing().version;
    let before = version(&store);
    let lease = |holder: &str| {
        let metadata = json!({"namespace": "kube-node-lease", "name": "node-a"});
        let spec = json!({"holderIdentity": holder, "renewTime": "2026-11-29T00:00:00.000000Z"});
        Event::Apply(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
    };
    store.leases.take(lease("replica-a"), &store.texts);
    assert_eq!(version(&store), before, "it was renewed");
    assert!(store.lease("node-a").unwrap().renewed.is_some(), "and is known to be");
    store.leases.take(lease("replica-b"), &store.texts);
    assert_eq!(version(&store), before + 1);
}

#[test]
fn a_list_that_is_begun_and_not_ended_changes_nothing() {
    let store = shop();
    store.nodes.take(Event::Init, &store.texts);
    store.nodes.take(Event::InitApply(serde_json::from_value(node("node-z", "True")).unwrap()), &store.texts);
    assert_eq!(store.nodes.all().len(), 3);
    store.nodes.take(Event::InitDone, &store.texts);
    assert_eq!(store.nodes.all().len(), 1);
}

#[test]
fn one_that_cannot_be_read_is_left_out_and_one_that_becomes_so_goes() {
    let store = shop();
    let broken = json!({"metadata": {"name": "node-a", "labels": 7}});
    store.nodes.take(Event::Apply(serde_json::from_value(broken).unwrap()), &store.texts);
    assert_eq!(store.nodes.all().len(), 2);
    store.nodes.take(Event::Delete(serde_json::from_value(node("node-b", "True")).unwrap()), &store.texts);
    assert_eq!(store.nodes.all().len(), 1);
}

#[test]
fn a_right_that_is_missing_is_told_and_is_no_absence_of_the_api_server() {
    let store = shop();
    store.nodes.failed(&refused(403));
    assert_eq!(store.not_watched(), [("Nodes of bases", "no".into())]);
    assert_eq!(store.nodes.standing().failing_since, None);
    store.nodes.failed(&refused(500));
    assert!(store.nodes.standing().failing_since.is_some());
    store.nodes.take(Event::Init, &store.texts);
    assert!(store.nodes.standing().failing_since.is_some(), "a list that begins has not succeeded");
    store.nodes.take(Event::InitDone, &store.texts);
    assert_eq!(store.nodes.standing().failing_since, None);
    assert_eq!(store.not_watched(), []);
}
