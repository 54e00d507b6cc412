//! One open port, and stage 1 for each of its connections.

pub(crate) mod accept;
pub(crate) mod connection_limit;
pub(crate) mod context;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use angos_tls::Acceptor;
use tokio::net::{TcpListener, TcpSocket};

use crate::connection::handshake::accept_tls;
use crate::limits::BACKLOG;
use crate::listener::accept::accept;
use crate::listener::context::ListenerContext;
use crate::server::state::ServerState;
use crate::settings::Listener;

/// A listener whose port is open.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) settings: Listener,
    pub(crate) acceptor: Option<Acceptor>,
    socket: TcpListener,
}

impl BoundListener {
    /// Opens the port. Connections wait in the kernel's queue until [`serve`](Self::serve) accepts them.
    pub(crate) fn open(settings: Listener, acceptor: Option<Acceptor>) -> io::Result<Self> {
        let socket = listen(settings.address)?;
        Ok(Self { settings, acceptor, socket })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The context of its connections.
    pub(crate) fn context(&self, server: &ServerState) -> Arc<ListenerContext> {
        Arc::new(ListenerContext::new(&self.settings, self.acceptor.as_ref(), server))
    }

    /// Accepts connections until the phase in which the listener ends, and then closes the port. Open connections go on,
    /// and keep their slots.
    pub(crate) async fn serve(self, server: Arc<ServerState>, context: Arc<ListenerContext>) {
        let serve = |socket, address, entry| {
            let (server, context) = (Arc::clone(&server), Arc::clone(&context));
            accept_tls(server, context, self.acceptor.clone(), socket, address, entry)
        };
        let displaced = server.metrics.fairness.displaced.clone();
        accept(self.socket, &context.limit, server.until(context.ends), serve, displaced).await;
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
