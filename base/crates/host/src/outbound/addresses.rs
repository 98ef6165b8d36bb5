//! The addresses that modules may reach, whatever a name resolves to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::IpNet;

/// Where clouds tell whoever asks from inside of a machine its credentials and more: most of them; Alibaba's; EC2's by
/// IPv6; and Azure's.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// The networks that modules may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Networks {
    /// Every address but loopback and link-local ones, the machine's own, and those of clouds' metadata services.
    #[default]
    Public,
    /// These and no others. What [`Networks::Public`] leaves out has to be named by itself: a network that holds more does not
    /// mean it.
    Only(Vec<IpNet>),
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} is no address of one host")]
    NoHost(IpAddr),
    #[error("{0} is a cloud's metadata service")]
    Metadata(IpAddr),
    #[error("{0} is the base's own machine, or on its link only")]
    Own(IpAddr),
    #[error("{0} is in none of the networks that base.module.outbound.networks names")]
    Outside(IpAddr),
}

impl Networks {
    /// Whether modules may reach this address.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        // An IPv4 address in IPv6's clothes is the IPv4 address.
        let ip = ip.to_canonical();
        self.check_one(ip)?;
        inside(ip).map_or(Ok(()), |ip| self.check_one(IpAddr::V4(ip)))
    }

    fn check_one(&self, ip: IpAddr) -> Result<(), Refused> {
        if !is_of_one_host(ip) {
            return Err(Refused::NoHost(ip));
        }
        if METADATA.contains(&ip) {
            return if self.names(ip, |_| false) { Ok(()) } else { Err(Refused::Metadata(ip)) };
        }
        if is_local(ip) {
            return if self.names(ip, is_local) { Ok(()) } else { Err(Refused::Own(ip)) };
        }
        if is_of_this_machine(ip) {
            return if self.names(ip, |_| false) { Ok(()) } else { Err(Refused::Own(ip)) };
        }
        match self {
            Self::Public => Ok(()),
            Self::Only(networks) if networks.iter().any(|network| network.contains(&ip)) => Ok(()),
            Self::Only(_) => Err(Refused::Outside(ip)),
        }
    }

    /// Whether a network means this address: it is this one alone, or all that it holds is of that kind.
    fn names(&self, ip: IpAddr, kind: impl Fn(IpAddr) -> bool) -> bool {
        let Self::Only(networks) = self else { return false };
        networks.iter().filter(|network| network.contains(&ip)).any(|network| {
            network.prefix_len() == network.max_prefix_len()
                || (kind(network.network()) && kind(network.broadcast()))
        })
    }
}

fn is_of_one_host(ip: IpAddr) -> bool {
    match ip {
        // "This network", and what is reserved: some systems take 0.1.2.3 for themselves.
        IpAddr::V4(v4) => !ip.is_multicast() && v4.octets()[0] != 0 && v4.octets()[0] < 240,
        // An IPv4 address that is written out in IPv6 as nobody does any more, and what only a network itself translates.
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let is_old = segments[..6].iter().all(|segment| *segment == 0) && !ip.is_loopback();
            let is_translated_here = segments[..3] == [0x64, 0xff9b, 1];
            !ip.is_multicast() && !is_old && !is_translated_here
        }
    }
}

fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback()
        || match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        }
}

/// The machine's own addresses are those that it would reach from the very same address. Arklet listens there, which takes
/// orders from whoever reaches it. Nothing is sent.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    // What has no route is not reached either.
    source.is_ok_and(|source| source.ip() == ip)
}

/// The IPv4 address that an IPv6 one leads to by translation (NAT64) or by a tunnel (6to4).
fn inside(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(networks: &Networks, ip: &str) -> Result<(), Refused> {
        networks.check(ip.parse().unwrap())
    }

    fn only(networks: &[&str]) -> Networks {
        Networks::Only(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[test]
    fn by_default_no_address_is_reached_that_trusts_who_calls() {
        let all = Networks::Public;
        for good in ["8.8.8.8", "192.0.2.1", "2001:db8::1", "64:ff9b::808:808", "::ffff:192.0.2.1"] {
            assert_eq!(check(&all, good), Ok(()), "{good}");
        }
        for own in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.7.7",
            "fe80::1",
            "::ffff:169.254.7.7",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
        ] {
            assert!(matches!(check(&all, own), Err(Refused::Own(_))), "{own}");
        }
        for cloud in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
        ] {
            assert!(matches!(check(&all, cloud), Err(Refused::Metadata(_))), "{cloud}");
        }
        for none in [
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "240.0.0.1",
            "224.0.0.1",
            "::",
            "ff02::1",
            "::127.0.0.1",
            "64:ff9b:1::7f00:1",
        ] {
            assert!(matches!(check(&all, none), Err(Refused::NoHost(_))), "{none}");
        }
    }

    #[test]
    fn a_network_that_holds_everything_does_not_mean_what_is_dangerous() {
        let every = only(&["0.0.0.0/0", "::/0"]);
        assert_eq!(check(&every, "8.8.8.8"), Ok(()));
        for dangerous in ["127.0.0.1", "::1", "169.254.7.7", "169.254.169.254", "fd00:ec2::254"] {
            assert!(check(&every, dangerous).is_err(), "{dangerous}");
        }
        assert_eq!(check(&only(&["127.0.0.0/8"]), "::ffff:127.0.0.1"), Ok(()));
        assert!(check(&only(&["169.254.0.0/16"]), "169.254.169.254").is_err());
        assert_eq!(check(&only(&["169.254.169.254/32"]), "169.254.169.254"), Ok(()));
    }

    #[test]
    fn networks_that_are_named_are_the_only_ones() {
        let some = only(&["10.0.0.0/8"]);
        assert_eq!(check(&some, "10.1.2.3"), Ok(()));
        assert!(matches!(check(&some, "8.8.8.8"), Err(Refused::Outside(_))));
        assert!(matches!(check(&only(&[]), "10.1.2.3"), Err(Refused::Outside(_))));
    }

    #[test]
    fn the_machines_own_addresses_are_known() {
        // The address that this machine would be reached at, where it has a network.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
        let own = own.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
        assert!(is_of_this_machine(own), "{own}");
        assert!(matches!(Networks::Public.check(own), Err(Refused::Own(_))), "{own}");
        assert!(!is_of_this_machine("192.0.2.1".parse().unwrap()));
    }
}
