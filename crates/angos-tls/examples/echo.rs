//! An HTTP echo service for clients with a certificate, and for nobody else:
//! `cargo run -p angos-tls --example echo -- server.pem server.key client-ca.pem`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::error::Error;

use angos_tls::{Acceptor, ClientAuth, Material, Peer, Protocol, Settings, Stream};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, header::HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [certificate, key, authorities] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: echo SERVER_CERTIFICATE SERVER_KEY CLIENT_AUTHORITIES")?;
    let settings = Settings::new(certificate, key).client_authorities(authorities, ClientAuth::Required);
    let material = Material::load(&settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))?;
    let listener = TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on https://localhost:8443");
    serve(listener, Acceptor::new(material)).await
}

pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor) -> Result<(), Box<dyn Error>> {
    loop {
        let (socket, address) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor.accept(socket).await {
                Ok((stream, peer)) => connection(stream, peer).await,
                Err(error) => eprintln!("{address} was refused ({}): {error}", error.class()),
            }
        });
    }
}

async fn connection(stream: Stream<TcpStream>, peer: Peer) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut response = Response::new(request.into_body());
        let client = peer.certificate().and_then(|found| HeaderValue::from_str(found.fingerprint()).ok());
        response.headers_mut().extend(client.map(|client| (hyper::header::FROM, client)));
        std::future::ready(Ok::<_, hyper::Error>(response))
    });
    let (io, timer) = (TokioIo::new(stream), TokioTimer::new());
    let _closed = match peer.protocol() {
        Protocol::Http2 => {
            http2::Builder::new(TokioExecutor::new()).timer(timer).serve_connection(io, service).await
        }
        _ => http1::Builder::new().timer(timer).serve_connection(io, service).await,
    };
}
