//! Our port: heartbeats and baseline queries of bases that use HTTP.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arklet::WireError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use model::{BaseIdentity, ErrorCode, ErrorSource, ErrorType, Language, TunnelKind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc::error::TrySendError, oneshot},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Shared,
    limits::{MAX_REQUEST_BYTES, Refusal},
    peers::{Peers, Share},
};
use crate::{
    Event,
    application::{Application, OtherApplication},
    stop::Phase,
};

/// How long the rest of a refused body is thrown away, so that the client reads our answer
/// before its connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// How long accepting pauses when the system has no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the tunnel ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let limits = &shared.limits;
    let peers = Peers::new(Share { connections: limits.connections_of_one, opened: limits.opened_by_one });
    loop {
        let accepted = tokio::select! {
            () = stop.reached(Phase::Draining) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                shared.counts.refuse(Refusal::Accept);
                tracing::warn!(%cause, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = peers.admit(peer.ip(), Instant::now());
        let permit = shared.connections.clone().try_acquire_owned().ok();
        let Some(places) = place.zip(permit) else {
            shared.counts.refuse(Refusal::Connections);
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            secured(stream, peer, shared).await;
            drop(places);
        });
    }
}

/// One connection, behind TLS where it is on.
async fn secured(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let Some(tls) = &shared.tls else { return connection(stream, peer, shared).await };
    let acceptor = TlsAcceptor::from((*tls.0.current()).clone());
    let mut stop = shared.stop.clone();
    let accepted = tokio::select! {
        accepted = timeout(shared.limits.head, acceptor.accept(stream)) => accepted,
        () = stop.reached(Phase::Stopped) => return,
    };
    match accepted {
        Ok(Ok(stream)) => connection(stream, peer, shared).await,
        Ok(Err(error)) => {
            shared.counts.refuse(Refusal::Tls);
            tracing::debug!(%peer, %error, "a TLS handshake failed");
        }
        Err(_) => shared.counts.refuse(Refusal::Slow),
    }
}

/// One connection: one request, one answer. Keeping 5,000 connections open for one heartbeat in
/// twelve seconds would cost more than opening them, and a base that writes into one that we are
/// just closing would lose its heartbeat.
async fn connection<S>(stream: S, peer: SocketAddr, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unread = Arc::new(AtomicBool::new(false));
    let service = {
        let (shared, unread) = (shared.clone(), unread.clone());
        service_fn(move |request| {
            let (shared, unread) = (shared.clone(), unread.clone());
            async move { Ok::<_, Infallible>(answer(&shared, peer.ip(), request, &unread).await) }
        })
    };
    let limits = &shared.limits;
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    // The answer's own way to the client is part of it, and is as quick as a head.
    let whole = limits.head + limits.body + limits.reply + limits.head;
    let mut stop = shared.stop.clone();
    let served = tokio::select! {
        served = timeout(whole, served) => served,
        () = stop.reached(Phase::Stopped) => return,
    };
    match served {
        Err(_) => shared.counts.refuse(Refusal::Slow),
        Ok(Err(error)) if error.is_timeout() => shared.counts.refuse(Refusal::Slow),
        Ok(Err(error)) => {
            shared.counts.refuse(Refusal::Protocol);
            tracing::debug!(%peer, %error, "a connection that is no good HTTP");
        }
        Ok(Ok(parts)) => close(parts.io.into_inner(), unread.load(Ordering::Relaxed)).await,
    }
}

/// Closes so that the answer arrives.
async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin, unread: bool) {
    // A client that is gone already needs no care.
    let _ = stream.shutdown().await;
    if unread {
        let mut scrap = [0; 8 * 1024];
        let drain = async { while stream.read(&mut scrap).await.is_ok_and(|read| read > 0) {} };
        let _ = timeout(LINGER, drain).await;
    }
}

/// A refusal: what the client hears and what is counted.
struct Refused {
    reason: Refusal,
    status: StatusCode,
    code: ErrorType,
    message: String,
}

impl Refused {
    fn new(reason: Refusal, status: StatusCode, code: ErrorType, message: impl Into<String>) -> Self {
        Self { reason, status, code, message: message.into() }
    }
}

