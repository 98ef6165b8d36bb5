//! One biz in an answer, in the full form and in the simple one.

use std::sync::Arc;

use jiff::Timestamp;
use model::{BizId, BizState, BizStatus};
use serde_json::{Map, Value};

use crate::{
    error::WireError,
    wire::{array, bad, detail, object, optional, remark, text},
};

/// A list of biz. An entry whose name, version or state cannot be read is left out, and the
/// others stand: one strange module must not hide all others of a base.
///
/// # Errors
/// Where it is no list, or holds entries of which none can be read: then the list would say that
/// the base is empty, which is not what the base said. The error is the first entry's.
pub(crate) fn biz_list(value: &Value, path: &'static str) -> Result<Vec<BizStatus>, WireError> {
    let mut list = Vec::new();
    let mut first_error = None;
    for entry in array(value, path)? {
        match biz(entry) {
            Ok(biz) => list.push(biz),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if list.is_empty() => Err(error),
        _ => Ok(list),
    }
}

/// `{bizName,bizVersion,bizState,bizStateRecords,webContextPath}`, or over MQTT
/// `{name,version,state,latestStateRecord}`.
fn biz(value: &Value) -> Result<BizStatus, WireError> {
    let map = object(value, "biz")?;
    let (id, state) = if map.contains_key("bizName") {
        (biz_id(map, "bizName", "bizVersion")?, state(map, "bizState")?)
    } else {
        (biz_id(map, "name", "version")?, state(map, "state")?)
    };
    let record = optional(map, "latestStateRecord").or_else(|| latest(map)).and_then(Value::as_object);
    let path = map.get("webContextPath").and_then(Value::as_str);
    Ok(BizStatus {
        id,
        state,
        changed_at: record.and_then(changed_at),
        message: record.map_or_else(|| Arc::from(""), |record| detail(remark(record, "message"))),
        web_context_path: path.map(|path| path.trim().trim_matches('/').into()),
    })
}

/// The last of the state's changes. A 2.1.6 base sends them as empty objects.
fn latest(map: &Map<String, Value>) -> Option<&Value> {
    map.get("bizStateRecords")?.as_array()?.last()
}

/// `changeTime`, in milliseconds since 1970; none where it is absent or no time.
fn changed_at(record: &Map<String, Value>) -> Option<Timestamp> {
    Timestamp::from_millisecond(record.get("changeTime")?.as_i64()?).ok()
}

/// A biz's name and version.
pub(crate) fn biz_id(
    map: &Map<String, Value>,
    name: &'static str,
    version: &'static str,
) -> Result<BizId, WireError> {
    let word = "text of at most 253 bytes without white space";
    Ok(BizId {
        name: text(map, name)?.parse().map_err(|_| bad(name, &shown(map, name), word))?,
        version: text(map, version)?.parse().map_err(|_| bad(version, &shown(map, version), word))?,
    })
}

fn shown(map: &Map<String, Value>, path: &'static str) -> Value {
    optional(map, path).cloned().unwrap_or_default()
}

fn state(map: &Map<String, Value>, path: &'static str) -> Result<BizState, WireError> {
    let expected = "unresolved, resolved, activated, deactivated, broken or stopped";
    text(map, path)?.parse().map_err(|_| bad(path, &shown(map, path), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Result<Vec<BizStatus>, WireError> {
        biz_list(&serde_json::from_str(json).unwrap(), "data")
    }

    #[test]
    fn both_forms_are_read() {
        let both = list(
            r#"[{"bizName":"a","bizVersion":"1","bizState":"Broken","webContextPath":"/a/",
                 "bizStateRecords":[{},{"changeTime":1500,"message":"no","state":"broken"}]},
                {"name":"b","version":"2","state":"ACTIVATED","latestStateRecord":{"changeTime":-1}}]"#,
        )
        .unwrap();
        assert_eq!(both[0].id.to_string(), "a:1");
        assert_eq!((both[0].state, &*both[0].message), (BizState::Broken, "no"));
        assert_eq!(both[0].changed_at.unwrap().as_millisecond(), 1500);
        assert_eq!(both[0].web_context_path.as_deref(), Some("a"));
        assert_eq!((both[1].id.to_string(), both[1].state), ("b:2".into(), BizState::Activated));
        assert_eq!(both[1].web_context_path, None);
    }

    #[test]
    fn what_only_tells_more_may_be_anything() {
        let records =
            [r#"[{},{}]"#, "[]", "7", r#"[{"changeTime":"x","message":[]}]"#, r#"[{"changeTime":1e300}]"#];
        for records in records {
            let json = format!(
                r#"[{{"bizName":"a","bizVersion":"1","bizState":"resolved","bizStateRecords":{records}}}]"#
            );
            let biz = list(&json).unwrap().remove(0);
            assert_eq!((biz.changed_at, &*biz.message), (None, ""), "{records}");
        }
    }

    #[test]
    fn one_bad_entry_does_not_lose_the_others() {
        let good = r#"{"name":"b","version":"2","state":"activated"}"#;
        for bad in ["7", "{}", r#"{"name":"a"}"#, r#"{"name":"a","version":"1","state":"running"}"#] {
            assert_eq!(list(&format!("[{bad},{good},{bad}]")).unwrap().len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_list_of_bad_entries_is_no_empty_list() {
        assert_eq!(list("[]"), Ok(vec![]));
        let error = list(r#"[{"name":"a b","version":"1","state":"resolved"}]"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "field name is \"a b\"; expected text of at most 253 bytes without white space"
        );
        let error = list(r#"[{"name":"a","version":"1","state":"running"},7]"#).unwrap_err();
        assert!(
            error.to_string().starts_with("field state is \"running\"; expected unresolved, "),
            "{error}"
        );
    }
}
