//! Reading objects that kubectl gave.

use serde_json::Value;

/// The condition of a type; null where there is none.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind)).unwrap_or(&Value::Null)
}

/// A Pod's condition Ready is true.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready")["status"] == "True"
}

/// What a failed wait says of a Pod.
pub fn summary(pod: &Value) -> String {
    let status = &pod["status"];
    let states: Vec<&Value> = status["containerStatuses"]
        .as_array()
        .map(|all| all.iter().map(|one| &one["state"]).collect())
        .unwrap_or_default();
    format!(
        "{} on {} {} ready={} {states:?}",
        pod["metadata"]["name"],
        pod["spec"]["nodeName"],
        status["phase"],
        is_ready(pod)
    )
}

/// A text at a path like `/metadata/name`; empty where there is none.
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
