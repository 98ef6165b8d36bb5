//! Deployments and DaemonSets: what is told of them, and their replicas.

use std::{sync::Arc, time::Duration};

use cluster::DeliveryFilter;
use engine::{
    ClusterEvent, Event, Request, Watched, Write, WriteError,
    view::{RolledOut, WorkloadKind, WorkloadRef},
};
use jiff::Timestamp;
use model::{BizId, InstallStrategy, ModuleSpec};
use serde_json::{Value, json};
use testkit::{account, cluster::Cluster, wait::wait_for, work_dir::WorkDir};
use tokio::sync::mpsc;

use crate::harness::{Harness, all_kinds, client, unique};

fn manifest(kind: &str, namespace: &str, name: &str, template_labels: &Value) -> Value {
    let mut labels = template_labels.clone();
    labels["app"] = json!(name);
    let mut manifest = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {
                "nodeSelector": {"nowhere": "true"},
                "containers": [{"name": "biz1", "image": "http://repo/biz1.jar"}],
            }},
        },
    });
    if kind == "Deployment" {
        manifest["spec"]["replicas"] = json!(0);
    }
    manifest
}

fn module() -> Value {
    json!({"module-controller.koupleless.io/component": "module"})
}

async fn watching() -> Harness {
    let mut h = Harness::with(all_kinds()).await;
    for kind in [Watched::Deployments, Watched::DaemonSets] {
        h.event("the first list", |event| {
            (*event == Event::Cluster(ClusterEvent::Synced(kind))).then_some(())
        })
        .await;
    }
    h
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_of_modules_are_told_and_others_are_not() {
    let mut h = watching().await;
    let namespace = h.cluster.namespace("workloads").unwrap();
    let (web, set, deployment) = (unique("web"), unique("set"), unique("deployment"));
    h.cluster.apply(&manifest("Deployment", &namespace, &web, &json!({})).to_string()).unwrap();
    h.cluster.apply(&manifest("DaemonSet", &namespace, &set, &module()).to_string()).unwrap();
    h.cluster.apply(&manifest("Deployment", &namespace, &deployment, &module()).to_string()).unwrap();
    let seen = h.workload(&set, |view| view.rollout.observed_generation > 0).await;
    assert_eq!(seen.workload.kind, WorkloadKind::DaemonSet);
    assert!(!seen.is_rolled_out(), "no Node matches: {:?}", seen.rollout);
    let seen = h.workload(&deployment, |view| view.rollout.observed_generation > 0).await;
    assert_eq!(seen.template.placement.node_selector["nowhere"], "true");
    h.cluster.kubectl(&["delete", "deployment", &deployment, "-n", &namespace]).unwrap();
    h.event("its end", |event| match event {
        Event::Cluster(ClusterEvent::WorkloadGone(gone)) if *gone.name == *deployment => Some(()),
        _ => None,
    })
    .await;
    let foreign = h.also_told(
        |event| matches!(event, Event::Cluster(ClusterEvent::Workload(view)) if *view.workload.name == *web),
    );
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_set_only_while_the_deployment_is_as_it_was_seen() {
    let mut h = watching().await;
    let namespace = h.cluster.namespace("workloads").unwrap();
    let name = unique("scaled");
    h.cluster.apply(&manifest("Deployment", &namespace, &name, &module()).to_string()).unwrap();
    let old = h.workload(&name, |view| view.rollout.observed_generation > 0).await;
    h.cluster.kubectl(&["annotate", "deployment", &name, "-n", &namespace, "a=b"]).unwrap();
    let scale = |resource_version, replicas| Request::ScaleDeployment {
        deployment: old.workload.clone(),
        replicas,
        resource_version,
    };
    let write = || Write::ScaleDeployment(old.workload.clone());
    let result = h.write(scale(old.resource_version, 2), write()).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    let seen = h.workload(&name, |view| view.resource_version > old.resource_version).await;
    assert_eq!(seen.replicas, 0);
    let mut version = seen.resource_version;
    // The Deployment controller writes its status meanwhile; a conflict is looked at again.
    while let Err(error) = h.write(scale(version, 2), write()).await {
        assert!(matches!(error, WriteError::Conflict(_)), "{error}");
        version = h.workload(&name, |view| view.resource_version > version).await.resource_version;
    }
    assert_eq!(h.workload(&name, |view| view.replicas != 0).await.replicas, 2);
}

/// Kubernetes' own controllers write the same status again and again, and leave it there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_out_is_written_down_beside_kubernetes_own_conditions() {
    let mut h = watching().await;
    let namespace = h.cluster.namespace("workloads").unwrap();
    for kind in ["Deployment", "DaemonSet"] {
        let name = unique("rolled-out");
        h.cluster.apply(&manifest(kind, &namespace, &name, &module()).to_string()).unwrap();
        let view = h.workload(&name, |view| view.rollout.observed_generation > 0).await;
        let rolled_out = Arc::new(RolledOut {
            modules: vec![ModuleSpec {
                id: BizId { name: "biz1".parse().unwrap(), version: "1".parse().unwrap() },
                url: "http://repo/biz1.jar".parse().unwrap(),
                strategy: InstallStrategy::default(),
                args: [].into(),
                envs: [].into(),
            }],
            placement: view.template.placement.clone(),
            earlier: Vec::new(),
        });
        let record = |workload: &WorkloadRef| Request::RecordRollout {
            workload: workload.clone(),
            rolled_out: rolled_out.clone(),
            at: Timestamp::now(),
        };
        let other = WorkloadRef { uid: "another".into(), ..view.workload.clone() };
        let result = h.write(record(&other), Write::RecordRollout(other.clone())).await;
        assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
        h.write(record(&view.workload), Write::RecordRollout(view.workload.clone())).await.unwrap();
        h.workload(&name, |view| view.rolled_out.as_ref() == Some(&rolled_out)).await;
        // A new template, and what Kubernetes says of it.
        let image = format!("{}/{name}", kind.to_lowercase());
        h.cluster.kubectl(&["set", "image", &image, "biz1=http://repo/other.jar", "-n", &namespace]).unwrap();
        let generation = view.rollout.generation;
        let after = h.workload(&name, |view| view.rollout.observed_generation > generation).await;
        assert_eq!(after.rolled_out.as_ref(), Some(&rolled_out));
    }
}

/// A kubeconfig of somebody who may list and watch only these.
fn restricted(cluster: &Cluster, resources: &str) -> WorkDir {
    let name = unique("restricted");
    cluster.kubectl(&["create", "serviceaccount", &name, "-n", "default"]).unwrap();
    let verbs = ["--verb=list,watch", &format!("--resource={resources}")];
    cluster.kubectl(&[&["create", "clusterrole", &name][..], &verbs].concat()).unwrap();
    let (role, account) = (format!("--clusterrole={name}"), format!("--serviceaccount=default:{name}"));
    cluster.kubectl(&["create", "clusterrolebinding", &name, &role, &account]).unwrap();
    let dir = WorkDir::new("restricted").unwrap();
    account::kubeconfig(cluster, "default", &name, dir.join("kubeconfig")).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_without_the_right_says_which_one_is_missing_and_the_others_go_on() {
    let dir = restricted(Cluster::shared().unwrap(), "pods,nodes,replicasets.apps,daemonsets.apps");
    let client = client(&dir.join("kubeconfig")).await;
    let (events, mut received) = mpsc::channel(1024);
    tokio::spawn(async move { while received.recv().await.is_some() {} });
    let config = all_kinds();
    let watches = cluster::watch(client, config, events, DeliveryFilter::new());
    tokio::task::spawn_blocking(move || {
        wait_for("all but one", Duration::from_secs(20), || {
            let health = watches.health();
            let allowed = [Watched::Nodes, Watched::Pods, Watched::ReplicaSets, Watched::DaemonSets];
            let with: Vec<_> = health.iter().filter(|watch| allowed.contains(&watch.kind)).collect();
            let without: Vec<_> = health.iter().filter(|watch| watch.kind == Watched::Deployments).collect();
            anyhow::ensure!(with.len() == allowed.len() && with.iter().all(|watch| watch.synced), "{with:?}");
            let said = without.iter().filter_map(|watch| watch.last_error.as_ref()).any(|error| {
                error.reason.contains("cannot list resource \"deployments\"")
                    && error.reason.contains("give the controller's role the verbs list and watch")
            });
            anyhow::ensure!(said && without.iter().all(|watch| !watch.synced), "{without:?}");
            Ok(Some(()))
        })
    })
    .await
    .unwrap()
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_of_both_families_are_told_and_an_undo_makes_the_old_one_the_latest() {
    for family in ["module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component"] {
        let mut h = Harness::start().await;
        let namespace = h.cluster.namespace("revisions").unwrap();
        let name = unique("revised");
        h.cluster
            .apply(&manifest("Deployment", &namespace, &name, &json!({family: "module"})).to_string())
            .unwrap();
        let first = revision(&mut h, &namespace, 1).await;
        let image = "biz1=http://repo/biz1-2.jar";
        h.cluster.kubectl(&["set", "image", &format!("deployment/{name}"), image, "-n", &namespace]).unwrap();
        let second = revision(&mut h, &namespace, 2).await;
        assert_ne!(first, second);
        h.cluster.kubectl(&["rollout", "undo", &format!("deployment/{name}"), "-n", &namespace]).unwrap();
        assert_eq!(revision(&mut h, &namespace, 3).await, first);
        h.cluster.kubectl(&["delete", "deployment", &name, "-n", &namespace]).unwrap();
        for set in [&first, &second] {
            h.event("the end of a ReplicaSet", |event| match event {
                Event::Cluster(ClusterEvent::RevisionGone { replica_set }) if replica_set == set => Some(()),
                _ => None,
            })
            .await;
        }
    }
}

/// The ReplicaSet of a namespace that has this revision, once it is told.
async fn revision(h: &mut Harness, namespace: &str, wanted: u64) -> Arc<str> {
    let found: Arc<str> = wait_for("the ReplicaSet", Duration::from_secs(20), || {
        let list = h.cluster.kubectl_json(&["get", "replicasets", "-n", namespace])?;
        let sets = list["items"].as_array().cloned().unwrap_or_default();
        let text = &wanted.to_string();
        let has = |set: &&Value| set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == *text;
        Ok(sets.iter().find(has).and_then(|set| set["metadata"]["uid"].as_str()).map(Into::into))
    })
    .unwrap();
    h.event(&format!("revision {wanted}"), |event| match event {
        Event::Cluster(ClusterEvent::Revision { replica_set, revision })
            if *replica_set == found && *revision == wanted =>
        {
            Some(())
        }
        _ => None,
    })
    .await;
    found
}
