//! Each mistake is planted and found, and on what is as it should be nothing is.

use std::collections::BTreeMap;

use model::Language;
use serde_json::{Value, json};

use super::{
    clock::Renewal,
    controller::OfDeployment,
    evidence::MODULES,
    surroundings::{Defaults, Namespace, Quota, Webhooks},
    *,
};
use crate::{
    picture::tests::{base, now},
    read::{Object, Plan, Ready, Replica, Site, Workload},
    screen::{golden, table::Style},
};

fn deployment() -> Value {
    json!({
        "kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "cart"}},
            "template": {
                "metadata": {"labels": {"app": "cart", "module-controller.koupleless.io/component": "module"}},
                "spec": {
                    "containers": [{"name": "cart", "image": "https://packages.example/cart.jar",
                                    "env": [{"name": "BIZ_VERSION", "value": "1.0.0"}]}],
                    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "base.koupleless.io/name", "operator": "In", "values": ["base"]}]}]}}},
                    "tolerations": [{"key": "schedule.koupleless.io/virtual-node", "operator": "Equal", "value": "True", "effect": "NoExecute"}],
                },
            },
        },
    })
}

fn site(name: &str) -> Site {
    let node = json!({
        "metadata": {"name": name, "labels": {"base.koupleless.io/name": "base"}},
        "spec": {"taints": [{"key": "schedule.koupleless.io/virtual-node", "value": "True", "effect": "NoExecute"}]},
        "status": {"allocatable": {"cpu": "10k", "pods": "2k"}},
    });
    Site::read(&node.to_string()).unwrap()
}

fn controller(change: impl FnOnce(&mut Value)) -> controller::Controller {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let mut json = json!({
        "metadata": {"name": "module-controller", "namespace": "module-controller"},
        "spec": {"replicas": 1, "template": {"spec": {"serviceAccountName": "module-controller", "containers": [
            {"env": [variable("ENV", "dev"), variable("ENABLE_HTTP_TUNNEL", "true"),
                     variable("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true")]}]}}},
        "status": {"readyReplicas": 1},
    });
    change(&mut json);
    OfDeployment::read(&json.to_string()).unwrap().0.unwrap()
}

fn variable(name: &str, value: &str) -> impl FnOnce(&mut Value) {
    let pair = json!({"name": name, "value": value});
    let name = name.to_owned();
    move |json| {
        let env = json.pointer_mut("/spec/template/spec/containers/0/env").unwrap().as_array_mut().unwrap();
        env.retain(|one| one["name"] != name.as_str());
        env.push(pair);
    }
}

fn definition(revision: u32) -> Value {
    json!({"metadata": {"name": MODULES, "annotations": {
        "module-controller.koupleless.io/definition-revision": revision.to_string(),
        "module-controller.koupleless.io/definition": format!("digest-{revision}"),
    }}})
}

/// One base, one controller, one Deployment, and all is well.
fn healthy() -> Evidence {
    let mut evidence = Evidence {
        server: Some(34),
        definitions: [(MODULES, Some(definition(1)))].into(),
        sites: vec![site("virtual-node-a")],
        controllers: vec![controller(|_| {})],
        workloads: vec![workload(&deployment())],
        namespaces: vec![Namespace { name: "shop".into(), labels: BTreeMap::new() }],
        ..Evidence::default()
    };
    evidence.picture.bases = vec![base("virtual-node-a")];
    evidence
}

fn workload(json: &Value) -> Workload {
    Workload::of(None, &json.to_string()).unwrap().unwrap()
}

fn codes(evidence: &Evidence) -> Vec<Code> {
    findings(evidence, &[definition(1)]).into_iter().map(|finding| finding.code).collect()
}

/// What is found after the Deployment was changed at these places.
fn changed(changes: &[(&str, Value)]) -> Vec<Code> {
    let mut json = deployment();
    for (at, value) in changes {
        let (parent, key) = at.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        json.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key, value.clone());
    }
    let mut evidence = healthy();
    evidence.workloads = vec![workload(&json)];
    codes(&evidence)
}

