//! The definition of Module objects in a cluster that has none, one that has the V1 controller's, and one
//! that lets nobody install it: these have a control plane of their own, for a definition is for all. And the objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cluster::{
    DeliveryFilter, WatchConfig,
    definition::{Availability, install},
    modules,
};
use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{ModuleKey, ModuleRef, ModuleStatus, ModuleView},
};
use model::BizId;
use testkit::{
    cluster::{Cluster, ClusterOptions},
    work_dir::WorkDir,
};

use crate::harness::{Harness, client, unique};

/// As kubebuilder made it for the V1 controller.
const V1: &str = r#"{
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "modules.koupleless.io"},
    "spec": {
        "group": "koupleless.io", "scope": "Namespaced",
        "names": {"kind": "Module", "listKind": "ModuleList", "plural": "modules", "singular": "module"},
        "versions": [{
            "name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                "spec": {"type": "object", "properties": {"module": {
                    "type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"}, "version": {"type": "string"}, "url": {"type": "string"}}}}},
                "status": {"type": "object", "properties": {
                    "status": {"type": "string"}, "lastTransitionTime": {"type": "string", "format": "date-time"}}}
            }}}
        }]
    }
}"#;

const OBJECT: &str = r#"{
    "apiVersion": "koupleless.io/v1alpha1", "kind": "Module",
    "metadata": {"name": "of-v1", "namespace": "default"},
    "spec": {"module": {"name": "biz1", "version": "0.0.1", "url": "http://repo/biz1.jar"}}
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_definition_of_the_v1_controller_is_taken_over_and_its_objects_stay() {
    let cluster = Cluster::start(&ClusterOptions::default()).unwrap();
    cluster.apply(V1).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/modules.koupleless.io"]).unwrap();
    cluster.apply(OBJECT).unwrap();
    let client = client(cluster.kubeconfig()).await;
    assert_eq!(install(client.clone(), &modules::own()).await.unwrap(), Availability::Available);
    // What the V1 controller does not know is there, and what it wrote is still there.
    cluster.kubectl(&["annotate", "module", "of-v1", "touched=yes"]).unwrap();
    let object = cluster.kubectl_json(&["get", "module", "of-v1"]).unwrap();
    assert_eq!(object["spec"]["module"]["url"], "http://repo/biz1.jar");
    let ours = OBJECT.replace("of-v1", "ours").replace(r#""module": {"#, r#""vnode": "v", "module": {"#);
    cluster.apply(&ours).unwrap();
    assert_eq!(cluster.kubectl_json(&["get", "md", "ours"]).unwrap()["spec"]["vnode"], "v");
    // A second time nothing is written.
    let version = |cluster: &Cluster| {
        let definition = cluster.kubectl_json(&["get", "crd", "modules.koupleless.io"]).unwrap();
        definition["metadata"]["generation"].clone()
    };
    let before = version(&cluster);
    assert_eq!(install(client.clone(), &modules::own()).await.unwrap(), Availability::Available);
    assert_eq!(version(&cluster), before);
    // That of a later version is left as it is, also where it says otherwise than ours.
    let column = r#"[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"},
        {"op": "add", "path": "/metadata/annotations/module-controller.koupleless.io~1definition", "value": "later"},
        {"op": "add", "path": "/metadata/annotations/module-controller.koupleless.io~1definition-revision", "value": "1000"}]"#;
    cluster.kubectl(&["patch", "crd", "modules.koupleless.io", "--type=json", "-p", column]).unwrap();
    let later = version(&cluster);
    assert_ne!(later, before);
    assert_eq!(install(client, &modules::own()).await.unwrap(), Availability::Available);
    assert_eq!(version(&cluster), later);
    may_not_install(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_the_name_is_told_with_the_conflict() {
    let mut h = Harness::start().await;
    let namespace = h.cluster.namespace("modules").unwrap();
    let desired = desired(&namespace);
    let create =
        || (Request::CreateModule(Box::new(desired.clone())), Write::CreateModule(desired.key.clone()));
    let told = |event: &Event| match event {
        Event::Cluster(ClusterEvent::Module(view)) if view.key == desired.key => Some((**view).clone()),
        _ => None,
    };
    let (action, write) = create();
    h.write(action, write).await.unwrap();
    let created = h.event("the object", told).await;
    assert!(created.managed && created.module.name == desired.module.name, "{created:?}");
    let (action, write) = create();
    let result = h.write(action, write).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
}

/// Two replicas: one acts for the VNode by now, and the other does not know yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_has_written_since_is_not_deleted() {
    let mut h = Harness::start().await;
    let namespace = h.cluster.namespace("modules").unwrap();
    let desired = desired(&namespace);
    let (key, name) = (&desired.key, &*desired.module.name);
    let told = |event: &Event| match event {
        Event::Cluster(ClusterEvent::Module(view)) if view.key == *key => Some((**view).clone()),
        _ => None,
    };
    h.write(Request::CreateModule(Box::new(desired.clone())), Write::CreateModule(key.clone()))
        .await
        .unwrap();
    let created = h.event("the object", told).await;
    let patch = Request::PatchModule { desired: Box::new(created.clone()), by: Some("replica-2".into()) };
    h.write(patch, Write::PatchModule(key.clone())).await.unwrap();
    let newer = |event: &Event| told(event).filter(|view| view.resource_version != created.resource_version);
    let patched = h.event("the object with another version, though nothing else has changed", newer).await;
    let delete = |version: u64| Request::DeleteModule {
        key: key.clone(),
        module: created.module.clone(),
        resource_version: Some(version),
    };
    h.write(delete(created.resource_version), Write::DeleteModule(key.clone())).await.unwrap();
    h.cluster.kubectl(&["get", "module", "--namespace", &namespace, name]).unwrap();
    h.write(delete(patched.resource_version), Write::DeleteModule(key.clone())).await.unwrap();
    let gone = |event: &Event| {
        matches!(event, Event::Cluster(ClusterEvent::ModuleGone { key: gone, .. }) if gone == key)
            .then_some(())
    };
    h.event("its end", gone).await;
}

fn desired(namespace: &str) -> ModuleView {
    let id = BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() };
    ModuleView {
        module: ModuleRef { namespace: namespace.into(), name: unique("module").into(), uid: "".into() },
        key: ModuleKey { vnode: unique("vnode").into(), id },
        resource_version: 0,
        labels: BTreeMap::new().into(),
        url: "http://repo/biz1.jar".into(),
        pod: "biz1".into(),
        managed: true,
        in_place: false,
        kept: true,
        status: ModuleStatus::default(),
        deleting: false,
    }
}

