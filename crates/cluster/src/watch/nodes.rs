//! The watch of Nodes that stand for bases.

use std::sync::Arc;

use engine::{Event, view::NodeView};
use kube::runtime::watcher;
use litemap::LiteMap;
use tokio::sync::mpsc;

use super::Observer;
use crate::delivery::{Closed, DeliveryFilter, Source};

/// A VNode carries this label, whichever of the two controllers made it: ours carry both label
/// families.
const COMPONENT: (&str, &str) = ("virtual-kubelet.koupleless.io/component", "vnode");

/// Whether these are the labels of a Node that the watch sees.
pub(crate) fn is_vnode(labels: &LiteMap<Arc<str>, Arc<str>>) -> bool {
    labels.get(COMPONENT.0).is_some_and(|have| **have == *COMPONENT.1)
}

pub(super) struct Nodes {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) delivery: Arc<DeliveryFilter>,
}

impl Observer for Nodes {
    type Body = NodeView;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        config.labels(&format!("{}={}", COMPONENT.0, COMPONENT.1))
    }

    fn begin(&self) {
        self.delivery.nodes_begin();
    }

    async fn listed(&self, node: NodeView) -> Result<(), Closed> {
        self.delivery.node(&self.events, Source::List, node).await
    }

    async fn done(&self) -> Result<(), Closed> {
        self.delivery.nodes_done(&self.events).await
    }

    async fn applied(&self, node: NodeView) -> Result<(), Closed> {
        self.delivery.node(&self.events, Source::Watch, node).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        self.delivery.node_gone(&self.events, uid).await
    }

    fn unreadable(&self, uid: &str) {
        self.delivery.node_seen(uid);
    }
}
