//! Stage 1: a listening socket → connections, within their limit. Never ends on an error of a single connection.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::limits::ACCEPT_PAUSE;
use crate::listener::connection_limit::{ConnectionEntry, ConnectionLimit};

/// Accepts connections until `end` resolves, and then closes the port.
///
/// Each connection runs in a task of its own, so that a panic ends that connection alone. It holds a slot of `limit` until
/// it ends; when the limit needs the slot for a later connection, the connection is dropped.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    limit: &Arc<ConnectionLimit>,
    end: impl Future<Output = ()>,
    serve: impl Fn(TcpStream, SocketAddr, Arc<ConnectionEntry>) -> F,
    displaced: Counter,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut end = pin!(end);
    loop {
        let (socket, accepted) = tokio::select! {
            biased;
            () = end.as_mut() => return,
            next = next(&listener, limit) => next,
        };
        match (socket, accepted) {
            (Some(permit), Ok((socket, address))) => {
                let slot = limit.acquire(address.ip(), permit);
                let connection = serve(socket, address, Arc::clone(slot.entry()));
                let displaced = displaced.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = slot.closed() => drop(displaced.inc()),
                    }
                    drop(slot);
                });
            }
            // The limit is never closed.
            (None, _) => return,
            (_, Err(error)) if is_about_one_connection(&error) => {}
            (_, Err(error)) => {
                tracing::warn!(target: "angos::server", %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn next(
    listener: &TcpListener,
    limit: &ConnectionLimit,
) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    let socket = limit.socket().await;
    (socket, listener.accept().await)
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
