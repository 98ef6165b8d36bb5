//! Manifests that somebody gives a command.

use std::io::Read as _;

use serde_json::Value;

use crate::{client::chain, text::Text};

/// A manifest is some kilobytes; this is a whole cluster's.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A file, or of `-` what comes on standard input.
pub(crate) fn read(name: &str) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", Text::from(name));
    let mut text = String::new();
    match name {
        "-" => std::io::stdin().take(MOST_BYTES).read_to_string(&mut text).map_err(wrong)?,
        file => std::fs::File::open(file)
            .map_err(wrong)?
            .take(MOST_BYTES)
            .read_to_string(&mut text)
            .map_err(wrong)?,
    };
    Ok(text)
}

/// The objects of a manifest, one after another; Lists are opened.
pub(crate) fn objects(text: &str) -> Result<Vec<Value>, Text> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| chain(&error))?;
    let mut objects = Vec::new();
    for mut document in documents.into_iter().filter(|document| !document.is_null()) {
        match document.get_mut("items") {
            Some(Value::Array(items)) if !items.is_empty() => objects.append(items),
            None | Some(Value::Array(_)) => objects.push(document),
            Some(other) => return Err(format!("the items of a List are no list: {other}").into()),
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_opened_and_what_is_none_is_said() {
        let list =
            "kind: List\nitems: [{a: 1}, {b: 2}]\n---\n---\nkind: Service\n---\nkind: List\nitems: []\n";
        let all = [
            json!({"a": 1}),
            json!({"b": 2}),
            json!({"kind": "Service"}),
            json!({"kind": "List", "items": []}),
        ];
        assert_eq!(objects(list).unwrap(), all);
        for bad in ["a: [", "kind: List\nitems: nonsense", "kind: List\nitems: null"] {
            assert!(objects(bad).is_err(), "{bad}");
        }
    }
}