#[test]
fn a_replica_that_knows_no_plans_is_found_while_a_plan_is_open() {
    let lease = |knows: &str| {
        let ours = |key: &str| format!("module-controller.koupleless.io/{key}");
        let annotations = json!({ours("state"): "living", ours("knows"): knows});
        let metadata = json!({"name": "l", "namespace": "ns", "annotations": annotations});
        Replica::read(&json!({"metadata": metadata, "spec": {"holderIdentity": "c"}}).to_string()).unwrap()
    };
    let plan = |phase: &str| {
        let spec = json!({"target": {"kind": "Deployment", "name": "d"}, "module": {"name": "m", "version": "1"}, "batches": []});
        let metadata = json!({"name": "p", "namespace": "shop"});
        Plan::read(&json!({"metadata": metadata, "spec": spec, "status": {"phase": phase}}).to_string())
            .unwrap()
    };
    for (knows, phase, found) in [
        ("operation-plans", "Running", vec![]),
        ("", "Succeeded", vec![]),
        ("", "Running", vec![Code::ReplicaWithoutPlans]),
    ] {
        let mut evidence = healthy();
        evidence.picture.replicas = vec![lease(knows)];
        evidence.plans = vec![plan(phase)];
        assert_eq!(codes(&evidence), found, "{knows:?} {phase}");
    }
}

#[test]
fn where_all_is_as_it_should_be_nothing_is_found() {
    assert_eq!(codes(&healthy()), []);
    // Nor before there is anything.
    assert_eq!(
        codes(&Evidence { server: Some(34), definitions: [(MODULES, None)].into(), ..Evidence::default() }),
        []
    );
}

#[test]
fn what_is_wrong_with_a_manifest_is_found() {
    const POD: &str = "/spec/template/spec";
    const LABELS: &str = "/spec/template/metadata/labels";
    let container = |name: &str, value: Value| {
        let mut json = deployment()["spec"]["template"]["spec"]["containers"][0].clone();
        json[name] = value;
        vec![(format!("{POD}/containers"), json!([json]))]
    };
    let found = |changes: Vec<(String, Value)>| {
        let changes: Vec<(&str, Value)> =
            changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
        changed(&changes)
    };
    assert_eq!(changed(&[(LABELS, json!({"app": "cart"}))]), [Code::ModuleLabelMissing]);
    assert_eq!(
        changed(&[("/spec/selector", json!({"matchLabels": {"app": "other"}}))]),
        [Code::SelectorMismatch]
    );
    assert_eq!(found(container("env", json!([]))), [Code::VersionMissing]);
    assert_eq!(found(container("image", json!("cart:1.0.0"))), [Code::PackageUnreadable]);
    let annotations = |key: &str, value: &str| {
        let key = format!("module-controller.koupleless.io/{key}");
        changed(&[("/spec/template/metadata/annotations", json!({ key: value }))])
    };
    assert_eq!(annotations("args", "--a=1"), [Code::AnnotationUnreadable]);
    assert_eq!(annotations("envs.cart", "[\"A\"]"), [Code::AnnotationUnreadable]);
    assert_eq!(annotations("args", "[\"--a=1\"]"), []);
    assert_eq!(changed(&[(&format!("{POD}/tolerations"), json!([]))]), [Code::TolerationMissing]);
    let nowhere = json!({"base.koupleless.io/version": "9.9.9"});
    assert_eq!(changed(&[(&format!("{POD}/nodeSelector"), nowhere)]), [Code::NoMatchingBase]);
    assert_eq!(
        found(container("resources", json!({"requests": {"memory": "1Gi"}}))),
        [Code::ResourcesNotOffered]
    );
    assert_eq!(found(container("resources", json!({"requests": {"cpu": "1"}}))), []);
    let label = json!({"module-controller.koupleless.io/component": "module-deployment"});
    let mut two = healthy();
    two.controllers.push(controller(|json| {
        json["metadata"]["namespace"] = json!("other");
        variable("ENV", "prod")(json);
    }));
    let mut peer = deployment();
    peer["metadata"]["labels"] = label;
    two.workloads = vec![workload(&peer)];
    assert_eq!(codes(&two), [Code::PeerOfEveryEnvironment]);
    peer["metadata"]["labels"]["module-controller.koupleless.io/env"] = json!("dev");
    two.workloads = vec![workload(&peer)];
    assert_eq!(codes(&two), []);
}

