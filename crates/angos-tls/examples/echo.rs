//! An HTTP echo service for clients with a certificate, and for nobody else. It reads its files again on SIGHUP, and
//! takes no new request from a client that is not trusted any more.
//! `cargo run -p angos-tls --example echo -- server.pem server.key client-ca.pem`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use angos_tls::{Acceptor, ClientCa, Clients, LoadError, Material, Peer, Protocol, Settings, Stream};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, header::HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// Time a request in flight has once its client is not trusted any more.
const DRAIN: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [certificate, key, authorities] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: echo SERVER_CERTIFICATE SERVER_KEY CLIENT_AUTHORITIES")?;
    let clients = Clients::required([ClientCa::new(authorities)]);
    let settings = Settings::new(certificate, key, clients);
    let acceptor = Acceptor::new(load(&settings)?);
    tokio::spawn(reload(acceptor.clone(), settings, signal(SignalKind::hangup())?));
    let listener = TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on https://localhost:8443");
    serve(listener, acceptor).await
}

fn load(settings: &Settings) -> Result<Material, String> {
    let lines =
        |problems: Vec<LoadError>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Material::load(settings).map_err(lines)
}

/// A set that does not load changes nothing. Loading blocks on the file system, so it has a thread of its own.
async fn reload(acceptor: Acceptor, settings: Settings, mut asked: Signal) {
    while asked.recv().await.is_some() {
        let settings = settings.clone();
        match tokio::task::spawn_blocking(move || load(&settings)).await {
            Ok(Ok(material)) => println!("generation {}", acceptor.replace(material)),
            Ok(Err(problems)) => eprintln!("nothing changed: {problems}"),
            Err(error) => eprintln!("nothing changed: {error}"),
        }
    }
}

pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor) -> Result<(), Box<dyn Error>> {
    loop {
        let (socket, address) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor.accept(socket).await {
                Ok((stream, peer)) => connection(stream, &peer).await,
                Err(error) => eprintln!("{address} was refused ({}): {error}", error.class()),
            }
        });
    }
}

async fn connection(stream: Stream<TcpStream>, peer: &Peer) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut response = Response::new(request.into_body());
        let client = peer.certificate().and_then(|found| HeaderValue::from_str(found.fingerprint()).ok());
        response.headers_mut().extend(client.map(|client| (hyper::header::FROM, client)));
        std::future::ready(Ok::<_, hyper::Error>(response))
    });
    let (io, timer) = (TokioIo::new(stream), TokioTimer::new());
    if peer.protocol() == Protocol::Http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        while_trusted(builder.timer(timer).serve_connection(io, service), peer).await;
    } else {
        let mut builder = http1::Builder::new();
        while_trusted(builder.timer(timer).serve_connection(io, service), peer).await;
    }
}

/// Serves until the client leaves or is not trusted any more. Then nothing new is begun, and what is in flight has
/// [`DRAIN`] to end: a client that does not finish its request must not stay.
async fn while_trusted(connection: impl GracefulConnection, peer: &Peer) {
    let mut connection = pin!(connection);
    tokio::select! {
        _closed = connection.as_mut() => return,
        distrust = peer.until_untrusted() => eprintln!("a connection is drained: {distrust}"),
    }
    connection.as_mut().graceful_shutdown();
    let _closed_or_late = timeout(DRAIN, connection).await;
}
