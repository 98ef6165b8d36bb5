//! The admin port within limits: whoever reaches it can cost us little.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};

/// Connections at once: two probes, some Prometheus servers and a person.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take for its request's head.
const HEAD: Duration = Duration::from_secs(5);

/// How long a connection lives, which bears one request. `/metrics` takes milliseconds.
const WHOLE: Duration = Duration::from_secs(10);

/// The largest head, in bytes: the least that the library takes is 8 KiB. No body is read.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long accepting pauses when the system has no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Serves the pages until `stop` becomes true.
pub(super) async fn serve(listener: TcpListener, pages: Router, mut stop: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            // A sender that is gone is a process that ends.
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::warn!(%cause, "a connection to the admin port could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // One more is closed at once.
        let Ok(permit) = connections.clone().try_acquire_owned() else { continue };
        let pages = pages.clone().layer(Extension(Peer(peer.ip())));
        tokio::spawn(async move {
            connection(stream, pages).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, pages: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    if !matches!(timeout(WHOLE, served).await, Ok(Ok(()))) {
        tracing::debug!("a connection to the admin port came to no good end");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const REQUEST: &[u8] = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

    /// What comes back, to the connection's end.
    async fn read(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn slow_and_many_and_large_requests_are_cut_off_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let pages = Router::new().route("/page", get(|| async { "here" }));
        let serving = tokio::spawn(serve(listener, pages, stopped));
        let ask = |request: Vec<u8>| async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            let _ = stream.write_all(&request).await;
            read(stream).await
        };
        let answer = ask(REQUEST.to_vec()).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here"), "{answer}");
        let long = [b"GET /page HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 4 * MAX_HEAD_BYTES]].concat();
        let answer = ask(long).await;
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");

        // All places are taken by those who say nothing.
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(to).await.unwrap());
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while ask(REQUEST.to_vec()).await.ends_with("here") {
            assert!(tokio::time::Instant::now() < deadline, "one more than the limit is served");
        }
        // They are cut off for their silence, and others have their places.
        for stream in silent {
            read(stream).await;
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !ask(REQUEST.to_vec()).await.ends_with("here") {
            assert!(tokio::time::Instant::now() < deadline, "nobody is served again");
        }
        stop.send_replace(true);
        timeout(Duration::from_secs(20), serving).await.unwrap().unwrap();
    }
}
