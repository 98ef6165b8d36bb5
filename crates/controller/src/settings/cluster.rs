//! `IS_CLUSTER`: several replicas that share the VNodes.

use engine::ClusterConfig;

use super::{Refusals, set};
use crate::args::Args;

/// The manual's default of `WORKLOAD_MAX_LEVEL`.
const LEVELS: u32 = 3;

/// How replicas share the VNodes; none where this is the only one.
pub(super) fn cluster(
    args: &Args,
    client_id: &str,
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
        let allowed = "with IS_CLUSTER the replicas need one broker that all of them reach: the host of one";
        refused.add("MQTT_BROKER", broker, allowed);
    }
    Some(ClusterConfig {
        client_id: client_id.into(),
        incarnation: uuid::Uuid::new_v4().to_string().into(),
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
        Settings::try_from(Args::try_parse_from(args).unwrap()).map_err(|refusals| refusals.to_string())
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
    fn what_no_cluster_can_be_made_of_is_refused() {
        let refusal = settings(&["--is-cluster=yes", "--workload-max-level=0"]).unwrap_err();
        for said in [
            "IS_CLUSTER is \"yes\"; allowed is true or false",
            "WORKLOAD_MAX_LEVEL is \"0\"; allowed is a whole number from 1 to 1000",
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
