//! One biz in an answer, in the full form and in the simple one.

use std::sync::Arc;

use jiff::Timestamp;
use model::{BizId, BizState, BizStatus};
use serde_json::{Map, Value};

use crate::{
    error::WireError,
    wire::{array, bad, detail, object, optional, remark, required_word, spelled, whole},
};

/// A list of biz. An entry whose name or version cannot be read is left out, and the others stand: one strange module
/// must not hide all others of a base. One whose state is not known is there in [`BizState::Unknown`].
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

/// What an installation brought, where all of it can be read; empty where the base does not say, or not so that it can be
/// read. Its list says it then.
pub(crate) fn biz_infos(value: Option<&Value>) -> Vec<BizStatus> {
    let all = |list: &Vec<Value>| list.iter().map(biz).collect::<Result<Vec<_>, _>>().ok();
    value.and_then(Value::as_array).and_then(all).unwrap_or_default()
}

/// `{bizName,bizVersion,bizState,bizStateRecords,webContextPath}`, or over MQTT
/// `{name,version,state,latestStateRecord}`, before koupleless 2 `[name,version,state]`.
fn biz(value: &Value) -> Result<BizStatus, WireError> {
    if let Some([name, version, state, ..]) = value.as_array().map(Vec::as_slice) {
        let map = [("name", name), ("version", version), ("state", state)];
        let map = map.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        return biz(&Value::Object(map));
    }
    let map = object(value, "biz")?;
    let (id, state) = if optional(map, "bizName").is_some() {
        (biz_id(map, "bizName", "bizVersion")?, state(map, "bizState"))
    } else {
        (biz_id(map, "name", "version")?, state(map, "state"))
    };
    let record = optional(map, "latestStateRecord").or_else(|| latest(map)).and_then(Value::as_object);
    let path = map.get("webContextPath").and_then(Value::as_str);
    Ok(BizStatus {
        id,
        state,
        changed_at: record.and_then(changed_at),
        message: record.map_or_else(Arc::default, |record| detail(remark(record, "message"))),
        web_context_path: path.map(|path| path.trim().trim_matches('/').into()),
    })
}

/// The last of the state's changes. A 2.1.6 base sends them as empty objects.
fn latest(map: &Map<String, Value>) -> Option<&Value> {
    map.get("bizStateRecords")?.as_array()?.last()
}

/// `changeTime`, in milliseconds since 1970; none where it is absent or no time, as a local time without its zone.
fn changed_at(record: &Map<String, Value>) -> Option<Timestamp> {
    Timestamp::from_millisecond(whole(record.get("changeTime")?)?).ok()
}

/// A biz's name and version.
pub(crate) fn biz_id(
    map: &Map<String, Value>,
    name: &'static str,
    version: &'static str,
) -> Result<BizId, WireError> {
    let word = "text of at most 253 bytes without white space";
    Ok(BizId {
        name: required_word(map, name)?.parse().map_err(|_| bad(name, &shown(map, name), word))?,
        version: required_word(map, version)?
            .parse()
            .map_err(|_| bad(version, &shown(map, version), word))?,
    })
}

fn shown(map: &Map<String, Value>, path: &'static str) -> Value {
    optional(map, path).cloned().unwrap_or_default()
}

/// The state, by its name or, before koupleless 2 over MQTT, by its number.
fn state(map: &Map<String, Value>, path: &'static str) -> BizState {
    let told = optional(map, path).and_then(spelled).unwrap_or_default();
    match told.trim() {
        "1" => BizState::Unresolved,
        "2" => BizState::Resolved,
        "3" => BizState::Activated,
        "4" => BizState::Deactivated,
        "5" => BizState::Broken,
        name => name.parse().unwrap_or(BizState::Unknown),
    }
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
        let records = [
            r#"[{},{}]"#,
            "[]",
            "7",
            "null",
            r#"[{"changeTime":"x","message":[]}]"#,
            r#"[{"changeTime":1e300}]"#,
        ];
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
        for bad in ["7", "null", "{}", "[]", r#"{"name":"a"}"#, r#"{"name":"a","version":[]}"#] {
            assert_eq!(list(&format!("[{bad},{good},{bad}]")).unwrap().len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_biz_whose_state_is_not_known_is_there_all_the_same() {
        for state in [r#""running""#, r#""""#, "null", "7", "{}", "true"] {
            let all = list(&format!(
                r#"[{{"name":"a","version":"1","state":{state}}},{{"bizName":"b","bizVersion":"2"}}]"#
            ));
            let all: Vec<_> = all.unwrap().into_iter().map(|biz| (biz.id.to_string(), biz.state)).collect();
            let expected = [("a:1".to_owned(), BizState::Unknown), ("b:2".to_owned(), BizState::Unknown)];
            assert_eq!(all, expected, "{state}");
        }
    }

    /// As bases before koupleless 2 say it over MQTT, and as the Go controller's own tests do.
    #[test]
    fn states_may_be_numbers_and_an_entry_a_list() {
        let all = list(
            r#"[["a","1","3"],["b","2",4,"x"],{"name":"c","version":3,"state":"5"},
                {"bizName":null,"name":"d","version":"1","state":"2"}]"#,
        );
        let all: Vec<_> = all.unwrap().into_iter().map(|biz| (biz.id.to_string(), biz.state)).collect();
        let expected = [
            ("a:1", BizState::Activated),
            ("b:2", BizState::Deactivated),
            ("c:3", BizState::Broken),
            ("d:1", BizState::Resolved),
        ];
        assert_eq!(all, expected.map(|(id, state)| (id.to_owned(), state)));
    }

    #[test]
    fn a_time_may_be_text_and_one_without_its_zone_is_none() {
        let at = |time: &str| {
            let json = format!(
                r#"[{{"name":"a","version":"1","state":"broken","latestStateRecord":{{"changeTime":{time}}}}}]"#
            );
            list(&json).unwrap().remove(0).changed_at.map(Timestamp::as_millisecond)
        };
        assert_eq!(
            (at("1500"), at(r#""1500""#), at(r#""2026-11-22 15:19:50.000""#)),
            (Some(1500), Some(1500), None)
        );
    }

    #[test]
    fn a_list_of_bad_entries_is_no_empty_list() {
        assert_eq!(list("[]"), Ok(vec![]));
        let error = list(r#"[{"name":"a b","version":"1","state":"resolved"},7]"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "field name is \"a b\"; expected text of at most 253 bytes without white space"
        );
    }
}
