//! The answer to a command, in the form of HTTP and in that of MQTT.

use serde_json::{Map, Value, json};

use super::exception::Exception;

/// What a command came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// It was carried out.
    Success(Value),
    /// It was refused for what the base holds.
    Failed {
        message: String,
        /// With a code and a message of its own, where there is more to say.
        data: Option<Value>,
    },
    /// It went wrong.
    Internal(Exception),
    /// There is no such command.
    UnknownCommand,
}

impl Reply {
    /// A refusal with a code of its own, as Arklet tells it.
    pub(crate) fn refused(command: &str, code: &str, message: String) -> Self {
        let data = json!({"code": code, "message": message});
        Self::Failed { message: format!("{command} biz not success!"), data: Some(data) }
    }

    /// The body over HTTP.
    pub(crate) fn over_http(&self, identity: &str) -> Value {
        match self {
            Self::Success(data) => {
                json!({"baseIdentity": identity, "code": "SUCCESS", "data": data})
            }
            Self::Failed { message, data } => {
                let mut body = Map::new();
                body.insert("baseIdentity".to_owned(), identity.into());
                body.insert("code".to_owned(), "FAILED".into());
                if let Some(data) = data {
                    body.insert("data".to_owned(), data.clone());
                }
                body.insert("message".to_owned(), message.as_str().into());
                Value::Object(body)
            }
            Self::Internal(exception) => json!({
                "code": "CMD_PROCESS_INTERNAL_ERROR",
                "errorStackTrace": exception.trace(),
                "message": format!("Internal Error: {}", exception.message()),
            }),
            Self::UnknownCommand => json!({"code": "CMD_NOT_FOUND", "message": "please follow the doc"}),
        }
    }
}
