//! What the API server is asked with the controller's own account: few things, each within a deadline.

use std::{fmt, time::Duration};

use http::{Request, StatusCode, header::CONTENT_TYPE};
use kube::{Client, Error};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::refusal::Refusal;

/// How long an answer is waited for: less than the 10 s that a client of ours may wait for a head.
const PATIENCE: Duration = Duration::from_secs(8);

/// The way to the API server.
#[derive(Clone)]
pub(crate) struct Api(pub(crate) Client);

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api(…)")
    }
}

impl Api {
    /// Asks a review.
    pub(crate) async fn review<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Refusal> {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|error| Refusal::bad(format!("no request can be made of this: {error}")))?;
        within(self.0.request::<T>(request)).await?.map_err(|error| away(&error))
    }

    /// The JSON of an object, or of a list; none where there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<String>, Refusal> {
        let request = Request::get(path)
            .body(Vec::new())
            .map_err(|error| Refusal::bad(format!("no request can be made of this: {error}")))?;
        match within(self.0.request_text(request)).await? {
            Ok(text) => Ok(Some(text)),
            Err(Error::Api(status)) if status.code == StatusCode::NOT_FOUND.as_u16() => Ok(None),
            Err(error) => Err(away(&error)),
        }
    }
}

async fn within<T>(answer: impl Future<Output = T>) -> Result<T, Refusal> {
    timeout(PATIENCE, answer).await.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Refusal::unavailable(format!(
            "the API server did not answer the module controller within {seconds} s"
        ))
    })
}

/// What went wrong is told, so that a right that the controller lacks is found.
fn away(error: &Error) -> Refusal {
    let why = match error {
        Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    };
    tracing::warn!(%why, "the kubelet API could not ask the API server");
    Refusal::unavailable(format!("the API server did not say what the module controller has to know: {why}"))
}
