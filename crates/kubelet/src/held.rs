//! A body that keeps a place until it has ended, or nobody reads it any more.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::{
    body::{Body, BodyError},
    routes::Place,
};

/// The body and its place.
pub(crate) struct Held {
    body: Body,
    _place: Place,
}

impl Held {
    pub(crate) fn new(body: Body, place: Place) -> Self {
        Self { body, _place: place }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
