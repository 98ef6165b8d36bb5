//! Which addresses a base may name. Commands are sent to them and Services lead to them, so a
//! heartbeat must not be able to make us talk to anything it likes.

mod told;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use ipnet::IpNet;
use model::{BaseReport, TunnelKind};

use self::told::Told;

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// It is nobody's, or everybody's: unspecified, multicast or broadcast.
    #[error("{0} is no address of one host")]
    NoHost(IpAddr),
    /// It means something on one link only, and may be a cloud's metadata service.
    #[error("{0} is link-local, which BASE_ADDRESS_CIDRS does not allow unless it names it")]
    LinkLocal(IpAddr),
    /// The API server's own.
    #[error("{0} is the API server's own address")]
    ApiServer(IpAddr),
    /// None of the networks holds it.
    #[error("{0} is in none of the networks of BASE_ADDRESS_CIDRS")]
    Outside(IpAddr),
}

/// The networks that bases may be in (`BASE_ADDRESS_CIDRS`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressRule {
    /// Where there is none: everything but link-local.
    pub networks: Vec<IpNet>,
    /// Where the API server is: never a base. On a loopback address, where a development cluster
    /// and its bases share a host, only the very port is meant.
    pub api_server: Vec<SocketAddr>,
}

impl AddressRule {
    /// Whether a base may be at this address, and its Arklet on this port where it named one.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, ip: IpAddr, port: Option<u16>) -> Result<(), AddressRefused> {
        // An IPv4 address in IPv6's clothes is the IPv4 address.
        let ip = ip.to_canonical();
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || broadcast {
            return Err(AddressRefused::NoHost(ip));
        }
        let is_server = |server: &SocketAddr| {
            server.ip().to_canonical() == ip && (!ip.is_loopback() || port == Some(server.port()))
        };
        if self.api_server.iter().any(is_server) {
            return Err(AddressRefused::ApiServer(ip));
        }
        if !self.networks.is_empty() {
            let inside = self.networks.iter().any(|network| network.contains(&ip));
            return if inside { Ok(()) } else { Err(AddressRefused::Outside(ip)) };
        }
        let link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        if link_local { Err(AddressRefused::LinkLocal(ip)) } else { Ok(()) }
    }
}

/// The rule at work, for every tunnel: what is refused is said, though not without end.
#[derive(Clone)]
pub struct Addresses {
    rule: Arc<AddressRule>,
    told: Arc<Mutex<Told>>,
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self::new(AddressRule::default())
    }
}

impl Addresses {
    /// This rule.
    pub fn new(rule: AddressRule) -> Self {
        Self { rule: Arc::new(rule), told: Arc::default() }
    }

    /// Whether a heartbeat is taken. One that names no address names nothing that is called.
    pub(crate) fn admit(&self, tunnel: TunnelKind, report: &BaseReport) -> Result<(), AddressRefused> {
        let Some(ip) = report.ip else { return Ok(()) };
        let refused = self.rule.check(ip, report.port);
        if let Err(cause) = &refused
            && self
                .told
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_news(&report.identity, Instant::now())
        {
            let base = &report.identity;
            tracing::warn!(%base, %tunnel, %cause, "heartbeats of a base are refused for the address they name");
        }
        refused
    }

    /// Whether a command may be sent there: what a Node of before tells was not admitted by us.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), AddressRefused> {
        self.rule.check(address.ip(), Some(address.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &AddressRule, address: &str) -> Result<(), AddressRefused> {
        rule.check(address.parse().unwrap(), Some(1238))
    }

    #[test]
    fn by_default_a_base_may_be_anywhere_but_where_no_base_can_be() {
        let rule = AddressRule {
            api_server: vec!["10.96.0.1:443".parse().unwrap(), "[fd00::1]:443".parse().unwrap()],
            ..AddressRule::default()
        };
        for good in ["10.0.0.1", "192.0.2.2", "127.0.0.1", "::1", "fd00::2", "2001:db8::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(check(&rule, good), Ok(()), "{good}");
        }
        for none in
            ["0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "::", "ff02::1", "::ffff:0.0.0.0"]
        {
            assert!(matches!(check(&rule, none), Err(AddressRefused::NoHost(_))), "{none}");
        }
        for link in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"] {
            assert!(matches!(check(&rule, link), Err(AddressRefused::LinkLocal(_))), "{link}");
        }
        for server in ["10.96.0.1", "::ffff:10.96.0.1", "fd00::1"] {
            assert!(matches!(check(&rule, server), Err(AddressRefused::ApiServer(_))), "{server}");
        }
    }

    #[test]
    fn networks_that_are_named_are_the_only_ones() {
        let networks = ["10.0.0.0/8", "fd00::/8", "169.254.7.0/24"].map(|network| network.parse().unwrap());
        let rule =
            AddressRule { networks: networks.into(), api_server: vec!["10.96.0.1:443".parse().unwrap()] };
        for inside in ["10.255.255.255", "::ffff:10.0.0.1", "fd12::1", "169.254.7.7"] {
            assert_eq!(check(&rule, inside), Ok(()), "{inside}");
        }
        for outside in ["11.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "169.254.169.254"] {
            assert!(matches!(check(&rule, outside), Err(AddressRefused::Outside(_))), "{outside}");
        }
        assert!(matches!(check(&rule, "10.96.0.1"), Err(AddressRefused::ApiServer(_))));
    }

    #[test]
    fn on_a_host_of_ones_own_only_the_api_servers_port_is_meant() {
        let rule =
            AddressRule { api_server: vec!["127.0.0.1:6443".parse().unwrap()], ..AddressRule::default() };
        let ip = "127.0.0.1".parse().unwrap();
        assert_eq!(rule.check(ip, Some(1238)), Ok(()));
        assert_eq!(rule.check(ip, None), Ok(()));
        assert!(matches!(rule.check(ip, Some(6443)), Err(AddressRefused::ApiServer(_))));
    }
}
