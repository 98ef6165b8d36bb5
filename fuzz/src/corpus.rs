//! What messages are made of: the recordings of real bases, a real Pod, and the messages that are kept because they once
//! did harm or are known to be nasty.

use std::{fs, io, path::Path};

use arklet::CommandKind;
use serde_json::Value;

use crate::message::Message;

/// The recordings that the golden tests of `arklet` and `cluster` read too, and our own messages.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/arklet/testdata");
const POD: &str = include_str!("../../crates/cluster/testdata/pod.json");
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

/// Samples, by what they are.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Bodies of heartbeats over HTTP.
    pub heartbeats: Vec<String>,
    /// Bodies of questions for the baseline over HTTP.
    pub queries: Vec<String>,
    /// Answers over HTTP, with their commands.
    pub answers: Vec<(CommandKind, String)>,
    /// What bases published over MQTT: the topic's last part, and the payload.
    pub published: Vec<(String, String)>,
    /// Pods as the API server has them.
    pub pods: Vec<String>,
    /// What is sent as it is before anything is changed.
    pub kept: Vec<(String, Message)>,
}

impl Corpus {
    /// Reads all that there is in the repository.
    ///
    /// # Errors
    /// Where a file cannot be read, or holds what its folder does not.
    pub fn load() -> io::Result<Self> {
        let mut pod: Value = serde_json::from_str(POD)?;
        // Two thirds of it, and nobody reads them.
        pod.pointer_mut("/metadata/managedFields").map(Value::take);
        let mut corpus = Self { pods: vec![pod.to_string()], ..Self::default() };
        for (name, text) in files(Path::new(RECORDINGS))? {
            // A recording is one document, or one on each line; all else in the folders is prose.
            let documents: Vec<&str> = match name.rsplit_once('.') {
                Some((_, "json")) => vec![&*text],
                Some((_, "jsonl")) => text.lines().collect(),
                _ => continue,
            };
            for document in documents {
                corpus.record(&serde_json::from_str(document)?);
            }
        }
        for (name, text) in files(Path::new(KEPT))? {
            let message =
                kept(&name, text.trim_end_matches('\n')).ok_or_else(|| io::Error::other(name.clone()))?;
            corpus.keep(name, message);
        }
        Ok(corpus)
    }

    /// Takes every message out of a recording, wherever it lies in it.
    fn record(&mut self, value: &Value) {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if let (Some(request), Some(response)) = (value.get("request"), value.get("response")) {
            let command =
                text(request, "path").and_then(|path| CommandKind::from_name(path.trim_start_matches('/')));
            self.answers.extend(command.zip(text(response, "body_raw")));
        } else if let (Some(topic), Some(payload)) = (text(value, "topic"), text(value, "payload_raw")) {
            let channel = topic.split_once("/base/").map(|(_, channel)| channel.to_owned());
            self.published.extend(channel.map(|channel| (channel, payload)));
        } else if let (Some("/heartbeat"), Some(body)) =
            (text(value, "path").as_deref(), text(value, "body_raw"))
        {
            self.heartbeats.push(body);
        } else if let Some(list) = value.as_array() {
            list.iter().for_each(|value| self.record(value));
        } else if let Some(map) = value.as_object() {
            map.values().for_each(|value| self.record(value));
        }
    }

    fn keep(&mut self, name: String, message: Message) {
        match &message {
            Message::Heartbeat(body) => self.heartbeats.push(lossy(body)),
            Message::BaselineQuery(body) => self.queries.push(lossy(body)),
            Message::Answer(command, body) => self.answers.push((*command, lossy(body))),
            Message::Published { topic, payload } => {
                let channel = topic.split_once("/base/").map_or(&**topic, |(_, channel)| channel);
                self.published.push((channel.to_owned(), lossy(payload)));
            }
            Message::Pod(json) => self.pods.push(json.clone()),
        }
        self.kept.push((name, message));
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A kept message, by its folder: `answer/<command>-<what>`, `published/<what>` with the topic on its first line, or a body.
fn kept(name: &str, text: &str) -> Option<Message> {
    let (folder, file) = name.split_once('/')?;
    let bytes = text.as_bytes().to_vec();
    Some(match folder {
        "heartbeat" => Message::Heartbeat(bytes),
        "query" => Message::BaselineQuery(bytes),
        "pod" => Message::Pod(text.to_owned()),
        "answer" => Message::Answer(CommandKind::from_name(file.split('-').next()?)?, bytes),
        "published" => {
            let (topic, payload) = text.split_once('\n')?;
            Message::Published { topic: topic.to_owned(), payload: payload.as_bytes().to_vec() }
        }
        _ => return None,
    })
}

/// Every file below a folder, in order, with its path below it.
fn files(root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}
