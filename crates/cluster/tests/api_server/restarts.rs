//! A watch that begins anew.

use cluster::WatchConfig;
use engine::{
    ClusterEvent, Event, Watched,
    view::{NodeView, Taint},
};

use crate::harness::{Harness, all_kinds, client, unique, vnode};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_vanished_while_nobody_watched_is_told() {
    let mut h = Harness::start().await;
    let (kept, lost) = (unique("virtual-node-kept"), unique("virtual-node-lost"));
    h.create_node(&vnode(&kept)).await;
    h.create_node(&vnode(&lost)).await;
    let ns = h.cluster.namespace("restarts").unwrap();
    h.create_pod(&ns, "restart-kept", &kept, "{}", "");
    h.create_pod(&ns, "restart-lost", &kept, "{}", "");
    h.pod("restart-kept", |_| true).await;
    h.pod("restart-lost", |_| true).await;
    h.watches.take().unwrap().shutdown().await;

    h.cluster.kubectl(&["delete", "node", &lost]).unwrap();
    h.cluster.kubectl(&["delete", "pod", "restart-lost", "-n", &ns, "--force", "--grace-period=0"]).unwrap();
    // A page size that makes a list of several pages.
    let config = WatchConfig { page_size: 1, ..WatchConfig::default() };
    let client = client(h.cluster.account().unwrap()).await;
    h.watches = Some(cluster::watch(client, config, h.events.clone(), h.delivery.clone()));
    h.node_gone(&lost).await;
    h.pod_gone("restart-lost").await;
    let gone = |event: &Event| match event {
        Event::Cluster(ClusterEvent::PodGone(pod)) => *pod.name == *"restart-kept",
        Event::Cluster(ClusterEvent::NodeGone { name, .. }) => **name == *kept,
        _ => false,
    };
    assert_eq!(h.also_told(gone), Vec::<&Event>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_listed_anew_when_that_is_asked_for() {
    let mut h = Harness::with(all_kinds()).await;
    let name = unique("virtual-node-anew");
    h.create_node(&vnode(&name)).await;
    // The control plane annotates it first, and takes the taint away that every new Node has, in either order: that is news.
    let is_settled = |node: &NodeView| {
        let is_new = |taint: &Taint| taint.key == "node.kubernetes.io/not-ready";
        node.annotations.get("node.alpha.kubernetes.io/ttl").is_some() && !node.taints.iter().any(is_new)
    };
    let known = h.node(&name, is_settled).await.resource_version;
    for _ in 0..2 {
        for kind in Watched::NEEDED {
            h.event(&format!("that all {kind:?} were told"), |event| {
                (*event == Event::Cluster(ClusterEvent::Synced(kind))).then_some(())
            })
            .await;
        }
        let told = |event: &Event| match event {
            Event::Cluster(ClusterEvent::Node(node)) => *node.name == *name && node.resource_version > known,
            Event::Cluster(ClusterEvent::NodeGone { name: gone, .. }) => **gone == *name,
            Event::Cluster(ClusterEvent::Synced(kind)) => Watched::NEEDED.contains(kind),
            _ => false,
        };
        assert_eq!(h.also_told(told), Vec::<&Event>::new(), "what is known already is not told again");
        h.watches.as_ref().unwrap().begin_anew();
    }
}
