//! Notice boards, on hyper: members of an organizational unit write on the board of their unit, and every caller with a certificate reads.
//! `cargo run -p angos-examples --example board-hyper -- server.pem server.key client-ca.pem`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use angos_identity::Identity;
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Value};
use angos_tls::{Acceptor, ClientCa, Clients, Material, Protocol, Settings};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

/// What rules know of one request, in the order of declaration.
struct Question<'a> {
    verb: &'static str,
    board: &'a str,
}

impl Facts for Question<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        Value::String(if index == 0 { self.verb } else { self.board })
    }
}

fn policy() -> Result<Policy, Box<dyn Error>> {
    let environment = Environment::builder()
        .variable("verb", Type::Enum(&["read", "write"]))
        .variable("board", Type::String)
        .build()?;
    let rules = [
        "verb == 'read' && identity.certificate.present",
        "board in identity.certificate.organizational_units",
    ]
    .map(RuleSource::from);
    Policy::compile(&environment, DefaultDecision::Deny, &rules)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authorities] = arguments.as_slice() else {
        return Err("usage: board-hyper SERVER_CERTIFICATE SERVER_KEY CLIENT_AUTHORITIES".into());
    };
    let clients = Clients::required([ClientCa::new(authorities)]);
    let settings = Settings::new(certificate, key, clients);
    let material = Material::load(&settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let listener = TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on https://localhost:8443");
    serve(listener, Acceptor::new(material)).await
}

pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor) -> Result<(), Box<dyn Error>> {
    let policy = Arc::new(policy()?);
    loop {
        let (socket, address) = listener.accept().await?;
        tokio::spawn(connection(socket, address.ip(), acceptor.clone(), Arc::clone(&policy)));
    }
}

async fn connection(socket: TcpStream, address: IpAddr, acceptor: Acceptor, policy: Arc<Policy>) {
    let (stream, peer) = match acceptor.accept(socket).await {
        Ok(accepted) => accepted,
        Err(error) => return eprintln!("{address} was refused ({}): {error}", error.class()),
    };
    let identity = Identity::new(address, peer.certificate().cloned(), None);
    let service = service_fn(|request: Request<Incoming>| {
        // An open connection may outlive the trust it was built on.
        let is_trusted = peer.recheck().is_ok();
        let answer = is_trusted.then(|| ask(&policy, &identity, &request)).flatten();
        let status = if answer.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
        let mut response = Response::new(answer.unwrap_or_default());
        *response.status_mut() = status;
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

fn ask(policy: &Policy, identity: &Identity, request: &Request<Incoming>) -> Option<String> {
    let verb = if request.method() == Method::GET { "read" } else { "write" };
    let board = request.uri().path().trim_start_matches('/');
    let subject = identity.certificate().map_or("anonymous", |certificate| certificate.subject());
    let decision = policy.decide(identity, &Question { verb, board });
    decision.allowed.then(|| format!("{subject} may {verb} {board}\n"))
}
