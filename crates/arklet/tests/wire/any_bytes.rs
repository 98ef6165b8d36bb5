//! Whatever arrives, nothing panics, nothing grows, and what is read is what was meant.

use std::sync::LazyLock;

use arklet::{
    Answer, CallError, Command, CommandKind, Message, WireStrategy, parse_answer, parse_baseline_query,
    parse_heartbeat, parse_message,
};
use model::{BizId, InstallStrategy, ModuleSpec};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::recordings::{calls, posted, published};

const CHANNELS: [&str; 8] = [
    "heart",
    "health",
    "simpleBiz",
    "biz",
    "bizOperation",
    "batchInstallBizResponse",
    "queryBaseline",
    "baseline",
];

/// The most that an error may show, in characters: 200 of the text and what is said about it.
const MAX_ERROR_CHARS: usize = 700;

/// Every text that a base was recorded to send, short ones first so that failures shrink well.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut seeds: Vec<String> = calls().into_iter().filter_map(|call| call.answer).collect();
    seeds.extend(posted().into_iter().map(|(_, body)| body));
    seeds.extend(published().into_iter().map(|message| message.payload));
    seeds.sort_by_key(|seed| seed.len());
    seeds.dedup();
    seeds
});

/// Reads the bytes in every way that there is.
fn read(bytes: &[u8]) {
    for command in CommandKind::ALL {
        checked(command, &parse_answer(command, bytes));
    }
    for error in [parse_heartbeat(bytes).err(), parse_baseline_query(bytes).err()].into_iter().flatten() {
        assert!(error.to_string().chars().count() <= MAX_ERROR_CHARS, "{error}");
    }
    for channel in CHANNELS {
        match parse_message("dev", &format!("koupleless_dev/b1/base/{channel}"), bytes) {
            Ok(Some(Message::Answer { key, outcome, .. })) => checked(key.command, &outcome),
            Ok(_) => {}
            Err(error) => assert!(error.to_string().chars().count() <= MAX_ERROR_CHARS, "{error}"),
        }
    }
}

/// What is shown is one short line, whatever the base said.
fn checked(command: CommandKind, outcome: &arklet::Outcome) {
    let Err(error) = outcome else { return };
    let fault = error.to_fault(command, "testing".to_owned());
    assert!(
        fault.cause.english().chars().count() <= MAX_ERROR_CHARS && !fault.cause.english().contains('\n'),
        "{fault:?}"
    );
    if let CallError::Refused(failure) = error {
        assert!(failure.cause.chars().count() <= 300 && failure.detail.chars().count() <= 32 * 1024);
    }
}

/// A change to a recording: cut off, one bit turned over, a piece taken out or put in twice.
#[derive(Debug, Clone)]
enum Change {
    Truncate,
    Flip(u8),
    Remove(usize),
    Double(usize),
}

fn changed(seed: &str, at: prop::sample::Index, change: &Change) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let at = at.index(bytes.len());
    let end = |length: usize| (at + length).min(seed.len());
    match change {
        Change::Truncate => bytes.truncate(at),
        Change::Flip(bit) => bytes[at] ^= 1 << (bit % 8),
        Change::Remove(length) => drop(bytes.drain(at..end(*length))),
        Change::Double(length) => {
            let piece = bytes[at..end(*length)].to_vec();
            bytes.splice(at..at, piece);
        }
    }
    bytes
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Truncate),
        any::<u8>().prop_map(Change::Flip),
        (1..64_usize).prop_map(Change::Remove),
        (1..64_usize).prop_map(Change::Double),
    ]
}

