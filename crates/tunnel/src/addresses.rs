//! Which addresses a base may name. Commands are sent to them and Services lead to them, so a
//! heartbeat must not be able to make us talk to anything it likes.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use ipnet::IpNet;
use model::{BaseReport, TunnelKind};

use crate::log_limit::LogLimit;

/// Where clouds tell whoever asks from inside of a machine its credentials and more: most of them; Alibaba's, which is in
/// the middle of what carriers use between themselves and clusters for Pods; EC2's by IPv6; and Azure's.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// It is nobody's, or everybody's: unspecified, multicast or broadcast.
    #[error("{0} is no address of one host")]
    NoHost(IpAddr),
    /// It is a cloud's own, which tells credentials.
    #[error(
        "{0} is a cloud's metadata service, which BASE_ADDRESS_CIDRS does not allow unless it names that very address"
    )]
    Metadata(IpAddr),
    /// It is the controller's own host, where other programs trust who calls.
    #[error("{0} is a loopback address, which BASE_ADDRESS_CIDRS does not allow unless it names it")]
    Loopback(IpAddr),
    /// It means something on one link only.
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
    /// Where there is none: everything but link-local and loopback.
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
        let is_named =
            |network: &IpNet| network.prefix_len() == network.max_prefix_len() && network.contains(&ip);
        if METADATA.contains(&ip) && !self.networks.iter().any(is_named) {
            return Err(AddressRefused::Metadata(ip));
        }
        if !self.networks.is_empty() {
            let inside = self.networks.iter().any(|network| network.contains(&ip));
            return if inside { Ok(()) } else { Err(AddressRefused::Outside(ip)) };
        }
        let link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        match ip {
            _ if link_local => Err(AddressRefused::LinkLocal(ip)),
            _ if ip.is_loopback() => Err(AddressRefused::Loopback(ip)),
            _ => Ok(()),
        }
    }
}

/// The rule at work, for every tunnel: what is refused is said, though not without end.
#[derive(Clone)]
pub struct Addresses {
    rule: Arc<AddressRule>,
    log_limit: LogLimit,
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
        Self { rule: Arc::new(rule), log_limit: LogLimit::default() }
    }

    /// Whether a heartbeat is taken. One that names no address names nothing that is called.
    pub(crate) fn admit(&self, tunnel: TunnelKind, report: &BaseReport) -> Result<(), AddressRefused> {
        let Some(ip) = report.ip else { return Ok(()) };
        let refused = match self.rule.check(ip, report.port) {
            // Many a host takes this for its own address. Over MQTT nothing is called there, and no Service leads there.
            Err(AddressRefused::Loopback(_)) if tunnel == TunnelKind::Mqtt => Ok(()),
            checked => checked,
        };
        if let Err(cause) = &refused
            && self.log_limit.is_news(report.identity.as_str(), Instant::now())
        {
            let base = &report.identity;
            tracing::warn!(%base, %tunnel, %cause, "heartbeats of a base are refused for the address they name");
        }
        refused
    }

    /// Whether a command may be sent there: what a Node of before tells was not admitted by us.
    ///
    /// # Errors
    /// Where it may not, and why.
    pub fn check(&self, address: SocketAddr) -> Result<(), AddressRefused> {
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
        for good in ["10.0.0.1", "192.0.2.2", "100.100.100.201", "fd00::2", "2001:db8::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(check(&rule, good), Ok(()), "{good}");
        }
        for own in ["127.0.0.1", "127.7.7.7", "::1", "::ffff:127.0.0.1"] {
            assert!(matches!(check(&rule, own), Err(AddressRefused::Loopback(_))), "{own}");
        }
        for cloud in
            ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254", "168.63.129.16"]
        {
            assert!(matches!(check(&rule, cloud), Err(AddressRefused::Metadata(_))), "{cloud}");
        }
        for none in
            ["0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "::", "ff02::1", "::ffff:0.0.0.0"]
        {
            assert!(matches!(check(&rule, none), Err(AddressRefused::NoHost(_))), "{none}");
        }
        for link in ["169.254.7.7", "fe80::1", "::ffff:169.254.7.7"] {
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
        for outside in ["11.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "169.254.8.1"] {
            assert!(matches!(check(&rule, outside), Err(AddressRefused::Outside(_))), "{outside}");
        }
        assert!(matches!(check(&rule, "10.96.0.1"), Err(AddressRefused::ApiServer(_))));
    }

    #[test]
    fn a_clouds_metadata_service_is_allowed_by_its_own_name_only() {
        let rule = |network: &str| AddressRule {
            networks: vec![network.parse().unwrap()],
            ..AddressRule::default()
        };
        for (network, cloud) in [
            ("100.64.0.0/10", "100.100.100.200"),
            ("fd00::/8", "fd00:ec2::254"),
            ("0.0.0.0/0", "168.63.129.16"),
        ] {
            assert!(matches!(check(&rule(network), cloud), Err(AddressRefused::Metadata(_))), "{cloud}");
            let host = if cloud.contains(':') { 128 } else { 32 };
            assert_eq!(check(&rule(&format!("{cloud}/{host}")), cloud), Ok(()), "{cloud}");
        }
    }

    #[test]
    fn over_mqtt_a_host_that_takes_loopback_for_its_address_is_heard() {
        let addresses = Addresses::default();
        let body = br#"{"baseMetadata":{"identity":"b1"},"localIP":"127.0.1.1"}"#;
        let report = arklet::parse_heartbeat(body).unwrap();
        assert_eq!(addresses.admit(TunnelKind::Mqtt, &report), Ok(()));
        assert!(matches!(addresses.admit(TunnelKind::Http, &report), Err(AddressRefused::Loopback(_))));
        assert!(addresses.check("127.0.1.1:1238".parse().unwrap()).is_err(), "no command goes there");
    }

    #[test]
    fn on_a_host_of_ones_own_only_the_api_servers_port_is_meant() {
        let rule = AddressRule {
            api_server: vec!["127.0.0.1:6443".parse().unwrap()],
            networks: vec!["127.0.0.0/8".parse().unwrap()],
        };
        let ip = "127.0.0.1".parse().unwrap();
        assert_eq!(rule.check(ip, Some(1238)), Ok(()));
        assert_eq!(rule.check(ip, None), Ok(()));
        assert!(matches!(rule.check(ip, Some(6443)), Err(AddressRefused::ApiServer(_))));
    }
}
