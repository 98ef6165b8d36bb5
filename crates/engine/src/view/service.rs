//! A Service, slim: whose Pods it sends requests to.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// A Service that selects Pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: u64,
    /// `spec.selector`; empty where it selects none.
    pub selector: BTreeMap<String, String>,
    /// Its address, where it says that it leads to the kubelet API
    /// (`virtual-kubelet.koupleless.io/kubelet-proxy-service: "true"`).
    pub kubelet: Option<IpAddr>,
}
