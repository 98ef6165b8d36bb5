//! A Node, slim.

use std::sync::Arc;

use litemap::LiteMap;

use super::{Common, pod::Condition};

/// One of `spec.taints`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taint {
    /// `key`.
    pub key: String,
    /// `value`; empty where there is none.
    pub value: String,
    /// `effect`.
    pub effect: String,
}

/// The resources that we offer, or may: of these a Node has what we say. All others are somebody else's (a device plugin's,
/// an operator's), and stay.
pub const OFFERED: [&str; 4] = ["cpu", "ephemeral-storage", "memory", "pods"];

/// `type` of an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressKind {
    /// `InternalIP`.
    InternalIp,
    /// `Hostname`.
    Hostname,
    /// Another, which we never write by ourselves.
    Other(Arc<str>),
}

impl AddressKind {
    /// As Kubernetes writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InternalIp => "InternalIP",
            Self::Hostname => "Hostname",
            Self::Other(kind) => kind,
        }
    }
}

impl From<&str> for AddressKind {
    fn from(text: &str) -> Self {
        match text {
            "InternalIP" => Self::InternalIp,
            "Hostname" => Self::Hostname,
            other => Self::Other(other.into()),
        }
    }
}

/// One of `status.addresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `type`.
    pub kind: AddressKind,
    /// `address`.
    pub address: String,
}

/// A Node that stands for a base, whoever made it; also what we want one to be (then
/// `uid` is empty and `resource_version` is 0).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeView {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`; orders two views of one Node.
    pub resource_version: u64,
    /// Labels: of most keys and values all Nodes have the same.
    pub labels: LiteMap<Arc<str>, Arc<str>>,
    /// Annotations.
    pub annotations: LiteMap<Arc<str>, Arc<str>>,
    /// `spec.taints`, those of Kubernetes' own controllers included.
    pub taints: Common<Vec<Taint>>,
    /// `spec.unschedulable`: somebody cordoned it. Written only where a Node that was is made again.
    pub unschedulable: bool,
    /// `status.addresses`.
    pub addresses: Vec<Address>,
    /// `status.capacity`, quantities as written.
    pub capacity: Common<LiteMap<Arc<str>, Arc<str>>>,
    /// `status.allocatable`, quantities as written.
    pub allocatable: Common<LiteMap<Arc<str>, Arc<str>>>,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `status.daemonEndpoints.kubeletEndpoint.Port`; 0 where there is no kubelet API.
    pub kubelet_port: u16,
    /// `status.nodeInfo.kubeletVersion`, `.operatingSystem` and `.architecture` are constants of
    /// ours; shown by `kubectl get nodes`.
    pub kubelet_version: Arc<str>,
    /// It is being deleted.
    pub deleting: bool,
}

impl NodeView {
    /// The condition of a type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| *condition.kind == *kind)
    }
}
