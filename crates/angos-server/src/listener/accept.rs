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

/// Accepts until `end` resolves, and closes the port then. Each connection is a task of its own, so that a defect ends that one alone, and
/// holds a place of `places` until its end; when it has to make room for a later connection, it is dropped.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    places: &Arc<ConnectionLimit>,
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
            next = next(&listener, places) => next,
        };
        match (socket, accepted) {
            (Some(permit), Ok((socket, address))) => {
                let place = places.enter(address.ip(), permit);
                let connection = serve(socket, address, Arc::clone(place.member()));
                let displaced = displaced.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = place.closed() => drop(displaced.inc()),
                    }
                    drop(place);
                });
            }
            // The places are never closed.
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
    places: &ConnectionLimit,
) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    let socket = places.socket().await;
    (socket, listener.accept().await)
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
