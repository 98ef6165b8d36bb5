//! The objects that are written: module Pods as a user's Deployment makes them, and for the floor the Nodes and the
//! statuses that the controller writes.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A module Pod to be made.
#[derive(Clone, Debug)]
pub struct ModulePod {
    /// The Pod's name.
    pub name: String,
    /// The module's name: the container's.
    pub biz: String,
    /// The Node that it selects.
    pub node: String,
    /// The version of bases that it is for.
    pub base_version: String,
}

/// The version of every module here.
pub const BIZ_VERSION: &str = "1.0.0";

impl ModulePod {
    /// The Pod of the module `biz` on a Node.
    pub fn new(biz: &str, node: &str, base_version: &str) -> Self {
        Self {
            name: format!("{biz}.{node}"),
            biz: biz.to_owned(),
            node: node.to_owned(),
            base_version: base_version.to_owned(),
        }
    }

    /// The module and its URL, of a Pod's name.
    pub fn of_name(name: &str) -> (String, String) {
        let biz = name.split('.').next().unwrap_or(name);
        (biz.to_owned(), image(biz))
    }

    /// The object, as the template of the manual's 5.1 gives it. The Node is selected by its host name, so that the
    /// scheduler has its say and each base gets its share.
    pub fn object(&self) -> Value {
        let one_of = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "labels": {"module-controller.koupleless.io/component": "module", "app": self.biz},
            },
            "spec": {
                "containers": [{
                    "name": self.biz, "image": image(&self.biz),
                    "env": [{"name": "BIZ_VERSION", "value": BIZ_VERSION}],
                }],
                "nodeSelector": {"kubernetes.io/hostname": self.node},
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [
                        one_of("base.koupleless.io/stack", "java"),
                        one_of("base.koupleless.io/version", &self.base_version),
                        one_of("base.koupleless.io/name", "base"),
                    ]}],
                }}},
                "tolerations": [{
                    "key": "schedule.koupleless.io/virtual-node", "operator": "Equal", "value": "True",
                    "effect": "NoExecute",
                }],
            },
        })
    }
}

/// A package's URL. Nobody fetches it.
fn image(biz: &str) -> String {
    format!("file:///packages/{biz}-{BIZ_VERSION}-ark-biz.jar")
}

/// The status patch that makes a module Pod Ready: field for field what the controller sends.
pub fn ready_patch(uid: &str, name: &str, image: &str, ip: &str, now: Timestamp) -> Value {
    let at = format!("{now:.0}");
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": null, "message": null, "lastTransitionTime": at});
    json!({
        "metadata": {"uid": uid},
        "status": {
            "phase": "Running", "reason": null, "message": null,
            "hostIP": ip, "hostIPs": null, "podIP": ip,
            "startTime": at,
            "conditions": [condition("Initialized"), condition("ContainersReady"), condition("Ready")],
            "containerStatuses": [{
                "name": name, "image": image, "imageID": image, "ready": true, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": at}},
            }],
        },
    })
}

/// A Node that Pods of the floor are bound to, like a VNode.
pub fn floor_node(name: &str, base_version: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {
            "base.koupleless.io/stack": "java",
            "base.koupleless.io/version": base_version,
            "base.koupleless.io/name": "base",
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/zone": format!("zone-{name}"),
        }},
        "spec": {"taints": [
            {"key": "schedule.koupleless.io/virtual-node", "value": "True", "effect": "NoExecute"},
        ]},
    })
}

/// The status that keeps such a Node Ready; to be written again before the node lifecycle controller loses patience.
pub fn floor_node_status(now: Timestamp) -> Value {
    let at = format!("{now:.0}");
    json!({"status": {
        "capacity": {"pods": "10000"}, "allocatable": {"pods": "10000"},
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Floor", "message": "", "lastHeartbeatTime": at,
            "lastTransitionTime": at,
        }],
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_a_module() {
        let pod = ModulePod::new("biz1", "virtual-node-base-00000", "v1");
        assert_eq!(pod.name, "biz1.virtual-node-base-00000");
        let (biz, url) = ModulePod::of_name(&pod.name);
        assert_eq!((biz, url), ("biz1".into(), "file:///packages/biz1-1.0.0-ark-biz.jar".into()));
        let object = pod.object();
        assert_eq!(object["spec"]["containers"][0]["image"], "file:///packages/biz1-1.0.0-ark-biz.jar");
        let typed: k8s_openapi::api::core::v1::Pod = serde_json::from_value(object).unwrap();
        assert_eq!(typed.spec.unwrap().node_selector.unwrap()["kubernetes.io/hostname"], pod.node);
    }

    #[test]
    fn times_have_whole_seconds_as_the_controllers_have() {
        let now: Timestamp = "2026-11-22T10:00:00.987Z".parse().unwrap();
        let patch = ready_patch("u", "biz1", "file:///a.jar", "127.0.0.1", now);
        assert_eq!(patch["status"]["conditions"][2]["lastTransitionTime"], "2026-11-22T10:00:00Z");
    }
}
