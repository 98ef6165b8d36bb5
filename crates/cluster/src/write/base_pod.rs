//! The Pod that a base runs in, found by its address.

use std::net::IpAddr;

use engine::{
    BaseAddress, BasePod, WriteError,
    view::{Phase, PodRef},
};

use super::{
    Writer,
    api::{Api, Collection},
};
use crate::{
    slim::{Slim, candidate::Candidate, node::Node},
    watch::is_module,
};

/// The label of a Node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

impl Writer {
    /// The Pod that a base runs in, in the namespaces where bases are; none where there is none. Not in a lane: the kubelet API,
    /// which asks, limits itself.
    ///
    /// # Errors
    /// Where the API server does not say.
    pub async fn base_pod(&self, address: &BaseAddress) -> Result<Option<BasePod>, WriteError> {
        self.shared.api.find_base_pod(address, &self.shared.config.base_namespaces).await
    }
}

impl Api {
    /// Looks by IP, and where nothing has it, by host name, in these namespaces; in all where none is named. The list is
    /// a consistent one and not from a cache: "there is none" lets the engine delete a Node.
    ///
    /// Anybody may call a Pod as a base's host is called, in a namespace of his own, and keep its Node from going; nobody
    /// gives a Pod the address of another. So a name alone says something only where it was said in which namespaces bases
    /// are, or where the base told no address that a Pod could have.
    pub(crate) async fn find_base_pod(
        &self,
        address: &BaseAddress,
        namespaces: &[String],
    ) -> Result<Option<BasePod>, WriteError> {
        let ip = address.ip.map(|ip| ip.to_canonical()).filter(usable);
        if let Some(ip) = ip {
            let found = self.candidates(&format!("status.podIP={ip}")).await?;
            if let Some(found) = self.choose(found, namespaces, Some(&address.host_name)) {
                return Ok(Some(found));
            }
        }
        // A name that no Pod can have would be refused, or would mean something to the selector.
        if !is_pod_name(&address.host_name) || (ip.is_some() && namespaces.is_empty()) {
            return Ok(None);
        }
        let found = self.candidates(&format!("metadata.name={}", address.host_name)).await?;
        Ok(self.choose(found, namespaces, None))
    }

    /// Looks up the zone of the Node that a base's Pod runs on. A Node that is gone has none.
    pub(crate) async fn with_zone(&self, pod: BasePod) -> Result<BasePod, WriteError> {
        let zone = match self.get::<Node>(&Collection::nodes(), &pod.node).await {
            Ok(node) => node.body.ok().and_then(|node| node.labels.get(ZONE).cloned()),
            Err(WriteError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(BasePod { zone: zone.filter(|zone| !zone.is_empty()), ..pod })
    }

    fn choose(
        &self,
        found: Vec<Slim<Candidate>>,
        namespaces: &[String],
        host_name: Option<&str>,
    ) -> Option<BasePod> {
        let found = found.into_iter().filter_map(|pod| match pod.body {
            Ok(pod) => Some(pod),
            Err(_) => {
                self.count_unreadable();
                None
            }
        });
        let may_be =
            |pod: &PodRef| namespaces.is_empty() || namespaces.iter().any(|ns| **ns == *pod.namespace);
        choose(found.filter(|pod| may_be(&pod.pod) && !self.delivery.is_vnode(&pod.node)), host_name)
    }
}

/// The base's own among Pods that have its address.
///
/// Not a module Pod, which has the base's address too; not one that has ended, whose address may
/// be another's by now; one that is being deleted still runs. By IP (`host_name` is given), a Pod
/// on its Node's network shares the address with every other such Pod and with the Node itself,
/// so it counts only when its name is the base's host name too. Of two that remain, the one of
/// that name, else the first by name, so that the answer does not flap.
fn choose(found: impl Iterator<Item = Candidate>, host_name: Option<&str>) -> Option<BasePod> {
    let named = |pod: &PodRef| host_name.is_some_and(|name| *pod.name == *name);
    found
        .filter(|pod| !is_module(&pod.labels) && !pod.node.is_empty())
        .filter(|pod| !matches!(pod.phase, Phase::Succeeded | Phase::Failed))
        .filter(|pod| host_name.is_none() || !pod.host_network || named(&pod.pod))
        .min_by_key(|pod| (!named(&pod.pod), pod.pod.clone()))
        .map(|pod| {
            let labels = pod.labels.into_iter().map(|(key, value)| (key.into(), value.into()));
            BasePod { pod: pod.pod, node: pod.node, zone: None, labels: labels.collect() }
        })
}

/// Whether a Pod can have this address alone.
fn usable(ip: &IpAddr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified()
}

/// Whether a Pod can have this name (RFC 1123 subdomain).
fn is_pod_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(legal) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Candidate {
        Candidate {
            pod: PodRef { namespace: "ns".into(), name: name.into(), uid: name.into() },
            node: "real-node".into(),
            labels: std::collections::BTreeMap::new(),
            host_network: false,
            phase: Phase::Running,
        }
    }

    fn chosen(found: Vec<Candidate>, host_name: Option<&str>) -> Option<String> {
        choose(found.into_iter(), host_name).map(|found| found.pod.name.to_string())
    }

    #[test]
    fn modules_and_ended_pods_are_never_the_base() {
        let mut module = pod("module");
        module.labels.insert("module-controller.koupleless.io/component".into(), "module".into());
        let mut upstream = pod("upstream");
        upstream.labels.insert("virtual-kubelet.koupleless.io/component".into(), "module".into());
        let mut ended = pod("ended");
        ended.phase = Phase::Failed;
        let others = vec![module, upstream, ended];
        assert_eq!(chosen(others.clone(), Some("x")), None);
        assert_eq!(chosen([others, vec![pod("base")]].concat(), Some("x")), Some("base".into()));
    }

    #[test]
    fn the_nodes_network_is_shared_so_the_name_must_tell() {
        let mut proxy = pod("proxy");
        proxy.host_network = true;
        assert_eq!(chosen(vec![proxy.clone()], Some("base")), None);
        assert_eq!(chosen(vec![proxy], Some("proxy")), Some("proxy".into()));
    }

    #[test]
    fn of_several_the_one_of_the_host_name_and_else_always_the_same() {
        assert_eq!(chosen(vec![pod("a"), pod("b")], Some("b")), Some("b".into()));
        assert_eq!(chosen(vec![pod("b"), pod("a")], Some("c")), Some("a".into()));
        assert_eq!(chosen(vec![pod("b")], None), Some("b".into()));
    }

    #[test]
    fn only_what_can_be_a_name_is_asked_for() {
        for ok in ["base-0", "a.b", "7"] {
            assert!(is_pod_name(ok), "{ok}");
        }
        for bad in ["", "Host_A", "a,metadata.namespace=x", "a..b", "-a", "a=b"] {
            assert!(!is_pod_name(bad), "{bad}");
        }
    }
}
