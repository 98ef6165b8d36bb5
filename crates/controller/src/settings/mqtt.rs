//! The MQTT tunnel's settings. They are checked whether it is on or not: who turns it on later finds no surprise.

use std::{net::IpAddr, path::PathBuf};

use model::{Bilingual, Secret, bilingual};

use super::{
    Refusals,
    names::{is_plain, needed_with, plain},
    set,
};
use crate::args::Args;

const BROKER: &str = "MQTT_BROKER";

/// Which broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broker {
    /// One in this process.
    Embedded,
    /// One elsewhere: its host name or address.
    At(String),
}

/// The MQTT tunnel's settings.
#[derive(Debug, Clone)]
pub(crate) struct Mqtt {
    pub(crate) broker: Broker,
    pub(crate) port: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) client_prefix: String,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The settings; none where the tunnel is off.
pub(super) fn mqtt(args: &Args, refused: &mut Refusals) -> Option<Mqtt> {
    let on = refused.flag("ENABLE_MQTT_TUNNEL", &args.enable_mqtt_tunnel);
    // The manual's Pod has YOUR_MQTT_BROKER_ENDPOINT and YOUR_MQTT_PORT, which nobody fills in who uses HTTP only.
    let given = |value| set(value).filter(|text| on || !is_placeholder(text));
    let place = given(&args.mqtt_broker).and_then(|text| Address::read(text, refused));
    if on && set(&args.mqtt_broker).is_none() {
        let allowed = "it is needed with ENABLE_MQTT_TUNNEL: the broker's host, or embedded";
        refused.add(BROKER, None, allowed);
    }
    let path = |given: &Option<String>| set(given).map(PathBuf::from);
    let (ca, certificate, key) =
        (path(&args.mqtt_ca_path), path(&args.mqtt_client_crt_path), path(&args.mqtt_client_key_path));
    files(ca.is_some(), certificate.is_some(), key.is_some(), refused);
    agree(place.as_ref().and_then(|place| place.tls), ca.is_some(), refused);
    let default = if ca.is_some() { 8883 } else { 1883 };
    let in_url = place.as_ref().and_then(|place| place.port);
    let asked = given(&args.mqtt_port).map(str::to_owned);
    let port = refused.port("MQTT_PORT", &asked, in_url.unwrap_or(default));
    if let Some(in_url) = in_url.filter(|in_url| *in_url != port) {
        let allowed = bilingual!(
            "{BROKER} says port {in_url}; leave one of them out, or let them agree",
            "{BROKER} 中写的端口是 {in_url}；请只写一处，或让两处一致"
        );
        refused.add("MQTT_PORT", asked.as_deref(), allowed);
    }
    if set(&args.mqtt_password).is_some() && set(&args.mqtt_username).is_none() {
        refused.add("MQTT_USERNAME", None, needed_with("MQTT_PASSWORD"));
    }
    let broker = place.map_or(Broker::Embedded, |place| place.broker);
    let settings = Mqtt {
        broker,
        port,
        username: set(&args.mqtt_username).map(str::to_owned),
        password: args.mqtt_password.as_deref().filter(|text| !text.is_empty()).map(Secret::new),
        client_prefix: client_prefix(args, refused),
        ca,
        certificate,
        key,
    };
    on.then_some(settings)
}

/// As the Go controller's manifests have it where a value is to be filled in.
pub(super) fn is_placeholder(value: &str) -> bool {
    value.starts_with("YOUR_")
}

/// The Go controller's default, so that a broker's rules for client ids go on holding.
fn client_prefix(args: &Args, refused: &mut Refusals) -> String {
    let prefix = set(&args.mqtt_client_prefix).unwrap_or("koupleless");
    if prefix.len() > 64 || !is_plain(prefix) {
        refused.add("MQTT_CLIENT_PREFIX", Some(prefix), plain(64));
    }
    prefix.to_owned()
}

/// A certificate and its key need each other, and the authority that the broker is verified against.
fn files(ca: bool, certificate: bool, key: bool, refused: &mut Refusals) {
    let mut needed = |missing: &'static str, by: &str| refused.add(missing, None, needed_with(by));
    match (certificate, key) {
        (true, false) => needed("MQTT_CLIENT_KEY_PATH", "MQTT_CLIENT_CRT_PATH"),
        (false, true) => needed("MQTT_CLIENT_CRT_PATH", "MQTT_CLIENT_KEY_PATH"),
        (true, true) if !ca => {
            let why = bilingual!("the broker is verified against it", "用它校验 broker 的证书");
            refused.add("MQTT_CA_PATH", None, needed_with("MQTT_CLIENT_CRT_PATH").with(&why));
        }
        _ => {}
    }
}