/// Somebody without any right is told what is missing, and works without Module objects.
async fn may_not_install(cluster: &Cluster) {
    let dir = WorkDir::new("nobody").unwrap();
    let client = as_nobody(cluster, &dir).await;
    let Availability::Missing(why) = install(client, &modules::own()).await.unwrap() else {
        panic!("nobody may read Module objects")
    };
    assert!(why.contains("modules.koupleless.io") && why.contains("role of the module controller"), "{why}");
    let client = as_nobody(cluster, &dir).await;
    let (events, mut received) = tokio::sync::mpsc::channel(64);
    let watches = cluster::watch(client, WatchConfig::default(), events, DeliveryFilter::new());
    let mut missing = BTreeSet::new();
    while missing.len() < 4 {
        let event = tokio::time::timeout(Duration::from_secs(30), received.recv()).await;
        let Ok(Some(event)) = event else { panic!("only {missing:?} were told; {:?}", watches.health()) };
        let Event::Cluster(ClusterEvent::Unavailable(kind)) = event else { panic!("nobody sees {event:?}") };
        assert!(missing.insert(format!("{kind:?}")), "{kind:?} was told twice");
    }
    let kinds = ["Modules", "ReplicaSets", "Services", "UpstreamReplicaSets"];
    assert!(missing.iter().map(String::as_str).eq(kinds), "{missing:?}");
}

/// A client of the same cluster that acts as a service account without rights.
async fn as_nobody(cluster: &Cluster, dir: &WorkDir) -> kube::Client {
    let mut config = cluster.kubectl_json(&["config", "view", "--raw"]).unwrap();
    config["users"][0]["user"]["as"] = "system:serviceaccount:default:nobody".into();
    let path = dir.join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    client(&path).await
}
