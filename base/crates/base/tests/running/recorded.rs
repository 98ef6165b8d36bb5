//! What a Java base was asked and answered (`crates/arklet/testdata`), asked again of this one: the same codes, the same
//! shapes, and the same meaning to the controller's own reader.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use arklet::{Answer as Read, CallError, CommandKind, Operation, parse_answer};
use samples::{Health, Sample};
use serde_json::{Map, Value};

use crate::support::{Base, Folder, serve_files, wait_for};

/// What is answered otherwise than by a Java base, and why. The rest is the code, and that of the data where it has one.
const DIFFERENCES: &[(u32, &str, &str)] = &[
    (15, "CMD_PROCESS_INTERNAL_ERROR", "Java hangs up where the body is no JSON; this base says so"),
    (
        21,
        "CMD_PROCESS_INTERNAL_ERROR",
        "a package of another name is refused, and not installed under its own",
    ),
    (24, "FAILED NOT_FOUND_BIZ", "as 21: there is nothing to uninstall"),
    (25, "CMD_PROCESS_INTERNAL_ERROR", "a package of another version is refused, as 21"),
    (28, "FAILED NOT_FOUND_BIZ", "as 25: there is nothing to uninstall"),
    (37, "SUCCESS SUCCESS", "two versions on one path are two modules here, of which one serves"),
    (40, "SUCCESS SUCCESS", "as 37: the second version is there"),
    (47, "SUCCESS SUCCESS", "as 37: the second version is there"),
    (90, "FAILED FAILED", "one bad package of a batch does not keep the others back"),
];

/// What follows from a difference: the list is another one, or another version serves.
const FOLLOWS: &[(u32, &str)] =
    &[(22, ""), (26, ""), (38, "biz1:1.0.0 activated, biz1:2.0.0 deactivated"), (45, "biz1:2.0.0 activated")];

/// What serves where the list is not the recorded one.
const SERVES: &[(u32, Option<&str>)] = &[(41, Some("2.0.0")), (46, Some("2.0.0")), (59, Some("1.0.0"))];

/// Fields that are of Java: where a package was unpacked, what it took of the metaspace, what was thrown in full.
const JAVAS: &[&str] = &[
    "bizTempWorkDir",
    "bizUrl",
    "classPath",
    "elapsedSpace",
    "threadName",
    "throwable",
    "jvm",
    "cpu",
    "pluginListInfo",
];

#[derive(Debug)]
struct Recording {
    number: u32,
    name: String,
    method: String,
    path: String,
    body: Option<String>,
    response: Value,
}

fn recordings(numbers: std::ops::RangeInclusive<u32>) -> Vec<Recording> {
    let folder =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../crates/arklet/testdata/http/2.1.11"));
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(number) = name.split('-').next().and_then(|number| number.parse().ok()) else { continue };
        if numbers.contains(&number) {
            let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let text = |key: &str| file["request"][key].as_str().map(str::to_owned);
            let recording = Recording {
                number,
                name,
                method: text("method").unwrap(),
                path: text("path").unwrap(),
                body: text("body_raw"),
                response: file["response"].clone(),
            };
            all.insert(number, recording);
        }
    }
    all.into_values().collect()
}

/// Packages that do what the recorded ones did.
fn packages(folder: &Folder) {
    let samples = [
        Sample::new("biz1", "1.0.0"),
        Sample::new("biz1", "2.0.0"),
        Sample::new("biz1", "3.0.0").path("biz1v3"),
        Sample::new("biz2", "1.0.0"),
    ];
    for (sub, health) in [("plain", Health::Unknown), ("failing", Health::Trap)] {
        let path = folder.path().join(sub);
        fs::create_dir_all(&path).unwrap();
        for sample in &samples {
            sample.clone().health(health).write(&path).unwrap();
        }
    }
}

/// The request with our packages in the place of theirs.
fn rewritten(recording: &Recording, folder: &Folder, server: &str) -> String {
    let body = recording.body.clone().unwrap_or_default();
    let sub = match &body {
        body if body.contains("--lab.fail=true") => "failing",
        // The one that is looked at while it is at work.
        _ if recording.number == 62 => {
            let slow = Health::UpFrom(SystemTime::now() + Duration::from_secs(3));
            fs::create_dir_all(folder.path().join("slow")).unwrap();
            Sample::new("biz2", "1.0.0").health(slow).write(&folder.path().join("slow")).unwrap();
            "slow"
        }
        _ => "plain",
    };
    body.replace("file:///opt/lab/dist/", &format!("file://{}/{sub}/", folder.path().display()))
        .replace("http://127.0.0.1:45749/", &format!("http://{server}/"))
        .replace("-ark-biz.jar", ".wasm")
}

