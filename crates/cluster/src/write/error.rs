//! `kube`'s errors as the engine's.

use std::{error::Error, fmt::Write as _, time::Duration};

use engine::WriteError;
use kube::core::Status;

/// What a failed request means for the one who wanted it.
pub(crate) fn write_error(error: &kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) => {
            let reason =
                if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
            match status.code {
                409 => WriteError::Conflict(reason),
                404 => WriteError::NotFound(reason),
                // A patch that names another UID than the object has is told as a change of it.
                422 if is_about_uid(status) => WriteError::Conflict(reason),
                // 408 and 504 come from the server's own time-outs, the other 5xx from a server,
                // a webhook or a load balancer that may recover.
                408 | 429 | 500..=599 => {
                    let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                    let retry_after = (wait > 0).then(|| Duration::from_secs(wait.into()));
                    WriteError::Unavailable { reason, retry_after }
                }
                _ => WriteError::Refused(reason),
            }
        }
        // What we sent is no request at all.
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => WriteError::Refused(chain(error)),
        // No connection, broken in between, credentials that could not be fetched, or an answer
        // that is none: it may have been carried out.
        _ => WriteError::Unavailable { reason: chain(error), retry_after: None },
    }
}

/// Whether the server refuses because the UID is another one.
fn is_about_uid(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field == "metadata.uid")
}

/// An error with its causes, one line. Messages that repeat their cause are not said twice.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: &str) -> WriteError {
        write_error(&kube::Error::Api(serde_json::from_str(status).unwrap()))
    }

    #[test]
    fn a_status_is_sorted_by_what_trying_again_would_do() {
        assert_eq!(
            api(r#"{"code":409,"reason":"Conflict","message":"the object has been modified"}"#),
            WriteError::Conflict("the object has been modified".into())
        );
        assert_eq!(
            api(r#"{"code":409,"reason":"AlreadyExists","message":"nodes \"a\" already exists"}"#),
            WriteError::Conflict("nodes \"a\" already exists".into())
        );
        assert_eq!(
            api(r#"{"code":404,"reason":"NotFound","message":"gone"}"#),
            WriteError::NotFound("gone".into())
        );
        for code in [400, 401, 403, 413, 422] {
            let refused = api(&format!(r#"{{"code":{code},"message":"no"}}"#));
            assert_eq!(refused, WriteError::Refused("no".into()), "{code}");
        }
        for code in [408, 429, 500, 502, 503, 504] {
            let busy =
                api(&format!(r#"{{"code":{code},"message":"busy","details":{{"retryAfterSeconds":3}}}}"#));
            let wait = Some(Duration::from_secs(3));
            assert_eq!(busy, WriteError::Unavailable { reason: "busy".into(), retry_after: wait }, "{code}");
        }
    }

    #[test]
    fn another_uid_is_a_conflict_although_the_server_calls_it_invalid() {
        let status = |field: &str| {
            api(&format!(
                r#"{{"code":422,"reason":"Invalid","message":"no","details":{{"causes":[{{"reason":"FieldValueInvalid",
                    "message":"field is immutable","field":"{field}"}}]}}}}"#
            ))
        };
        assert_eq!(status("metadata.uid"), WriteError::Conflict("no".into()));
        assert_eq!(status("status.podIP"), WriteError::Refused("no".into()));
    }

    #[test]
    fn a_status_without_a_message_says_its_reason() {
        let busy = WriteError::Unavailable { reason: "Timeout".into(), retry_after: None };
        assert_eq!(api(r#"{"code":504,"reason":"Timeout"}"#), busy);
    }

    #[test]
    fn no_connection_and_broken_answers_may_have_been_carried_out() {
        let error = kube::Error::Service(std::io::Error::other("connection refused").into());
        let expected = "ServiceError: connection refused".to_owned();
        assert_eq!(write_error(&error), WriteError::Unavailable { reason: expected, retry_after: None });
        let error = kube::Error::SerdeError(serde_json::from_str::<u8>("x").unwrap_err());
        assert!(matches!(write_error(&error), WriteError::Unavailable { .. }));
    }
}
