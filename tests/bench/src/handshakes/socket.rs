//! Handshakes over sockets of the loopback: one thread serves, from accepting a connection to closing it.

use super::site::{Site, server_name};
use super::{HANDSHAKES, Kind, WARM_UP, microseconds, since, thread_time};
use angos_tls::Acceptor;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, Stream};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What shakes hands on a socket.
#[derive(Clone)]
pub(super) enum Served {
    /// Our acceptor.
    Whole(Acceptor),
    /// What it is built on, with rustls as it comes: the difference is ours, the rest the system's.
    Bare(TlsAcceptor),
}

impl Served {
    /// One handshake; whether a session was resumed. The connection is closed.
    async fn accept(self, socket: tokio::net::TcpStream) -> bool {
        match self {
            Self::Whole(acceptor) => acceptor.accept(socket).await.unwrap().1.is_resumed(),
            Self::Bare(acceptor) => {
                let stream = acceptor.accept(socket).await.unwrap();
                stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
            }
        }
    }
}

/// A port, and the thread that serves it.
pub(super) struct Sockets {
    address: SocketAddr,
    /// What to serve in the next slice, and whether its sessions are resumed.
    orders: Sender<(Served, bool)>,
    costs: Receiver<Duration>,
}

impl Sockets {
    pub(super) fn open() -> Self {
        let ((orders, ordered), (spent, costs), (bound, address)) = (channel(), channel(), channel());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = listen();
                bound.send(listener.local_addr().unwrap()).unwrap();
                for (served, resumes) in ordered {
                    serve(&listener, &served, resumes, WARM_UP).await;
                    let began = thread_time();
                    serve(&listener, &served, resumes, HANDSHAKES).await;
                    spent.send(since(began)).unwrap();
                }
            });
        });
        Self { address: address.recv().unwrap(), orders, costs }
    }

    /// Microseconds of the server's thread for a handshake, over a slice.
    pub(super) fn cost(&self, kind: &Kind, site: &Site, served: Served) -> f64 {
        let dialers = site.dialers(kind);
        self.orders.send((served, kind.resumes)).unwrap();
        for dialers in dialers.chunks(site.in_flight) {
            let mut open: Vec<_> = dialers.iter().map(|dialer| dial(self.address, dialer)).collect();
            for (connection, socket) in &mut open {
                connection.complete_io(socket).unwrap();
            }
            for (mut connection, mut socket) in open {
                // Up to the end: the tickets are on their way.
                let _ = Stream::new(&mut connection, &mut socket).read_to_end(&mut Vec::new());
            }
        }
        microseconds(self.costs.recv().unwrap())
    }
}

/// A connection on which the client has spoken.
fn dial(address: SocketAddr, dialer: &Arc<ClientConfig>) -> (ClientConnection, TcpStream) {
    let mut connection = ClientConnection::new(Arc::clone(dialer), server_name()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(&hello).unwrap();
    (connection, socket)
}

/// A port as the registry opens its own.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_nodelay(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1024).unwrap()
}

/// Serves that many connections, each in a task of its own as the registry does. The first of the warm-up have nothing
/// to resume.
async fn serve(listener: &TcpListener, served: &Served, resumes: bool, connections: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (socket, _) = listener.accept().await.unwrap();
        tasks.spawn(served.clone().accept(socket));
    }
    while let Some(resumed) = tasks.join_next().await {
        assert!(resumed.unwrap() == resumes || connections == WARM_UP);
    }
}