fn replay(base: &Base, folder: &Folder, recordings: &[Recording]) {
    let server = serve_files(folder.path().join("plain")).to_string();
    for recording in recordings {
        let name = &recording.name;
        if recording.path.ends_with("/who") {
            serves(base, recording);
            continue;
        }
        let command = recording.path.trim_start_matches('/');
        let body = rewritten(recording, folder, &server);
        let recorded = &recording.response["body"];
        let is_over = recorded["data"]["status"].as_str().is_some_and(|status| status != "EXECUTING");
        let answer = wait_for(name, || {
            let answer = base.send(&recording.method, command, &body);
            let runs = command == "queryBizOps" && is_over && answer.body.contains("EXECUTING");
            // It is in the list when its package was read, a moment after the order was taken.
            let not_yet = recording.number == 65 && !answer.body.contains("biz2");
            if runs || not_yet { Err(answer.body) } else { Ok(answer) }
        });
        if recording.method != "POST" {
            assert_eq!(u64::from(answer.status), recording.response["status"].as_u64().unwrap(), "{name}");
            assert_eq!(answer.body, recording.response["body_raw"].as_str().unwrap(), "{name}");
            continue;
        }
        let ours = answer.json();
        assert_eq!(answer.status, 200, "{name}: {ours}");
        if let Some((_, codes_expected, why)) = DIFFERENCES.iter().find(|(one, ..)| *one == recording.number)
        {
            assert_eq!(codes(&ours), *codes_expected, "{name} ({why}): {ours}");
            continue;
        }
        assert_eq!(codes(&ours), codes(recorded), "{name}: {ours}");
        if let Some((_, list)) = FOLLOWS.iter().find(|(one, _)| *one == recording.number) {
            assert_eq!(listed(&ours).join(", "), *list, "{name}");
            continue;
        }
        if command == "queryAllBiz" {
            assert_eq!(listed(&ours), listed(recorded), "{name}");
        }
        assert_eq!(shape(&ours), shape(recorded), "{name}: {ours}");
        if let Some(kind) = CommandKind::from_name(command) {
            assert_eq!(read(kind, &ours), read(kind, recorded), "{name}: {ours}");
        }
    }
}

/// `code`, and that of the data.
fn codes(answer: &Value) -> String {
    let of = |value: &Value| value["code"].as_str().unwrap_or_default().to_owned();
    format!("{} {}", of(answer), of(&answer["data"])).trim().to_owned()
}

/// The modules of a list, sorted: Java has them in no order.
fn listed(answer: &Value) -> Vec<String> {
    let text = |biz: &Value, key: &str| biz[key].as_str().unwrap_or_default().to_owned();
    let all = answer["data"].as_array().unwrap().iter();
    let mut all: Vec<String> = all
        .map(|biz| format!("{}:{} {}", text(biz, "bizName"), text(biz, "bizVersion"), text(biz, "bizState")))
        .collect();
    all.sort();
    all
}

/// Keys and kinds of values, without what is Java's, and of a list its first entry.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ours = map.iter().filter(|(key, _)| !JAVAS.contains(&key.as_str()));
            // The URLs of a batch are ours.
            let key = |key: &String| if key.contains("://") { "url".to_owned() } else { key.clone() };
            Value::Object(ours.map(|(name, value)| (key(name), shape(value))).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.first().map(shape).into_iter().collect::<Vec<_>>().into(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Null => Value::Null,
    }
}

/// What the controller makes of it.
fn read(kind: CommandKind, answer: &Value) -> String {
    match parse_answer(kind, answer.to_string().as_bytes()) {
        Ok(Read::Installed(list)) => {
            format!(
                "installed {:?}",
                list.iter().map(|biz| (biz.id.to_string(), biz.state)).collect::<Vec<_>>()
            )
        }
        Ok(Read::Operation(Operation::Failed(failure))) => format!("failed {:?}", failure.kind),
        Ok(Read::Operation(operation)) => format!("{operation:?}"),
        Ok(Read::Uninstalled) => "uninstalled".to_owned(),
        Ok(Read::Switched) => "switched".to_owned(),
        Ok(Read::Batch(results)) => {
            let kinds = results.iter().map(|(_, result)| result.as_ref().err().map(|failure| failure.kind));
            format!("batch {:?}", kinds.collect::<Vec<_>>())
        }
        Ok(Read::Health(health)) => format!("health {:?}", health.master),
        Ok(Read::Biz(list)) => format!("{} biz", list.len()),
        Ok(Read::Help(mut names)) => {
            names.sort();
            format!("help {names:?}")
        }
        Err(CallError::Refused(failure)) => format!("refused {:?}", failure.kind),
        Err(error) => error.to_string(),
    }
}

fn serves(base: &Base, recording: &Recording) {
    let path = recording.path.trim_start_matches('/').trim_end_matches("/who");
    let recorded = recording.response["body"]["version"].as_str();
    let expected = SERVES.iter().find(|(one, _)| *one == recording.number);
    let expected = expected.map_or(recorded, |(_, version)| *version);
    assert_eq!(base.serving(path).as_deref(), expected, "{}", recording.name);
}

#[test]
fn commands_are_answered_as_by_a_java_base() {
    let base = Base::start(&[]);
    let folder = Folder::new();
    packages(&folder);
    replay(&base, &folder, &recordings(1..=47));
    // What the second version left, the recordings do not know.
    assert!(base.biz().is_empty(), "{:?}", base.biz());
    replay(&base, &folder, &recordings(48..=97));
}

#[test]
fn two_versions_on_two_paths_are_switched_as_by_a_java_base() {
    let base = Base::start(&[]);
    let folder = Folder::new();
    packages(&folder);
    replay(&base, &folder, &recordings(110..=116));
}

#[test]
fn a_broken_biz_is_kept_as_by_a_java_base() {
    let base = Base::start(&["--sofa.ark.auto.uninstall.when.failed.enable=false"]);
    let folder = Folder::new();
    packages(&folder);
    replay(&base, &folder, &recordings(120..=126));
}
