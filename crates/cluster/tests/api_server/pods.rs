//! Pods: their way from being bound to their end.

use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{ConditionStatus, ContainerState, ContainerStatus, Phase, PodRef, PodStatus},
};

use crate::harness::{Harness, condition, now, unique, vnode};

const MODULE: &str = r#"{"module-controller.koupleless.io/component":"module"}"#;

fn running(ip: &str) -> PodStatus {
    PodStatus {
        phase: Phase::Running,
        host_ip: ip.into(),
        pod_ip: ip.into(),
        started: Some(now()),
        conditions: vec![
            condition("Ready", ConditionStatus::True, ""),
            condition("ContainersReady", ConditionStatus::True, ""),
        ],
        containers: vec![ContainerStatus {
            name: "biz1".into(),
            image: "http://repo/biz1.jar".into(),
            image_id: "http://repo/biz1.jar".into(),
            ready: true,
            restart_count: 0,
            state: ContainerState::Running { started: Some(now()) },
        }],
        ..PodStatus::default()
    }
}

async fn patch(h: &mut Harness, pod: &PodRef, status: &PodStatus) -> Result<(), WriteError> {
    let action = Request::PatchPodStatus { pod: pod.clone(), status: Box::new(status.clone()) };
    h.write(action, Write::PatchPodStatus(pod.clone())).await
}

async fn delete(h: &mut Harness, pod: &PodRef) -> Result<(), WriteError> {
    h.write(Request::DeletePod { pod: pod.clone() }, Write::DeletePod(pod.clone())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_is_read_back_as_it_was_written_and_can_be_taken_back() {
    let mut h = Harness::start().await;
    let node = unique("virtual-node-pods");
    h.create_node(&vnode(&node)).await;
    let ns = h.cluster.namespace("pods").unwrap();
    let name = &unique("status");
    h.create_pod(&ns, name, &node, MODULE, "");
    let pod = h.pod(name, |_| true).await;
    assert_eq!((&*pod.node, pod.containers[0].name.as_str()), (&*node, "biz1"));
    let theirs = r#"{"status":{"conditions":[{"type":"example.org/theirs","status":"True"}]}}"#;
    h.cluster.kubectl(&["patch", "pod", name, "-n", &ns, "--subresource=status", "-p", theirs]).unwrap();
    h.pod(name, |pod| pod.status.condition("example.org/theirs").is_some()).await;

    let wanted = running("192.0.2.2");
    patch(&mut h, &pod.pod, &wanted).await.unwrap();
    let mut seen = h.pod(name, |pod| pod.status.phase == Phase::Running).await.status;
    assert!(seen.condition("example.org/theirs").is_some());
    seen.conditions.retain(|have| wanted.condition(&have.kind).is_some());
    seen.conditions.sort_by_key(|have| std::cmp::Reverse(have.kind.clone()));
    assert_eq!(seen, wanted);

    // A base that moved, and then one that is gone.
    patch(&mut h, &pod.pod, &running("192.0.2.3")).await.unwrap();
    let json = h.cluster.kubectl_json(&["get", "pod", name, "-n", &ns]).unwrap();
    assert_eq!(json["status"]["podIPs"], serde_json::json!([{ "ip": "192.0.2.3" }]));
    let lost = PodStatus {
        conditions: vec![condition("Ready", ConditionStatus::False, "BaseSilent")],
        ..PodStatus::default()
    };
    patch(&mut h, &pod.pod, &lost).await.unwrap();
    let silent =
        |status: &PodStatus| status.condition("Ready").is_some_and(|ready| *ready.reason == *"BaseSilent");
    let seen = h.pod(name, |pod| silent(&pod.status)).await.status;
    assert_eq!((&*seen.pod_ip, seen.started), ("", None));
    assert_eq!((seen.phase, &*seen.host_ip, seen.containers.len()), (Phase::Pending, "", 0));
    assert_eq!(seen.condition("ContainersReady").unwrap().status, ConditionStatus::True);
    let json = h.cluster.kubectl_json(&["get", "pod", name, "-n", &ns]).unwrap();
    assert!(json["status"].get("podIPs").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_holds_for_the_pod_that_is_meant() {
    let mut h = Harness::start().await;
    let node = unique("virtual-node-meant");
    h.create_node(&vnode(&node)).await;
    let ns = h.cluster.namespace("meant").unwrap();
    let name = &unique("meant");
    h.create_pod(&ns, name, &node, MODULE, "");
    let pod = h.pod(name, |_| true).await.pod;
    let other = PodRef { uid: "00000000-0000-0000-0000-000000000000".into(), ..pod.clone() };
    let missing = PodRef { name: "missing".into(), ..other.clone() };

    let result = patch(&mut h, &other, &running("192.0.2.2")).await;
    assert!(matches!(result, Err(WriteError::Conflict(_))), "{result:?}");
    let result = patch(&mut h, &missing, &running("192.0.2.2")).await;
    assert!(matches!(result, Err(WriteError::NotFound(_))), "{result:?}");
    let nonsense = PodStatus { pod_ip: "nonsense".into(), ..running("192.0.2.2") };
    let result = patch(&mut h, &pod, &nonsense).await;
    assert!(matches!(result, Err(WriteError::Refused(_))), "{result:?}");

    delete(&mut h, &other).await.unwrap();
    delete(&mut h, &missing).await.unwrap();
    h.cluster.kubectl(&["get", "pod", name, "-n", &ns]).unwrap();
    // As it is when a user deletes it: it waits for us, whatever its grace period.
    h.cluster.kubectl(&["delete", "pod", name, "-n", &ns, "--wait=false"]).unwrap();
    h.pod(name, |pod| pod.deletion.is_some()).await;
    delete(&mut h, &pod).await.unwrap();
    h.pod_gone(name).await;
    delete(&mut h, &pod).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_told_once_and_pods_of_other_nodes_never() {
    let mut h = Harness::start().await;
    let node = unique("virtual-node-once");
    h.create_node(&vnode(&node)).await;
    let ns = h.cluster.namespace("once").unwrap();
    let name = &unique("once");
    h.create_pod(&ns, "foreign", "real-node", "{}", "");
    h.create_pod(&ns, name, &node, "{}", "");
    let pod = h.pod(name, |_| true).await.pod;
    patch(&mut h, &pod, &running("192.0.2.2")).await.unwrap();
    h.create_pod(&ns, "later", &node, "{}", "");
    h.pod("later", |_| true).await;

    let told = |event: &Event, name: &str| matches!(event, Event::Cluster(ClusterEvent::Pod(pod)) if *pod.pod.name == *name);
    assert!(h.also_told(|event| told(event, "foreign")).is_empty());
    let first = h.pod(name, |pod| pod.status.phase == Phase::Running).await;
    let version = first.resource_version;
    let echo = |event: &Event| matches!(event, Event::Cluster(ClusterEvent::Pod(again)) if again.resource_version == version);
    assert_eq!(h.also_told(echo), Vec::<&Event>::new());
}
