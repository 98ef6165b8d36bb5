//! Arklet over HTTP.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use super::{Commands, Logs, Reply, exception::Exception};
use crate::server::{Body, full};

/// The most bytes of a command: a batch of 256 packages with their arguments.
const MAX_BYTES: usize = 1024 * 1024;

/// How long a command's body may take to come.
const BODY: Duration = Duration::from_secs(10);

/// The answer to `POST /{command}`, and to `GET /bizLog`, which Java bases do not have.
pub(crate) async fn answer(
    request: Request<Incoming>,
    commands: Arc<Commands>,
    logs: Arc<Logs>,
    identity: Arc<str>,
) -> Response<Body> {
    if request.method() == Method::GET && request.uri().path() == "/bizLog" {
        return logs.answer(request.uri().query().unwrap_or_default());
    }
    if request.method() != Method::POST {
        let mut response = Response::new(full("POST http request only supported by arklet"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    let command = request.uri().path().trim_start_matches('/').to_owned();
    let reply = match body(request.into_body()).await {
        Ok(body) => commands.run(&command, &body).await,
        Err(why) => Reply::Internal(Exception::invalid(&why)),
    };
    let mut response = Response::new(full(reply.over_http(&identity).to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

/// The command's JSON; null where there is nothing.
async fn body(body: Incoming) -> Result<Value, String> {
    let whole = tokio::time::timeout(BODY, Limited::new(body, MAX_BYTES).collect());
    let whole = whole.await.map_err(|_| format!("the body did not come within {BODY:?}"))?;
    let whole = whole.map_err(|error| format!("the body cannot be read: {error}"))?.to_bytes();
    if whole.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&whole).map_err(|error| format!("the body is no JSON: {error}"))
}
