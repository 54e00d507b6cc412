//! Stage 2: socket → stream and what is known about its other side. The certificate is read here, once per
//! connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use angos_identity::Certificate;
use angos_tls::{Acceptor, Protocol};
use tokio::net::TcpStream;

use crate::connection;
use crate::connection::peer_trust::PeerTrust;
use crate::listener::ListenerContext;
use crate::listener::connection_limit::ConnectionEntry;
use crate::server::state::ServerState;

/// The other side of a connection, known before its first request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: IpAddr,
    pub(crate) certificate: Option<Arc<Certificate>>,
}

/// Secures a fresh connection, if its listener has TLS, and serves it. A failed handshake ends it; nothing is ever
/// served in plaintext on a listener that has TLS.
pub(crate) async fn accept_tls(
    shared: Arc<ServerState>,
    door: Arc<ListenerContext>,
    acceptor: Option<Acceptor>,
    socket: TcpStream,
    (address, member): (SocketAddr, Arc<ConnectionEntry>),
) {
    let address = address.ip().to_canonical();
    let Some(acceptor) = acceptor else {
        let caller = Caller { address, certificate: None };
        return connection::serve(shared, door, socket, (caller, None, member), Protocol::Http1).await;
    };
    let served = match acceptor.accept(socket).await {
        Ok((stream, peer)) => {
            shared.metrics.handshake("ok");
            let caller = Caller { address, certificate: peer.certificate().cloned() };
            if let Some(certificate) = peer.certificate() {
                shared.metrics.soonest_client.see(certificate.not_after(), Instant::now());
            }
            let protocol = peer.protocol();
            let trust = PeerTrust::new(peer);
            connection::serve(shared, door, stream, (caller, Some(trust), member), protocol)
        }
        Err(error) => {
            // Who was refused and why is told by `angos-tls` under `angos::auth`.
            shared.metrics.handshake(error.class());
            tracing::debug!(target: "angos::tls", %address, class = error.class(), "handshake failed");
            return;
        }
    };
    served.await;
}
