//! The encrypted connection to a server.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::connector_material::ConnectorMaterial;
use crate::parsed_certificate::ParsedCertificate;
use crate::trust::unix_now;

/// A TLS connection to a verified server: bytes written are encrypted, bytes read were authenticated.
///
/// A server that closes the transport without a TLS closure alert makes reads end with
/// [`io::ErrorKind::UnexpectedEof`], so that a truncated message is never taken for a complete one.
#[derive(Debug)]
pub struct ClientStream<S> {
    tls: TlsStream<S>,
    material: Arc<ConnectorMaterial>,
    current: Arc<ArcSwap<ConnectorMaterial>>,
    /// End of the server certificate's validity, in seconds since 1970.
    not_after: i64,
}

impl<S> ClientStream<S> {
    pub(super) fn new(
        tls: TlsStream<S>,
        material: Arc<ConnectorMaterial>,
        current: Arc<ArcSwap<ConnectorMaterial>>,
    ) -> Self {
        let leaf = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        // A date that cannot be read counts as past: the connection is used once and not kept.
        let not_after = leaf.and_then(|leaf| ParsedCertificate::read(leaf)).map_or(0, |leaf| leaf.not_after);
        Self { tls, material, current, not_after }
    }

    /// Whether a new connection would be opened under the same material, and the server's certificate has not
    /// expired. A connection pool asks before each reuse and closes a connection that is not current.
    pub fn is_current(&self) -> bool {
        unix_now() <= self.not_after && Arc::ptr_eq(&self.material, &self.current.load())
    }

    /// The ALPN protocol that was agreed on. None: the server chose none.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.get_ref().1.alpn_protocol()
    }

    /// The transport, for its addresses and options. Reading or writing it breaks the connection.
    pub fn transport(&self) -> &S {
        self.tls.get_ref().0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
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
