//! The body of an answer, within its limit.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, p2::body::HyperOutgoingBody};

use crate::{call::Task, error::CallError, module::Module};

/// The body of an answer. Dropped before its end, the instance that makes it is ended.
pub struct Body {
    inner: HyperOutgoingBody,
    left: u64,
    task: Task,
    module: Arc<Module>,
    _place: Arc<OwnedSemaphorePermit>,
}

impl Body {
    pub(crate) fn new(
        inner: HyperOutgoingBody,
        limit: u64,
        task: Task,
        module: Arc<Module>,
        place: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        Self { inner, left: limit, task, module, _place: place }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = self.left.checked_sub(bytes) else {
                    let limit = self.module.quota.response_bytes;
                    let what = format!("its answer has more than {limit} bytes");
                    self.module.faults.note(Err(&CallError::NoAnswer(what)));
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(limit)))));
                };
                self.left = left;
            }
            Poll::Ready(None) => self.task.leave_alone(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}
