//! A question of the base to a module, asked inside it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use host::{CallError, Module};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use serde_json::Value;

/// The most that is read of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// A question to a module.
#[derive(Debug)]
pub(crate) struct Probe;

/// Its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Null where it is no JSON.
    pub(crate) body: Value,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("it is being asked already")]
    Busy,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("it did not answer within {0:?}")]
    Late(Duration),
    #[error("its answer is cut short or longer than {MAX_BYTES} bytes")]
    Body,
    #[error("the question cannot be asked: {0}")]
    Question(String),
}

impl ProbeError {
    pub(crate) fn is_busy(&self) -> bool {
        *self == Self::Busy
    }
}

impl Probe {
    /// `GET path`, as a request to the module has it.
    pub(crate) async fn ask(module: &Arc<Module>, path: &str, limit: Duration) -> Result<Answer, ProbeError> {
        let question = Request::get(path).header(http::header::HOST, "localhost").body(Empty::<Bytes>::new());
        let question = question.map_err(|error| ProbeError::Question(error.to_string()))?;
        let entry = module.enter_for_base().map_err(|_| ProbeError::Busy)?;
        let ask = async {
            let response = entry.call(question).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
            let body = body.map_err(|_| ProbeError::Body)?.to_bytes();
            Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
        };
        tokio::time::timeout(limit, ask).await.unwrap_or(Err(ProbeError::Late(limit)))
    }
}

impl Answer {
    /// It does not know the question.
    pub(crate) fn is_unknown(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// Whether a module that answers so may serve: it says that it is up, or does not know the question.
    pub(crate) fn is_well(&self) -> bool {
        let says = self.body.get("status").and_then(Value::as_str);
        self.is_unknown() || (self.status.is_success() && says.is_none_or(|says| says == "UP"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.body.to_string().chars().take(300).collect();
        write!(f, "{} {body}", self.status.as_u16())
    }
}
