//! A listener for HTTP/1.1: connections, their limits, and their end.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

/// How long the head of a request may take to come, and how long a connection is kept without one.
const HEAD: Duration = Duration::from_secs(75);

/// The most that is read of a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long connections may take to end when the base does.
const LAST: Duration = Duration::from_secs(5);

/// After an accept that failed: descriptors are used up, and come back.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Any body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Whatever has an error, or none.
pub(crate) fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A whole body.
pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    boxed(Full::new(text.into()))
}

/// A listener that is bound and does not answer yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    places: Arc<Semaphore>,
}

impl Server {
    /// Binds an address. More connections than `connections` wait to be accepted.
    pub(crate) async fn bind(address: SocketAddr, connections: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, places: Arc::new(Semaphore::new(connections)) })
    }

    /// Where it listens: the port too, where it was asked to choose one.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `end` says so; requests at work are answered to their end, within 5 s.
    pub(crate) async fn serve<H, F>(self, handler: H, mut end: watch::Receiver<bool>)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                _ = end.wait_for(|end| *end) => break,
            };
            let Some((stream, place)) = accepted else { continue };
            let handler = handler.clone();
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(MAX_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection ended: {error}");
                }
                drop(place);
            });
        }
        if tokio::time::timeout(LAST, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were ended after {LAST:?}");
        }
    }

    async fn accept(&self) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => {
                // A module that writes twice must not wait for the first to be acknowledged.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection: {error}");
                }
                Some((stream, place))
            }
            Err(error) => {
                tracing::warn!("accepting a connection: {error}");
                tokio::time::sleep(AFTER_FAILURE).await;
                None
            }
        }
    }
}
