//! The objects that are written: module Pods as a user's Deployment makes them, and for the floor the Nodes, the
//! statuses and the Module objects that the controller writes.

use jiff::Timestamp;
use model::BizId;
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
    image_of(biz, BIZ_VERSION)
}

/// The URL of the same module's package somewhere else: what an update in place asks for.
pub fn moved_image(biz: &str) -> String {
    format!("file:///packages/moved/{biz}-{BIZ_VERSION}-ark-biz.jar")
}

/// The URL of a version's package.
pub fn image_of(biz: &str, version: &str) -> String {
    format!("file:///packages/{biz}-{version}-ark-biz.jar")
}

/// A Deployment of `replicas` Pods of one module, which its template has in this version; `surge` more while it is updated, and
/// none less.
pub fn deployment(biz: &str, version: &str, base_version: &str, replicas: usize, surge: &str) -> Value {
    let mut template = ModulePod::new(biz, "", base_version).object();
    if let Some(spec) = template.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("nodeSelector");
    }
    let container = json!({
        "name": biz, "image": image_of(biz, version),
        "env": [{"name": "BIZ_VERSION", "value": version}],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": biz},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": biz}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": template.pointer("/metadata/labels")},
                "spec": {
                    "containers": [container],
                    "affinity": template.pointer("/spec/affinity"),
                    "tolerations": template.pointer("/spec/tolerations"),
                },
            },
        },
    })
}

/// A Deployment with a Pod of each version on each base: all new ones are made at once.
pub fn whole_deployment(
    biz: &str,
    version: &str,
    base_version: &str,
    replicas: usize,
    most_unavailable: &str,
) -> Value {
    let mut object = deployment(biz, version, base_version, replicas, "100%");
    if let Some(rolling) = object.pointer_mut("/spec/strategy/rollingUpdate") {
        rolling["maxUnavailable"] = json!(most_unavailable);
    }
    if let Some(affinity) = object.pointer_mut("/spec/template/spec/affinity") {
        affinity["podAntiAffinity"] = json!({"requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {"app": biz}},
            "matchLabelKeys": ["pod-template-hash"],
            "topologyKey": "kubernetes.io/hostname",
        }]});
    }
    object
}

/// The same, with a template that names this operation plan.
pub fn by_plan(mut deployment: Value, plan: &str) -> Value {
    if let Some(metadata) = deployment.pointer_mut("/spec/template/metadata") {
        metadata["annotations"] = json!({"module-controller.koupleless.io/operation-plan": plan});
    }
    deployment
}

/// The Module object that the controller writes before it installs: field for field.
pub fn module_object(namespace: &str, pod: &str, biz: &str, image: &str, node: &str, ip: &str) -> Value {
    let id = biz.parse().ok().zip(BIZ_VERSION.parse().ok()).map(|(name, version)| BizId { name, version });
    let name = id.map(|id| model::name::module_name(node, &id)).unwrap_or_default();
    json!({
        "apiVersion": "koupleless.io/v1alpha1",
        "kind": "Module",
        "metadata": {"namespace": namespace, "name": name, "labels": {
            "koupleless.alipay.com/base-instance-ip": ip,
            "koupleless.io/base-instance-ip": ip,
            "koupleless.alipay.com/base-instance-name": node,
            "koupleless.io/base-instance-name": node,
            "app.kubernetes.io/managed-by": "module-controller",
            // Of an environment of its own, so that the controller beside it is not told of it.
            "module-controller.koupleless.io/env": "floor",
        }},
        "spec": {
            "name": biz, "version": BIZ_VERSION, "url": image, "pod": pod, "vnode": node, "managed": true,
            "inPlace": false,
        },
    })
}

/// The status patch that tells that a module is available: field for field what the controller sends.
pub fn module_available(uid: &str, now: Timestamp) -> Value {
    let at = format!("{now:.0}");
    json!({
        "metadata": {"uid": uid},
        "status": {
            "status": "Available", "errorCode": null, "suggestion": null, "lastTransitionTime": at,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Available", "message": null, "lastTransitionTime": at,
            }],
        },
    })
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
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

    use super::*;

    #[test]
    fn a_pod_is_a_module() {
        let pod = ModulePod::new("biz1", "virtual-node-base-00000", "v1");
        assert_eq!(pod.name, "biz1.virtual-node-base-00000");
        let object = pod.object();
        assert_eq!(object["spec"]["containers"][0]["image"], "file:///packages/biz1-1.0.0-ark-biz.jar");
        let typed: k8s_openapi::api::core::v1::Pod = serde_json::from_value(object).unwrap();
        assert_eq!(typed.spec.unwrap().node_selector.unwrap()["kubernetes.io/hostname"], pod.node);
    }

    #[test]
    fn a_deployment_has_the_same_pods_and_any_node() {
        let object = deployment("roll", "2.0.0", "v1", 10, "30%");
        let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(object).unwrap();
        let pod = typed.spec.unwrap().template.spec.unwrap();
        assert_eq!(pod.containers[0].image.as_deref(), Some("file:///packages/roll-2.0.0-ark-biz.jar"));
        assert!(pod.node_selector.is_none() && pod.affinity.is_some() && pod.tolerations.is_some());
    }

    #[test]
    fn a_deployment_by_plan_has_a_pod_of_each_version_on_each_base() {
        let object = by_plan(whole_deployment("roll", "2.0.0", "v1", 10, "10%"), "p");
        let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(object).unwrap();
        let spec = typed.spec.unwrap();
        let rolling = spec.strategy.unwrap().rolling_update.unwrap();
        let share = |share: &str| Some(IntOrString::String(share.to_owned()));
        assert_eq!((rolling.max_surge, rolling.max_unavailable), (share("100%"), share("10%")));
        let affinity = spec.template.spec.unwrap().affinity.unwrap();
        assert!(affinity.node_affinity.is_some() && affinity.pod_anti_affinity.is_some());
        let annotations = spec.template.metadata.unwrap().annotations.unwrap();
        assert_eq!(annotations["module-controller.koupleless.io/operation-plan"], "p");
    }

    #[test]
    fn a_module_object_is_named_as_the_controller_names_it() {
        let object = module_object("ns", "biz1.node", "biz1", "file:///a.jar", "node", "127.0.0.9");
        assert!(object["metadata"]["name"].as_str().unwrap().starts_with("biz1-1.0.0-"));
    }

    #[test]
    fn times_have_whole_seconds_as_the_controllers_have() {
        let now: Timestamp = "2026-11-22T10:00:00.987Z".parse().unwrap();
        let patch = ready_patch("u", "biz1", "file:///a.jar", "127.0.0.1", now);
        assert_eq!(patch["status"]["conditions"][2]["lastTransitionTime"], "2026-11-22T10:00:00Z");
    }
}
