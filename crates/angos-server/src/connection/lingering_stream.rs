//! The bytes of a connection: notices a client that does not take them, and closes politely, which is to stop sending
//! and read on for a moment so that the last words arrive.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::connection::activity::Activity;
use crate::limits::LINGER;

/// Wraps a stream. Everything passes through.
#[derive(Debug)]
pub(crate) struct LingeringStream<S> {
    stream: S,
    activity: Arc<Activity>,
    /// Set while closing; see [`LINGER`] for why it takes time.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<S> LingeringStream<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, closing: None }
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.activity.blocked(),
            Poll::Ready(_) => self.activity.unblocked(),
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let deadline = this.closing.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scratch = [MaybeUninit::uninit(); 4096];
        while deadline.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // The end, or a broken connection: nobody is left to be polite to.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reads_on_until_the_client_is_done() {
        let (client, server) = tokio::io::duplex(16);
        let closing = tokio::spawn(async move {
            let mut server = LingeringStream::new(server, Arc::new(Activity::new()));
            server.write_all(b"no").await.expect("room");
            server.shutdown().await
        });
        let (mut reader, mut writer) = tokio::io::split(client);
        writer.write_all(&[0; 1000]).await.expect("the server reads although it is closing");
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer).await.expect("a whole answer");
        assert_eq!(answer, b"no");
        drop((reader, writer));
        closing.await.expect("no panic").expect("closed");
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_silent_client() {
        let (_client, server) = tokio::io::duplex(16);
        let before = tokio::time::Instant::now();
        LingeringStream::new(server, Arc::new(Activity::new())).shutdown().await.expect("closed");
        assert_eq!(before.elapsed().as_secs(), LINGER.as_secs());
    }
}
