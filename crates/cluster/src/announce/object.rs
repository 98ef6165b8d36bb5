//! The `events.k8s.io/v1` Event, as JSON.

use engine::{Announcement, Regarding};
use jiff::Timestamp;
use model::Language;
use serde_json::{Value, json};

/// The longest `note` that the API server takes, in bytes.
const MAX_NOTE: usize = 1024;
/// The longest `reason`, `action` and `reportingInstance` that the API server takes, in bytes.
pub(super) const MAX_WORD: usize = 128;
/// The annotation that ties the Event to the log and to the report. Not in the `note`, by which a
/// repeated Event is known.
const TRACE: &str = "module-controller.koupleless.io/trace-id";
/// The longest object name.
const MAX_NAME: usize = 253;

/// Where the Event lives: with the Pod, or for a Node where Kubernetes puts it.
pub(super) fn namespace(regarding: &Regarding) -> &str {
    match regarding {
        Regarding::Pod(pod) => &pod.namespace,
        Regarding::Workload(workload) => &workload.namespace,
        Regarding::Plan(plan) => &plan.namespace,
        Regarding::Node { .. } => "default",
    }
}

/// `<object>.<hex>`, as all Events are named; the object's name is shortened where both are too
/// long. The counter keeps two of one microsecond apart.
pub(super) fn name(regarding: &Regarding, now: Timestamp, counter: u16) -> String {
    let object = match regarding {
        Regarding::Pod(pod) => &pod.name,
        Regarding::Node { name, .. } => name,
        Regarding::Workload(workload) => &workload.name,
        Regarding::Plan(plan) => &plan.name,
    };
    let suffix = format!(".{:x}{counter:04x}", now.as_microsecond());
    let object: String = object.chars().take(MAX_NAME.saturating_sub(suffix.len())).collect();
    format!("{}{suffix}", object.trim_end_matches(['-', '.']))
}

/// The whole Event.
pub(super) fn event(
    announcement: &Announcement,
    name: &str,
    namespace: &str,
    (instance, language): (&str, Language),
    now: Timestamp,
) -> Value {
    let regarding = match &announcement.regarding {
        Regarding::Pod(pod) => json!({
            "apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid,
        }),
        Regarding::Workload(workload) => json!({
            "apiVersion": "apps/v1", "kind": workload.kind.as_str(), "namespace": workload.namespace,
            "name": workload.name, "uid": workload.uid,
        }),
        Regarding::Plan(plan) => json!({
            "apiVersion": "koupleless.io/v1alpha1", "kind": "OperationPlan", "namespace": plan.namespace,
            "name": plan.name, "uid": plan.uid,
        }),
        // `kubectl describe node` looks for Events by UID, and also by name in the UID's place, as
        // kubelets write them.
        Regarding::Node { name, uid } => json!({
            "apiVersion": "v1", "kind": "Node", "name": name, "uid": if uid.is_empty() { name } else { uid },
        }),
    };
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": { TRACE: announcement.trace.to_string() },
        },
        "eventTime": micros(now),
        "type": if announcement.warning { "Warning" } else { "Normal" },
        "reason": cut(&announcement.reason, MAX_WORD),
        "action": cut(announcement.action, MAX_WORD),
        "note": cut(announcement.note.of(language), MAX_NOTE),
        "regarding": regarding,
        "reportingController": "koupleless.io/module-controller",
        "reportingInstance": instance,
    })
}

/// A merge patch: seen so often, last at that time.
pub(super) fn series(count: u32, last: Timestamp) -> Value {
    json!({ "series": { "count": count, "lastObservedTime": micros(last) } })
}

fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// At most so many bytes, with `…` where something was left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    const MORE: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(MORE.len()));
    format!("{}{MORE}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use engine::view::PodRef;
    use model::{Bilingual, bilingual};

    use super::*;

    fn at() -> Timestamp {
        "2026-11-22T10:00:00.123456789Z".parse().unwrap()
    }

    fn pod() -> Regarding {
        Regarding::Pod(PodRef { namespace: "ns".into(), name: "biz1-a".into(), uid: "u-1".into() })
    }

    fn node(uid: &str) -> Regarding {
        Regarding::Node { name: "virtual-node-a".into(), uid: uid.into() }
    }

    #[test]
    fn an_event_has_all_that_the_api_server_wants() {
        let announcement = Announcement {
            regarding: pod(),
            warning: true,
            reason: "User.PullBizError".into(),
            action: "InstallBiz",
            note: bilingual!("no", "否"),
            code: None,
            detail: "never in the Event".into(),
            what: Bilingual::default(),
            base: "a".parse().ok(),
            biz: None,
            trace: 0xc0_ffee.into(),
            alarm: None,
        };
        let name = name(&announcement.regarding, at(), 7);
        assert_eq!(
            event(&announcement, &name, namespace(&announcement.regarding), ("me", Language::English), at()),
            json!({
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {
                    "name": "biz1-a.660da8a536a400007",
                    "namespace": "ns",
                    "annotations": { "module-controller.koupleless.io/trace-id": "0000000000c0ffee" },
                },
                "eventTime": "2026-11-22T10:00:00.123456Z",
                "type": "Warning",
                "reason": "User.PullBizError",
                "action": "InstallBiz",
                "note": "no",
                "regarding": { "apiVersion": "v1", "kind": "Pod", "namespace": "ns", "name": "biz1-a", "uid": "u-1" },
                "reportingController": "koupleless.io/module-controller",
                "reportingInstance": "me",
            })
        );
        let chinese =
            event(&announcement, &name, namespace(&announcement.regarding), ("me", Language::Chinese), at());
        assert_eq!(chinese["note"], "否");
    }

    #[test]
    fn a_node_whose_uid_is_unknown_is_named_as_kubelets_do() {
        let announcement = Announcement {
            regarding: node(""),
            warning: false,
            reason: "Registered".into(),
            action: "Register",
            note: Bilingual::default(),
            code: None,
            detail: String::new(),
            what: Bilingual::default(),
            base: "a".parse().ok(),
            biz: None,
            trace: 0.into(),
            alarm: None,
        };
        let with = |uid| Announcement { regarding: node(uid), ..announcement.clone() };
        let uid = |a: &Announcement| {
            event(a, "n", namespace(&a.regarding), ("me", Language::English), at())["regarding"]["uid"]
                .clone()
        };
        assert_eq!(uid(&announcement), "virtual-node-a");
        assert_eq!(uid(&with("u-2")), "u-2");
        assert_eq!(namespace(&announcement.regarding), "default");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "…");
        let long = cut(&"基座".repeat(400), MAX_NOTE);
        assert!(long.len() <= MAX_NOTE && long.len() > MAX_NOTE - 3);
        assert!(long.ends_with("座…") || long.ends_with("基…"));
    }

    #[test]
    fn long_names_leave_room_for_what_tells_them_apart() {
        let long = Regarding::Node {
            name: format!("{}.{}", "a".repeat(234), "b".repeat(18)).into(),
            uid: "".into(),
        };
        let name = name(&long, at(), 1);
        assert!(name.len() <= MAX_NAME);
        assert!(!name.contains(".."), "{name}");
    }
}
