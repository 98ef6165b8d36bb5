//! One request, and what its answer means.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;
use model::causes;
use rustls::crypto::ring;
use serde::Deserialize;
use tokio::time::timeout;

use crate::hook::Hook;

/// A robot answers some 50 bytes; a gateway's error page is quoted, not read to its end.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How much of an answer is quoted in the log.
const MAX_QUOTE_BYTES: usize = 300;
/// A connection that is not used is closed before the other side, or a gateway between, does so
/// without a word.
const IDLE: Duration = Duration::from_secs(20);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The robot took it.
    Sent,
    /// It may be taken later. It may have been taken this time: then the group reads it twice, which
    /// is better than never.
    Again(String),
    /// The robot gets too much.
    Throttled(String),
    /// It will never be taken.
    Refused(String),
}

/// The HTTP client of all hooks: no redirect, because a robot makes none, and no proxy.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Trusts what the system trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`); where it has no list, as in
    /// an image with nothing but the program, Mozilla's.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let connector = || HttpsConnectorBuilder::new();
        let tls = match connector().with_provider_and_native_roots(ring::default_provider()) {
            Ok(tls) => tls,
            Err(_) => connector().with_provider_and_webpki_roots(ring::default_provider())?,
        };
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(tls.https_or_http().enable_http1().build());
        Ok(Self(client))
    }

    /// One attempt, by the deadline at the latest.
    pub(crate) async fn send(&self, hook: &Hook, body: String, deadline: Duration) -> Verdict {
        let url = hook.url(Timestamp::now());
        let request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(body)));
        // A URL may hold what a URI may not; the error would not say more than that.
        let Ok(request) = request else { return Verdict::Refused("its URL cannot be used".to_owned()) };
        let verdict = match timeout(deadline, self.exchange(request)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::Again(format!("no answer within {} ms", deadline.as_millis())),
        };
        verdict.map(|reason| hook.redact(&reason))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Verdict {
        let response = match self.0.request(request).await {
            Ok(response) => response,
            Err(error) => return Verdict::Again(causes(&error)),
        };
        let status = response.status();
        match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
            Ok(body) => judge(status, &body.to_bytes()),
            Err(error) => Verdict::Again(format!("HTTP {status}, then its answer broke off: {error}")),
        }
    }
}

impl Verdict {
    fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Sent => Self::Sent,
            Self::Again(reason) => Self::Again(change(reason)),
            Self::Throttled(reason) => Self::Throttled(change(reason)),
            Self::Refused(reason) => Self::Refused(change(reason)),
        }
    }
}

/// What DingTalk says: always with status 200.
#[derive(Deserialize)]
struct Answer {
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

fn judge(status: StatusCode, body: &[u8]) -> Verdict {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Verdict::Throttled(format!("HTTP {status}: {}", quote(body)));
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Verdict::Again(format!("HTTP {status}: {}", quote(body)));
    }
    if status != StatusCode::OK {
        return Verdict::Refused(format!("HTTP {status}: {}", quote(body)));
    }
    let Ok(Answer { errcode, errmsg }) = serde_json::from_slice::<Answer>(body) else {
        return Verdict::Refused(format!("it answers as no robot of DingTalk does: {}", quote(body)));
    };
    let reason = format!("errcode {errcode}: {}", quote(errmsg.as_bytes()));
    match errcode {
        0 => Verdict::Sent,
        // "The system is busy".
        -1 => Verdict::Again(reason),
        // "Send too fast, exceed 20 times per minute", of the older and of the newer gateway.
        130_101 | 410_100 => Verdict::Throttled(reason),
        _ => Verdict::Refused(reason),
    }
}

/// The beginning of an answer in one line.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(MAX_QUOTE_BYTES);
    line.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status_and_by_its_errcode() {
        let ok = |body: &str| judge(StatusCode::OK, body.as_bytes());
        let status = |code: u16| judge(StatusCode::from_u16(code).unwrap(), b"<p>sorry\n</p>");
        assert_eq!(ok(r#"{"errcode":0,"errmsg":"ok"}"#), Verdict::Sent);
        assert_eq!(
            ok(r#"{"errcode":310000,"errmsg":"sign not match"}"#),
            Verdict::Refused("errcode 310000: sign not match".into())
        );
        assert!(matches!(ok(r#"{"errcode":-1,"errmsg":"busy"}"#), Verdict::Again(_)));
        // As recorded by others, with the gateway's own words around it.
        let punished = r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"9ff0","errcode": 130101,"errmsg": "send too fast, exceed 20 times per minute"}"#;
        assert!(matches!(ok(punished), Verdict::Throttled(_)));
        assert!(matches!(ok("<html>Sign in</html>"), Verdict::Refused(_)), "a portal is no robot");
        assert!(matches!(ok(""), Verdict::Refused(_)));
        assert!(matches!(status(429), Verdict::Throttled(_)));
        assert_eq!(status(502), Verdict::Again("HTTP 502 Bad Gateway: <p>sorry </p>".into()));
        for refused in [301, 400, 403, 404] {
            assert!(matches!(status(refused), Verdict::Refused(_)), "{refused}");
        }
    }
}
