//! One controller's watches and writer, and what they told.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cluster::{ClientConfig, DeliveryFilter, Server, WatchConfig, Watches, Writer, WriterConfig};
use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{Address, AddressKind, Condition, ConditionStatus, NodeView, PodView, Taint, WorkloadView},
};
use litemap::LiteMap;
use testkit::cluster::Cluster;
use tokio::sync::mpsc;

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that a single controller can watch.
pub(crate) fn all_kinds() -> WatchConfig {
    WatchConfig { module_deployments: true, ..WatchConfig::default() }
}

pub(crate) struct Harness {
    pub(crate) cluster: &'static Cluster,
    pub(crate) writer: Writer,
    pub(crate) watches: Option<Watches>,
    pub(crate) delivery: Arc<DeliveryFilter>,
    pub(crate) events: mpsc::Sender<Event>,
    received: mpsc::Receiver<Event>,
    /// What was received and nobody asked for yet.
    kept: VecDeque<Event>,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(WatchConfig::default()).await
    }

    /// With further watches.
    pub(crate) async fn with(watches: WatchConfig) -> Self {
        Self::writing(watches, WriterConfig { identity: "tester".into(), ..WriterConfig::default() }).await
    }

    /// With a writer of this configuration.
    pub(crate) async fn writing(watches: WatchConfig, config: WriterConfig) -> Self {
        let cluster = Cluster::shared().unwrap();
        let (events, received) = mpsc::channel(1024);
        let delivery = DeliveryFilter::new();
        let client = client(cluster.account().unwrap()).await;
        let writer = Writer::new(client.clone(), config, events.clone(), delivery.clone());
        let watches = Some(cluster::watch(client, watches, events.clone(), delivery.clone()));
        Self { cluster, writer, watches, delivery, events, received, kept: VecDeque::new() }
    }

    pub(crate) fn submit(&self, request: Request) {
        self.writer.submit(request);
    }

    /// The first event, received or to come, that `pick` takes. The others are kept in order.
    pub(crate) async fn event<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        if let Some((at, found)) = self.kept.iter().enumerate().find_map(|(at, e)| Some((at, pick(e)?))) {
            self.kept.remove(at);
            return found;
        }
        let wait = async {
            loop {
                let event = self.received.recv().await.unwrap();
                if let Some(found) = pick(&event) {
                    return found;
                }
                self.kept.push_back(event);
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("{what} was not told; health: {:?}", self.watches.as_ref().map(Watches::health)),
        }
    }

    /// Does it and waits for its end.
    pub(crate) async fn write(&mut self, request: Request, write: Write) -> Result<(), WriteError> {
        self.submit(request);
        self.event(&format!("the end of {write:?}"), |event| match event {
            Event::Written { write: ended, result } if *ended == write => Some(result.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn node(&mut self, name: &str, which: impl Fn(&NodeView) -> bool) -> NodeView {
        self.event(&format!("Node {name}"), |event| match event {
            Event::Cluster(ClusterEvent::Node(node)) if *node.name == *name && which(node) => {
                Some((**node).clone())
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn node_gone(&mut self, name: &str) {
        self.event(&format!("the end of Node {name}"), |event| match event {
            Event::Cluster(ClusterEvent::NodeGone { name: gone, .. }) if **gone == *name => Some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn pod(&mut self, name: &str, which: impl Fn(&PodView) -> bool) -> PodView {
        self.event(&format!("Pod {name}"), |event| match event {
            Event::Cluster(ClusterEvent::Pod(pod)) if *pod.pod.name == *name && which(pod) => {
                Some((**pod).clone())
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn pod_gone(&mut self, name: &str) {
        self.event(&format!("the end of Pod {name}"), |event| match event {
            Event::Cluster(ClusterEvent::PodGone(pod)) if *pod.name == *name => Some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn workload(
        &mut self,
        name: &str,
        which: impl Fn(&WorkloadView) -> bool,
    ) -> WorkloadView {
        self.event(&format!("workload {name}"), |event| match event {
            Event::Cluster(ClusterEvent::Workload(view)) if *view.workload.name == *name && which(view) => {
                Some((**view).clone())
            }
            _ => None,
        })
        .await
    }

    /// What was told, received until now and not asked for.
    pub(crate) fn also_told(&mut self, pick: impl Fn(&Event) -> bool) -> Vec<&Event> {
        while let Ok(event) = self.received.try_recv() {
            self.kept.push_back(event);
        }
        self.kept.iter().filter(|event| pick(event)).collect()
    }

    pub(crate) async fn create_node(&mut self, desired: &NodeView) -> NodeView {
        let create = Request::CreateNode(Box::new(desired.clone()));
        self.write(create, Write::CreateNode(desired.name.clone())).await.unwrap();
        self.node(&desired.name, |_| true).await
    }

    /// A Pod bound to a Node by its maker, with a status where one is given.
    pub(crate) fn create_pod(&self, namespace: &str, name: &str, node: &str, labels: &str, ip: &str) {
        let manifest = format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"{namespace}","labels":{labels}}},
                "spec":{{"nodeName":"{node}","tolerations":[{{"operator":"Exists"}}],"automountServiceAccountToken":false,
                "containers":[{{"name":"biz1","image":"http://repo/biz1.jar","env":[{{"name":"BIZ_VERSION","value":"1.0.0"}}]}}]}}}}"#
        );
        self.cluster.apply(&manifest).unwrap();
        if !ip.is_empty() {
            let patch = format!(r#"{{"status":{{"phase":"Running","podIP":"{ip}"}}}}"#);
            let args = ["patch", "pod", name, "-n", namespace, "--subresource=status", "-p", &patch];
            self.cluster.kubectl(&args).unwrap();
        }
    }
}

/// A client of whom a kubeconfig is for.
pub(crate) async fn client(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Some(kubeconfig.to_owned());
    let config = ClientConfig { kubeconfig, user_agent: "test".into(), ..ClientConfig::default() };
    Server::configured(config).await.unwrap().client().unwrap()
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap()
}

pub(crate) fn condition(kind: &str, status: ConditionStatus, reason: &str) -> Condition {
    Condition { kind: kind.into(), status, reason: reason.into(), message: "".into(), changed: Some(now()) }
}

fn pairs(pairs: &[(&str, &str)]) -> LiteMap<Arc<str>, Arc<str>> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

/// A Ready VNode as the engine would have it.
pub(crate) fn vnode(name: &str) -> NodeView {
    NodeView {
        name: name.into(),
        labels: pairs(&[
            ("kubernetes.io/hostname", name),
            ("module-controller.koupleless.io/component", "vnode"),
            ("virtual-kubelet.koupleless.io/component", "vnode"),
        ]),
        annotations: pairs(&[("base.koupleless.io/identity", "a")]),
        taints: vec![Taint {
            key: "schedule.koupleless.io/virtual-node".into(),
            value: "True".into(),
            effect: "NoExecute".into(),
        }]
        .into(),
        addresses: vec![
            Address { kind: AddressKind::InternalIp, address: "192.0.2.2".into() },
            Address { kind: AddressKind::Hostname, address: "host-a".into() },
        ],
        capacity: pairs(&[("pods", "2k"), ("memory", "1M")]).into(),
        allocatable: pairs(&[("pods", "2k"), ("memory", "1M")]).into(),
        conditions: vec![condition("Ready", ConditionStatus::True, "BaseActivated")],
        kubelet_port: 0,
        kubelet_version: "v0.1.0".into(),
        ..NodeView::default()
    }
}
