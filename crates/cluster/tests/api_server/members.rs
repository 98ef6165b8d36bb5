//! The Leases of the replicas themselves.

use std::sync::Arc;

use engine::{
    Event, ReplicaEvent, Request, Write, WriteError,
    view::{Door, MemberState, MemberView},
};

use crate::harness::{Harness, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_ended_as_it_was_seen_and_its_lease_goes() {
    let mut h = Harness::start().await;
    let name: Arc<str> = unique("member").into();
    let wanted = MemberView {
        name: name.clone(),
        incarnation: "first".into(),
        client_id: "replica-1".into(),
        level: 2,
        door: Some(Door { address: "10.0.0.1:7778".parse().unwrap(), key: "key".into() }),
        ..MemberView::default()
    };
    let put =
        |view: &MemberView| (Request::WriteMember(Box::new(view.clone())), Write::WriteMember(name.clone()));
    let read = || (Request::ReadMember { name: name.clone() }, Write::ReadMember(name.clone()));

    let (action, write) = put(&wanted);
    h.write(action, write).await.unwrap();
    let born = told(&mut h, &name).await;
    assert_eq!((&*born.incarnation, &*born.client_id, born.level), ("first", "replica-1", 2));
    assert_eq!(born.door, wanted.door);
    let (action, write) = put(&born);
    h.write(action, write).await.unwrap();
    let renewed = told(&mut h, &name).await;
    assert_ne!(
        renewed.resource_version, born.resource_version,
        "a renewal is seen, though nothing else changes"
    );

    // It renewed meanwhile, so it lives: what there is is told before the conflict.
    let (action, write) = put(&MemberView { state: MemberState::Killed, ..born });
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    let seen = told(&mut h, &name).await;
    assert_eq!(seen, renewed);
    let (action, write) = put(&MemberView { state: MemberState::Killed, ..seen });
    h.write(action, write).await.unwrap();
    assert_eq!(told(&mut h, &name).await.state, MemberState::Killed);

    let delete = Request::DeleteMember { name: name.clone(), uid: renewed.uid };
    h.write(delete, Write::DeleteMember(name.clone())).await.unwrap();
    let (action, write) = read();
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::NotFound(_))), "{result:?}");
    h.event("the end of the Lease", |event| match event {
        Event::Replica(ReplicaEvent::MemberGone { name: gone, .. }) if *gone == name => Some(()),
        _ => None,
    })
    .await;
}

/// What was told of the Lease next.
async fn told(h: &mut Harness, name: &Arc<str>) -> MemberView {
    h.event("the Lease of the replica", |event| match event {
        Event::Replica(ReplicaEvent::Member(view)) if view.name == *name => Some((**view).clone()),
        _ => None,
    })
    .await
}
