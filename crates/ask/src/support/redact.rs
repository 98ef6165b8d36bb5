//! What leaves the house is without secrets: what may be one is taken out, rather once too often.

use serde_json::{Map, Value};

/// What stands where something was.
const REDACTED: &str = "(redacted)";
/// What the name of a variable has that may hold a secret, in small letters.
const SECRET: [&str; 8] = ["pass", "secret", "token", "key", "hook", "credential", "auth", "cert"];
/// Annotations whose values are a copy of the object, or a key, or what modules are given.
const ANNOTATIONS: [&str; 4] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "module-controller.koupleless.io/forward-key",
    "module-controller.koupleless.io/envs",
    "module-controller.koupleless.io/args",
];

/// An object of Kubernetes without what may be a secret.
pub(super) fn object(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    walk(&mut object, "");
    object
}

fn walk(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            if key == "annotations" {
                annotations(map);
            }
            for (key, value) in map.iter_mut() {
                walk(value, key);
            }
        }
        Value::Array(list) if key == "env" => list.iter_mut().for_each(variable),
        // Arguments of a program are as good a place for a password as any.
        Value::Array(list) if ["args", "command"].contains(&key) => {
            list.iter_mut().for_each(|argument| *argument = REDACTED.into());
        }
        Value::Array(list) => list.iter_mut().for_each(|value| walk(value, "")),
        Value::String(said) => *said = text(said),
        _ => {}
    }
}

fn annotations(map: &mut Map<String, Value>) {
    for (key, value) in map.iter_mut() {
        if ANNOTATIONS
            .iter()
            .any(|name| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
        {
            *value = REDACTED.into();
        }
    }
}

/// Of a variable only what surely is none: the settings of the controller that are not, and a module's version.
fn variable(variable: &mut Value) {
    let name = variable.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_setting = name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        && [
            "ENABLE_",
            "MQTT_",
            "HTTP_TUNNEL_",
            "VNODE_",
            "BASE_",
            "BIZ_VERSION",
            "ENV",
            "NAMESPACE",
            "IS_CLUSTER",
            "CLIENT_ID",
            "LOG_",
            "ADMIN_LISTEN",
            "MODULE_DRAIN_MS",
            "UNMANAGED_",
            "WORKLOAD_MAX_LEVEL",
            "FORWARD_PORT",
            "POD_",
        ]
        .iter()
        .any(|start| name.starts_with(start));
    let may_be_secret = SECRET.iter().any(|word| name.to_ascii_lowercase().contains(word));
    if let Some(value) = variable.get_mut("value") {
        match is_setting && !may_be_secret {
            true => walk(value, ""),
            false => *value = REDACTED.into(),
        }
    }
}

/// A text without the credentials and the queries of the URLs in it, and without bearer tokens.
pub(super) fn text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'<>`,)]}".contains(c)).unwrap_or(after.len());
        let (url, left) = after.split_at(end);
        clean.push_str(&url_without_secrets(url));
        rest = left;
    }
    clean.push_str(rest);
    for word in ["Bearer ", "bearer ", "access_token=", "password="] {
        clean = without_what_follows(&clean, word);
    }
    clean
}

/// What follows the scheme of a URL, without what stands before an `@` and behind a `?`.
fn url_without_secrets(url: &str) -> String {
    let (place, query) = url.split_once('?').map_or((url, false), |(place, _)| (place, true));
    let (host, path) = place.split_once('/').map_or((place, ""), |(host, path)| (host, path));
    let shown = host.rsplit_once('@').map_or(host.to_owned(), |(_, host)| format!("{REDACTED}@{host}"));
    let path = if place.contains('/') { format!("/{path}") } else { String::new() };
    format!("{shown}{path}{}", if query { format!("?{REDACTED}") } else { String::new() })
}

fn without_what_follows(text: &str, word: &str) -> String {
    let mut parts = text.split(word);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "\"',&)]}".contains(c)).unwrap_or(part.len());
        clean.push_str(word);
        clean.push_str(REDACTED);
        clean.push_str(part.get(end..).unwrap_or_default());
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let secret = "s3cr3t";
        let pod = json!({
            "metadata": {
                "name": "p", "managedFields": [{"manager": secret}],
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": secret,
                    "module-controller.koupleless.io/envs.biz1": secret,
                    "module-controller.koupleless.io/forward-key": secret,
                    "note": "kept",
                },
            },
            "spec": {"containers": [{
                "image": format!("https://user:{secret}@packages.example/biz.jar?token={secret}"),
                "args": [format!("--password={secret}")],
                "env": [
                    {"name": "BIZ_VERSION", "value": "1.0.0"}, {"name": "DB_URL", "value": secret},
                    {"name": "MQTT_PASSWORD", "value": secret}, {"name": "MQTT_BROKER", "value": format!("tcp://u:{secret}@broker:1883")},
                    {"name": "REPORT_HOOKS", "value": secret},
                ],
            }]},
            "status": {"message": format!("GET https://host/x?access_token={secret}: refused, Bearer {secret}, password={secret}")},
        });
        let clean = object(pod).to_string();
        assert!(!clean.contains(secret), "{clean}");
        for kept in ["kept", "1.0.0", "packages.example/biz.jar", "broker:1883", "refused", "\"p\""] {
            assert!(clean.contains(kept), "{kept} is not in {clean}");
        }
    }

    #[test]
    fn a_text_without_urls_is_as_it_was() {
        for same in ["", "nothing", "a://b", "https://host/path done", "time 10:20"] {
            assert_eq!(text(same), same);
        }
    }
}
