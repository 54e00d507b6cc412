//! One open port: what its connections have in common, and stage 1 for each of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use angos_tls::Acceptor;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use crate::accept::accept;
use crate::handshake::shake;
use crate::limits::BACKLOG;
use crate::settings::{Listener, Surfaces};
use crate::shared::{Phase, Shared};

/// A listener whose port is open.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) settings: Listener,
    pub(crate) acceptor: Option<Acceptor>,
    socket: TcpListener,
}

/// What the connections of one listener have in common.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) surfaces: Surfaces,
    /// From this phase on it takes no connection, and each closes after the requests it has in flight.
    pub(crate) ends: Phase,
    /// How many connections it has.
    pub(crate) connections: Gauge,
}

impl Bound {
    /// Opens the port; connections wait in the kernel's queue until they are [served](Self::serve).
    pub(crate) fn open(settings: Listener, acceptor: Option<Acceptor>) -> io::Result<Self> {
        let socket = listen(settings.address)?;
        Ok(Self { settings, acceptor, socket })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until its phase ends; then the places of the connections that are left.
    pub(crate) async fn serve(self, shared: Arc<Shared>) -> Places {
        let places = Places::of(self.settings.max_connections);
        let door = Arc::new(Door::new(&self.settings, &shared));
        accept(self.socket, Arc::clone(&places.free), shared.until(door.ends), |socket, address| {
            shake(Arc::clone(&shared), Arc::clone(&door), self.acceptor.clone(), socket, address)
        })
        .await;
        places
    }
}

impl Door {
    pub(crate) fn new(listener: &Listener, shared: &Shared) -> Self {
        let connections = shared.metrics.connections(&listener.name);
        Self { surfaces: listener.surfaces, ends: ends(listener), connections }
    }
}

/// When a listener stops to take connections. Probes are answered until the very end, so that they can tell of it.
pub(crate) fn ends(listener: &Listener) -> Phase {
    if listener.surfaces.registry { Phase::Draining } else { Phase::Closed }
}

/// The places of a listener's connections.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Places {
    fn of(connections: usize) -> Self {
        let all = connections.min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Resolves when the last connection has ended.
    pub(crate) async fn empty(&self) {
        // The semaphore is never closed.
        drop(self.free.acquire_many(self.all).await);
    }
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
