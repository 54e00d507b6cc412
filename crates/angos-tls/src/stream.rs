//! The encrypted connection handed to the HTTP layer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metered::Metered;

/// A TLS connection whose handshake is done: bytes written are encrypted, bytes read were authenticated.
///
/// A peer that closes the transport without saying so in TLS makes reads end with
/// [`io::ErrorKind::UnexpectedEof`], so that a cut-off message is never taken for a complete one.
#[derive(Debug)]
pub struct Stream<S> {
    tls: tokio_rustls::server::TlsStream<Metered<S>>,
}

impl<S> Stream<S> {
    pub(crate) fn new(tls: tokio_rustls::server::TlsStream<Metered<S>>) -> Self {
        Self { tls }
    }

    /// The transport below, for its addresses and options. Reading or writing it breaks the connection.
    pub fn transport(&self) -> &S {
        self.tls.get_ref().0.transport()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
