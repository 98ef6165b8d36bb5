//! What a caller is told that does not get what was asked for.

use http::{HeaderValue, Response, StatusCode, header};

use crate::body::{Body, full};

/// A refusal, in words: `kubectl` shows them as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    fn of(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Nobody knows the caller.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::of(StatusCode::UNAUTHORIZED, message)
    }

    /// The caller lacks a right.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN, message)
    }

    /// There is no such thing here.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::of(StatusCode::NOT_FOUND, message)
    }

    /// It cannot be had, and asking again in the same way does not help.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, message)
    }

    /// Only `GET` is there.
    pub(crate) fn method() -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here")
    }

    /// Too much is asked for at once.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::of(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// Somebody who is needed for it does not answer. As a kubelet says it: of 503 an API server does not pass the words on.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// As an answer.
    pub(crate) fn response(self) -> Response<Body> {
        let mut response = Response::new(full(self.message));
        *response.status_mut() = self.status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        let told = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "GET")),
            StatusCode::TOO_MANY_REQUESTS => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = told {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
