//! The command `health`: the machine, the base itself, and its modules.

use std::{sync::Arc, thread::available_parallelism};

use host::Host;
use lifecycle::Biz;
use serde_json::{Map, Value, json};

use super::{
    biz,
    exception::Exception,
    reply::Reply,
    request::{self, word},
};

/// What the base says of itself.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) host: Arc<Host>,
}

/// `{type?: system|biz|plugin, metrics?: [jvm|cpu|masterBizInfo], bizName?, bizVersion?}`.
pub(super) fn answer(body: &Value, machine: &Machine, all: &[Biz]) -> Result<Reply, Exception> {
    let empty = Map::new();
    let body = body.as_object().unwrap_or(&empty);
    let mut data = Map::new();
    match word(body, "type").as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => {
            data.extend(system(machine));
            data.insert("masterBizInfo".to_owned(), master(machine));
            data.insert("bizListInfo".to_owned(), list(machine, all));
            data.insert("pluginListInfo".to_owned(), json!([]));
        }
        Some("system") => {
            let wanted: Vec<&str> = body
                .get("metrics")
                .and_then(Value::as_array)
                .map(|metrics| metrics.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let picked = system(machine).into_iter();
            data.extend(picked.filter(|(key, _)| wanted.is_empty() || wanted.contains(&key.as_str())));
        }
        Some("biz") => {
            if let Some(one) = one(body, machine, all)? {
                data.insert("bizInfo".to_owned(), one);
            } else if word(body, "bizName").is_some() {
                let message = "can not find biz".to_owned();
                return Ok(Reply::Failed { message, data: None });
            } else {
                data.insert("bizListInfo".to_owned(), list(machine, all));
            }
        }
        Some("plugin") => {
            data.insert("pluginListInfo".to_owned(), json!([]));
        }
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            return Err(Exception::invalid(&format!("type: {other} can not be found")));
        }
    }
    Ok(Reply::Success(json!({"healthData": data})))
}

fn one(body: &Map<String, Value>, machine: &Machine, all: &[Biz]) -> Result<Option<Value>, Exception> {
    if word(body, "bizName").is_none() {
        return Ok(None);
    }
    let id = request::biz_id(body)?;
    if id.name.as_str() == machine.name && id.version.as_str() == machine.version {
        return Ok(Some(master(machine)));
    }
    Ok(all.iter().find(|biz| biz.id == id).map(biz::brief))
}

fn list(machine: &Machine, all: &[Biz]) -> Value {
    all.iter().map(biz::brief).chain([master(machine)]).collect::<Vec<_>>().into()
}

fn master(machine: &Machine) -> Value {
    json!({
        "bizName": machine.name,
        "bizState": "activated",
        "bizVersion": machine.version,
        "webContextPath": "/",
    })
}

/// The memory of the modules stands where a Java base has its metaspace: it is what more modules need more of, and what
/// a controller makes the Node's memory of.
fn system(machine: &Machine) -> Map<String, Value> {
    let (used, most) = machine.host.memory_bytes();
    let mut map = Map::new();
    let jvm = json!({
        "java committed metaspace": used,
        "java max metaspace": most,
        "java used metaspace": used,
    });
    map.insert("jvm".to_owned(), jvm);
    let count = available_parallelism().map_or(1, usize::from);
    map.insert("cpu".to_owned(), json!({"count": count, "type": std::env::consts::ARCH}));
    map
}
