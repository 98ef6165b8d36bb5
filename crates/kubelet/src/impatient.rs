//! A connection that ends when nothing that is written to it is taken for long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The connection, and how long it has waited for its reader.
pub(crate) struct Impatient<S> {
    stream: S,
    longest: Duration,
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// A reader may take nothing for so long.
    pub(crate) fn new(stream: S, longest: Duration) -> Self {
        Self { stream, longest, waits: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.waits = None;
            return done;
        }
        let longest = self.longest;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(longest)));
        waits.as_mut().poll(context).map(|()| {
            let seconds = longest.as_secs();
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("its reader took nothing for {seconds} s")))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, done)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn it_ends_when_nothing_is_taken_and_not_while_something_is() {
        let (ours, mut theirs) = duplex(4);
        let mut writer = Impatient::new(ours, Duration::from_millis(200));
        let reads = tokio::spawn(async move {
            let mut taken = [0; 8];
            theirs.read_exact(&mut taken).await.unwrap();
            (theirs, taken)
        });
        writer.write_all(b"12345678").await.unwrap();
        let (theirs, taken) = reads.await.unwrap();
        assert_eq!(&taken, b"12345678");
        let stuck = writer.write_all(b"12345678").await.unwrap_err();
        assert_eq!(stuck.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }
}
