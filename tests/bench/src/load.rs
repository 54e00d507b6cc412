//! Keep-alive HTTP/1.1 clients, with or without a client certificate, that count what they received.

use crate::servers::{Server, Stage};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A plain or a TLS connection.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Builds connections to one server.
#[derive(Clone)]
pub(crate) struct Dialer {
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Dialer {
    pub(crate) fn new(stage: &Stage, server: &Server) -> Self {
        let tls = server.tls.then(|| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from(stage.authority.certificate_der())).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let chain = CertificateDer::pem_slice_iter(stage.client.certificate_pem.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(stage.client.key_pem.as_bytes()).unwrap();
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_client_auth_cert(chain.collect::<Result<_, _>>().unwrap(), key)
                .unwrap();
            Arc::new(config)
        });
        Dialer { port: server.port, tls }
    }

    /// A connection with no client behind it yet.
    pub(crate) async fn open(&self) -> Box<dyn Duplex> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let Some(config) = &self.tls else { return Box::new(stream) };
        let name = ServerName::try_from("localhost").unwrap();
        Box::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await.unwrap())
    }

    pub(crate) async fn connect(&self) -> Connection {
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.open().await)).await.unwrap();
        tokio::spawn(connection);
        Connection { sender }
    }

    /// Runs `requests` GETs or HEADs of `path`, spread over `connections` kept-alive connections.
    pub(crate) async fn repeat(&self, method: &'static str, path: &str, requests: usize, connections: usize) {
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (mut connection, path) = (self.connect().await, path.to_owned());
            tasks.push(tokio::spawn(async move {
                for _ in 0..requests / connections {
                    connection.drain(method, &path).await;
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
}

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", kind)
            .header("accept", "application/vnd.oci.image.manifest.v1+json")
            .body(Full::new(body))
            .unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    /// One request whose body is received and dropped.
    pub(crate) async fn drain(&mut self, method: &str, path: &str) -> usize {
        let response = self.send(method, path, "application/octet-stream", Bytes::new()).await;
        assert!(response.status().is_success(), "{method} {path}: {}", response.status());
        let (mut received, mut body) = (0, response.into_body());
        while let Some(frame) = body.frame().await {
            received += frame.unwrap().data_ref().map_or(0, Bytes::len);
        }
        received
    }

    /// Pushes a blob by POST and PUT.
    pub(crate) async fn push_blob(&mut self, name: &str, bytes: Bytes, digest: &str) {
        let path = format!("/v2/{name}/blobs/uploads/");
        let started = self.send("POST", &path, "application/octet-stream", Bytes::new()).await;
        assert_eq!(started.status(), 202);
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let _ = started.into_body().collect().await.unwrap();
        let relative = location.find("/v2/").map_or(location.as_str(), |at| &location[at..]);
        let separator = if relative.contains('?') { '&' } else { '?' };
        let path = format!("{relative}{separator}digest={digest}");
        let answer = self.send("PUT", &path, "application/octet-stream", bytes).await;
        assert_eq!(answer.status(), 201);
        let _ = answer.into_body().collect().await.unwrap();
    }
}
