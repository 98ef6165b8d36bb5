//! The honest bases of a run, and what is on them: nothing of it may change because of what others send.

use std::{collections::BTreeMap, time::Duration};

use engine::{
    Event, TunnelEvent,
    view::{NodeView, PodRef, PodStatus, PodView},
};
use model::{BaseIdentity, BaseState};
use sim::{
    api::Api,
    base::{Base, Package, Release, word},
    network::{report, tunnel_of},
};

/// So many that the hostile ones are not the most of all bases: then silence would be nobody's fault.
const BASES: u8 = 12;
/// Module Pods of each.
const PODS: u8 = 2;
/// What a Java base does over HTTP.
const PERIOD: Duration = Duration::from_secs(12);

/// All of them.
#[derive(Debug)]
pub(crate) struct Honest {
    /// As they really are.
    pub(crate) bases: BTreeMap<BaseIdentity, Base>,
    due: Duration,
}

/// What is known of them in Kubernetes, and what they hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    nodes: Vec<NodeView>,
    pods: Vec<(PodRef, PodStatus)>,
    biz: Vec<(BaseIdentity, String)>,
}

impl Honest {
    /// Bases that run, with nothing on them. Some have a name that no Node can have.
    pub(crate) fn new() -> Self {
        let base = |number| {
            let mut base = Base::default();
            base.start(Release::Present);
            let name = if number % 3 == 0 { format!("Honest_{number}") } else { format!("honest-{number}") };
            (word(&name), base)
        };
        Self { bases: (0..BASES).map(base).collect(), due: Duration::ZERO }
    }

    /// Their heartbeats, when they are due.
    pub(crate) fn heartbeats(&mut self, now: Duration) -> Vec<Event> {
        if now < self.due {
            return Vec::new();
        }
        self.due = now + PERIOD;
        self.bases.keys().map(heartbeat).collect()
    }

    /// When the next heartbeats are due.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// The Pods that are made on them.
    pub(crate) fn pods(api: &Api) -> Vec<PodView> {
        let nodes = api.nodes.keys();
        nodes.flat_map(|node| (0..PODS).filter_map(move |number| pod(node, number))).collect()
    }

    /// How they stand.
    pub(crate) fn picture(&self, api: &Api) -> Picture {
        let is_ours = |node: &str| node.to_lowercase().contains("honest");
        let nodes = api.nodes.values().filter(|node| is_ours(&node.name));
        let pods = api.pods.values().filter(|pod| is_ours(&pod.pod.name));
        Picture {
            nodes: nodes.map(|node| NodeView { resource_version: 0, ..node.clone() }).collect(),
            pods: pods.map(|pod| (pod.pod.clone(), pod.status.clone())).collect(),
            biz: self.bases.iter().map(|(name, base)| (name.clone(), format!("{:?}", base.biz))).collect(),
        }
    }
}

impl Picture {
    /// Every base has its Node, and every Pod is Ready.
    pub(crate) fn is_whole(&self) -> bool {
        let ready =
            |status: &PodStatus| status.condition("Ready").is_some_and(|ready| ready.status == true.into());
        let well = |node: &NodeView| node.condition("Ready").is_some_and(|ready| ready.status == true.into());
        self.nodes.len() == usize::from(BASES)
            && self.pods.len() == usize::from(BASES * PODS)
            && self.nodes.iter().all(well)
            && self.pods.iter().all(|(_, status)| ready(status))
    }

    /// What is otherwise in another one, for people.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let node = self.nodes.iter().zip(&other.nodes).find(|(one, other)| one != other);
        let pod = self.pods.iter().zip(&other.pods).find(|(one, other)| one != other);
        let biz = self.biz.iter().zip(&other.biz).find(|(one, other)| one != other);
        (self != other).then(|| format!("{node:?}\n{pod:?}\n{biz:?}"))
    }
}

/// A base that runs says so.
pub(crate) fn heartbeat(identity: &BaseIdentity) -> Event {
    Event::Tunnel(TunnelEvent::Heartbeat {
        tunnel: tunnel_of(identity),
        report: report(identity, BaseState::Activated),
    })
}

fn pod(node: &str, number: u8) -> Option<PodView> {
    let image = Package::Good.url();
    let json = format!(
        r#"{{"metadata": {{"namespace": "default", "name": "honest-{node}-{number}", "uid": "honest-{node}-{number}",
            "labels": {{"module-controller.koupleless.io/component": "module"}}, "creationTimestamp": "2026-11-01T00:00:00Z"}},
            "spec": {{"nodeName": "{node}", "containers": [{{"name": "biz{number}", "image": "{image}",
            "env": [{{"name": "BIZ_VERSION", "value": "1"}}]}}]}}}}"#
    );
    cluster::read_pod(&json).ok()
}
