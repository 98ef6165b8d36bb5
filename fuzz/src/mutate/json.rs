//! Changes to JSON that leave it JSON: types exchanged, values that are too large, too deep, too many or too strange.

use fastrand::Rng;
use serde_json::{Value, json};

/// What no error may show: it stands in URLs as a password and as a token.
pub(crate) const SECRET: &str = "fuzzsecret";

/// How often an entry of a list is put in once more. Twenty bytes are the least that anything has of which a list is read.
const TIMES: [usize; 5] = [1, 1, 2, 30, 1_000];

/// Written as text and then unquoted, because no [`Value`] can hold it.
const RAW: [(&str, &str); 5] = [
    ("\"@huge@\"", "1e400"),
    ("\"@long@\"", "99999999999999999999999999999999999999"),
    ("\"@minus@\"", "-0"),
    ("\"@half@\"", "\"\\ud800\""),
    ("\"@twice@\"", "{\"code\":1,\"code\":\"SUCCESS\",\"code\":null}"),
];

/// Words that mean something to a base or to us, and texts that mean too much to somebody.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "\0",
    "null",
    "-1",
    "0",
    "SUCCESS",
    "FAILED",
    "REPEAT_BIZ",
    "NOT_FOUND_BIZ",
    "CMD_NOT_FOUND",
    "EXECUTING",
    "activated",
    "DEACTIVATED",
    "broken",
    "installBiz",
    "uninstallBiz",
    "a\n\tat b.C\nCaused by: java.lang.Error: c",
    "Child name [x] is not unique",
    "TO_BE_IMPLEMENTED",
    "../../etc",
    "a/b+c#d",
    "fe80::1%eth0",
    "255.255.255.255",
    "基座\u{200d}🧩\u{202e}",
    "metadata.labels['x']",
    "uninstallThenInstall",
    "http://user:fuzzsecret@192.0.2.9/biz.jar?token=fuzzsecret",
    "cannot fetch https://user:fuzzsecret@192.0.2.9/biz.jar?token=fuzzsecret (404)",
    "ftp://",
];

/// Changes up to three places of a document.
pub(super) fn changed(mut value: Value, rng: &mut Rng) -> String {
    for _ in 0..rng.u8(0..4) {
        change(&mut value, rng);
    }
    let mut text = value.to_string();
    for (word, raw) in RAW {
        if text.contains(word) {
            text = text.replace(word, raw);
        }
    }
    text
}

fn change(document: &mut Value, rng: &mut Rng) {
    let kind = rng.u8(0..8);
    // A piece of the document, for another place of it.
    let piece = match kind {
        4 => document.pointer(&place(document, rng)).cloned().unwrap_or_default(),
        _ => Value::Null,
    };
    let at = place(document, rng);
    let Some(value) = document.pointer_mut(&at) else { return };
    match (value, kind) {
        (Value::Object(map), 0) => {
            let key = rng.choice(map.keys()).cloned();
            drop(key.and_then(|key| map.remove(&key)));
        }
        (Value::Object(map), 1) => {
            let key = rng.choice(TEXTS).unwrap_or_default().to_owned();
            map.insert(key, strange(rng));
        }
        (Value::Array(list), 0..=2) => {
            if let Some(entry) = rng.choice(list.iter()).cloned() {
                let times = *rng.choice(&TIMES).unwrap_or(&1);
                let times = if is_small(&entry) { times } else { times.min(30) };
                list.extend(std::iter::repeat_n(entry, times));
            }
        }
        (Value::Array(list), 3) => rng.shuffle(list),
        (value, 4) => *value = piece,
        (value, _) => *value = strange(rng),
    }
}

/// It has nothing in it that has anything in it.
fn is_small(value: &Value) -> bool {
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    match value {
        Value::Array(list) => list.iter().all(is_plain),
        Value::Object(map) => map.len() < 8 && map.values().all(is_plain),
        _ => true,
    }
}

/// Any place of a document, by its pointer.
fn place(document: &Value, rng: &mut Rng) -> String {
    let (mut pointer, mut value) = (String::new(), document);
    while rng.u8(0..6) > 0 {
        let (key, inner) = match value {
            Value::Array(list) => {
                let Some((index, inner)) = rng.choice(list.iter().enumerate()) else { break };
                (index.to_string(), inner)
            }
            Value::Object(map) => {
                let Some((key, inner)) = rng.choice(map.iter()) else { break };
                (key.replace('~', "~0").replace('/', "~1"), inner)
            }
            _ => break,
        };
        pointer = pointer + "/" + &key;
        value = inner;
    }
    pointer
}

/// A value that hardly any field expects.
fn strange(rng: &mut Rng) -> Value {
    match rng.u8(0..12) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => (*rng.choice(&[0, -1, 1, 65_535, 65_536, i64::MAX, i64::MIN]).unwrap_or(&0)).into(),
        4 => rng.f64().into(),
        5 => json!([]),
        6 => json!({}),
        7 => rng.choice(["@huge@", "@long@", "@minus@", "@half@", "@twice@"]).into(),
        8 => (0..rng.u8(1..200)).fold(Value::Null, |inner, _| json!([inner])),
        9 => (0..rng.u8(1..200)).fold(json!("x"), |inner, _| json!({ "cause": inner, "data": {} })),
        10 => {
            let text = *rng.choice(&["x", "基", "a b", "\n", "\\", "://"]).unwrap_or(&"x");
            text.repeat(rng.usize(1..3_000)).into()
        }
        _ => rng.choice(TEXTS).into(),
    }
}