#[test]
fn an_update_that_will_wait_for_itself_is_found() {
    let apart = |more: Value| {
        let mut term = json!({"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": "cart"}}});
        for (key, value) in more.as_object().unwrap() {
            term[key] = value.clone();
        }
        let mut affinity = deployment()["spec"]["template"]["spec"]["affinity"].clone();
        affinity["podAntiAffinity"] = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
        ("/spec/template/spec/affinity", affinity)
    };
    let rolling = |count: Value| ("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": count}}));
    assert_eq!(changed(&[apart(json!({}))]), [Code::UpdateDeadlock]);
    assert_eq!(changed(&[apart(json!({})), rolling(json!("30%"))]), [Code::UpdateDeadlock]);
    assert_eq!(changed(&[apart(json!({})), rolling(json!(1))]), []);
    let keys = apart(json!({"matchLabelKeys": ["pod-template-hash"]}));
    assert_eq!(changed(std::slice::from_ref(&keys)), []);
    let by_version = apart(json!({"labelSelector": {"matchLabels": {"app": "cart", "version": "1.0.0"}}}));
    let labels =
        json!({"app": "cart", "version": "1.0.0", "module-controller.koupleless.io/component": "module"});
    assert_eq!(changed(&[by_version, ("/spec/template/metadata/labels", labels)]), []);
    // An older server forgets the keys.
    let mut old = healthy();
    let mut json = deployment();
    json["spec"]["template"]["spec"]["affinity"] = keys.1;
    (old.server, old.workloads) = (Some(30), vec![workload(&json)]);
    assert_eq!(codes(&old), [Code::UpdateDeadlock, Code::MatchLabelKeysIgnored]);
    // As long as there is a base without one the update ends.
    let mut room = healthy();
    json["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [0]["matchLabelKeys"] = json!([]);
    (room.sites, room.workloads) = (vec![site("a"), site("b")], vec![workload(&json)]);
    assert_eq!(codes(&room), []);
}

