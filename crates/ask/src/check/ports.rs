//! Ports of the controllers that bases, API servers and other replicas must reach: whether a Service leads to them, and whether
//! NetworkPolicies let anybody in. Who may come where a policy names some is not judged: that is what it is for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Code, Controller, Evidence, Finding};
use crate::{
    read::{Meta, Object, SelectorJson, nothing, workload::Selector},
    text::Text,
};

/// A port of a controller that others connect to.
struct Port {
    number: u16,
    /// Who connects to it, and what for.
    use_of: &'static str,
    /// Bases have one address for it, whichever replica runs.
    by_service: bool,
}

impl Controller {
    fn ports(&self) -> Vec<Port> {
        let number = |name: &str, usual: u16| {
            self.variable(name).and_then(|value| value.parse().ok()).unwrap_or(usual)
        };
        let has_broker = self.is_on("ENABLE_MQTT_TUNNEL") && self.variable("MQTT_BROKER") == Some("embedded");
        let http = self.is_on("ENABLE_HTTP_TUNNEL");
        let all = [
            (http, "HTTP_TUNNEL_LISTEN_PORT", 7777, "bases send heartbeats to it", true),
            (has_broker, "MQTT_PORT", 1883, "bases connect to its broker", true),
            (
                http && self.is_on("IS_CLUSTER"),
                "FORWARD_PORT",
                7778,
                "other replicas hand heartbeats on",
                false,
            ),
            (
                self.is_on("KUBELET_PROXY_ENABLED"),
                "KUBELET_PROXY_PORT",
                10_250,
                "API servers ask for logs",
                false,
            ),
        ];
        all.into_iter()
            .filter(|(is_on, ..)| *is_on)
            .map(|(_, name, usual, use_of, by_service)| Port {
                number: number(name, usual),
                use_of,
                by_service,
            })
            .collect()
    }

    /// A port by its number, or by the name that a container gives it.
    fn is_port(&self, which: &Value, number: u16) -> bool {
        let of_name = |name: &str| self.container_ports.get(name).copied();
        which.as_str().map_or_else(|| which.as_u64(), |name| of_name(name).map(u64::from))
            == Some(u64::from(number))
    }
}

/// A Service: which Pods it leads to, and which of their ports.
#[derive(Debug, Clone, Default)]
pub(super) struct Service {
    namespace: Text,
    selector: BTreeMap<String, String>,
    targets: Vec<Value>,
}

impl Service {
    fn leads_to(&self, controller: &Controller, number: u16) -> bool {
        self.namespace == controller.namespace
            && !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| controller.labels.get(key) == Some(value))
            && self.targets.iter().any(|target| controller.is_port(target, number))
    }
}

/// A NetworkPolicy that says what may come in.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy {
    namespace: Text,
    name: Text,
    /// None where it is about what goes out alone.
    pods: Option<Selector>,
    /// The ports of each of its rules; a rule without any is about all.
    rules: Vec<Vec<PolicyPortJson>>,
}

impl Policy {
    fn is_about(&self, controller: &Controller) -> bool {
        let matches = |pods: &Selector| pods.matches(&controller.labels);
        self.namespace == controller.namespace && self.pods.as_ref().is_some_and(matches)
    }

    fn lets_in(&self, controller: &Controller, number: u16) -> bool {
        let has = |port: &PolicyPortJson| {
            let first = port.port.as_u64().unwrap_or_default();
            let is_within = port.end_port.is_some_and(|last| (first..=last).contains(&u64::from(number)));
            let is_tcp = port.protocol.some().is_none_or(|protocol| protocol == "TCP");
            is_tcp && (port.port.is_null() || is_within || controller.is_port(&port.port, number))
        };
        self.rules.iter().any(|ports| ports.is_empty() || ports.iter().any(has))
    }
}

