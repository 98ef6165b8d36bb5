//! One replica that is sent to: a queue, and one request at a time.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{Method, Request, StatusCode, Uri, header::HeaderValue};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use model::Pass;
use tokio::{sync::mpsc, time::timeout};

use super::{FROM, MAX_BODY_BYTES, NUMBER, PATH, SIGNATURE, Shared, TO, seal::Envelope};
use crate::http::guarded::Guarded;

/// What one request may hold of heartbeats, in bytes, beside a last one that is always far smaller than the rest.
const FULL: usize = MAX_BODY_BYTES * 3 / 4;

/// Heartbeats that wait for one replica: those of 5,000 bases that all speak at once, less those that this one owns.
const WAITING: usize = 4_096;

/// What waited longer is not sent: its base has been heard again by now, or will be asked.
const STALE: Duration = Duration::from_secs(5);

/// How long a replica may take to connect and to answer: it does nothing but pass on what it is given.
const CONNECT: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(3);

/// How long an idle connection is kept: less than the other side keeps it.
const IDLE: Duration = Duration::from_secs(10);

/// A heartbeat that waits.
struct Waiting {
    since: Instant,
    line: String,
    /// Leave to send it, of the incarnation that heard it.
    pass: Pass,
}

/// The way to one replica. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Sender {
    queue: mpsc::Sender<Waiting>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.line)
    }
}

impl Sender {
    /// Begins to send what `own` hears to the replica `to` at this address.
    pub(super) fn start(own: Arc<str>, to: Arc<str>, address: SocketAddr, shared: Arc<Shared>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        tokio::spawn(send(own, to, address, waiting, shared));
        Self { queue }
    }

    /// Puts a heartbeat into the queue; false where that is full.
    pub(super) fn put(&self, line: String, pass: Pass) -> bool {
        self.queue.try_send(Waiting { since: Instant::now(), line, pass }).is_ok()
    }
}

async fn send(
    own: Arc<str>,
    to: Arc<str>,
    address: SocketAddr,
    mut queue: mpsc::Receiver<Waiting>,
    shared: Arc<Shared>,
) {
    let client = client();
    while let Some(first) = queue.recv().await {
        let pass = first.pass.clone();
        let (mut body, mut count, mut next) = (String::new(), 0, Some(first));
        while let Some(waiting) = next {
            if waiting.since.elapsed() < STALE {
                body.push_str(&waiting.line);
                count += 1;
            } else {
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
            next = if body.len() < FULL { queue.try_recv().ok() } else { None };
        }
        if count == 0 {
            continue;
        }
        let sent = match request(&own, &to, address, body, pass, &shared) {
            Some(request) => timeout(DEADLINE, client.request(request)).await,
            None => continue,
        };
        let failure = match sent {
            Ok(Ok(answer)) if answer.status() == StatusCode::OK => {
                shared.counts.sent.fetch_add(count, Ordering::Relaxed);
                continue;
            }
            Ok(Ok(answer)) => format!("HTTP {}", answer.status()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {DEADLINE:?}"),
        };
        // Nothing is sent twice: the base speaks again, and an owner that hears nothing asks it.
        shared.counts.failed.fetch_add(count, Ordering::Relaxed);
        tracing::debug!(%to, %address, failure, heartbeats = count, "heartbeats were not sent on");
    }
}

fn request(
    own: &str,
    to: &str,
    address: SocketAddr,
    body: String,
    pass: Pass,
    shared: &Shared,
) -> Option<Request<Guarded>> {
    let number = shared.number.fetch_add(1, Ordering::Relaxed);
    let signature = shared.seal.sign(Envelope { from: own, to, number }, body.as_bytes());
    let mut request = Request::new(Guarded::new(Bytes::from(body), pass));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("http://{address}{PATH}").parse::<Uri>().ok()?;
    let number = number.to_string();
    for (name, value) in [(FROM, own), (TO, to), (NUMBER, &number), (SIGNATURE, &signature)] {
        request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(request)
}

fn client() -> legacy::Client<HttpConnector, Guarded> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .build(connector)
}
