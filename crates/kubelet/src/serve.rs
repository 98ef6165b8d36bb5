//! The port of the kubelet API, within limits.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tunnel::files::Reloaded;

use crate::{impatient::Impatient, routes::App, subject};

/// Connections at once: an API server has one for each log that somebody reads, and some more.
const MOST: usize = 512;
/// How long a handshake may take, and a request's head; a connection that is not used is kept for as long.
const HEAD: Duration = Duration::from_secs(30);
/// The largest head, in bytes: a token is a few thousand.
const MOST_HEAD: usize = 32 * 1024;
/// How long a caller may take nothing of what is sent: one that does not read has no place.
const STUCK: Duration = Duration::from_secs(60);
/// A caller that is gone without a word is found out after two minutes: a log that is followed may be quiet for long.
const ASK_AFTER: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system has no socket to give.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` becomes true; logs that are followed end then.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Reloaded<Arc<ServerConfig>>,
    app: Arc<App>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MOST));
    let mut connections = JoinSet::new();
    let follows = tls.clone().follow();
    tokio::pin!(follows);
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = &mut follows => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(cause) => {
                tracing::warn!(%cause, "a connection to the kubelet API could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // One more is closed at once.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (acceptor, app) = (TlsAcceptor::from((*tls.current()).clone()), app.clone());
        connections.spawn(async move {
            connection(stream, acceptor, app).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, app: Arc<App>) {
    let asks = TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_EVERY);
    if let Err(cause) = SockRef::from(&stream).set_tcp_keepalive(&asks) {
        tracing::debug!(%cause, "a connection is not asked whether it is still there");
    }
    let stream = match timeout(HEAD, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(cause)) => {
            tracing::debug!(%cause, "a TLS handshake with the kubelet API failed");
            return;
        }
        Err(_) => return,
    };
    // TLS has verified it.
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let bearer = certificate.map(|certificate| {
        let read = webpki::EndEntityCert::try_from(certificate).ok();
        read.and_then(|read| subject::user(read.subject())).map(Arc::new)
    });
    let service = service_fn(move |request| {
        let (app, bearer) = (app.clone(), bearer.clone());
        async move { Ok::<_, Infallible>(app.answer(bearer, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(Impatient::new(stream, STUCK)), service)
        .await;
    if let Err(cause) = served {
        tracing::debug!(%cause, "a connection to the kubelet API came to no good end");
    }
}
