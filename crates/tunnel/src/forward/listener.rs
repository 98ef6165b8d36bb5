//! The door for other replicas: who is none, or says what was said before, is sent away.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use model::TunnelKind;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::{
    FROM, ForwardRefusal, MAX_BODY_BYTES, NUMBER, PATH, SIGNATURE, Shared, TO, message,
    seal::{self, Envelope},
};
use crate::{
    Event,
    bucket::Rate,
    http::peers::{Peers, Share},
    stop::Phase,
};

/// Connections at once: each replica has one, and there are a handful.
const CONNECTIONS: usize = 64;

/// Connections of one address at once: in a test or at home all replicas share one.
const CONNECTIONS_OF_ONE: usize = 16;

/// Connections that one address may open: a replica keeps the one that it has.
const OPENED_BY_ONE: Rate = Rate { a_second: 16, at_once: 64 };

/// How long a request's head may take, and how long a connection may be idle: longer than the other side keeps it.
const HEAD: Duration = Duration::from_secs(30);

/// How long a body may take, once the head is there.
const BODY: Duration = Duration::from_secs(3);

/// How long accepting pauses when the system has no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the end.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let share = Share { connections: CONNECTIONS_OF_ONE, opened: OPENED_BY_ONE };
    let (peers, places) = (Peers::new(share), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let accepted = tokio::select! {
            () = stop.reached(Phase::Draining) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                shared.counts.refuse(ForwardRefusal::Accept);
                tracing::warn!(%cause, "a connection of another replica could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let places = peers.admit(peer.ip(), Instant::now()).zip(places.clone().try_acquire_owned().ok());
        let Some(places) = places else {
            shared.counts.refuse(ForwardRefusal::Connections);
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            connection(stream, peer, shared).await;
            drop(places);
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let service = {
        let shared = shared.clone();
        service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(answer(&shared, peer, request).await) }
        })
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut stop = shared.stop.clone();
    let served = tokio::select! {
        served = served => served,
        () = stop.reached(Phase::Draining) => return,
    };
    // Whoever was idle for long is let go, and connects again.
    if let Err(error) = served.as_ref()
        && !error.is_timeout()
    {
        shared.counts.refuse(ForwardRefusal::Protocol);
        tracing::debug!(%peer, %error, "a connection that is no good HTTP");
    }
}

async fn answer(shared: &Shared, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    if let Err(reason) = take(shared, request).await {
        shared.counts.refuse(reason);
        tracing::debug!(%peer, reason = reason.as_str(), "what was sent on is refused");
        *response.status_mut() = status(reason);
        *response.body_mut() = Full::new(Bytes::from_static(reason.as_str().as_bytes()));
    }
    response
}

fn status(reason: ForwardRefusal) -> StatusCode {
    match reason {
        ForwardRefusal::Path => StatusCode::NOT_FOUND,
        ForwardRefusal::Sender | ForwardRefusal::Signature => StatusCode::UNAUTHORIZED,
        ForwardRefusal::Receiver | ForwardRefusal::Replayed => StatusCode::CONFLICT,
        ForwardRefusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ForwardRefusal::Slow => StatusCode::REQUEST_TIMEOUT,
        ForwardRefusal::Overload => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn take(shared: &Shared, request: Request<Incoming>) -> Result<(), ForwardRefusal> {
    if request.method() != Method::POST || request.uri().path() != PATH {
        return Err(ForwardRefusal::Path);
    }
    let (head, body) = request.into_parts();
    let word = |name| word(&head.headers, name);
    let number = word(NUMBER).parse().map_err(|_| ForwardRefusal::Malformed)?;
    let envelope = Envelope { from: word(FROM), to: word(TO), number };
    // Nothing is read of who is no replica.
    let key = shared.key_of(envelope)?;
    let body = read(body).await?;
    if !seal::is_good(&key, envelope, &body, word(SIGNATURE)) {
        return Err(ForwardRefusal::Signature);
    }
    shared.count_on(envelope)?;
    let reports = message::read(&body).map_err(|cause| {
        tracing::warn!(from = envelope.from, cause, "another replica sends on what is no heartbeat");
        ForwardRefusal::Malformed
    })?;
    for report in reports {
        if shared.addresses.admit(TunnelKind::Http, &report).is_err() {
            shared.counts.refuse(ForwardRefusal::Address);
            continue;
        }
        shared.events.try_send(Event::Forwarded(report)).map_err(|_| ForwardRefusal::Overload)?;
        shared.counts.taken.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn word<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The body, within size and time.
async fn read(body: Incoming) -> Result<Bytes, ForwardRefusal> {
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(ForwardRefusal::TooLarge);
    }
    match timeout(BODY, pin!(Limited::new(body, MAX_BODY_BYTES).collect())).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ForwardRefusal::TooLarge),
        Ok(Err(_)) => Err(ForwardRefusal::Malformed),
        Err(_) => Err(ForwardRefusal::Slow),
    }
}