/// What the scheme says of TLS must be what MQTT_CA_PATH says: nobody is to speak in the clear who does not mean to.
fn agree(tls: Option<bool>, ca: bool, refused: &mut Refusals) {
    match tls {
        Some(true) if !ca => {
            let allowed = bilingual!(
                "it is needed with TLS, which {BROKER} asks for: the authority that the broker is verified against (for a \
                 public one the system's list, as /etc/ssl/certs/ca-certificates.crt)",
                "{BROKER} 要求 TLS，因此必须设置它：校验 broker 证书的 CA（公共 CA 可用系统的列表，例如 \
                 /etc/ssl/certs/ca-certificates.crt）"
            );
            refused.add("MQTT_CA_PATH", None, allowed);
        }
        Some(false) if ca => {
            let allowed = bilingual!(
                "it says no TLS, and MQTT_CA_PATH is set; allowed is ssl:// or mqtts://, or a host alone",
                "它写的是不用 TLS，却设置了 MQTT_CA_PATH；可以写 ssl:// 或 mqtts://，或只写主机名"
            );
            refused.add(BROKER, None, allowed);
        }
        _ => {}
    }
}

/// What MQTT_BROKER says.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    broker: Broker,
    port: Option<u16>,
    /// What its scheme says; none where it has none.
    tls: Option<bool>,
}

impl Address {
    /// A host, an address, either with a port, or the URL of a broker.
    fn read(given: &str, refused: &mut Refusals) -> Option<Self> {
        if given.eq_ignore_ascii_case("embedded") {
            return Some(Self { broker: Broker::Embedded, port: None, tls: None });
        }
        match Self::parse(given) {
            Ok(place) => Some(place),
            // What stands before the host may be a password.
            Err(why) => {
                let shown = (!given.contains('@')).then_some(given);
                refused.add(BROKER, shown, why);
                None
            }
        }
    }

    fn parse(given: &str) -> Result<Self, Bilingual> {
        let allowed = || {
            bilingual!(
                "allowed is a host name or an address, with a port or without, as broker, broker:1883, \
                 tcp://broker:1883 or ssl://broker:8883, or embedded",
                "可以写主机名或地址，带或不带端口，例如 broker、broker:1883、tcp://broker:1883、ssl://broker:8883，或 embedded"
            )
        };
        let (tls, rest) = match given.split_once("://") {
            None => (None, given),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "tcp" | "mqtt" => (Some(false), rest),
                "ssl" | "tls" | "mqtts" => (Some(true), rest),
                _ => {
                    return Err(bilingual!(
                        "allowed schemes are tcp, mqtt, ssl, tls and mqtts",
                        "可以用的协议是 tcp、mqtt、ssl、tls 和 mqtts"
                    ));
                }
            },
        };
        if rest.contains('@') {
            return Err(bilingual!(
                "it has a user before the host; MQTT_USERNAME and MQTT_PASSWORD are for that",
                "主机名之前写了用户；请改用 MQTT_USERNAME 和 MQTT_PASSWORD"
            ));
        }
        let (host, port) = split(rest.strip_suffix('/').unwrap_or(rest)).ok_or_else(allowed)?;
        if is_placeholder(host) || !is_host(host) {
            return Err(allowed());
        }
        Ok(Self { broker: Broker::At(host.to_owned()), port, tls })
    }
}

/// Host and port; an address of IPv6 has brackets where a port follows, and may have them where none does.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, None));
    }
    let port = |port: &str| port.parse::<u16>().ok().filter(|port| *port != 0);
    if let Some((host, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        host.parse::<IpAddr>().ok()?;
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(port(after.strip_prefix(':')?)?))),
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, after)) => Some((host, Some(port(after)?))),
    }
}