/// What nobody can reach.
pub(super) fn findings(evidence: &Evidence, found: &mut Vec<Finding>) {
    for controller in evidence.controllers.iter().filter(|one| one.runs()) {
        let about: Vec<&Policy> = evidence.policies.iter().filter(|one| one.is_about(controller)).collect();
        for Port { number, use_of, by_service } in controller.ports() {
            let mut add =
                |code: Code, message: String| found.push(Finding::new(code, controller.about(), message));
            // A bare Pod is found by its own address, as in the manual; on the host's network the host's address is enough.
            let needs_service = by_service && controller.kind != "Pod" && !controller.host_network;
            let services = evidence.services.as_ref().filter(|_| needs_service);
            if services.is_some_and(|all| !all.iter().any(|one| one.leads_to(controller, number))) {
                add(Code::ServiceMissing, format!("no Service leads to its port {number}: {use_of}"));
            }
            // Policies do not hold for Pods on the host's network.
            let is_closed = !about.is_empty() && !about.iter().any(|one| one.lets_in(controller, number));
            if is_closed && !controller.host_network {
                let names: Vec<&str> = about.iter().map(|one| &*one.name).collect();
                let message =
                    format!("NetworkPolicy {} lets nobody in at port {number}: {use_of}", names.join(", "));
                add(Code::PortClosed, message);
            }
        }
    }
}

#[derive(Deserialize)]
struct ServiceJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: ServiceSpecJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceSpecJson {
    #[serde(deserialize_with = "nothing")]
    selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nothing")]
    ports: Vec<ServicePortJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServicePortJson {
    port: Value,
    target_port: Value,
}

impl Object for Service {
    const NAME: &'static str = "Services";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let ServiceJson { metadata, spec } = serde_json::from_str(json)?;
        let targets = spec
            .ports
            .into_iter()
            .map(|one| if one.target_port.is_null() { one.port } else { one.target_port });
        Ok(Self { namespace: metadata.namespace, selector: spec.selector, targets: targets.collect() })
    }
}

