//! Notice boards, on axum: a middleware asks the policy, and handlers find the caller as an extension.
//! `cargo run -p angos-examples --example board-axum -- server.pem server.key client-ca.pem`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "an example talks to its user"
)]

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use angos_identity::Identity;
use angos_policy::{DefaultDecision, Environment, Facts, Policy, RuleSource, Type, Value};
use angos_tls::{Acceptor, ClientAuth, Material, Peer, Protocol, Settings};
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

/// What every connection shares.
struct Door {
    acceptor: Acceptor,
    policy: Policy,
}

struct Question<'a>(&'static str, &'a str);

impl Facts for Question<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        Value::String(if index == 0 { self.0 } else { self.1 })
    }
}

/// Panics if the rules are wrong, which running it once shows.
fn policy() -> Policy {
    let environment = Environment::builder().variable("verb", Type::Word(&["read", "write"]));
    let environment = environment.variable("board", Type::String).build().expect("two variables");
    let rules = [
        "verb == 'read' && identity.certificate.present",
        "board in identity.certificate.organizational_units",
    ];
    Policy::compile(&environment, DefaultDecision::Deny, &rules.map(RuleSource::from)).expect("two rules")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authorities] = arguments.as_slice() else {
        return Err("usage: board-axum SERVER_CERTIFICATE SERVER_KEY CLIENT_AUTHORITIES".into());
    };
    let settings = Settings::new(certificate, key).client_authorities(authorities, ClientAuth::Required);
    let material = Material::load(&settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let listener = TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on https://localhost:8443");
    serve(listener, Acceptor::new(material)).await
}

pub(crate) async fn serve(listener: TcpListener, acceptor: Acceptor) -> Result<(), Box<dyn Error>> {
    let door = Arc::new(Door { acceptor, policy: policy() });
    let boards = Router::new()
        .route("/{board}", get(answer).post(answer))
        .layer(from_fn_with_state(Arc::clone(&door), authorize));
    loop {
        let (socket, address) = listener.accept().await?;
        tokio::spawn(connection(socket, address.ip(), Arc::clone(&door), boards.clone()));
    }
}

async fn connection(socket: TcpStream, address: IpAddr, door: Arc<Door>, boards: Router) {
    let (stream, peer) = match door.acceptor.accept(socket).await {
        Ok(accepted) => accepted,
        Err(error) => return eprintln!("{address} was refused ({}): {error}", error.class()),
    };
    let (protocol, identity) = (peer.protocol(), Identity::new(address, peer.certificate().cloned(), None));
    let service = boards.layer(Extension(identity)).layer(Extension(Arc::new(peer)));
    let (io, timer, service) = (TokioIo::new(stream), TokioTimer::new(), TowerToHyperService::new(service));
    let _closed = match protocol {
        Protocol::Http2 => {
            http2::Builder::new(TokioExecutor::new()).timer(timer).serve_connection(io, service).await
        }
        _ => http1::Builder::new().timer(timer).serve_connection(io, service).await,
    };
}

async fn authorize(
    State(door): State<Arc<Door>>,
    Extension(peer): Extension<Arc<Peer>>,
    Extension(identity): Extension<Identity>,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let question = Question(verb(request.method()), request.uri().path().trim_start_matches('/'));
    // An open connection may outlive the trust it was built on.
    let is_trusted = door.acceptor.recheck(&peer).is_ok();
    let may = is_trusted && door.policy.decide(&identity, &question).allowed;
    if may { Ok(next.run(request).await) } else { Err(StatusCode::FORBIDDEN) }
}

async fn answer(
    method: Method,
    Path(board): Path<String>,
    Extension(identity): Extension<Identity>,
) -> String {
    let subject = identity.certificate().map_or("nobody", |certificate| certificate.subject());
    format!("{subject} may {} {board}\n", verb(&method))
}

fn verb(method: &Method) -> &'static str {
    if method == Method::GET { "read" } else { "write" }
}