async fn answer(
    shared: &Shared,
    peer: IpAddr,
    request: Request<Incoming>,
    unread: &AtomicBool,
) -> Response<Full<Bytes>> {
    match dispatch(shared, peer.to_canonical(), request, unread).await {
        Ok(body) => {
            let mut response = Response::new(Full::new(body));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(refused) => refuse(shared, peer, refused),
    }
}

fn refuse(shared: &Shared, peer: IpAddr, refused: Refused) -> Response<Full<Bytes>> {
    shared.counts.refuse(refused.reason);
    let source = match refused.reason {
        Refusal::Overload | Refusal::NoReply => ErrorSource::ModuleController,
        _ => ErrorSource::OtherUpstream,
    };
    let code = ErrorCode::new(source, refused.code);
    let (reason, cause) = (refused.reason.as_str(), &refused.message);
    tracing::debug!(%code, %peer, reason, cause, "a request was refused");
    let body = serde_json::json!({
        "code": code.to_string(),
        "message": refused.message,
        "suggestion": code.suggestion(Language::English),
    });
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = refused.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let told = match refused.status {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "POST")),
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
        _ => None,
    };
    if let Some((name, value)) = told {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn dispatch(
    shared: &Shared,
    peer: IpAddr,
    request: Request<Incoming>,
    unread: &AtomicBool,
) -> Result<Bytes, Refused> {
    let route = request.uri().path().to_owned();
    // Set back once the body is read: whoever returns before leaves something unread.
    unread.store(!request.body().is_end_stream(), Ordering::Relaxed);
    // Nobody without a token learns anything, not even what is here.
    let application = match &shared.tokens {
        Some(tokens) => tokens.0.current().admit(request.headers().get(AUTHORIZATION)),
        None => Some(Application::default()),
    };
    let Some(application) = application else {
        return Err(Refused::new(
            Refusal::Unauthorized,
            StatusCode::UNAUTHORIZED,
            ErrorType::SecretAKError,
            "a token is needed: Authorization: Bearer <one of HTTP_TUNNEL_TOKEN_FILE>",
        ));
    };
    if !matches!(route.as_str(), "/heartbeat" | "/queryBaseline") {
        return Err(Refused::new(
            Refusal::Path,
            StatusCode::NOT_FOUND,
            ErrorType::InvalidRequest,
            "only /heartbeat and /queryBaseline are here",
        ));
    }
    if request.method() != Method::POST {
        return Err(Refused::new(
            Refusal::Method,
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorType::InvalidRequest,
            format!("{route} takes POST only"),
        ));
    }
    let body = read(shared, request.into_body()).await?;
    unread.store(false, Ordering::Relaxed);
    match route.as_str() {
        "/heartbeat" => heartbeat(shared, peer, &application, &body),
        _ => baseline(shared, peer, &application, &body).await,
    }
}

/// The body, within size and time.
async fn read(shared: &Shared, body: Incoming) -> Result<Bytes, Refused> {
    let too_large = || {
        Refused::new(
            Refusal::TooLarge,
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorType::InvalidRequest,
            format!("at most {MAX_REQUEST_BYTES} bytes are taken"),
        )
    };
    // A declared length is believed, so that nothing of a large body is read.
    if body.size_hint().lower() > MAX_REQUEST_BYTES as u64 {
        return Err(too_large());
    }
    let body = pin!(Limited::new(body, MAX_REQUEST_BYTES).collect());
    match timeout(shared.limits.body, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(malformed(format!("the body broke off: {error}"))),
        Err(_) => Err(Refused::new(
            Refusal::Slow,
            StatusCode::REQUEST_TIMEOUT,
            ErrorType::InvalidRequest,
            format!("the body did not come within {:?}", shared.limits.body),
        )),
    }
}

fn heartbeat(
    shared: &Shared,
    peer: IpAddr,
    application: &Application,
    body: &[u8],
) -> Result<Bytes, Refused> {
    let mut report = arklet::parse_heartbeat(body).map_err(|cause| {
        if matches!(cause, WireError::Identity(_)) && shared.log_limit.is_news(&format!("{peer} {cause}"), Instant::now()) {
            tracing::warn!(%peer, %cause, "a base has an identity that no Node can be named by; it is not taken");
        }
        malformed(cause.to_string())
    })?;
    application
        .admit(&mut report.name, &mut report.cluster)
        .map_err(|cause| other(shared, &report.identity, &cause))?;
    report.peer = Some(peer);
    report.ip.get_or_insert(peer);
    shared.addresses.admit(TunnelKind::Http, &report).map_err(|cause| {
        Refused::new(
            Refusal::Address,
            StatusCode::FORBIDDEN,
            ErrorType::InvalidParameter,
            format!("the heartbeat's address is refused: {cause}"),
        )
    })?;
    shared.events.try_send(Event::Heartbeat { tunnel: TunnelKind::Http, report }).map_err(overload)?;
    shared.counts.heartbeats.fetch_add(1, Ordering::Relaxed);
    // A base looks at the status only.
    Ok(Bytes::new())
}

async fn baseline(
    shared: &Shared,
    peer: IpAddr,
    application: &Application,
    body: &[u8],
) -> Result<Bytes, Refused> {
    let mut query = arklet::parse_baseline_query(body).map_err(|cause| malformed(cause.to_string()))?;
    application
        .admit(&mut query.name, &mut query.cluster)
        .map_err(|cause| other(shared, &query.identity, &cause))?;
    query.peer = Some(peer);
    let (reply, replied) = oneshot::channel();
    let event = Event::BaselineQuery { tunnel: TunnelKind::Http, query, reply: Some(reply) };
    shared.events.try_send(event).map_err(overload)?;
    shared.counts.baseline_queries.fetch_add(1, Ordering::Relaxed);
    match timeout(shared.limits.reply, replied).await {
        Ok(Ok(modules)) => Ok(Bytes::from(arklet::baseline_answer(&modules))),
        Ok(Err(_)) | Err(_) => Err(unavailable(Refusal::NoReply, "the baseline is not known yet")),
    }
}

/// A base calls itself another application than its token is for.
fn other(shared: &Shared, base: &BaseIdentity, cause: &OtherApplication) -> Refused {
    shared.others.tell(TunnelKind::Http, base, cause);
    Refused::new(
        Refusal::Application,
        StatusCode::FORBIDDEN,
        ErrorType::SecretAKError,
        format!("the token is another application's: {cause}"),
    )
}

fn malformed(message: String) -> Refused {
    Refused::new(Refusal::Malformed, StatusCode::BAD_REQUEST, ErrorType::InvalidParameter, message)
}

fn overload(error: TrySendError<Event>) -> Refused {
    match error {
        TrySendError::Full(_) => unavailable(Refusal::Overload, "the controller does not keep up"),
        TrySendError::Closed(_) => unavailable(Refusal::Overload, "the controller is shutting down"),
    }
}

fn unavailable(reason: Refusal, message: &str) -> Refused {
    Refused::new(reason, StatusCode::SERVICE_UNAVAILABLE, ErrorType::ResourceConstraned, message)
}