/// Whether a resolver may know it. An underscore is in no host name of the Internet, and in many of container networks.
fn is_host(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let part = |part: &str| !part.is_empty() && part.len() <= 63 && part.bytes().all(legal);
    let name = text.strip_suffix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn with(flags: &[&str]) -> Result<Mqtt, String> {
        Ok(settings(&[&["--enable-mqtt-tunnel"], flags].concat())?.mqtt.unwrap())
    }

    #[test]
    fn a_broker_is_named_as_people_name_it() {
        for (given, host, port) in [
            ("broker", "broker", 1883),
            ("broker.mqtt.svc.cluster.local.", "broker.mqtt.svc.cluster.local.", 1883),
            ("mqtt_broker:1884", "mqtt_broker", 1884),
            ("tcp://broker", "broker", 1883),
            ("tcp://broker:1884/", "broker", 1884),
            ("MQTT://10.0.0.1:1884", "10.0.0.1", 1884),
            ("fd00::1", "fd00::1", 1883),
            ("[fd00::1]", "fd00::1", 1883),
            ("tcp://[fd00::1]:1884", "fd00::1", 1884),
        ] {
            let mqtt = with(&["--mqtt-broker", given]).unwrap();
            assert_eq!((mqtt.broker, mqtt.port), (Broker::At(host.to_owned()), port), "{given}");
        }
        for given in ["ssl://broker", "tls://broker", "mqtts://broker:8883", "broker"] {
            let mqtt = with(&["--mqtt-broker", given, "--mqtt-ca-path=ca.pem"]).unwrap();
            assert_eq!((mqtt.broker, mqtt.port), (Broker::At("broker".into()), 8883), "{given}");
        }
    }

    #[test]
    fn what_is_no_broker_is_refused() {
        for given in [
            "",
            "http://broker",
            "ws://broker/mqtt",
            "tcp://",
            "tcp://broker/path",
            "broker:0",
            "broker:x",
            "a b",
            "tcp://broker?x=1",
            "[fd00::1",
            "[broker]:1",
            "YOUR_MQTT_BROKER_ENDPOINT",
        ] {
            let refusal = with(&["--mqtt-broker", given]).unwrap_err();
            assert!(refusal.contains("MQTT_BROKER"), "{given}: {refusal}");
        }
        let refusal = with(&["--mqtt-broker=mqtt://me:hunter2@broker"]).unwrap_err();
        assert!(refusal.contains("MQTT_BROKER: it has a user before the host"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn what_contradicts_is_refused_and_what_agrees_is_not() {
        assert_eq!(with(&["--mqtt-broker=tcp://b:1884", "--mqtt-port=1884"]).unwrap().port, 1884);
        assert_eq!(with(&["--mqtt-broker=tcp://b", "--mqtt-port=1884"]).unwrap().port, 1884);
        for (flags, said) in [
            (
                &["--mqtt-broker=tcp://b:1884", "--mqtt-port=1885"],
                "MQTT_PORT is \"1885\"; MQTT_BROKER says port 1884",
            ),
            (
                &["--mqtt-broker=tcp://b", "--mqtt-ca-path=ca.pem"],
                "MQTT_BROKER: it says no TLS, and MQTT_CA_PATH is set",
            ),
            (&["--mqtt-broker=ssl://b", "--mqtt-port=8883"], "MQTT_CA_PATH: it is needed with TLS"),
            (
                &["--mqtt-broker=b", "--mqtt-client-crt-path=c"],
                "MQTT_CLIENT_KEY_PATH: it is needed with MQTT_CLIENT_CRT_PATH",
            ),
            (&["--mqtt-broker=b", "--mqtt-client-prefix=a/b"], "MQTT_CLIENT_PREFIX is \"a/b\""),
        ] {
            let refusal = with(flags).unwrap_err();
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
        }
    }

    #[test]
    fn the_prefix_is_the_go_controllers_where_none_is_given() {
        assert_eq!(with(&["--mqtt-broker=b"]).unwrap().client_prefix, "koupleless");
        assert_eq!(with(&["--mqtt-broker=b", "--mqtt-client-prefix=GID_a"]).unwrap().client_prefix, "GID_a");
    }

    #[test]
    fn what_is_wrong_is_refused_though_the_tunnel_is_off() {
        let refusal = settings(&[
            "--enable-http-tunnel",
            "--mqtt-broker=http://b",
            "--mqtt-port=x",
            "--mqtt-password=p",
            "--mqtt-client-key-path=k",
        ])
        .unwrap_err();
        for said in ["MQTT_BROKER is", "MQTT_PORT is \"x\"", "MQTT_USERNAME:", "MQTT_CLIENT_CRT_PATH:"] {
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
        }
        let placeholders =
            ["--enable-http-tunnel", "--mqtt-broker=YOUR_MQTT_BROKER_ENDPOINT", "--mqtt-port=YOUR_MQTT_PORT"];
        assert!(settings(&placeholders).unwrap().mqtt.is_none(), "the Go controller's Pod as it is printed");
    }
}
