//! Who may come in: addresses, tokens and certificates.

use std::{net::IpAddr, path::PathBuf};

use model::bilingual;
use tunnel::{
    broker::USERS_VARIABLE,
    http::{SERVER_CERTIFICATE_VARIABLE, SERVER_KEY_VARIABLE},
};

use super::{Refusals, names::needed_with, set};
use crate::args::Args;

/// A network as `BASE_ADDRESS_CIDRS` writes it.
pub(crate) type Network = ipnet::IpNet;

/// The settings of what is open to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doors {
    /// Where bases may be; anywhere but link-local where there is none.
    pub(crate) networks: Vec<Network>,
    /// The tokens of the HTTP tunnel.
    pub(crate) tokens: Option<PathBuf>,
    /// The HTTP tunnel's certificate and its key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    /// The embedded broker's users.
    pub(crate) users: Option<PathBuf>,
    /// Where bases' own Pods are; anywhere where there is none.
    pub(crate) base_namespaces: Vec<String>,
}

pub(super) fn doors(args: &Args, refused: &mut Refusals) -> Doors {
    let path = |given| set(given).map(PathBuf::from);
    let embedded = set(&args.mqtt_broker).is_some_and(|broker| broker.eq_ignore_ascii_case("embedded"));
    if let Some(file) = set(&args.broker_users_file).filter(|_| !embedded) {
        refused.add(
            USERS_VARIABLE,
            Some(file),
            bilingual!(
                "it is for MQTT_BROKER=embedded; another broker has users of its own",
                "它用于 MQTT_BROKER=embedded；其他 broker 有自己的用户"
            ),
        );
    }
    if embedded && set(&args.mqtt_username).is_some() && set(&args.mqtt_password).is_none() {
        let allowed = bilingual!(
            "it is needed with MQTT_USERNAME and MQTT_BROKER=embedded: a name alone keeps nobody out",
            "设置了 MQTT_USERNAME 且 MQTT_BROKER=embedded 时必须设置它：只有用户名挡不住任何人"
        );
        refused.add("MQTT_PASSWORD", None, allowed);
    }
    let own = [("MQTT_USERNAME", &args.mqtt_username), ("MQTT_PASSWORD", &args.mqtt_password)];
    let missing = own.into_iter().filter(|(_, given)| set(given).is_none());
    for (variable, _) in missing.filter(|_| set(&args.broker_users_file).is_some()) {
        refused.add(
            variable,
            None,
            bilingual!(
                "it is needed with BROKER_USERS_FILE: the controller's own at the broker",
                "设置了 BROKER_USERS_FILE 时必须设置它：它是控制器自己在 broker 上的"
            ),
        );
    }
    Doors {
        networks: networks(args, refused),
        tokens: path(&args.http_tunnel_token_file),
        certificate: pair(
            (path(&args.http_tunnel_tls_crt_path), path(&args.http_tunnel_tls_key_path)),
            (SERVER_CERTIFICATE_VARIABLE, SERVER_KEY_VARIABLE),
            refused,
        ),
        users: path(&args.broker_users_file),
        base_namespaces: base_namespaces(args, refused),
    }
}

