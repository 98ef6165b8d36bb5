//! Arklet over MQTT.

use arklet::{Message, parse_message};
use model::BaseState;
use serde_json::Value;

use crate::{
    recordings::{Published, env, files, published},
    summary,
};

/// What each recording comes to; the messages of one file are numbered from 0.
const EXPECTED: &str = include_str!("mqtt.tsv");

fn read(message: &Published) -> Message {
    let read = parse_message(env(&message.topic), &message.topic, message.payload.as_bytes());
    read.unwrap_or_else(|error| panic!("{}: {error}", message.file))
        .unwrap_or_else(|| panic!("{}", message.file))
}

/// One line of what a message says, the base left out.
fn line(message: &Message) -> String {
    match message {
        Message::Heartbeat(report) => {
            let name = report.name.as_deref().unwrap_or("-");
            assert_eq!((report.port, report.state), (None, BaseState::Activated));
            format!("heartbeat {} {name} {} {}", report.identity, report.version, report.cluster)
        }
        Message::Answer { key, outcome, .. } => {
            let biz = key.biz.as_ref().map(|biz| format!(" {biz}")).unwrap_or_default();
            format!("{}{biz}: {}", key.command, summary::outcome(key.command, outcome))
        }
        Message::BaselineQuery(query) => {
            let name = query.name.as_deref().unwrap_or("-");
            format!("baseline query {} {name} {} {}", query.identity, query.version, query.cluster)
        }
    }
}

#[test]
fn every_message_is_what_the_table_says() {
    let expected = summary::table(EXPECTED);
    let (mut seen, mut last, mut number) = (0, String::new(), 0);
    for message in published() {
        number = if message.file == last { number + 1 } else { 0 };
        last.clone_from(&message.file);
        let key = format!("{last}#{number}");
        let read = read(&message);
        let found = line(&read);
        match expected.get(key.as_str()) {
            Some(expected) => assert_eq!(found, **expected, "{key}"),
            // A failure must be in the table, with its code.
            None => assert!(!matches!(read, Message::Answer { outcome: Err(_), .. }), "{key}\t{found}"),
        }
        seen += usize::from(expected.contains_key(key.as_str()));
    }
    assert_eq!(seen, expected.len(), "the table names recordings that are not there");
}

#[test]
fn an_answer_names_the_base_of_its_topic() {
    for message in published() {
        if let Message::Answer { base, .. } = read(&message) {
            assert!(message.topic.contains(&format!("/{base}/base/")), "{}", message.file);
        }
    }
}

#[test]
fn messages_of_another_environment_carry_nothing() {
    for message in published() {
        assert_eq!(parse_message("other", &message.topic, message.payload.as_bytes()), Ok(None));
    }
}

#[test]
fn what_we_publish_ourselves_carries_nothing() {
    for (file, text) in files("mqtt", "json") {
        let value: Value = serde_json::from_str(&text).unwrap();
        let Some(topic) = value["published"]["topic"].as_str() else { continue };
        let payload = value["published"]["payload_raw"].as_str().unwrap();
        assert_eq!(parse_message(env(topic), topic, payload.as_bytes()), Ok(None), "{file}");
    }
}