#[test]
fn what_is_in_the_way_in_the_namespace_is_found() {
    let range = |resource: &str| {
        let json = json!({"metadata": {"name": "defaults", "namespace": "shop"},
                          "spec": {"limits": [{"type": "Container", "default": {resource: "1Gi"}}]}});
        let mut evidence = healthy();
        evidence.defaults = vec![Defaults::read(&json.to_string()).unwrap()];
        codes(&evidence)
    };
    assert_eq!(range("memory"), [Code::LimitRangeRequests]);
    assert_eq!(range("cpu"), []);
    let quota = |hard: Value, used: Value| {
        let json = json!({"metadata": {"name": "quota", "namespace": "shop"}, "status": {"hard": hard, "used": used}});
        let mut evidence = healthy();
        evidence.quotas = vec![Quota::read(&json.to_string()).unwrap()];
        codes(&evidence)
    };
    assert_eq!(quota(json!({"pods": "1"}), json!({"pods": "1"})), [Code::QuotaExhausted]);
    assert_eq!(quota(json!({"pods": "2k"}), json!({"pods": "1"})), []);
    assert_eq!(quota(json!({"requests.cpu": "4"}), json!({})), [Code::QuotaExhausted]);
    let webhook = |more: Value| {
        let mut hook =
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]});
        for (key, value) in more.as_object().unwrap() {
            hook[key] = value.clone();
        }
        let json = json!({"metadata": {"name": "injector"}, "webhooks": [hook]});
        let mut evidence = healthy();
        evidence.webhooks = vec![Webhooks::read(&json.to_string()).unwrap()];
        codes(&evidence)
    };
    assert_eq!(webhook(json!({})), [Code::ContainersInjected]);
    assert_eq!(webhook(json!({"namespaceSelector": {"matchLabels": {"inject": "yes"}}})), []);
    let opted_out = json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cart"]}]});
    assert_eq!(webhook(json!({"objectSelector": opted_out})), []);
    assert_eq!(
        webhook(
            json!({"rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "operations": ["*"]}]})
        ),
        []
    );
}

#[test]
fn what_is_wrong_with_the_cluster_and_its_controllers_is_found() {
    let with = |change: fn(&mut Evidence)| {
        let mut evidence = healthy();
        change(&mut evidence);
        codes(&evidence)
    };
    assert_eq!(with(|evidence| evidence.server = Some(25)), [Code::ApiTooOld]);
    assert_eq!(with(|evidence| evidence.definitions = [(MODULES, None)].into()), [Code::DefinitionMissing]);
    assert_eq!(
        with(|evidence| evidence.definitions = [(MODULES, Some(definition(0)))].into()),
        [Code::DefinitionOutdated]
    );
    assert_eq!(with(|evidence| evidence.definitions = [(MODULES, Some(definition(2)))].into()), []);
    assert_eq!(
        with(|evidence| evidence.controllers = vec![controller(|json| json["status"] = json!({}))]),
        [Code::ControllerNotReady]
    );
    let two_replicas = |json: &mut Value| {
        json["spec"]["replicas"] = json!(2);
        json["status"]["readyReplicas"] = json!(2);
    };
    let mut evidence = healthy();
    evidence.controllers = vec![controller(two_replicas)];
    assert_eq!(codes(&evidence), [Code::ReplicasNotSharing]);
    evidence.controllers = vec![controller(|json| {
        two_replicas(json);
        variable("IS_CLUSTER", "true")(json);
        variable("CLIENT_ID", "one")(json);
    })];
    assert_eq!(codes(&evidence), [Code::ClientIdShared]);
    let other = |change: fn(&mut Value)| {
        controller(|json| {
            json["metadata"]["namespace"] = json!("other");
            change(json);
        })
    };
    evidence.controllers = vec![controller(|_| {}), other(|_| {})];
    assert_eq!(codes(&evidence), [Code::EnvironmentShared]);
    evidence.controllers = vec![controller(|_| {}), other(|json| variable("ENV", "prod")(json))];
    assert_eq!(codes(&evidence), []);
    for (reason, code) in [("BaseSilent", Code::BaseSilent), ("ArkletUnanswering", Code::BaseUnanswering)] {
        let mut evidence = healthy();
        evidence.picture.bases[0].ready =
            Some(Ready { status: "False".into(), reason: reason.into(), ..Ready::default() });
        assert_eq!(codes(&evidence), [code]);
    }
}

#[test]
fn manifests_are_read_with_lists_in_them_and_others_beside() {
    let list =
        json!({"kind": "List", "items": [deployment(), {"kind": "Service", "metadata": {"name": "s"}}]});
    let mut evidence = Evidence::default();
    evidence
        .of_manifests(&format!("---\n{}\n---\nkind: ConfigMap\nmetadata: {{name: c}}\n", list), "default")
        .unwrap();
    assert_eq!(evidence.workloads(), 1);
    assert_eq!(codes(&evidence), []);
    assert!(Evidence::default().of_manifests("kind: [", "default").is_err());
}

#[test]
fn the_screens() {
    let mut evidence = healthy();
    evidence.controllers = vec![controller(|json| json["status"] = json!({}))];
    let mut json = deployment();
    json["spec"]["template"]["spec"]["tolerations"] = json!([]);
    evidence.workloads.push(workload(&json));
    evidence.skip("MutatingWebhookConfigurations", "forbidden".into());
    let report = Report::of(&evidence, &[definition(1)], &[]);
    let style = Style { colour: false, wide: false, now: now() };
    golden::holds("check.txt", &report.text(Language::English, style));
    golden::holds("check.zh.txt", &report.text(Language::Chinese, style));
    golden::holds(
        "check.json",
        &(serde_json::to_string_pretty(&report.json(Language::English)).unwrap() + "\n"),
    );
    let ignored = ["tolerationmissing".to_owned(), "ControllerNotReady".to_owned()];
    assert!(Report::of(&evidence, &[definition(1)], &ignored).is_clean());
}

/// A Lease of a base, renewed at one time and written down at another.
fn lease(node: &str, renewed: &str, written: &str) -> Renewal {
    let json = json!({
        "metadata": {"name": node, "managedFields": [
            {"manager": "somebody", "time": "2020-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
            {"manager": "module-controller", "time": written, "fieldsV1": {"f:spec": {"f:renewTime": {}}}},
        ]},
        "spec": {"holderIdentity": "replica-a", "renewTime": renewed},
    });
    Renewal::read(&json.to_string()).unwrap()
}

#[test]
fn a_clock_that_is_off_is_found_by_its_leases() {
    let found = |renewals: Vec<Renewal>| {
        let mut evidence = healthy();
        evidence.picture.bases.push(base("virtual-node-b"));
        evidence.renewals = renewals;
        let found = findings(&evidence, &[definition(1)]).into_iter();
        found.map(|finding| (finding.code, finding.message.to_string())).collect::<Vec<_>>()
    };
    let at = "2026-11-29T10:00:00Z";
    let of = |node: &str, renewed: &str| lease(node, renewed, at);
    assert_eq!(found(vec![of("virtual-node-a", "2026-11-29T09:59:52.123456Z")]), []);
    let ahead = of("virtual-node-a", "2026-11-29T10:01:15.5Z");
    let says = |what: &str| vec![(Code::ClockSkewed, format!("its clock is {what} the API server's"))];
    assert_eq!(found(vec![ahead.clone()]), says("75 s ahead of"));
    assert_eq!(found(vec![of("virtual-node-a", "2026-11-29T09:00:00Z")]), says("3600 s behind"));
    // One write waited, the others did not; the Lease of a Node that is no base is not ours to judge.
    assert_eq!(found(vec![ahead, of("virtual-node-b", "2026-11-29T10:00:01Z")]), []);
    assert_eq!(found(vec![of("worker", "2026-11-29T09:00:00Z")]), []);
    // A server that keeps no managed fields tells nothing.
    let json =
        json!({"metadata": {"name": "virtual-node-a"}, "spec": {"holderIdentity": "a", "renewTime": at}});
    assert_eq!(found(vec![Renewal::read(&json.to_string()).unwrap()]), []);
}
