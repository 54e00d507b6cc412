//! Stage 2: socket → TLS stream and peer. The client certificate is read here, once per connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use angos_tls::{Acceptor, Protocol};
use tokio::net::TcpStream;
use tracing::Instrument as _;

use crate::connection;
use crate::connection::context::Connection;
use crate::connection::peer_trust::PeerTrust;
use crate::listener::connection_limit::ConnectionEntry;
use crate::listener::context::ListenerContext;
use crate::server::state::ServerState;

/// Accepts TLS on a new socket, if its listener has an acceptor, and serves the connection until it ends. A failed
/// handshake ends the connection; a listener with TLS never serves plaintext.
pub(crate) async fn accept_tls(
    server: Arc<ServerState>,
    listener: Arc<ListenerContext>,
    acceptor: Option<Acceptor>,
    socket: TcpStream,
    address: SocketAddr,
    entry: Arc<ConnectionEntry>,
) {
    let address = address.ip().to_canonical();
    let span = tracing::debug_span!(target: "angos::server", "connection", client_ip = %address);
    let Some(acceptor) = acceptor else {
        let connection = Connection::new(server, listener, address, None, entry);
        return connection::serve(connection, socket, Protocol::Http1).instrument(span).await;
    };
    let serve = match acceptor.accept(socket).await {
        Ok((stream, peer)) => {
            server.metrics.handshake("ok");
            if let Some(certificate) = peer.certificate() {
                server.metrics.soonest_client.see(certificate.not_after(), Instant::now());
            }
            let protocol = peer.protocol();
            let connection = Connection::new(server, listener, address, Some(PeerTrust::new(peer)), entry);
            connection::serve(connection, stream, protocol)
        }
        Err(error) => {
            // `angos-tls` logs the refused certificate and the reason under `angos::auth`.
            server.metrics.handshake(error.class());
            tracing::debug!(target: "angos::tls", %address, class = error.class(), "handshake failed");
            return;
        }
    };
    serve.instrument(span).await;
}
