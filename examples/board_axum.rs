//! Notice boards, on axum: a middleware asks the policy, and handlers find the caller as an extension.
//! `cargo run -p angos-examples --example board-axum -- server.pem server.key client-ca.pem`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use angos_identity::Identity;
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Value};
use angos_tls::{Acceptor, ClientCa, Clients, Material, Peer, Protocol, Settings};
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

/// The client of a connection, and who it is to the rules.
type Caller = (Peer, Identity);

struct Question<'a>(&'static str, &'a str);

impl Facts for Question<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        Value::String(if index == 0 { self.0 } else { self.1 })
    }
}

fn policy() -> Result<Policy, Box<dyn Error>> {
    let environment = Environment::builder().variable("verb", Type::Enum(&["read", "write"]));
    let environment = environment.variable("board", Type::String).build()?;
    let readers = "verb == 'read' && identity.certificate.present";
    let rules = [readers, "board in identity.certificate.organizational_units"];
    let compiled = Policy::compile(&environment, DefaultDecision::Deny, &rules.map(RuleSource::from));
    compiled.map_err(|mistakes| lines(&mistakes))
}

fn lines(problems: &[impl ToString]) -> Box<dyn Error> {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authorities] = arguments.as_slice() else {
        return Err("usage: board-axum SERVER_CERTIFICATE SERVER_KEY CLIENT_AUTHORITIES".into());
    };
    let clients = Clients::required([ClientCa::new(authorities)]);
    let settings = Settings::new(certificate, key, clients);
    let material = Material::load(&settings).map_err(|problems| lines(&problems))?;
    let listener = TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on https://localhost:8443");
    serve(listener, Acceptor::new(material)).await
}

pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor) -> Result<(), Box<dyn Error>> {
    let policy = Arc::new(policy()?);
    let boards = Router::new()
        .route("/{board}", get(answer).post(answer))
        .layer(from_fn_with_state(policy, authorize));
    loop {
        let (socket, address) = listener.accept().await?;
        tokio::spawn(connection(socket, address.ip(), acceptor.clone(), boards.clone()));
    }
}

async fn connection(socket: TcpStream, address: IpAddr, acceptor: Acceptor, boards: Router) {
    let (stream, peer) = match acceptor.accept(socket).await {
        Ok(accepted) => accepted,
        Err(error) => return eprintln!("{address} was refused ({}): {error}", error.class()),
    };
    let (protocol, identity) = (peer.protocol(), Identity::new(address, peer.certificate().cloned(), None));
    let service = TowerToHyperService::new(boards.layer(Extension::<Caller>((peer, identity))));
    let (io, timer) = (TokioIo::new(stream), TokioTimer::new());
    let _closed = match protocol {
        Protocol::Http2 => {
            http2::Builder::new(TokioExecutor::new()).timer(timer).serve_connection(io, service).await
        }
        _ => http1::Builder::new().timer(timer).serve_connection(io, service).await,
    };
}

async fn authorize(
    State(policy): State<Arc<Policy>>,
    Extension((peer, identity)): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let question = Question(verb(request.method()), request.uri().path().trim_start_matches('/'));
    // An open connection may outlive the trust it was built on.
    let may = peer.recheck().is_ok() && policy.decide(&identity, &question).allowed;
    if may { Ok(next.run(request).await) } else { Err(StatusCode::FORBIDDEN) }
}

async fn answer(method: Method, Path(board): Path<String>, Extension(caller): Extension<Caller>) -> String {
    let subject = caller.1.certificate().map_or("anonymous", |certificate| certificate.subject());
    format!("{subject} may {} {board}\n", verb(&method))
}

fn verb(method: &Method) -> &'static str {
    if method == Method::GET { "read" } else { "write" }
}
