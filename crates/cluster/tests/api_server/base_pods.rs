//! A base's own Pod.

use engine::{Action, BaseAddress, BasePod, Event};

use crate::harness::{Harness, unique};

async fn find(h: &mut Harness, ip: &str, host_name: &str) -> Option<BasePod> {
    let base: model::BaseIdentity = unique("base").parse().unwrap();
    let address = BaseAddress { ip: ip.parse().ok(), host_name: host_name.into() };
    h.submit(Action::FindBasePod { base: base.clone(), address });
    let found = h.event("the base's Pod", |event| match event {
        Event::BasePod { base: asked, found } if *asked == base => Some(found.clone()),
        _ => None,
    });
    found.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_found_by_ip_and_by_host_name_and_is_no_module() {
    let mut h = Harness::start().await;
    let ns = h.cluster.namespace("bases").unwrap();
    let module = r#"{"module-controller.koupleless.io/component":"module"}"#;
    let base = unique("base-pod");
    h.create_pod(&ns, "module", "virtual-node-x", module, "198.51.100.77");
    h.create_pod(&ns, "daemon", "virtual-node-x", "{}", "198.51.100.77");
    assert_eq!(find(&mut h, "198.51.100.77", "").await, None);
    assert_eq!(find(&mut h, "198.51.100.77", &base).await, None);

    h.create_pod(&ns, &base, "real-node", "{}", "198.51.100.77");
    let found = find(&mut h, "198.51.100.77", "").await.unwrap();
    assert_eq!((&*found.pod.name, &*found.node), (&*base, "real-node"));
    assert_eq!(find(&mut h, "198.51.100.78", &base).await.as_ref(), Some(&found));
    assert_eq!(find(&mut h, "", &base).await, Some(found));
    assert_eq!(find(&mut h, "127.0.0.1", "Host_A,x=y").await, None);
}
