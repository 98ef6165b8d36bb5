//! Bodies of answers: whole texts, and what comes piece by piece.

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Why a body that has begun does not come to its end.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Any body.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A whole text.
pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Pieces as they are sent; the body ends when nobody sends any more.
pub(crate) fn pieces(pieces: mpsc::Receiver<Bytes>) -> Body {
    let frames = stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((Ok::<_, BodyError>(Frame::data(piece)), pieces))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
