//! Clients whose trust ends while they are connected.

use std::sync::Arc;
use std::time::Duration;

use angos_registry::Storage;
use angos_test_ca::{Authority, Leaf, RevocationList};
use angos_tls::probe::{Pair, Probe};
use angos_tls::{Acceptor, ClientCa, Clients, Material, Peer, Protocol};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::{open, settings};
use crate::Server;
use crate::connection;
use crate::connection::context::Connection;
use crate::connection::peer_trust::PeerTrust;
use crate::listener::context::ListenerContext;
use crate::server::handle::Handle;
use crate::settings::Listener;

const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and a client with a certificate whose authority publishes a list.
struct Site {
    folder: TempDir,
    authority: Authority,
    serial: Vec<u8>,
    acceptor: Acceptor,
    handle: Handle,
}

impl Site {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("CA"));
        authority.write(folder.path(), "ca");
        authority.issue(&Leaf::server(["localhost"])).write(folder.path(), "server");
        let client = authority.issue(&Leaf::client("eve"));
        client.write(folder.path(), "client");
        let acceptor = Acceptor::new(material(&folder, &authority, &RevocationList::new(1)));
        let server = Server::bind(settings(), Some(acceptor.clone()), open(), Storage::memory()).unwrap();
        Self { folder, authority, serial: client.serial, acceptor, handle: server.handle() }
    }

    /// Puts a list into force that names the client.
    fn revoke(&self) {
        let list = RevocationList::new(2).revoke(&self.serial);
        assert_eq!(self.handle.replace_tls(material(&self.folder, &self.authority, &list)), Some(2));
    }

    /// The client, as a handshake leaves it.
    async fn peer(&self) -> Peer {
        let (near, far) = duplex(64 * 1024);
        let file = |name: &str| self.folder.path().join(name);
        let pair = Pair::read(&file("client.pem"), &file("client.key")).unwrap();
        let probe = Probe::nameless().showing(pair);
        let accepted = async { self.acceptor.accept(far).await.unwrap().1 };
        tokio::join!(accepted, probe.run(near, b"", PATIENCE)).0
    }

    /// Serves the client a connection; its end of it.
    async fn serve(&self, protocol: Protocol) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        let peer = self.peer().await;
        let server = &self.handle.server;
        let listener = Listener::new(Listener::REGISTRY, server.settings.listen);
        let context = Arc::new(ListenerContext::new(&listener, None, server));
        let address = [127, 0, 0, 1].into();
        let slot = context.limit.acquire(address, context.limit.socket().await.unwrap());
        let (server, trust, entry) = (Arc::clone(server), PeerTrust::new(peer), Arc::clone(slot.entry()));
        tokio::spawn(async move {
            let connection = Connection::new(server, context, address, Some(trust), entry);
            connection::serve(connection, far, protocol).await;
            drop(slot);
        });
        near
    }
}

fn material(folder: &TempDir, authority: &Authority, list: &RevocationList) -> Material {
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("list.crl"), authority.revocation_list(list)).unwrap();
    let mut listed = ClientCa::new(file("ca.pem"));
    listed.crls = Some(vec![file("list.crl")]);
    let clients = Clients::required([listed]);
    let settings = angos_tls::Settings::new(file("server.pem"), file("server.key"), clients);
    Material::load(&settings).unwrap()
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A client's end, and the task that resolves when the connection has ended.
async fn serve_http(stream: DuplexStream, protocol: Protocol) -> (Sender, JoinHandle<()>) {
    let stream = TokioIo::new(stream);
    if protocol == Protocol::Http2 {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        (Sender::Http2(sender), tokio::spawn(async { drop(connection.await) }))
    } else {
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        (Sender::Http1(sender), tokio::spawn(async { drop(connection.await) }))
    }
}

impl Sender {
    /// Status and body of the answer to one request.
    async fn ask(&mut self) -> (u16, String) {
        let request = Request::get("http://localhost/v2/").header("host", "localhost");
        let request = request.body(Full::default()).unwrap();
        let answer: Response<_> = match self {
            Self::Http1(sender) => sender.send_request(request).await.unwrap(),
            Self::Http2(sender) => sender.send_request(request).await.unwrap(),
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// Nothing here depends on time: connections are not judged before the test lets them, so what refuses the request is
/// that it is judged itself.
#[tokio::test]
async fn the_first_request_after_a_revocation_is_refused() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let site = Site::new();
        let turn = site.handle.server.recheck_queue.acquire().await.unwrap();
        let (mut asking, _asking) = serve_http(site.serve(protocol).await, protocol).await;
        let (mut idle, ended) = serve_http(site.serve(protocol).await, protocol).await;
        assert_eq!(asking.ask().await.0, 200);
        assert_eq!(idle.ask().await.0, 200);
        site.revoke();
        let (status, body) = asking.ask().await;
        assert_eq!(status, 403, "{protocol:?}: {body}");
        assert!(body.contains("no longer accepted"), "{protocol:?}: {body}");
        assert!(!ended.is_finished(), "{protocol:?}: nobody has looked at it yet");
        drop(turn);
        tokio::time::timeout(PATIENCE, ended).await.expect("an idle connection is closed").unwrap();
    }
}
