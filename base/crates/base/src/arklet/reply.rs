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

    /// The answer over MQTT: the base is known by its topic, and what went wrong is in the data.
    pub(crate) fn over_mqtt(&self) -> Value {
        match self {
            Self::Success(data) => json!({"code": "SUCCESS", "data": data}),
            Self::Failed { message, data: Some(data) } => {
                json!({"code": "FAILED", "data": data, "message": message})
            }
            Self::Failed { message, data: None } => json!({"code": "FAILED", "message": message}),
            Self::Internal(exception) => json!({
                "code": "FAILED",
                "data": {"code": "FAILED", "message": exception.trace()},
                "message": exception.message(),
            }),
            Self::UnknownCommand => json!({"code": "CMD_NOT_FOUND", "message": "please follow the doc"}),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lifecycle::Failure;

    use super::*;

    /// What a Java base published in answer to a command.
    fn recorded(name: &str) -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../crates/arklet/testdata/mqtt/2.1.11");
        let file: Value =
            serde_json::from_slice(&fs::read(format!("{folder}/{name}.json")).unwrap()).unwrap();
        let payload = file["received"][0]["payload_raw"].as_str().unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        payload["data"]["response"].clone()
    }

    fn keys(value: &Value) -> Vec<&String> {
        value.as_object().unwrap().keys().collect()
    }

    #[test]
    fn over_mqtt_answers_have_the_form_of_a_java_bases() {
        let missing = "/nowhere.jar (No such file or directory)".to_owned();
        let not_found = "Uninstall biz: biz2:1.0.0 not found.".to_owned();
        for (name, reply) in [
            ("08-install-bad-url", Reply::Internal((&Failure::PackageMissing(missing)).into())),
            ("09-install-missing-url", Reply::Internal(Exception::invalid("bizUrl should not be blank"))),
            ("10-install-fails-at-startup", Reply::Internal((&Failure::StartUp("x".to_owned())).into())),
            ("12-uninstall-failed", Reply::refused("uninstall", "NOT_FOUND_BIZ", not_found)),
            ("15-uninstall-ok", Reply::Success(json!({"code": "SUCCESS", "message": "m"}))),
        ] {
            let (ours, java) = (reply.over_mqtt(), recorded(name));
            assert_eq!(keys(&ours), keys(&java), "{name}");
            assert_eq!(keys(&ours["data"]), keys(&java["data"]), "{name}");
            assert_eq!(ours["code"], java["code"], "{name}");
            assert_eq!(ours["data"]["code"], java["data"]["code"], "{name}");
            assert_eq!(ours["message"], java["message"], "{name}");
        }
    }
}
