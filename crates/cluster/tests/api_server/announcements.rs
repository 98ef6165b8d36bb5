//! Events that people see.

use std::time::Duration;

use engine::{Announcement, Regarding};
use serde_json::Value;
use testkit::wait::wait_for;

use crate::harness::{Harness, unique, vnode};

fn announcement(regarding: Regarding, note: &str) -> Announcement {
    Announcement {
        regarding,
        warning: true,
        reason: "Arklet.InstallModuleFailed".into(),
        action: "InstallBiz",
        note: note.into(),
        code: None,
        detail: String::new(),
        what: note.into(),
        base: "announce".parse().ok(),
        biz: None,
        trace: 0xc0_ffee.into(),
        alarm: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_written_with_their_object_and_repeats_are_counted_at_the_end() {
    let mut h = Harness::start().await;
    let name = unique("virtual-node-announce");
    let node = h.create_node(&vnode(&name)).await;
    h.create_pod("default", &name, &name, "{}", "");
    let pod = h.pod(&name, |_| true).await.pod;

    for _ in 0..3 {
        h.writer.announce(announcement(Regarding::Pod(pod.clone()), "it failed"));
    }
    h.writer.announce(announcement(
        Regarding::Node { name: node.name.clone(), uid: node.uid.clone() },
        &"long ".repeat(500),
    ));
    assert!(h.writer.shutdown(Duration::from_secs(20)).await);

    let events = |kind: &str| -> Vec<Value> {
        let selector = format!("regarding.name={name},regarding.kind={kind}");
        let args = ["get", "events.v1.events.k8s.io", "-n", "default", "--field-selector", &selector];
        let mut list = h.cluster.kubectl_json(&args).unwrap();
        let mine = |event: &Value| event["reportingInstance"] == "tester";
        serde_json::from_value::<Vec<Value>>(list["items"].take()).unwrap().into_iter().filter(mine).collect()
    };
    let of_pod = wait_for("the Pod's Event", Duration::from_secs(10), || {
        Ok(Some(events("Pod")).filter(|events| !events.is_empty()))
    })
    .unwrap();
    let [event] = &of_pod[..] else { panic!("{of_pod:#?}") };
    assert_eq!((&event["note"], &event["type"]), (&"it failed".into(), &"Warning".into()));
    assert_eq!(event["regarding"]["uid"], &*pod.uid);
    assert_eq!(event["series"]["count"], 3);
    let annotations = &event["metadata"]["annotations"];
    assert_eq!(annotations["module-controller.koupleless.io/trace-id"], "0000000000c0ffee");
    let of_node = events("Node");
    assert_eq!(of_node.len(), 1);
    assert!(of_node[0]["note"].as_str().unwrap().ends_with('…'));
    let counts = h.writer.counters().snapshot();
    assert_eq!((counts.announced, counts.repeated, counts.announcements_dropped), (2, 2, 0));
}
