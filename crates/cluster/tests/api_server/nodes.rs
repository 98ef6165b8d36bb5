//! Nodes and their Leases.

use std::{sync::Arc, time::Duration};

use engine::{
    ClusterEvent, Event, ReplicaEvent, Request, Watched, Write, WriteError,
    view::{Address, AddressKind, ConditionStatus, LeaseView, NodeView},
};
use serde_json::Value;
use testkit::wait::wait_for;

use crate::harness::{Harness, all_kinds, condition, unique, vnode};

const LEASE_S: Duration = Duration::from_secs(40);

fn lease(h: &Harness, name: &str) -> Value {
    h.cluster.kubectl_json(&["get", "lease", name, "-n", "kube-node-lease"]).unwrap()
}

async fn renew(h: &mut Harness, name: &str) {
    let action = Request::RenewLease { node: name.into(), holder: None, duration: LEASE_S };
    h.write(action, Write::RenewLease(name.into())).await.unwrap();
}

fn patched(desired: &NodeView) -> (Request, Write) {
    (Request::PatchNode { desired: Box::new(desired.clone()) }, Write::PatchNode(desired.name.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_created_once_and_read_back_as_it_was_meant() {
    let mut h = Harness::start().await;
    let desired = vnode(&unique("virtual-node-create"));
    let node = h.create_node(&desired).await;
    assert_eq!((&node.labels, &node.capacity), (&desired.labels, &desired.capacity));
    assert_eq!((&node.addresses, &node.allocatable), (&desired.addresses, &desired.allocatable));
    assert_eq!((&node.conditions, &node.kubelet_version), (&desired.conditions, &desired.kubelet_version));
    assert!(node.taints.contains(&desired.taints[0]), "{:?}", node.taints);

    let again = Request::CreateNode(Box::new(desired.clone()));
    let result = h.write(again, Write::CreateNode(desired.name.clone())).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_node_of_the_name_is_told_with_the_conflict() {
    let mut h = Harness::start().await;
    let name = unique("virtual-node-foreign");
    h.cluster
        .apply(&format!(r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}"}}}}"#))
        .unwrap();
    let create = Request::CreateNode(Box::new(vnode(&name)));
    let result = h.write(create, Write::CreateNode(name.as_str().into())).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    let found = h.node(&name, |_| true).await;
    assert!(!found.labels.contains_key("virtual-kubelet.koupleless.io/component"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_sets_what_is_ours_and_leaves_the_rest() {
    let mut h = Harness::start().await;
    let mut desired = vnode(&unique("virtual-node-patch"));
    let name = desired.name.to_string();
    let node = h.create_node(&desired).await;
    h.cluster.kubectl(&["label", "node", &name, "theirs=1"]).unwrap();
    h.cluster.kubectl(&["annotate", "node", &name, "theirs=1"]).unwrap();
    let seen = h.node(&name, |node| node.annotations.contains_key("theirs")).await;

    desired.uid = node.uid.clone();
    desired.labels.insert("base.koupleless.io/version".into(), "2.0.0".into());
    desired.taints = seen.taints.clone();
    desired.resource_version = node.resource_version;
    let (action, write) = patched(&desired);
    let stale = h.write(action, write).await;
    assert!(matches!(stale, Err(WriteError::Conflict(_))), "{stale:?}");

    desired.resource_version = 0;
    let (action, write) = patched(&desired);
    h.write(action, write).await.unwrap();
    let patched_node = h.node(&name, |node| node.labels.contains_key("base.koupleless.io/version")).await;
    assert_eq!(patched_node.labels.get("theirs").map(|text| &**text), Some("1"));
    assert_eq!(patched_node.annotations.get("theirs").map(|text| &**text), Some("1"));

    desired.uid = "00000000-0000-0000-0000-000000000000".into();
    let (action, write) = patched(&desired);
    let other = h.write(action, write).await;
    assert!(matches!(other, Err(WriteError::Conflict(_))), "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_is_replaced_where_it_is_ours() {
    let mut h = Harness::start().await;
    let mut desired = vnode(&unique("virtual-node-status"));
    let name = desired.name.to_string();
    desired.uid = h.create_node(&desired).await.uid;
    let theirs =
        r#"{"status":{"conditions":[{"type":"Theirs","status":"True"}],"capacity":{"example.org/gpu":"1"}}}"#;
    h.cluster.kubectl(&["patch", "node", &name, "--subresource=status", "-p", theirs]).unwrap();

    desired.capacity.remove("memory");
    desired.allocatable.remove("memory");
    desired.addresses = vec![Address { kind: AddressKind::InternalIp, address: "192.0.2.3".into() }];
    desired.conditions = vec![condition("Ready", ConditionStatus::False, "BaseSilent")];
    desired.kubelet_version = "v0.2.0".into();
    let action = Request::PatchNodeStatus { desired: Box::new(desired.clone()) };
    h.write(action, Write::PatchNodeStatus(desired.name.clone())).await.unwrap();

    let node = h.node(&name, |node| *node.kubelet_version == *"v0.2.0").await;
    assert_eq!(node.addresses, desired.addresses);
    assert!(!node.capacity.contains_key("memory") && !node.allocatable.contains_key("memory"));
    assert_eq!(node.capacity.get("example.org/gpu").map(|text| &**text), Some("1"));
    assert_eq!(node.condition("Theirs").unwrap().status, ConditionStatus::True);
    let ready = node.condition("Ready").unwrap();
    assert_eq!((ready.status, &*ready.reason), (ConditionStatus::False, "BaseSilent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_renewed_whatever_happened_to_it() {
    let mut h = Harness::start().await;
    let name = unique("virtual-node-lease");
    renew(&mut h, &name).await;
    let first = lease(&h, &name);
    assert_eq!(first["spec"]["holderIdentity"], "tester");
    assert_eq!(first["spec"]["leaseDurationSeconds"], 40);
    assert!(first["metadata"].get("ownerReferences").is_none());

    renew(&mut h, &name).await;
    let second = lease(&h, &name);
    assert_ne!(second["spec"]["renewTime"], first["spec"]["renewTime"]);
    assert_eq!(second["spec"]["acquireTime"], first["spec"]["acquireTime"]);

    // Changed by somebody: the version that we know is old, and what they wrote stays.
    h.cluster.kubectl(&["annotate", "lease", &name, "-n", "kube-node-lease", "theirs=1"]).unwrap();
    renew(&mut h, &name).await;
    assert_eq!(lease(&h, &name)["metadata"]["annotations"]["theirs"], "1");
    renew(&mut h, &name).await;
    assert_eq!(lease(&h, &name)["metadata"]["annotations"]["theirs"], "1");

    h.cluster.kubectl(&["delete", "lease", &name, "-n", "kube-node-lease"]).unwrap();
    renew(&mut h, &name).await;
    assert_ne!(lease(&h, &name)["metadata"]["uid"], first["metadata"]["uid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_with_its_lease_and_only_the_one_that_is_meant() {
    let mut h = Harness::start().await;
    let name = unique("virtual-node-delete");
    let node = h.create_node(&vnode(&name)).await;
    renew(&mut h, &name).await;

    let other = "00000000-0000-0000-0000-000000000000";
    for (uid, gone) in [(other, false), (&*node.uid, true), (&*node.uid, true)] {
        let action = Request::DeleteNode { name: name.as_str().into(), uid: uid.into() };
        h.write(action, Write::DeleteNode(name.as_str().into())).await.unwrap();
        let get = |args: &[&str]| h.cluster.kubectl_output(args, "").unwrap().status.success();
        assert_eq!(get(&["get", "node", &name]), !gone);
        assert_eq!(get(&["get", "lease", &name, "-n", "kube-node-lease"]), !gone);
    }
    h.node_gone(&name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_is_synced_once_and_the_watches_are_well() {
    let mut h = Harness::with(all_kinds()).await;
    for kind in Watched::NEEDED {
        h.event("the first list", |event| {
            (*event == Event::Cluster(ClusterEvent::Synced(kind))).then_some(())
        })
        .await;
    }
    let watches = h.watches.take().unwrap();
    // Those are what the engine waits for; the others follow.
    wait_for("every kind to be listed", Duration::from_secs(20), || Ok(watches.synced().then_some(())))
        .unwrap();
    for health in watches.health() {
        assert!(!health.failing && !health.ended && health.last_error.is_none(), "{health:?}");
        assert_eq!((health.errors, health.restarts, health.unreadable), (0, 0, 0));
    }
    watches.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_taken_as_it_was_seen_and_renewed_only_while_it_is_held() {
    let mut h = Harness::start().await;
    let node: Arc<str> = unique("virtual-node-shared").into();
    let none = LeaseView { node: node.clone(), ..LeaseView::default() };
    let take = |seen: &LeaseView, holder: &str| {
        let action = Request::TakeLease { seen: seen.clone(), holder: holder.into(), duration: LEASE_S };
        (action, Write::TakeLease { node: node.clone(), holder: holder.into() })
    };
    let renew = |holder: &str| {
        let action =
            Request::RenewLease { node: node.clone(), holder: Some(holder.into()), duration: LEASE_S };
        (action, Write::RenewLease(node.clone()))
    };
    let (action, write) = take(&none, "first");
    h.write(action, write).await.unwrap();
    let (action, write) = renew("first");
    h.write(action, write).await.unwrap();
    let renewed = lease(&h, &node)["spec"]["renewTime"].as_str().unwrap().to_owned();

    // It was created meanwhile: what there is is told before the conflict.
    let (action, write) = take(&none, "second");
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    let seen = h
        .event("the Lease as it is", |event| match event {
            Event::Replica(ReplicaEvent::Lease(seen))
                if seen.node == node && seen.renewed == renewed.parse().ok() =>
            {
                Some(seen.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!((&*seen.holder, seen.transitions), ("first", 0));

    let (action, write) = take(&seen, "second");
    h.write(action, write).await.unwrap();
    assert_eq!(lease(&h, &node)["spec"]["leaseTransitions"], 1);
    let (action, write) = renew("first");
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    assert_eq!(lease(&h, &node)["spec"]["holderIdentity"], "second");

    let release = |delete| {
        let action = Request::ReleaseLease { node: node.clone(), holder: "second".into(), delete };
        (action, Write::ReleaseLease { node: node.clone(), holder: "second".into() })
    };
    let (action, write) = release(false);
    h.write(action, write).await.unwrap();
    assert_eq!(lease(&h, &node)["spec"]["holderIdentity"].as_str().unwrap_or_default(), "");
}
