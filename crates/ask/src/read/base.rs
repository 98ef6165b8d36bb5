//! The Node of a base.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Object,
    json::{Condition, Meta, condition, nothing},
};
use crate::text::Text;

/// A base, as its Node tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// The Node's name.
    pub node: Text,
    pub identity: Text,
    pub env: Text,
    pub name: Text,
    pub version: Text,
    pub cluster: Text,
    pub host_name: Text,
    pub address: Text,
    /// `http` or `mqtt`.
    pub tunnel: Text,
    /// Arklet's port over HTTP; 0 over MQTT.
    pub port: Text,
    /// Whether it is heard and answers; none where no Node was seen.
    pub ready: Option<Ready>,
    /// Its metaspace is nearly full.
    pub memory_pressure: bool,
    /// It is cordoned: nothing new comes.
    pub cordoned: bool,
    /// What of its metaspace is free, and how much there is, as the Node has it.
    pub memory: Option<(Text, Text)>,
    pub created: Option<Timestamp>,
    pub deleting: bool,
    /// Which replica of the controller acts for it, and when it did last.
    pub owner: Text,
    pub renewed: Option<Timestamp>,
}

/// The condition Ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: Text,
    pub reason: Text,
    pub message: Text,
    pub since: Option<Timestamp>,
}

impl Base {
    /// Its own Node says that it is well.
    pub fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| &*ready.status == "True")
    }

    /// One of which only the name is known: there are modules on it.
    pub fn of_name(node: Text) -> Self {
        Self { node, ..Self::default() }
    }
}

#[derive(Deserialize)]
struct NodeJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: SpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
struct SpecJson {
    #[serde(default, deserialize_with = "nothing")]
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
struct StatusJson {
    #[serde(default, deserialize_with = "nothing")]
    conditions: Vec<Condition>,
    #[serde(default, deserialize_with = "nothing")]
    addresses: Vec<AddressJson>,
    #[serde(default, deserialize_with = "nothing")]
    allocatable: BTreeMap<String, Text>,
    #[serde(default, deserialize_with = "nothing")]
    capacity: BTreeMap<String, Text>,
}

#[derive(Default, Deserialize)]
struct AddressJson {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    address: Text,
}

/// An address without its port, where it has one.
fn host_of(address: &str) -> String {
    address.parse::<SocketAddr>().map_or_else(|_| address.to_owned(), |address| address.ip().to_string())
}

impl Object for Base {
    const NAME: &'static str = "Nodes of bases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let NodeJson { metadata, spec, status } = serde_json::from_str(json)?;
        let pressure = condition(&status.conditions, "MemoryPressure");
        let ready = condition(&status.conditions, "Ready").map(|told| Ready {
            status: told.status.clone(),
            reason: told.reason.clone(),
            message: told.message.clone(),
            since: told.last_transition_time,
        });
        // Where there is a kubelet API, the Node's own address is that.
        let own = metadata.annotation("base.koupleless.io/address");
        let own = Some(Text::from(host_of(&own))).filter(|own| !own.is_empty());
        let internal = status.addresses.into_iter().find(|address| address.r#type == "InternalIP");
        let memory = status.allocatable.get("memory").zip(status.capacity.get("memory"));
        Ok(Self {
            identity: metadata.annotation("base.koupleless.io/identity"),
            env: metadata.label("module-controller.koupleless.io/env"),
            name: metadata.label("base.koupleless.io/name"),
            version: metadata.label("base.koupleless.io/version"),
            cluster: metadata.label("base.koupleless.io/cluster-name"),
            host_name: metadata.label("base.koupleless.io/host-name"),
            tunnel: metadata.label("vnode.koupleless.io/tunnel"),
            port: metadata.label("base.koupleless.io/tunnel-port"),
            address: own.or_else(|| internal.map(|internal| internal.address)).unwrap_or_default(),
            ready: Some(ready.unwrap_or_default()),
            memory_pressure: pressure.is_some_and(|told| &*told.status == "True"),
            cordoned: spec.unschedulable,
            memory: memory.map(|(free, all)| (free.clone(), all.clone())),
            created: metadata.creation_timestamp,
            deleting: metadata.deletion_timestamp.is_some(),
            node: metadata.name,
            owner: Text::default(),
            renewed: None,
        })
    }
}
