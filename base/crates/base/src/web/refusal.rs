//! Answers of the base in place of a module, in the form that Spring Boot gives them.

use http::{HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::json;

use crate::server::{Body, full};

/// A request that no module answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(super) fn of(status: StatusCode, message: String) -> Self {
        Self { status, message }
    }

    pub(super) fn not_found() -> Self {
        Self::of(StatusCode::NOT_FOUND, "nothing answers at this path".to_owned())
    }

    pub(super) fn bad_request() -> Self {
        Self::of(StatusCode::BAD_REQUEST, "the path cannot be read".to_owned())
    }

    pub(super) fn method() -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here".to_owned())
    }

    pub(super) fn no_version(first: &str) -> Self {
        let message = format!("the module at /{first} is installed, and no version of it serves now");
        Self::of(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    pub(super) fn busy(first: &str) -> Self {
        let message =
            format!("the module at /{first} has as many requests at work as it may have; try again later");
        Self::of(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// `{timestamp, status, error, message, path}`.
    pub(super) fn response(&self, path: &str) -> Response<Body> {
        let body = json!({
            "timestamp": Timestamp::now().to_string(),
            "status": self.status.as_u16(),
            "error": self.status.canonical_reason().unwrap_or_default(),
            "message": self.message,
            "path": path,
        });
        let mut response = Response::new(full(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
