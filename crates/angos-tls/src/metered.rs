//! The transport below a handshake: counts what a client sends before it is known, and bounds what all of them send.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::HANDSHAKE_FREE_BYTES;
use crate::plain_http::{self, PlainHttp};

/// A transport. Everything passes through; while there is a meter, bytes read are counted.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    meter: Option<Box<Meter>>,
}

#[derive(Debug)]
struct Meter {
    pool: Arc<Semaphore>,
    read: usize,
    taken: Option<OwnedSemaphorePermit>,
}

impl<S> Metered<S> {
    /// Counts until the [end](Self::end): what is beyond [`HANDSHAKE_FREE_BYTES`] takes a permit of `pool` for each byte.
    pub(crate) fn new(stream: S, pool: &Arc<Semaphore>) -> Self {
        let meter = Meter { pool: Arc::clone(pool), read: 0, taken: None };
        Self { stream, meter: Some(Box::new(meter)) }
    }

    /// The handshake is over: nothing is counted any more, and what was taken is given back.
    pub(crate) fn end(&mut self) {
        self.meter = None;
    }

    pub(crate) fn transport(&self) -> &S {
        &self.stream
    }

    pub(crate) fn into_transport(self) -> S {
        self.stream
    }
}

impl Meter {
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        let before = self.read.max(HANDSHAKE_FREE_BYTES);
        self.read = self.read.saturating_add(bytes);
        let more = u32::try_from(self.read.saturating_sub(before)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let taken = Arc::clone(&self.pool).try_acquire_many_owned(more);
        let taken = taken.map_err(|_| io::Error::other("too many long handshakes at the same time"))?;
        match &mut self.taken {
            Some(all) => all.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let Some(meter) = &mut self.meter else { return Poll::Ready(Ok(())) };
        let received = buffer.filled().get(before..).unwrap_or_default();
        if meter.read == 0 && plain_http::is_request(received) {
            // An error of the transport: the TLS library then sends no alert, which would garble the answer.
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, PlainHttp)));
        }
        Poll::Ready(meter.count(received.len()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn long_handshakes_share_a_pool() {
        let pool = Arc::new(Semaphore::new(1000));
        let bytes = vec![1; HANDSHAKE_FREE_BYTES + 1000];
        let read = async |stream: &mut Metered<&[u8]>, bytes| stream.read_exact(&mut vec![0; bytes]).await;
        let (mut first, mut second) = (Metered::new(&*bytes, &pool), Metered::new(&*bytes, &pool));
        read(&mut first, HANDSHAKE_FREE_BYTES).await.unwrap();
        assert_eq!(pool.available_permits(), 1000, "the beginning is free");
        read(&mut first, 600).await.unwrap();
        read(&mut second, HANDSHAKE_FREE_BYTES).await.unwrap();
        let refused = read(&mut second, 401).await.unwrap_err();
        assert_eq!(refused.to_string(), "too many long handshakes at the same time");
        first.end();
        assert_eq!(pool.available_permits(), 1000, "given back");
        read(&mut first, 400).await.unwrap();
        assert_eq!(pool.available_permits(), 1000, "nothing is counted any more");
    }
}
