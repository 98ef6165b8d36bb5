//! The board's port, within limits.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// Connections at once: some for each tab.
const MOST: usize = 1_024;
/// How long a client may take for a request's head, and keep a connection that it does not use.
const HEAD: Duration = Duration::from_secs(30);
/// The largest head, in bytes: a cookie with a token is a few thousand.
const MOST_HEAD: usize = 32 * 1024;
/// How long accepting pauses when the system has no socket to give.
const PAUSE: Duration = Duration::from_millis(100);
/// How long requests under way are given when the process is told to end.
const LAST: Duration = Duration::from_secs(2);

/// Serves until `stop` becomes true.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // One more is closed at once.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (router, mut stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(MOST_HEAD)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            let mut connection = std::pin::pin!(connection);
            let told = async { drop(stop.wait_for(|stop| *stop).await) };
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = told => None,
            };
            let ended = match ended {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(cause) = ended {
                tracing::debug!(%cause, "a connection came to no good end");
            }
            drop(place);
        });
    }
    // Whoever is not done by then asks again, of another.
    let _ = tokio::time::timeout(LAST, async { while connections.join_next().await.is_some() {} }).await;
}