/// What Kubernetes takes as the name of a namespace (RFC 1123 label).
fn is_namespace(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn base_namespaces(args: &Args, refused: &mut Refusals) -> Vec<String> {
    let given = set(&args.base_pod_namespaces).unwrap_or_default();
    let names: Vec<String> =
        given.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if let Some(bad) = names.iter().find(|name| !is_namespace(name)) {
        let allowed = bilingual!(
            "{bad:?} can be no namespace; allowed are names of lower case letters, digits and '-', comma separated",
            "{bad:?} 不能是命名空间；可以写由小写字母、数字和 '-' 组成的名称，用逗号分隔"
        );
        refused.add("BASE_POD_NAMESPACES", Some(given), allowed);
    }
    names
}

/// A certificate and its key, by the variables that name them: both, or none.
pub(super) fn pair(
    (certificate, key): (Option<PathBuf>, Option<PathBuf>),
    (certificate_variable, key_variable): (&'static str, &'static str),
    refused: &mut Refusals,
) -> Option<(PathBuf, PathBuf)> {
    if certificate.is_some() != key.is_some() {
        let (missing, given) = if key.is_none() {
            (key_variable, certificate_variable)
        } else {
            (certificate_variable, key_variable)
        };
        refused.add(missing, None, needed_with(given));
    }
    certificate.zip(key)
}

fn networks(args: &Args, refused: &mut Refusals) -> Vec<Network> {
    const VARIABLE: &str = "BASE_ADDRESS_CIDRS";
    let mut networks = Vec::new();
    let given = set(&args.base_address_cidrs).unwrap_or_default();
    for part in given.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        // An address alone is the network that holds nothing else.
        match part.parse::<Network>().or_else(|_| part.parse::<IpAddr>().map(Network::from)) {
            Ok(network) if network.addr() != network.network() => {
                let allowed = bilingual!(
                    "the network of {part} begins at {begin}",
                    "{part} 所在的网段从 {begin} 开始",
                    begin = network.trunc()
                );
                refused.add(VARIABLE, Some(given), allowed);
            }
            Ok(network) => networks.push(network),
            Err(_) => {
                let allowed = bilingual!(
                    "{part:?} is no network; allowed are networks as 10.0.0.0/8 or fd00::/8, comma separated",
                    "{part:?} 不是网段；可以写 10.0.0.0/8 或 fd00::/8 这样的网段，用逗号分隔"
                );
                refused.add(VARIABLE, Some(given), allowed);
            }
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn networks(given: &str) -> Result<Vec<String>, String> {
        let flags = ["--enable-http-tunnel", "--base-address-cidrs", given];
        Ok(settings(&flags)?.doors.networks.iter().map(Network::to_string).collect())
    }

    #[test]
    fn networks_of_both_families_and_single_addresses() {
        assert_eq!(networks(" ").unwrap(), [""; 0]);
        let wanted = ["10.0.0.0/8", "fd00::/8", "192.0.2.2/32", "::1/128"];
        assert_eq!(networks("10.0.0.0/8, fd00::/8,192.0.2.2,::1,").unwrap(), wanted);
    }

    #[test]
    fn certificate_and_key_need_each_other() {
        let with = |flags: &[&str]| settings(&[&["--enable-http-tunnel"], flags].concat());
        let (crt, key) = ("--http-tunnel-tls-crt-path=a", "--http-tunnel-tls-key-path=b");
        assert!(with(&[crt, key]).unwrap().doors.certificate.is_some());
        let refusal = with(&[crt]).unwrap_err();
        assert!(refusal.contains("HTTP_TUNNEL_TLS_KEY_PATH: it is needed with HTTP_TUNNEL_TLS_CRT_PATH"));
        let refusal = with(&[key]).unwrap_err();
        assert!(refusal.contains("HTTP_TUNNEL_TLS_CRT_PATH: it is needed with HTTP_TUNNEL_TLS_KEY_PATH"));
    }

    #[test]
    fn users_are_for_the_embedded_broker_and_need_the_controllers_own() {
        let with = |flags: &[&str]| {
            settings(
                &[&["--enable-mqtt-tunnel", "--broker-users-file=u", "--mqtt-password=p"], flags].concat(),
            )
        };
        let embedded = with(&["--mqtt-broker=embedded", "--mqtt-username=c"]).unwrap();
        assert_eq!(embedded.doors.users, Some("u".into()));
        let refusal = with(&["--mqtt-broker=embedded"]).unwrap_err();
        assert!(refusal.contains("MQTT_USERNAME: it is needed with BROKER_USERS_FILE"), "{refusal}");
        let refusal = with(&["--mqtt-broker=host", "--mqtt-username=c"]).unwrap_err();
        assert!(refusal.contains("BROKER_USERS_FILE is \"u\"; it is for MQTT_BROKER=embedded"), "{refusal}");
    }

    #[test]
    fn a_user_of_the_embedded_broker_needs_a_password() {
        let flags = ["--enable-mqtt-tunnel", "--mqtt-broker=embedded", "--mqtt-username=u"];
        let refusal = settings(&flags).unwrap_err();
        assert!(refusal.contains("MQTT_PASSWORD: it is needed with MQTT_USERNAME"), "{refusal}");
    }

    #[test]
    fn namespaces_are_a_list_of_names() {
        let named = |given: &str| {
            let given = format!("--base-pod-namespaces={given}");
            settings(&["--enable-http-tunnel", &given]).map(|settings| settings.doors.base_namespaces)
        };
        assert_eq!(named("").unwrap(), [""; 0]);
        assert_eq!(named("bases, team-7,").unwrap(), ["bases", "team-7"]);
        for bad in ["Bases", "a;b", "a b", "-a", "a.b"] {
            let refusal = named(bad).unwrap_err();
            assert!(
                refusal.contains("BASE_POD_NAMESPACES") && refusal.contains("can be no namespace"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn what_is_no_network_is_named() {
        for (given, said) in [
            ("10.0.0.0/33", "\"10.0.0.0/33\" is no network; allowed are networks as 10.0.0.0/8"),
            ("10.0.0.0/8;fd00::/8", "is no network"),
            ("10.1.2.3/8", "the network of 10.1.2.3/8 begins at 10.0.0.0/8"),
        ] {
            let refusal = networks(given).unwrap_err();
            assert!(refusal.contains(&format!("BASE_ADDRESS_CIDRS is {given:?}")), "{refusal}");
            assert!(refusal.contains(said), "{refusal}");
        }
    }
}
