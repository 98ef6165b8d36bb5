//! `IS_CLUSTER`: several replicas that share the VNodes.

use std::net::{IpAddr, SocketAddr};

use engine::ClusterConfig;

use model::bilingual;

use super::{Refusals, names::an_address, set};
use crate::args::Args;

/// The manual's default of `WORKLOAD_MAX_LEVEL`.
const LEVELS: u32 = 3;

/// Where a replica takes what others send on to it.
const FORWARD_PORT: u32 = 7778;

/// Where other replicas send on what they hear over HTTP; none where there are no others, no HTTP, or this one has
/// no address.
pub(super) fn forward(
    args: &Args,
    is_cluster: bool,
    http: bool,
    refused: &mut Refusals,
) -> Option<SocketAddr> {
    let port = refused.number("FORWARD_PORT", &args.forward_port, FORWARD_PORT, (0, u16::MAX.into()));
    let ip = set(&args.pod_ip)?;
    let Ok(ip) = ip.parse::<IpAddr>() else {
        refused.add("POD_IP", Some(ip), an_address());
        return None;
    };
    let port = u16::try_from(port).unwrap_or_default();
    (is_cluster && http).then(|| SocketAddr::from((ip, port)))
}

/// How replicas share the VNodes; none where this is the only one.
pub(super) fn cluster(
    args: &Args,
    (client_id, incarnation): (&str, &str),
    mqtt: bool,
    refused: &mut Refusals,
) -> Option<ClusterConfig> {
    let is_cluster = refused.flag("IS_CLUSTER", &args.is_cluster);
    let levels = refused.number("WORKLOAD_MAX_LEVEL", &args.workload_max_level, LEVELS, (1, 1_000));
    if !is_cluster {
        return None;
    }
    let broker = set(&args.mqtt_broker).filter(|_| mqtt);
    if broker.is_some_and(|broker| broker.eq_ignore_ascii_case("embedded")) {
        let allowed = bilingual!(
            "with IS_CLUSTER the replicas need one broker that all of them reach: the host of one",
            "启用 IS_CLUSTER 时，各副本需要一个都能访问的 broker：请写它的主机名"
        );
        refused.add("MQTT_BROKER", broker, allowed);
    }
    Some(ClusterConfig {
        client_id: client_id.into(),
        incarnation: incarnation.into(),
        pod_uid: set(&args.pod_uid).unwrap_or_default().into(),
        levels,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Settings;
    use crate::args::Args;

    fn settings(flags: &[&str]) -> Result<Settings, String> {
        let args = ["module-controller", "--enable-http-tunnel"].into_iter().chain(flags.iter().copied());
        Settings::try_from(Args::try_parse_from(args).unwrap())
            .map_err(|refusals| refusals.told(model::Language::English))
    }

    #[test]
    fn a_cluster_is_of_those_who_ask_for_it() {
        assert_eq!(settings(&[]).unwrap().engine.cluster, None);
        assert_eq!(settings(&["--is-cluster=false", "--workload-max-level=5"]).unwrap().engine.cluster, None);
        let flags = ["--is-cluster", "--client-id=c1", "--pod-uid=p1"];
        let [first, second] =
            [settings(&flags), settings(&flags)].map(|s| s.unwrap().engine.cluster.unwrap());
        assert_eq!((&*first.client_id, &*first.pod_uid, first.levels), ("c1", "p1", 3));
        assert_ne!(first.incarnation, second.incarnation);
    }

    #[test]
    fn heartbeats_are_sent_on_to_a_replica_that_has_an_address() {
        let door = |flags: &[&str]| settings(flags).unwrap().forward.map(|door| door.to_string());
        let all = ["--is-cluster", "--pod-ip=fd00::1"];
        assert_eq!(door(&all).as_deref(), Some("[fd00::1]:7778"));
        assert_eq!(
            door(&["--is-cluster", "--pod-ip=10.0.0.1", "--forward-port=0"]).as_deref(),
            Some("10.0.0.1:0")
        );
        assert_eq!(door(&["--is-cluster"]), None, "nobody could reach it");
        assert_eq!(door(&["--pod-ip=10.0.0.1"]), None, "nobody else is there");
        let mqtt = [
            "--is-cluster",
            "--pod-ip=10.0.0.1",
            "--enable-http-tunnel=false",
            "--enable-mqtt-tunnel",
            "--mqtt-broker=b",
        ];
        let args = Args::try_parse_from(["module-controller"].into_iter().chain(mqtt)).unwrap();
        assert_eq!(Settings::try_from(args).unwrap().forward, None, "over MQTT all hear all");
    }

    #[test]
    fn what_no_cluster_can_be_made_of_is_refused() {
        let refusal =
            settings(&["--is-cluster=yes", "--workload-max-level=0", "--pod-ip=here", "--forward-port=x"])
                .unwrap_err();
        for said in [
            "IS_CLUSTER is \"yes\"; allowed is true or false",
            "WORKLOAD_MAX_LEVEL is \"0\"; allowed is a whole number from 1 to 1000",
            "POD_IP is \"here\"; allowed is an IP address",
            "FORWARD_PORT is \"x\"; allowed is a whole number from 0 to 65535",
        ] {
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
        }
        let refusal =
            settings(&["--is-cluster", "--enable-mqtt-tunnel", "--mqtt-broker=embedded"]).unwrap_err();
        assert!(
            refusal.contains("MQTT_BROKER is \"embedded\"; with IS_CLUSTER the replicas need one broker"),
            "{refusal}"
        );
    }
}
