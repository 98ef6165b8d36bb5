//! The hosts that a module may call.

use std::fmt;

use url::Host;

use crate::PackageError;

/// The most hosts that a package names.
const MAX_HOSTS: usize = 64;

/// A host that a module may call: `host` at the scheme's own port, or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundHost {
    /// In the one form that it has: in lower case, with international names encoded, and addresses as addresses.
    host: Host,
    port: Option<u16>,
}

impl OutboundHost {
    /// Whether a call there is meant: to this host, and to a port that is the scheme's own or not.
    pub fn allows(&self, host: &Host, port: u16, is_default_port: bool) -> bool {
        self.host == *host && self.port.map_or(is_default_port, |own| own == port)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "outboundHosts has {text:?}; expected a host, or a host and its port as in \"api.example.com:8443\", \
                 without scheme, path and wildcard"
            )
        };
        // A colon inside of brackets belongs to an IPv6 address.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong));
        let host = normalized(host).ok_or_else(wrong)?;
        Ok(Self { host, port: port.transpose()? })
    }
}

/// A host's name or address in the one form that it has; none where it is none. A dot at the end of a name says only that it
/// is complete.
pub fn normalized(host: &str) -> Option<Host> {
    let host = host.strip_suffix('.').unwrap_or(host);
    Host::parse(host).ok().filter(|host| !matches!(host, Host::Domain(name) if name.contains('*')))
}

impl fmt::Display for OutboundHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// Reads the section's list.
pub(crate) fn parse_all(hosts: &[String]) -> Result<Vec<OutboundHost>, PackageError> {
    if hosts.len() > MAX_HOSTS {
        let what = format!("outboundHosts has {} entries; at most {MAX_HOSTS} are allowed", hosts.len());
        return Err(PackageError::BadSection(what));
    }
    hosts.iter().map(|host| OutboundHost::parse(host).map_err(PackageError::BadSection)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> OutboundHost {
        OutboundHost::parse(text).unwrap()
    }

    #[test]
    fn one_host_is_one_host_however_it_is_written() {
        for (written, called) in [
            ("api.example.com", "API.example.COM."),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("10.1.2.3", "0x0a010203"),
            ("[2001:db8::1]", "[2001:DB8:0::1]"),
        ] {
            assert!(parsed(written).allows(&normalized(called).unwrap(), 80, true), "{written} {called}");
        }
        let other = normalized("api.example.com.evil.example").unwrap();
        assert!(!parsed("api.example.com").allows(&other, 80, true));
    }

    #[test]
    fn a_port_is_the_schemes_own_or_the_one_that_is_named() {
        let host = normalized("a.example").unwrap();
        assert!(!parsed("a.example").allows(&host, 8443, false));
        assert!(parsed("a.example:8443").allows(&host, 8443, false));
        assert!(!parsed("a.example:8443").allows(&host, 443, true));
        assert!(parsed("a.example:443").allows(&host, 443, true));
    }

    #[test]
    fn what_is_no_host_is_refused_and_named() {
        for bad in
            ["", "https://a.example", "a.example/x", "*.example", "a.example:0", "a.example:x", "a b", "a@b"]
        {
            let error = parse_all(&[bad.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(&format!("outboundHosts has {bad:?}")), "{error}");
        }
        assert!(parse_all(&vec!["a.example".to_owned(); MAX_HOSTS + 1]).is_err());
    }
}
