//! What another host sends, within its limits.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};
use wasmtime_wasi_http::Error;

/// The body of another host's answer. The call has its place until it is dropped.
pub(super) struct Answer {
    inner: Incoming,
    left: u64,
    limit: u64,
    between: Duration,
    silent: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Answer {
    /// At most `limit` bytes, with at most `between` from one piece to the next.
    pub(super) fn new(inner: Incoming, limit: u64, between: Duration, place: OwnedSemaphorePermit) -> Self {
        Self { inner, left: limit, limit, between, silent: Box::pin(sleep(between)), _place: place }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let next = Instant::now() + self.between;
                self.silent.as_mut().reset(next);
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = self.left.checked_sub(bytes) else {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.limit)))));
                };
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                std::task::ready!(self.silent.as_mut().poll(context));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
