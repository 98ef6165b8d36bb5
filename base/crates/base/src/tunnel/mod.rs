//! What the base tells a controller of itself, again and again.

pub(crate) mod broker;
pub(crate) mod http;
pub(crate) mod mqtt;

use std::net::IpAddr;

use serde_json::{Value, json};

/// What the base is, to whoever places modules.
const STACK: &str = "wasm";

/// What is told of a base.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) identity: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) cluster: String,
    pub(crate) host_name: String,
    pub(crate) ip: IpAddr,
    /// Arklet's.
    pub(crate) port: u16,
}

impl Told {
    /// The question for the base's baseline: `{identity, name, version, clusterName, stack}`.
    pub(crate) fn baseline_query(&self) -> Value {
        json!({
            "identity": self.identity,
            "name": self.name,
            "version": self.version,
            "clusterName": self.cluster,
            "stack": STACK,
        })
    }
}

/// How far a base is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It takes commands.
    Activated,
    /// It ends.
    Deactivated,
}

impl Told {
    /// `{baseMetadata, localHostName, localIP, port, state}`.
    pub(crate) fn heartbeat(&self, life: Life) -> Value {
        json!({
            "baseMetadata": {
                "identity": self.identity,
                "name": self.name,
                "version": self.version,
                "clusterName": self.cluster,
                "stack": STACK,
            },
            "localHostName": self.host_name,
            "localIP": self.ip.to_string(),
            "port": self.port,
            "state": match life {
                Life::Activated => "activated",
                Life::Deactivated => "deactivated",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The controller's own reader understands it.
    #[test]
    fn a_controller_reads_it() {
        let told = Told {
            identity: "b1".to_owned(),
            name: "base".to_owned(),
            version: "1".to_owned(),
            cluster: "default".to_owned(),
            host_name: "h".to_owned(),
            ip: "192.0.2.2".parse().unwrap(),
            port: 1238,
        };
        let report =
            arklet::parse_heartbeat(told.heartbeat(Life::Deactivated).to_string().as_bytes()).unwrap();
        assert_eq!((report.identity.as_str(), &*report.stack, report.port), ("b1", "wasm", Some(1238)));
        assert_eq!(report.state, model::BaseState::Deactivated);
    }
}
