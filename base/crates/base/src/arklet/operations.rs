//! What became of asynchronous commands.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::reply::Reply;

/// The most records. The oldest that has ended goes; where none has, a new command is still carried out, and the oldest
/// of all is forgotten.
const MAX_RECORDS: usize = 1_000;

/// The records, by the request's id.
#[derive(Debug, Default)]
pub(super) struct Operations(Mutex<VecDeque<Record>>);

#[derive(Debug)]
struct Record {
    id: String,
    meta: Value,
    began_ms: i64,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Ended {
    at_ms: i64,
    /// None where it succeeded.
    failure: Option<(String, Option<Value>)>,
}

impl Operations {
    /// Begins a record and gives it; none where there is one of that id.
    pub(super) fn begin(&self, id: &str, meta: Value) -> Option<Value> {
        let mut records = self.records();
        if records.iter().any(|record| record.id == id) {
            return None;
        }
        if records.len() >= MAX_RECORDS {
            let oldest = records.iter().position(|record| record.ended.is_some()).unwrap_or_default();
            records.remove(oldest);
        }
        let record =
            Record { id: id.to_owned(), meta, began_ms: Timestamp::now().as_millisecond(), ended: None };
        let shown = record.shown();
        records.push_back(record);
        Some(shown)
    }

    pub(super) fn end(&self, id: &str, reply: &Reply) {
        let failure = match reply {
            Reply::Success(_) => None,
            Reply::Failed { message, data } => {
                // What the data says tells more.
                let inner = data.as_ref().and_then(|data| data.get("message")?.as_str());
                Some((inner.unwrap_or(message).to_owned(), None))
            }
            Reply::Internal(exception) => Some((exception.message(), Some(exception.throwable()))),
            Reply::UnknownCommand => Some(("there is no such command".to_owned(), None)),
        };
        let ended = Ended { at_ms: Timestamp::now().as_millisecond(), failure };
        if let Some(record) = self.records().iter_mut().find(|record| record.id == id) {
            record.ended = Some(ended);
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<Value> {
        self.records().iter().find(|record| record.id == id).map(Record::shown)
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn shown(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("arkBizMeta", self.meta.clone());
        put("requestId", self.id.as_str().into());
        put("startTime", self.began_ms.into());
        put("startTimestamp", self.began_ms.into());
        put("threadName", "base".into());
        let Some(ended) = &self.ended else {
            put("elapsedTime", 0.into());
            put("endTimestamp", 0.into());
            put("status", "EXECUTING".into());
            return Value::Object(map);
        };
        put("elapsedTime", (ended.at_ms - self.began_ms).into());
        put("endTime", ended.at_ms.into());
        put("endTimestamp", ended.at_ms.into());
        match &ended.failure {
            None => put("status", "SUCCEEDED".into()),
            Some((message, throwable)) => {
                put("message", message.as_str().into());
                if let Some(throwable) = throwable {
                    put("throwable", throwable.clone());
                }
                put("status", "FAILED".into())
            }
        };
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_taken_once_and_the_oldest_that_ended_goes() {
        let operations = Operations::default();
        assert!(operations.begin("0", json!({})).is_some());
        assert!(operations.begin("0", json!({})).is_none());
        for id in 1..MAX_RECORDS {
            operations.begin(&id.to_string(), json!({}));
        }
        operations.end("7", &Reply::Success(Value::Null));
        operations.begin("new", json!({}));
        assert_eq!(operations.find("7"), None);
        assert_eq!(operations.find("0").unwrap()["status"], "EXECUTING");
        operations.end("new", &Reply::UnknownCommand);
        assert_eq!(operations.find("new").unwrap()["status"], "FAILED");
    }
}
