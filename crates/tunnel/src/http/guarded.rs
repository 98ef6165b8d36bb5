//! A request's body that is not sent late: whether it may be sent is looked at when the connection
//! is there and wants it. Without its body a command is none, and no base carries it out.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use model::Pass;

/// This replica may not act any more.
#[derive(Debug, thiserror::Error)]
#[error("this replica may not act at the moment")]
pub(crate) struct Shut;

/// The body of a command, with leave to send it.
#[derive(Debug)]
pub(crate) struct Guarded {
    bytes: Option<Bytes>,
    pass: Pass,
}

impl Guarded {
    pub(crate) fn new(bytes: Bytes, pass: Pass) -> Self {
        Self { bytes: Some(bytes), pass }
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Shut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Shut>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(self.pass.left().map(|_| Frame::data(bytes)).ok_or(Shut)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        )
    }
}

/// The request was not sent because the fence was shut.
pub(super) fn was_shut(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Shut>() {
            return true;
        }
        cause = error.source();
    }
    false
}
