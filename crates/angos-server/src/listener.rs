//! One open port: what its connections have in common, and stage 1 for each of them.

pub(crate) mod accept;
pub(crate) mod connection_limit;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use angos_tls::{Acceptor, ClientAuth};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpSocket};

use crate::connection::handshake::accept_tls;
use crate::limits::BACKLOG;
use crate::listener::accept::accept;
use crate::listener::connection_limit::ConnectionLimit;
use crate::server::state::{Phase, ServerState};
use crate::settings::{Listener, Surfaces};

/// A listener whose port is open.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) settings: Listener,
    pub(crate) acceptor: Option<Acceptor>,
    socket: TcpListener,
}

/// What the connections of one listener have in common.
#[derive(Debug)]
pub(crate) struct ListenerContext {
    pub(crate) surfaces: Surfaces,
    /// From this phase on it takes no connection, and each closes after the requests it has in flight.
    pub(crate) ends: Phase,
    /// How many connections it has.
    pub(crate) connections: Gauge,
    /// The places of its connections.
    pub(crate) places: Arc<ConnectionLimit>,
}

impl BoundListener {
    /// Opens the port; connections wait in the kernel's queue until they are [served](Self::serve).
    pub(crate) fn open(settings: Listener, acceptor: Option<Acceptor>) -> io::Result<Self> {
        let socket = listen(settings.address)?;
        Ok(Self { settings, acceptor, socket })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What its connections have in common.
    pub(crate) fn door(&self, shared: &ServerState) -> Arc<ListenerContext> {
        Arc::new(ListenerContext::new(&self.settings, self.acceptor.as_ref(), shared))
    }

    /// Serves until its phase ends. The connections that are left then keep their places.
    pub(crate) async fn serve(self, shared: Arc<ServerState>, door: Arc<ListenerContext>) {
        let serve = |socket, address, member| {
            let (shared, door) = (Arc::clone(&shared), Arc::clone(&door));
            accept_tls(shared, door, self.acceptor.clone(), socket, (address, member))
        };
        let displaced = shared.metrics.fairness.displaced.clone();
        accept(self.socket, &door.places, shared.until(door.ends), serve, displaced).await;
    }
}

impl ListenerContext {
    pub(crate) fn new(listener: &Listener, acceptor: Option<&Acceptor>, shared: &ServerState) -> Self {
        let connections = shared.metrics.connections(&listener.name);
        let certificates = acceptor.is_some_and(|acceptor| acceptor.client_auth() != ClientAuth::None);
        let places = Arc::new(ConnectionLimit::new(listener.max_connections, certificates));
        Self { surfaces: listener.surfaces, ends: ends(listener), connections, places }
    }
}

/// When a listener stops to take connections. Probes are answered until the very end, so that they can tell of it.
pub(crate) fn ends(listener: &Listener) -> Phase {
    if listener.surfaces.registry { Phase::Draining } else { Phase::Closed }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last connections of the process before it.
    socket.set_reuseaddr(true)?;
    // A small response must not wait for the acknowledgement of the one before. Connections inherit it.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_do_not_wait_for_acknowledgements() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        assert!(client.is_ok() && accepted.unwrap().0.nodelay().unwrap());
    }
}
