//! The recordings as they lie on disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A message that a base published over MQTT.
pub(crate) struct Published {
    /// Where it was recorded.
    pub(crate) file: String,
    /// The topic that it came on.
    pub(crate) topic: String,
    /// What it said.
    pub(crate) payload: String,
}

/// A call over HTTP and its answer.
pub(crate) struct Call {
    /// Where it was recorded.
    pub(crate) file: String,
    /// `POST` or `GET`.
    pub(crate) method: String,
    /// The path without its slash: the command's name.
    pub(crate) path: String,
    /// What was asked.
    pub(crate) request: String,
    /// What was answered; none where the base never did.
    pub(crate) answer: Option<String>,
}

pub(crate) fn testdata(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(below)
}

/// Every file of an extension, at any depth, in order, with its path below `testdata`.
pub(crate) fn files(below: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![testdata(below)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                let name = path.strip_prefix(testdata("")).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no recordings below {below}");
    found
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every call over HTTP.
pub(crate) fn calls() -> Vec<Call> {
    let parse = |(file, text): (String, String)| {
        let value: Value = serde_json::from_str(&text).unwrap();
        let (request, response) = (&value["request"], &value["response"]);
        Call {
            file,
            method: string(&request["method"]),
            path: string(&request["path"]).trim_start_matches('/').to_owned(),
            request: string(&request["body_raw"]),
            answer: response["body_raw"].as_str().map(str::to_owned),
        }
    };
    files("http", "json").into_iter().map(parse).collect()
}

/// The body of every heartbeat over HTTP.
pub(crate) fn posted() -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    for (file, text) in files("http-tunnel", "jsonl") {
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["path"], "/heartbeat", "{file}");
            bodies.push((file.clone(), string(&value["body_raw"])));
        }
    }
    bodies
}

/// Every message that a base published over MQTT.
pub(crate) fn published() -> Vec<Published> {
    let mut messages = Vec::new();
    for (file, text) in files("mqtt", "json") {
        let value: Value = serde_json::from_str(&text).unwrap();
        let received = if value.is_array() { &value } else { &value["received"] };
        messages.extend(received.as_array().unwrap().iter().map(|message| Published {
            file: file.clone(),
            topic: string(&message["topic"]),
            payload: string(&message["payload_raw"]),
        }));
    }
    // A subscriber's log, our own messages among the base's: time, topic, payload.
    for (file, text) in files("mqtt", "txt") {
        for line in text.lines() {
            let mut parts = line.splitn(3, ' ').skip(1);
            let (topic, payload) = (parts.next().unwrap(), parts.next().unwrap());
            if !topic.contains("/base/") {
                continue;
            }
            messages.push(Published {
                file: file.clone(),
                topic: topic.to_owned(),
                payload: payload.to_owned(),
            });
        }
    }
    messages
}

/// The environment and the base of a topic.
pub(crate) fn env(topic: &str) -> &str {
    topic.strip_prefix("koupleless_").unwrap().split('/').next().unwrap()
}

#[test]
fn every_recording_for_other_crates_is_json() {
    for (file, text) in files("health", "json") {
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{file}");
    }
}
