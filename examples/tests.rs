//! Both boards, run and asked by clients with certificates over HTTP/1.1 and HTTP/2.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: whatever goes wrong must stop them"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use angos_test_ca::{Authority, Issued, Leaf};
use angos_tls::{Acceptor, ClientCa, Clients, Material, Settings};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[allow(dead_code, reason = "its main is not ours")]
#[path = "board_axum.rs"]
mod board_axum;
#[allow(dead_code, reason = "its main is not ours")]
#[path = "board_hyper.rs"]
mod board_hyper;

#[tokio::test]
async fn boards_on_hyper() {
    let scene = Scene::new();
    let (listener, address) = listener().await;
    tokio::select! {
        ended = board_hyper::serve(listener, scene.acceptor.clone()) => panic!("{ended:?}"),
        () = scene.check(address) => {}
    }
}

#[tokio::test]
async fn boards_on_axum() {
    let scene = Scene::new();
    let (listener, address) = listener().await;
    tokio::select! {
        ended = board_axum::serve(listener, scene.acceptor.clone()) => panic!("{ended:?}"),
        () = scene.check(address) => {}
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One server, and the authority of its clients.
struct Scene {
    servers: Authority,
    clients: Authority,
    acceptor: Acceptor,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new("Server CA"), Authority::new("Client CA"));
        let (certificate, key) = servers.issue(&Leaf::server(["localhost"])).write(folder.path(), "server");
        let bundle = clients.write(folder.path(), "clients");
        let accepted = Clients::required([ClientCa::new(bundle)]);
        let settings = Settings::new(certificate, key, accepted);
        let acceptor = Acceptor::new(Material::load(&settings).unwrap());
        Self { servers, clients, acceptor, _folder: folder }
    }

    async fn check(&self, address: SocketAddr) {
        let issue =
            |name: &str, unit: &str| self.clients.issue(&Leaf::client(name).organizational_unit(unit));
        let (alice, bob) = (issue("alice", "garden"), issue("bob", "kitchen"));
        for protocol in ["http/1.1", "h2"] {
            for (client, method, board, status, body) in [
                (&alice, "GET", "garden", 200, "OU=garden,CN=alice may read garden\n"),
                (&alice, "POST", "garden", 200, "OU=garden,CN=alice may write garden\n"),
                (&bob, "GET", "garden", 200, "OU=kitchen,CN=bob may read garden\n"),
                (&bob, "POST", "garden", 403, ""),
            ] {
                let (found, text) = self.ask(address, Some(client), protocol, method, board).await.unwrap();
                assert_eq!((found, text.as_str()), (status, body), "{protocol} {method} {board}");
            }
            assert!(
                self.ask(address, None, protocol, "GET", "garden").await.is_err(),
                "a certificate is required"
            );
            let stranger =
                Authority::new("Another CA").issue(&Leaf::client("eve").organizational_unit("garden"));
            assert!(self.ask(address, Some(&stranger), protocol, "GET", "garden").await.is_err());
        }
    }

    /// One request on a connection of its own: status and body.
    async fn ask(
        &self,
        address: SocketAddr,
        client: Option<&Issued>,
        protocol: &str,
        method: &str,
        board: &str,
    ) -> Result<(u16, String), Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.servers.certificate_der().into())?;
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match client {
            Some(issued) => {
                let chain = issued.chain_der.iter().map(|der| der.clone().into()).collect();
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let socket = TcpStream::connect(address).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into()?, socket).await?;
        let io = TokioIo::new(stream);
        let uri = format!("https://localhost/{board}");
        let request =
            Request::builder().method(method).uri(uri).header("host", "localhost").body(String::new())?;
        let response: Response<Incoming> = if protocol == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    }
}