/// JSON with the protocol's own words in it, in any place.
fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "SUCCESS",
        "FAILED",
        "REPEAT_BIZ",
        "CMD_NOT_FOUND",
        "EXECUTING",
        "activated",
        "installBiz",
        "b1",
        "1.0.0",
        "",
        "a\n\tat b\nCaused by: c",
        "Child name [",
        "http://u:p@h/?q",
    ];
    let keys = [
        "code",
        "data",
        "message",
        "errorStackTrace",
        "bizInfos",
        "bizName",
        "bizVersion",
        "bizState",
        "bizStateRecords",
        "changeTime",
        "name",
        "version",
        "state",
        "command",
        "response",
        "status",
        "throwable",
        "cause",
        "baseMetadata",
        "identity",
        "localIP",
        "port",
        "healthData",
        "jvm",
        "masterBizInfo",
        "java max metaspace",
        "bizUrlToResponse",
        "clusterName",
        "latestStateRecord",
        "webContextPath",
        "id",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(words.to_vec()).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(keys.to_vec()), inner), 0..8).prop_map(|map| {
                Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    "[^\\s\\p{C}]{1,40}"
}

prop_compose! {
    fn biz()(name in word(), version in word()) -> BizId {
        BizId { name: name.parse().unwrap(), version: version.parse().unwrap() }
    }
}

prop_compose! {
    fn module()(id in biz(), file in "[a-z]{1,9}", args in vec(".{0,20}", 0..3), envs in vec((".{0,9}", ".{0,9}"), 0..3))
        -> ModuleSpec
    {
        ModuleSpec {
            id,
            url: format!("file:///{file}").parse().unwrap(),
            strategy: InstallStrategy::Auto,
            args: args.into(),
            envs: envs.into(),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        read(&bytes);
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        read(value.to_string().as_bytes());
        read(json!({ "code": "SUCCESS", "data": value }).to_string().as_bytes());
        read(json!({ "code": "FAILED", "data": value }).to_string().as_bytes());
        read(json!({ "data": value }).to_string().as_bytes());
    }

    #[test]
    fn any_topic_is_read_or_refused(topic in "(koupleless_dev/)?.{0,40}(/base/(heart|health|x))?", env in ".{0,9}") {
        let _ = parse_message("dev", &topic, b"{}");
        let _ = parse_message(&env, &topic, b"{}");
    }

    #[test]
    fn a_damaged_recording_is_read_or_refused(
        seed in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), change in change()
    ) {
        read(&changed(&SEEDS[seed.index(SEEDS.len())], at, &change));
    }

    #[test]
    fn every_install_is_json_that_says_what_was_asked(spec in module(), replace: bool) {
        let strategy = if replace { WireStrategy::UninstallThenInstall } else { WireStrategy::InstallOnly };
        let body: Value = serde_json::from_slice(&Command::InstallBiz { spec: spec.clone(), strategy }.body()).unwrap();
        prop_assert_eq!(&body["bizName"], spec.id.name.as_str());
        prop_assert_eq!(&body["bizVersion"], spec.id.version.as_str());
        prop_assert_eq!(&body["bizUrl"], spec.url.as_written());
        prop_assert_eq!(body.get("installStrategy").is_some(), replace);
        let args = body.get("args").cloned().unwrap_or(json!([]));
        prop_assert_eq!(args, json!(&*spec.args));
        for (name, value) in spec.envs.iter().rev() {
            let last = spec.envs.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value);
            prop_assert!(last != Some(value) || body["envs"][name] == json!(value));
        }
    }

    #[test]
    fn a_list_is_read_back_as_it_was_meant(ids in vec(biz(), 0..5), simple: bool) {
        let entry = |id: &BizId| if simple {
            json!({ "name": id.name.as_str(), "version": id.version.as_str(), "state": "ACTIVATED" })
        } else {
            json!({ "bizName": id.name.as_str(), "bizVersion": id.version.as_str(), "bizState": "activated" })
        };
        let body = json!({ "code": "SUCCESS", "data": ids.iter().map(entry).collect::<Vec<_>>() }).to_string();
        match parse_answer(CommandKind::QueryAllBiz, body.as_bytes()) {
            Ok(Answer::Biz(list)) => prop_assert_eq!(list.into_iter().map(|biz| biz.id).collect::<Vec<_>>(), ids),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
