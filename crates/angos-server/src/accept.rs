//! Stage 1: a listening socket → connections, within their limit. Never ends on an error of a single connection.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::limits::ACCEPT_PAUSE;

/// Accepts until `end` resolves, and closes the port then. Each connection is a task of its own, so that a defect ends that one alone, and
/// holds a place of `places` until its end; without a free place new ones wait in the kernel's queue.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    places: Arc<Semaphore>,
    end: impl Future<Output = ()>,
    serve: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut end = pin!(end);
    loop {
        let (place, accepted) = tokio::select! {
            biased;
            () = end.as_mut() => return,
            next = next(&listener, &places) => next,
        };
        match accepted {
            Ok((socket, address)) => {
                let connection = serve(socket, address);
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(target: "angos::server", %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Place = Option<tokio::sync::OwnedSemaphorePermit>;

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (Place, io::Result<(TcpStream, SocketAddr)>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
