//! The Leases of permits.

use std::sync::Arc;

use cluster::WatchConfig;
use engine::{
    Event, ReplicaEvent, Request, Write, WriteError,
    view::{Owner, PermitsView},
};

use crate::harness::{Harness, unique};

/// What was told of the Lease next.
async fn told(h: &mut Harness, name: &Arc<str>) -> PermitsView {
    h.event("the Lease of permits", |event| match event {
        Event::Replica(ReplicaEvent::Permits(view)) if view.name == *name => Some((**view).clone()),
        _ => None,
    })
    .await
}

fn put(view: &PermitsView) -> (Request, Write) {
    (Request::WritePermits(Box::new(view.clone())), Write::WritePermits(view.name.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_taken_only_in_what_was_seen_and_what_there_is_is_told() {
    let config = WatchConfig { members: Some("default".into()), ..WatchConfig::default() };
    let mut h = Harness::with(config).await;
    let name: Arc<str> = unique("permits").into();
    let wanted = PermitsView {
        name: name.clone(),
        uid: "".into(),
        resource_version: 0,
        owner: Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "biz1".into() },
        holders: [("first".into(), 5)].into(),
    };
    let (action, write) = put(&wanted);
    h.write(action, write).await.unwrap();
    let born = told(&mut h, &name).await;
    assert_eq!((&born.owner, &born.holders), (&wanted.owner, &wanted.holders));
    let watched = told(&mut h, &name).await;
    assert_eq!(watched, born, "the watch tells the others");

    // Another was first, or its own answer was lost: it learns who has it.
    let (action, write) = put(&wanted);
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    assert_eq!(told(&mut h, &name).await, born);

    let next = PermitsView { holders: [("second".into(), 6)].into(), ..born.clone() };
    let (action, write) = put(&next);
    h.write(action, write).await.unwrap();
    let taken = told(&mut h, &name).await;
    assert_eq!(taken.holders, next.holders);
    let (action, write) = put(&next);
    let late = h.write(action, write).await;
    assert!(matches!(late, Err(WriteError::Conflict(_))), "{late:?}");

    let delete = |view: &PermitsView| Request::DeletePermits {
        name: name.clone(),
        uid: view.uid.clone(),
        resource_version: view.resource_version,
    };
    let result = h.write(delete(&born), Write::DeletePermits(name.clone())).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "it was written meanwhile: {result:?}");
    h.write(delete(&taken), Write::DeletePermits(name.clone())).await.unwrap();
    h.event("the end of the Lease", |event| match event {
        Event::Replica(ReplicaEvent::PermitsGone { name: gone, .. }) if *gone == name => Some(()),
        _ => None,
    })
    .await;
    let (action, write) = put(&taken);
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::NotFound(_) | WriteError::Conflict(_))), "{result:?}");
    h.event("that there is none", |event| match event {
        Event::Replica(ReplicaEvent::PermitsGone { name: gone, uid }) if *gone == name && uid.is_empty() => {
            Some(())
        }
        _ => None,
    })
    .await;
}
