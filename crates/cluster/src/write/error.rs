//! `kube`'s errors as the engine's.

use std::time::Duration;

use engine::WriteError;
use http::{header::RETRY_AFTER, response};
use kube::core::{Status, response::StatusDetails};
use model::causes;

use super::limit::Load;

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
                408 | 429 | 500..=599 => WriteError::Unavailable { reason, retry_after: retry_after(status) },
                _ => WriteError::Refused(reason),
            }
        }
        // What we sent is no request at all.
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => WriteError::Refused(causes(error)),
        // No connection, broken in between, credentials that could not be fetched, or an answer
        // that is none: it may have been carried out.
        _ => WriteError::Unavailable { reason: causes(error), retry_after: None },
    }
}

/// What the server said that did not do as it was asked. What is missing from the body is taken from the head: priority
/// and fairness, which is who answers 429, does so in plain text, and says how long to wait in a header only.
pub(crate) fn refusal(head: &response::Parts, body: &[u8]) -> Status {
    let mut status: Status = serde_json::from_slice(body)
        .unwrap_or_else(|_| Status::failure(String::from_utf8_lossy(body).trim(), "no Status was answered"));
    if status.code == 0 {
        status.code = head.status.as_u16();
    }
    // The other form, a date, no API server sends.
    let wait = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    if let Some(wait) = wait
        && retry_after(&status).is_none()
    {
        let without = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        };
        status.details.get_or_insert(without).retry_after_seconds = wait;
    }
    status
}

/// What an answer says of how much the server bears; none where there was no answer, or where it says nothing of that.
pub(crate) fn load(error: Option<&kube::Error>) -> Option<Load> {
    let Some(error) = error else { return Some(Load::Bearable) };
    let kube::Error::Api(status) = error else { return None };
    match status.code {
        // 408 and 504: it ran out of time, which is how one without priority and fairness says so.
        408 | 429 | 504 => Some(Load::TooMuch(retry_after(status))),
        500..=599 => None,
        _ => Some(Load::Bearable),
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    (wait > 0).then(|| Duration::from_secs(wait.into()))
}

/// Whether the server refuses because the UID is another one.
fn is_about_uid(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field == "metadata.uid")
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
    fn how_long_to_wait_is_read_where_only_a_header_says_so() {
        let answer = http::Response::builder().status(429).header("Retry-After", "2").body(()).unwrap();
        let (head, ()) = answer.into_parts();
        let told = |body: &[u8]| kube::Error::Api(refusal(&head, body).boxed());
        let wait = |seconds| Some(Duration::from_secs(seconds));
        let plain = told(b"Too many requests, please try again later.\n");
        let reason = "Too many requests, please try again later.".into();
        assert_eq!(write_error(&plain), WriteError::Unavailable { reason, retry_after: wait(2) });
        assert_eq!(load(Some(&plain)), Some(Load::TooMuch(wait(2))));
        let status = told(br#"{"code":429,"message":"busy","details":{"retryAfterSeconds":3}}"#);
        assert_eq!(load(Some(&status)), Some(Load::TooMuch(wait(3))), "its own word counts");
    }

    #[test]
    fn an_answer_says_whether_the_server_has_enough() {
        let told = |code| load(Some(&kube::Error::Api(Status::failure("", "").with_code(code).boxed())));
        assert_eq!(load(None), Some(Load::Bearable));
        assert!([403, 404, 409, 422].map(told).iter().all(|load| *load == Some(Load::Bearable)));
        assert!([408, 429, 504].map(told).iter().all(|load| *load == Some(Load::TooMuch(None))));
        assert!([500, 503].map(told).iter().all(Option::is_none), "a fault is no load");
        let broken = kube::Error::Service(std::io::Error::other("connection refused").into());
        assert_eq!(load(Some(&broken)), None);
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