#[derive(Deserialize)]
struct PolicyJson {
    metadata: Meta,
    #[serde(default, deserialize_with = "nothing")]
    spec: PolicySpecJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicySpecJson {
    #[serde(deserialize_with = "nothing")]
    pod_selector: SelectorJson,
    #[serde(deserialize_with = "nothing")]
    policy_types: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    ingress: Vec<PolicyRuleJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PolicyRuleJson {
    #[serde(deserialize_with = "nothing")]
    ports: Vec<PolicyPortJson>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicyPortJson {
    port: Value,
    end_port: Option<u64>,
    #[serde(deserialize_with = "nothing")]
    protocol: Text,
}

impl Object for Policy {
    const NAME: &'static str = "NetworkPolicies";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let PolicyJson { metadata, spec } = serde_json::from_str(json)?;
        // The server fills the types in; a policy that names none is about what comes in.
        let is_of_ingress =
            spec.policy_types.is_empty() || spec.policy_types.iter().any(|one| one == "Ingress");
        Ok(Self {
            namespace: metadata.namespace,
            name: metadata.name,
            pods: is_of_ingress.then(|| spec.pod_selector.into()),
            rules: spec.ingress.into_iter().map(|rule| rule.ports).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{controller::OfDeployment, findings};

    fn controller(spec: &Value, variables: &[(&str, &str)]) -> Controller {
        let variables = variables.iter().chain(&[("ENABLE_HTTP_TUNNEL", "true")]);
        let env: Vec<Value> = variables.map(|(name, value)| json!({"name": name, "value": value})).collect();
        let ports = json!([{"name": "http", "containerPort": 7777}]);
        let mut pod = json!({"containers": [{"env": env, "ports": ports}]});
        pod.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let json = json!({
            "metadata": {"name": "mc", "namespace": "mc"},
            "spec": {"template": {"metadata": {"labels": {"app": "mc"}}, "spec": pod}},
            "status": {"readyReplicas": 1},
        });
        OfDeployment::read(&json.to_string()).unwrap().0.unwrap()
    }

    fn service(namespace: &str, app: &str, target: &Value) -> Service {
        let json = json!({
            "metadata": {"name": "mc", "namespace": namespace},
            "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": target}]},
        });
        Service::read(&json.to_string()).unwrap()
    }

    fn policy(spec: &Value) -> Policy {
        Policy::read(&json!({"metadata": {"name": "p", "namespace": "mc"}, "spec": spec}).to_string())
            .unwrap()
    }

    fn found(
        controller: &Controller,
        services: Option<Vec<Service>>,
        policies: Vec<Policy>,
    ) -> Vec<(Code, String)> {
        let evidence =
            Evidence { controllers: vec![controller.clone()], services, policies, ..Evidence::default() };
        findings(&evidence, &[]).into_iter().map(|one| (one.code, one.message.to_string())).collect()
    }

    #[test]
    fn a_service_that_leads_to_the_port_is_missed() {
        let ours = controller(&json!({}), &[]);
        let missed = vec![(
            Code::ServiceMissing,
            "no Service leads to its port 7777: bases send heartbeats to it".to_owned(),
        )];
        assert_eq!(found(&ours, Some(Vec::new()), Vec::new()), missed);
        assert_eq!(found(&ours, None, Vec::new()), [], "nobody could read them");
        for good in [json!("http"), json!(7777)] {
            assert_eq!(found(&ours, Some(vec![service("mc", "mc", &good)]), Vec::new()), []);
        }
        for bad in [
            service("other", "mc", &json!(7777)),
            service("mc", "board", &json!(7777)),
            service("mc", "mc", &json!("admin")),
        ] {
            assert_eq!(found(&ours, Some(vec![bad]), Vec::new()), missed);
        }
        let on_host = controller(&json!({"hostNetwork": true}), &[]);
        assert_eq!(found(&on_host, Some(Vec::new()), Vec::new()), []);
        let with_broker =
            [("ENABLE_MQTT_TUNNEL", "true"), ("MQTT_BROKER", "embedded"), ("MQTT_PORT", "1884")];
        let both = found(&controller(&json!({}), &with_broker), Some(Vec::new()), Vec::new());
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[0].1.contains("port 1884"), "{both:?}");
    }

    #[test]
    fn a_port_that_policies_let_nobody_in_at_is_found() {
        let ours = controller(&json!({}), &[]);
        let closed = |policies: Vec<Policy>| found(&ours, None, policies);
        let admin =
            json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 9090}]}]});
        let message = "NetworkPolicy p lets nobody in at port 7777: bases send heartbeats to it";
        assert_eq!(closed(vec![policy(&admin)]), [(Code::PortClosed, message.to_owned())]);
        let opens = [
            json!({"podSelector": {"matchLabels": {"app": "mc"}}, "ingress": [{"from": [{"podSelector": {}}]}]}),
            json!({"podSelector": {}, "ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}]}),
            json!({"podSelector": {}, "ingress": [{"ports": [{"port": 7000, "endPort": 8000}]}]}),
            json!({"podSelector": {}, "ingress": [{"ports": [{"protocol": "TCP"}]}]}),
        ];
        for open in opens {
            assert_eq!(closed(vec![policy(&admin), policy(&open)]), [], "{open}");
        }
        let others = [
            json!({"podSelector": {"matchLabels": {"app": "board"}}, "ingress": []}),
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
        ];
        assert_eq!(closed(others.iter().map(policy).collect()), [], "they are about others");
        let udp = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 7777, "protocol": "UDP"}]}]});
        assert_eq!(closed(vec![policy(&udp)]).len(), 1);
        let sharing = controller(&json!({}), &[("IS_CLUSTER", "true"), ("KUBELET_PROXY_ENABLED", "true")]);
        let bases_only = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 7777}]}]});
        let found = found(&sharing, None, vec![policy(&bases_only)]);
        assert!(found.iter().all(|(code, _)| *code == Code::PortClosed) && found.len() == 2, "{found:?}");
    }
}
