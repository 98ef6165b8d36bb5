//! Commands to Arklet. Its answers carry neither length nor type: they end when it closes.

use std::{error::Error, fmt, net::SocketAddr};

use arklet::{CallError, Command, CommandKind, Outcome};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use hyper_util::{
    client::legacy::{
        self,
        connect::{CaptureConnection, HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use model::Pass;
use tokio::time::{Instant, timeout_at};

use super::{
    guarded::{Guarded, was_shut},
    limits::{CONNECT_TIMEOUT, CONNECTION_BUFFER_BYTES},
};
use crate::bodies::Body;

/// How long a connection that a base keeps open is kept by us. A stock Java base closes after
/// each answer; what keeps open must not be closed by the base first, or a command is in doubt.
const IDLE: std::time::Duration = std::time::Duration::from_secs(5);

/// How much of an error page is quoted.
const MAX_QUOTE_BYTES: usize = 200;

/// The HTTP client of all bases. No proxy, no redirect, no TLS, no name resolution: Arklet is an
/// address that the base itself reported. Nothing runs for a base that no command is sent to.
#[derive(Clone)]
pub(super) struct Client(legacy::Client<HttpConnector, Guarded>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .http1_max_buf_size(CONNECTION_BUFFER_BYTES)
            .build(connector);
        Self(client)
    }

    /// One command and its outcome, by the deadline at the latest.
    pub(super) fn call(
        &self,
        address: SocketAddr,
        command: Command,
        deadline: Instant,
        pass: Pass,
        body: Body,
    ) -> impl Future<Output = Outcome> + use<> {
        let client = self.0.clone();
        async move {
            let kind = command.kind();
            let mut request = Request::new(Guarded::new(Bytes::from(command.body()), pass));
            *request.method_mut() = hyper::Method::POST;
            *request.uri_mut() = format!("http://{address}/{kind}")
                .parse()
                .map_err(|cause| CallError::Unreachable(format!("{address} makes no URL: {cause}")))?;
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            let connection = capture_connection(&mut request);
            match timeout_at(deadline, exchange(&client, request, kind, body)).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(error)) => Err(lost(address, &connection, &error)),
                Err(_) if never_connected(&connection) => {
                    Err(CallError::Unreachable(format!("{address} accepts no connection in time")))
                }
                Err(_) => Err(CallError::TimedOut),
            }
        }
    }
}

/// Sends and reads. The outer error is the connection's, the outcome the base's.
async fn exchange(
    client: &legacy::Client<HttpConnector, Guarded>,
    request: Request<Guarded>,
    kind: CommandKind,
    body: Body,
) -> Result<Outcome, legacy::Error> {
    let mut response = client.request(request).await?;
    let status = response.status();
    Ok(match status {
        StatusCode::OK => read(&mut response, kind, body).await,
        // Arklet answers a command that it does not know with 200.
        StatusCode::NOT_FOUND => {
            Err(CallError::NotArklet(format!("HTTP {status}: {}", quote(&beginning(&mut response).await))))
        }
        _ => {
            let page = beginning(&mut response).await;
            Err(CallError::Malformed(format!("HTTP {status}: {}", quote(&page))))
        }
    })
}

/// Reads the answer while it comes.
async fn read(response: &mut Response<Incoming>, kind: CommandKind, mut body: Body) -> Outcome {
    let mut length = 0;
    while let Some(frame) = response.body_mut().frame().await {
        let Ok(frame) = frame else {
            return Err(CallError::Malformed(format!("it broke off after {length} bytes")));
        };
        // What is no data is a trailer, and says nothing.
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        // Who says too much is not listened to any further.
        body.feed(&data).await.map_err(|cause| CallError::Malformed(cause.to_string()))?;
    }
    body.read(|bytes| arklet::parse_answer(kind, bytes))
}

/// As much of an error page as is quoted.
async fn beginning(response: &mut Response<Incoming>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        let Ok(data) = frame.into_data() else { continue };
        bytes.extend(data.into_iter().take(MAX_QUOTE_BYTES.saturating_sub(bytes.len())));
        if bytes.len() >= MAX_QUOTE_BYTES {
            break;
        }
    }
    bytes
}

/// A failed exchange: certain that nothing was done only where no connection came about.
fn lost(address: SocketAddr, connection: &CaptureConnection, error: &legacy::Error) -> CallError {
    if error.is_connect() || never_connected(connection) || was_shut(error) {
        return CallError::Unreachable(format!("{address}: {}", root_cause(error)));
    }
    if error
        .source()
        .and_then(|source| source.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_parse)
    {
        return CallError::Malformed(format!("{address} speaks no HTTP: {}", root_cause(error)));
    }
    tracing::debug!(%address, cause = root_cause(error), "a base's connection ended without an answer");
    CallError::TimedOut
}

fn never_connected(connection: &CaptureConnection) -> bool {
    connection.connection_metadata().is_none()
}

/// The innermost cause, which is what the system said.
fn root_cause(error: &dyn Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The beginning of a text that was not asked for, on one line.
fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE_BYTES).collect()
}
