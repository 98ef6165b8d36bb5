//! What is printed is what the controller starts with: its settings are checked as it would check them.

use super::{Install, Tunnel};
use crate::{args::Args, settings::Settings};

/// Settings that other flags, or the ports of the manifests, decide.
const DECIDED: [(&str, &str); 13] = [
    ("NAMESPACE", "--namespace sets it"),
    ("ENABLE_HTTP_TUNNEL", "--tunnel sets it"),
    ("ENABLE_MQTT_TUNNEL", "--tunnel sets it"),
    ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "--peers sets it"),
    ("ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE", "--peers does what it did"),
    ("KUBELET_PROXY_ENABLED", "--kubelet-api sets it"),
    ("KUBELET_PROXY_PORT", "it is 10250 here, as the Service has it"),
    ("IS_CLUSTER", "--replicas sets it"),
    ("POD_UID", "--replicas sets it"),
    ("POD_IP", "--replicas sets it"),
    ("FORWARD_PORT", "it is 7778 here, as the NetworkPolicy has it"),
    ("HTTP_TUNNEL_LISTEN_PORT", "it is 7777 here, as the Service has it"),
    ("ADMIN_LISTEN", "it is 0.0.0.0:9090 here, as the probes have it"),
];
/// Settings that nobody should read in a manifest.
const SECRET: [&str; 3] = ["MQTT_PASSWORD", "REPORT_HOOKS", "REPORT_HOOK_SECRETS"];

/// `NAME=VALUE`, as `--env` takes it.
pub(super) fn variable(given: &str) -> Result<(String, String), String> {
    let (name, value) = given.split_once('=').ok_or("it is not NAME=VALUE")?;
    if let Some((_, why)) = DECIDED.iter().find(|(decided, _)| *decided == name) {
        return Err(format!("{name} is not for --env: {why}"));
    }
    if SECRET.contains(&name) {
        return Err(format!("{name} is a secret: put it into a Secret, and name that by --env-from-secret"));
    }
    if !Args::VARIABLES.contains(&name) {
        return Err(format!("{name} is no setting of the controller: see `module-controller --help`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// What the flags say in the controller's words.
pub(super) fn by_flags(install: &Install) -> Vec<(String, String)> {
    let tunnel = |tunnel| install.tunnel.contains(&tunnel);
    let flags = [
        ("ENABLE_HTTP_TUNNEL", tunnel(Tunnel::Http)),
        ("ENABLE_MQTT_TUNNEL", tunnel(Tunnel::Mqtt)),
        ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", install.peers),
        ("KUBELET_PROXY_ENABLED", install.kubelet_api),
    ];
    flags.map(|(name, on)| (name.to_owned(), on.to_string())).into()
}

/// What the controller would refuse, by name.
pub(super) fn check(install: &Install) -> Result<(), String> {
    if install.several() && install.variable("CLIENT_ID").is_some() {
        return Err(
            "  CLIENT_ID: leave it out with --replicas, for a second Pod of the same id acts for nothing"
                .to_owned(),
        );
    }
    let flags = by_flags(install);
    let args = Args::of(|name| match name {
        "NAMESPACE" => Some(install.namespace.clone()),
        "IS_CLUSTER" => Some(install.several().to_string()),
        _ => flags
            .iter()
            .find(|(flag, _)| flag == name)
            .map(|(_, value)| value.clone())
            .or_else(|| install.variable(name).map(str::to_owned)),
    });
    Settings::try_from(args).map(drop).map_err(|refused| refused.told(model::Language::English))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_elsewhere_secret_or_unknown_is_refused_with_what_helps() {
        let refused = |given| variable(given).unwrap_err();
        assert!(refused("IS_CLUSTER=true").contains("--replicas"));
        assert!(refused("MQTT_PASSWORD=x").contains("--env-from-secret"));
        assert!(refused("NAME_OF_NOTHING=x").contains("no setting"));
        assert!(refused("ENV").contains("NAME=VALUE"));
        assert_eq!(variable("ENV=a=b"), Ok(("ENV".to_owned(), "a=b".to_owned())));
    }

    #[test]
    fn every_name_here_is_a_setting() {
        for name in DECIDED.iter().map(|(name, _)| name).chain(&SECRET) {
            assert!(Args::VARIABLES.contains(name), "{name}");
        }
    }
}
