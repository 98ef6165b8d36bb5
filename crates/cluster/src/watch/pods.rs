//! The watch of Pods that are bound to a VNode.
//!
//! The server cannot select by "bound to a Node of that label", so every bound Pod of the cluster
//! passes here; those of other Nodes are dropped at once.

use std::{collections::BTreeMap, sync::Arc};

use engine::{Event, view::PodView};
use kube::runtime::watcher;
use tokio::sync::mpsc;

use super::Observer;
use crate::delivery::{Closed, DeliveryFilter, Source};

/// The labels of a module Pod, in both families.
const MODULE: [(&str, &str); 2] = [
    ("module-controller.koupleless.io/component", "module"),
    ("virtual-kubelet.koupleless.io/component", "module"),
];

pub(super) struct Pods {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) delivery: Arc<DeliveryFilter>,
}

impl Pods {
    /// Whether the engine is to know this Pod. Once told, a Pod is told until its end, whatever
    /// becomes of its labels.
    fn matters(&self, pod: &PodView) -> bool {
        is_module(&pod.labels) || self.delivery.is_vnode(&pod.node) || self.delivery.knows_pod(&pod.pod.uid)
    }
}

/// Whether these are the labels of a module Pod.
pub(crate) fn is_module(labels: &BTreeMap<String, String>) -> bool {
    MODULE.iter().any(|(key, value)| labels.get(*key).is_some_and(|have| have == value))
}

impl Observer for Pods {
    type Body = PodView;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        // A Pod is nothing to us until it is bound.
        config.fields("spec.nodeName!=")
    }

    fn begin(&self) {
        self.delivery.pods_begin();
    }

    async fn listed(&self, pod: PodView) -> Result<(), Closed> {
        if self.matters(&pod) { self.delivery.pod(&self.events, Source::List, pod).await } else { Ok(()) }
    }

    async fn done(&self) -> Result<(), Closed> {
        self.delivery.pods_done(&self.events).await
    }

    async fn applied(&self, pod: PodView) -> Result<(), Closed> {
        if self.matters(&pod) { self.delivery.pod(&self.events, Source::Watch, pod).await } else { Ok(()) }
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        if self.delivery.knows_pod(uid) { self.delivery.pod_gone(&self.events, uid).await } else { Ok(()) }
    }

    fn unreadable(&self, uid: &str) {
        self.delivery.pod_seen(uid);
    }
}

#[cfg(test)]
mod tests {
    use engine::ClusterEvent;
    use engine::view::{Common, PodRef, PodStatus, RestartPolicy};
    use jiff::Timestamp;

    use super::*;

    fn pod(node: &str, version: u64, labels: &[(&str, &str)]) -> PodView {
        PodView {
            pod: PodRef { namespace: "ns".into(), name: "p".into(), uid: "u".into() },
            resource_version: version,
            node: node.into(),
            labels: labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            annotations: BTreeMap::new().into(),
            created: Timestamp::UNIX_EPOCH,
            deletion: None,
            held: false,
            owner: None,
            controller: None,
            restart_policy: RestartPolicy::Always,
            containers: Common::default(),
            aside: Common::default(),
            readiness_gates: Common::default(),
            status: PodStatus::default(),
        }
    }

    fn pods() -> (Pods, mpsc::Receiver<Event>) {
        let (events, received) = mpsc::channel(16);
        (Pods { events, delivery: DeliveryFilter::new() }, received)
    }

    #[tokio::test]
    async fn pods_of_other_nodes_are_dropped() {
        let (pods, mut received) = pods();
        pods.applied(pod("node-1", 1, &[("app", "x")])).await.unwrap();
        pods.gone(&"u".into()).await.unwrap();
        assert!(received.try_recv().is_err());
        assert_eq!(pods.delivery.pods(), 0);
    }

    #[tokio::test]
    async fn modules_and_whatever_is_on_a_vnode_are_told() {
        for (node, labels) in [
            ("node-1", &MODULE[..1]),
            ("node-1", &MODULE[1..]),
            ("virtual-node-a", &[]),
            ("vnode.a.dev", &[("app", "x")]),
        ] {
            let (pods, mut received) = pods();
            pods.listed(pod(node, 1, labels)).await.unwrap();
            assert!(
                matches!(received.try_recv(), Ok(Event::Cluster(ClusterEvent::Pod(_)))),
                "{node} {labels:?}"
            );
        }
    }

    #[tokio::test]
    async fn once_told_a_pod_is_told_to_its_end() {
        let (pods, mut received) = pods();
        pods.applied(pod("node-1", 1, &MODULE)).await.unwrap();
        pods.applied(pod("node-1", 2, &[])).await.unwrap();
        pods.begin();
        pods.done().await.unwrap();
        let told: Vec<_> = std::iter::from_fn(|| received.try_recv().ok()).collect();
        assert!(
            matches!(
                &told[..],
                [
                    Event::Cluster(ClusterEvent::Pod(_)),
                    Event::Cluster(ClusterEvent::Pod(_)),
                    Event::Cluster(ClusterEvent::PodGone(_))
                ]
            ),
            "{told:?}"
        );
    }
}
