//! A base's own Pod.

use cluster::{WatchConfig, WriterConfig};
use engine::{BaseAddress, BasePod, Event, Request};

use crate::harness::{Harness, unique};

async fn find(h: &mut Harness, ip: &str, host_name: &str) -> Option<BasePod> {
    let base: model::BaseIdentity = unique("base").parse().unwrap();
    let address = BaseAddress { ip: ip.parse().ok(), host_name: host_name.into() };
    h.submit(Request::FindBasePod { base: base.clone(), address, zone: false });
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
    assert_eq!(find(&mut h, "", &base).await, Some(found));
    assert_eq!(find(&mut h, "127.0.0.1", "Host_A,x=y").await, None);
}

/// Somebody's Pod that is called as the base's host is, in a namespace of his own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_alone_is_a_bases_only_where_bases_may_be() {
    let mut h = Harness::start().await;
    let [bases, tenant] = ["bases", "tenant"].map(|name| h.cluster.namespace(name).unwrap());
    let [posed, real] = [unique("posed"), unique("real")];
    h.create_pod(&tenant, &posed, "real-node", "{}", "198.51.100.81");
    h.create_pod(&bases, &real, "real-node", "{}", "198.51.100.82");
    // No address of a Pod is told, so the name is all there is.
    assert!(find(&mut h, "127.0.0.1", &posed).await.is_some());
    // The base tells its own.
    assert_eq!(find(&mut h, "198.51.100.83", &posed).await, None);
    assert_eq!(find(&mut h, "198.51.100.83", &real).await, None);
    let config = WriterConfig { base_namespaces: vec![bases], ..WriterConfig::default() };
    let mut h = Harness::writing(WatchConfig::default(), config).await;
    assert_eq!(find(&mut h, "127.0.0.1", &posed).await, None);
    assert_eq!(find(&mut h, "198.51.100.81", "").await, None);
    assert!(find(&mut h, "198.51.100.83", &real).await.is_some());
}
