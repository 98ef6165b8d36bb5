//! Which Deployments are kept at the number of bases.

use std::collections::BTreeMap;

use crate::view::{WorkloadKind, WorkloadView};

/// The two families of labels: the manual's, and the Go controller's.
const FAMILIES: [&str; 2] = ["module-controller.koupleless.io", "virtual-kubelet.koupleless.io"];
const DEPLOYMENT: &str = "module-deployment";
const PEER: &str = "peer";

fn label<'a>(labels: &'a BTreeMap<String, String>, family: &str, name: &str) -> Option<&'a str> {
    labels.get(&format!("{family}/{name}")).map(String::as_str)
}

fn either<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    FAMILIES.iter().find_map(|family| label(labels, family, name))
}

/// A Deployment that asks for one replica on each base. In the manual's family `peer` is what no
/// strategy means; in the Go controller's family it must be said, as there.
pub(crate) fn is_peer(view: &WorkloadView, env: &str) -> bool {
    let [ours, theirs] = FAMILIES;
    let labels = &view.labels;
    let component = |family| label(labels, family, "component") == Some(DEPLOYMENT);
    let strategy = |family| label(labels, family, "strategy");
    let by_manual = component(ours) && strategy(ours).is_none_or(|strategy| strategy == PEER);
    let by_upstream = component(theirs) && strategy(theirs) == Some(PEER);
    // Where both say something, the manual's family is the one that counts.
    let asks = by_manual || by_upstream && !component(ours);
    view.workload.kind == WorkloadKind::Deployment
        && asks
        && is_of(view, env)
        && !FAMILIES.iter().any(|family| label(labels, family, "replicas-control") == Some("true"))
}

/// It names no environment, or ours: several controllers may share a cluster.
pub(crate) fn is_of(view: &WorkloadView, env: &str) -> bool {
    env_of(view).is_none_or(|of| of == env)
}

/// The environment that it names; none where it may be any.
pub(crate) fn env_of(view: &WorkloadView) -> Option<&str> {
    either(&view.labels, "env")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas::tests::deployment;

    fn peer(labels: &[(&str, &str)]) -> bool {
        let mut view = deployment(1);
        view.labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        is_peer(&view, "dev")
    }

    const OURS: (&str, &str) = ("module-controller.koupleless.io/component", "module-deployment");
    const THEIRS: (&str, &str) = ("virtual-kubelet.koupleless.io/component", "module-deployment");

    #[test]
    fn in_the_manuals_family_peer_is_the_default() {
        assert!(peer(&[OURS]));
        assert!(peer(&[OURS, ("module-controller.koupleless.io/strategy", "peer")]));
        assert!(!peer(&[OURS, ("module-controller.koupleless.io/strategy", "scatter")]));
        assert!(!peer(&[("module-controller.koupleless.io/component", "module")]) && !peer(&[]));
    }

    #[test]
    fn in_the_go_controllers_family_both_labels_are_needed() {
        assert!(peer(&[THEIRS, ("virtual-kubelet.koupleless.io/strategy", "peer")]));
        assert!(!peer(&[THEIRS]));
        assert!(!peer(&[THEIRS, ("virtual-kubelet.koupleless.io/strategy", "scatter")]));
        let both = [
            OURS,
            THEIRS,
            ("module-controller.koupleless.io/strategy", "scatter"),
            ("virtual-kubelet.koupleless.io/strategy", "peer"),
        ];
        assert!(!peer(&both), "the manual's family counts");
    }

    #[test]
    fn either_family_can_take_replicas_out_of_our_hands() {
        for family in FAMILIES {
            let key = format!("{family}/replicas-control");
            assert!(!peer(&[OURS, (&key, "true")]));
            assert!(peer(&[OURS, (&key, "false")]));
        }
    }

    #[test]
    fn another_environments_deployment_is_left_alone() {
        for family in FAMILIES {
            let key = format!("{family}/env");
            assert!(peer(&[OURS, (&key, "dev")]));
            assert!(!peer(&[OURS, (&key, "prod")]));
        }
    }

    #[test]
    fn a_daemon_set_scales_itself() {
        let mut view = deployment(1);
        view.workload.kind = WorkloadKind::DaemonSet;
        assert!(!is_peer(&view, "dev"));
    }
}
