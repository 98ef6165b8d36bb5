//! What a command's body says.

use host::Start;
use lifecycle::{Install, Strategy};
use model::{BizId, biz::WordError};
use serde_json::{Map, Value};

use super::exception::Exception;

/// An order to install, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) install: Install,
    pub(crate) start: Start,
}

/// How a command is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manner {
    /// The answer comes when it is done.
    Waiting,
    /// The answer comes at once, and what became of it is asked for by this id.
    Async(String),
}

/// A text, or a number that stands for one; blank text is none.
pub(super) fn word(body: &Map<String, Value>, key: &str) -> Option<String> {
    let text = match body.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn invalid(message: &str) -> Exception {
    Exception::invalid(message)
}

/// The body as an object. Arklet cannot tell an empty body from a mistake of its own, and says so.
pub(crate) fn object(body: &Value) -> Result<&Map<String, Value>, Exception> {
    body.as_object().ok_or_else(|| {
        invalid("the command needs a body, a JSON object, because \"input\" is null or something else")
    })
}

/// `{bizUrl, bizName?, bizVersion?, installStrategy?, args?, envs?}`.
pub(crate) fn install_order(body: &Map<String, Value>) -> Result<Order, Exception> {
    let url = word(body, "bizUrl").ok_or_else(|| invalid("bizUrl should not be blank"))?;
    let id = match (word(body, "bizName"), word(body, "bizVersion")) {
        (None, None) => None,
        (Some(name), Some(version)) => Some(parsed(&name, &version)?),
        _ => return Err(invalid("bizName and bizVersion should be both blank or both not blank.")),
    };
    let strategy = match word(body, "installStrategy").as_deref() {
        None => Strategy::InstallOnly,
        Some(text) if text.eq_ignore_ascii_case("installOnly") => Strategy::InstallOnly,
        Some(text) if text.eq_ignore_ascii_case("uninstallThenInstall") => Strategy::UninstallThenInstall,
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            return Err(invalid(&format!(
                "installStrategy {other:?} can not be found; there are installOnly and uninstallThenInstall"
            )));
        }
    };
    let start = Start { args: args(body)?, envs: envs(body)? };
    Ok(Order { install: Install { id, url, strategy }, start })
}

fn args(body: &Map<String, Value>) -> Result<Vec<String>, Exception> {
    match body.get("args") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(args)) => {
            let text = |arg: &Value| arg.as_str().map(str::to_owned);
            args.iter().map(text).collect::<Option<_>>().ok_or_else(|| invalid("args should be texts"))
        }
        Some(_) => Err(invalid("args should be a list")),
    }
}

fn envs(body: &Map<String, Value>) -> Result<Vec<(String, String)>, Exception> {
    match body.get("envs") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(envs)) => {
            let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            envs.iter().map(text).collect::<Option<_>>().ok_or_else(|| invalid("envs should be texts"))
        }
        Some(_) => Err(invalid("envs should be an object")),
    }
}

/// `{bizName, bizVersion}`, both needed.
pub(super) fn biz_id(body: &Map<String, Value>) -> Result<BizId, Exception> {
    let name = word(body, "bizName").ok_or_else(|| invalid("bizName should not be blank"))?;
    let version = word(body, "bizVersion").ok_or_else(|| invalid("bizVersion should not be blank"))?;
    parsed(&name, &version)
}

fn parsed(name: &str, version: &str) -> Result<BizId, Exception> {
    let wrong = |error: WordError| invalid(&error.to_string());
    Ok(BizId { name: name.parse().map_err(wrong)?, version: version.parse().map_err(wrong)? })
}

/// `{async?, requestId?}`.
pub(super) fn manner(body: &Map<String, Value>) -> Result<Manner, Exception> {
    if body.get("async").and_then(Value::as_bool) != Some(true) {
        return Ok(Manner::Waiting);
    }
    let id = word(body, "requestId");
    id.map(Manner::Async).ok_or_else(|| invalid("requestId should not be blank when async is true"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(body: Value) -> Result<Order, String> {
        install_order(object(&body).unwrap()).map_err(|error| error.message())
    }

    #[test]
    fn a_whole_order_is_read() {
        let order = order(json!({"bizName": "a", "bizVersion": 2, "bizUrl": "file:///a", "args": ["x"],
            "installStrategy": "uninstallThenInstall", "envs": {"K": "v"}, "more": []}))
        .unwrap();
        assert_eq!(order.install.id.unwrap().to_string(), "a:2");
        assert_eq!(order.install.strategy, Strategy::UninstallThenInstall);
        assert_eq!(order.start.args, ["x"]);
        assert_eq!(order.start.envs, [("K".to_owned(), "v".to_owned())]);
    }

    #[test]
    fn what_is_missing_is_named_as_arklet_does() {
        for (body, says) in [
            (json!({}), "bizUrl should not be blank"),
            (json!({"bizUrl": " "}), "bizUrl should not be blank"),
            (
                json!({"bizUrl": "u", "bizName": "a"}),
                "bizName and bizVersion should be both blank or both not blank.",
            ),
            (json!({"bizUrl": "u", "args": "x"}), "args should be a list"),
            (json!({"bizUrl": "u", "envs": {"a": 1}}), "envs should be texts"),
            (
                json!({"bizUrl": "u", "installStrategy": "x"}),
                "installStrategy \"x\" can not be found; there are installOnly and uninstallThenInstall",
            ),
        ] {
            assert_eq!(order(body).unwrap_err(), says);
        }
        assert!(object(&Value::Null).unwrap_err().message().contains("because \"input\" is null"));
    }
}
