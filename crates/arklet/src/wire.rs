//! Reading JSON field by field.
//!
//! Messages are walked, not deserialised into structs: a base of another version may hold
//! anything in a field that we do not need, and one bad entry must not lose its neighbours.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use crate::error::{WireError, cut, redact, shorten};

/// The longest name, version, cluster or host name that is kept, in bytes: DNS allows no longer
/// name, and these are kept in memory, labels and annotations for every base.
const MAX_TEXT_BYTES: usize = 253;

/// The most characters of a base's own message that are kept: a stack trace of a deep framework
/// has about 20 KiB. Logs are its only reader.
pub(crate) const MAX_DETAIL_CHARS: usize = 32 * 1024;

/// The JSON text in a body. Nesting is limited by `serde_json` (128), size by the tunnels.
pub(crate) fn json(body: &[u8]) -> Result<Value, WireError> {
    serde_json::from_slice(body).map_err(|error| WireError::not_json(body, &error))
}

/// The error of a field with the wrong value.
pub(crate) fn bad(field: &'static str, value: &Value, expected: &'static str) -> WireError {
    WireError::BadField { field, value: shorten(&value.to_string()), expected }
}

/// A value as an object.
pub(crate) fn object<'a>(value: &'a Value, field: &'static str) -> Result<&'a Map<String, Value>, WireError> {
    value.as_object().ok_or_else(|| bad(field, value, "an object"))
}

/// A value as a list.
pub(crate) fn array<'a>(value: &'a Value, field: &'static str) -> Result<&'a [Value], WireError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| bad(field, value, "a list"))
}

/// What is behind a key; `null` is nothing. Error messages name the key by its `path`, whose
/// last part the key is.
pub(crate) fn optional<'a>(map: &'a Map<String, Value>, path: &'static str) -> Option<&'a Value> {
    let key = path.rsplit('.').next().unwrap_or(path);
    map.get(key).filter(|value| !value.is_null())
}

/// What is behind a key that must be there.
pub(crate) fn required<'a>(map: &'a Map<String, Value>, path: &'static str) -> Result<&'a Value, WireError> {
    optional(map, path).ok_or(WireError::MissingField(path))
}

/// Text behind a key that must be there.
pub(crate) fn text<'a>(map: &'a Map<String, Value>, path: &'static str) -> Result<&'a str, WireError> {
    let value = required(map, path)?;
    value.as_str().ok_or_else(|| bad(path, value, "text"))
}

/// A value as text. Who writes JSON by hand writes a version as a number; a fraction is not taken, because `1.10` reads
/// as `1.1`.
pub(crate) fn spelled(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// A whole number, written as one or as text.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Text behind a key that must be there, or a number that stands for text.
pub(crate) fn required_word<'a>(
    map: &'a Map<String, Value>,
    path: &'static str,
) -> Result<Cow<'a, str>, WireError> {
    let value = required(map, path)?;
    spelled(value).ok_or_else(|| bad(path, value, "text"))
}

/// Text that only serves to tell a person more; empty where there is none, or something else.
pub(crate) fn remark<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A short word, trimmed; empty where there is none, or what is no word. A word that is too long is an error, because
/// half of it would be another one.
pub(crate) fn word(map: &Map<String, Value>, path: &'static str) -> Result<Arc<str>, WireError> {
    let Some(value) = optional(map, path) else { return Ok(Arc::default()) };
    let text = spelled(value).unwrap_or_default();
    let text = text.trim();
    if text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    Err(bad(path, value, "text of at most 253 bytes without control characters"))
}

/// A base's own words, as long as is of use, without secrets.
pub(crate) fn detail(text: &str) -> Arc<str> {
    // Nearly always it says nothing, and of nothing there is one for all.
    if text.is_empty() { Arc::default() } else { cut(&redact(text), MAX_DETAIL_CHARS).into() }
}
