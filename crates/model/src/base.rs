//! A base: who it is, where it is and what it says of itself.

use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr, sync::Arc};

/// The longest identity that is taken, in bytes. A UUID has 36 and a DNS name at most 253; more
/// is a fault or an attack, and would be kept in memory, annotations and topics.
pub const MAX_IDENTITY_BYTES: usize = 253;

/// What a base calls itself: a UUID, an IP address or a host name, unique among the running
/// bases of one environment. Kept as it was sent; [`crate::name`] makes object names of it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseIdentity(Arc<str>);

/// Why an identity is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing, or only white space.
    #[error("the base's identity is empty")]
    Empty,
    /// More than [`MAX_IDENTITY_BYTES`].
    #[error("the base's identity has {0} bytes; at most {MAX_IDENTITY_BYTES} are taken")]
    TooLong(usize),
    /// A control character, or one that has a meaning in an MQTT topic (`/`, `+`, `#`).
    #[error("the base's identity holds the character {0:?}, which no topic can carry")]
    Character(char),
}

impl FromStr for BaseIdentity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(IdentityError::Empty);
        }
        if text.len() > MAX_IDENTITY_BYTES {
            return Err(IdentityError::TooLong(text.len()));
        }
        match text.chars().find(|c| c.is_control() || matches!(c, '/' | '+' | '#')) {
            Some(c) => Err(IdentityError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }
}

impl BaseIdentity {
    /// The identity as the base sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// How a base is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TunnelKind {
    /// Arklet's own HTTP port; heartbeats come to ours.
    Http,
    /// Topics of a broker.
    Mqtt,
}

impl TunnelKind {
    /// `http` or `mqtt`, as in label `vnode.koupleless.io/tunnel`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Mqtt => "mqtt",
        }
    }
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a base says of its own state in a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BaseState {
    /// It takes commands (`activated`; also assumed where a heartbeat names no state).
    Activated,
    /// It is going away (`deactivated`): the goodbye.
    Deactivated,
    /// Anything else (`unresolved`, `resolved`, `broken`, …): alive, and not to be used.
    NotServing,
}

/// The name that the stock Java agent reports where nobody gave it one.
pub const UNNAMED: &str = "TO_BE_IMPLEMENTED";

/// One heartbeat's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseReport {
    /// Who speaks.
    pub identity: BaseIdentity,
    /// The base's bizName; none where it reports none or [`UNNAMED`].
    pub name: Option<Arc<str>>,
    /// The base's version; empty where it reports none.
    pub version: Arc<str>,
    /// The cluster that the base says it belongs to; empty where it reports none.
    pub cluster: Arc<str>,
    /// Language and runtime, as label `base.koupleless.io/stack`; `java` where the base says nothing.
    pub stack: Arc<str>,
    /// The base's own host name; empty where it reports none.
    pub host_name: Arc<str>,
    /// The address that modules of this base are reached at.
    pub ip: Option<IpAddr>,
    /// The address it was heard from, whatever it says; none over MQTT, where a broker stands between.
    pub peer: Option<IpAddr>,
    /// Arklet's port; none over MQTT (sent as 0).
    pub port: Option<u16>,
    /// Labels that it gives itself, by which people put bases into groups; empty where it reports none.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// The state that it reports.
    pub state: BaseState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_taken_as_bases_send_them() {
        for ok in
            ["192.0.2.2", "node-1", "7e8f2bb0-7b7c-4a43-9f3f-5a1b6f1f2f11", "fe80::1%eth0", "Host_A", "基座"]
        {
            assert_eq!(ok.parse::<BaseIdentity>().unwrap().as_str(), ok);
        }
    }

    #[test]
    fn impossible_identities_are_refused_with_their_reason() {
        assert_eq!("  ".parse::<BaseIdentity>(), Err(IdentityError::Empty));
        assert_eq!("x".repeat(254).parse::<BaseIdentity>(), Err(IdentityError::TooLong(254)));
        assert_eq!("a/b".parse::<BaseIdentity>(), Err(IdentityError::Character('/')));
        assert_eq!("a\nb".parse::<BaseIdentity>(), Err(IdentityError::Character('\n')));
    }
}
