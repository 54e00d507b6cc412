//! A client that shows a certificate: HTTP/1.1 or HTTP/2, one connection a request unless asked to keep it.

use crate::harness::{Image, Pki, digest_of};
use angos_test_ca::Issued;
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long the end of a connection is waited for after its only answer.
const CLOSED_WITHIN: Duration = Duration::from_millis(100);

/// Which protocol the client offers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Http1,
    Http2,
}

#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    wire: Wire,
    authorization: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Sender = Box<dyn FnMut(Request<Full<Bytes>>) -> Pending + Send>;
pub(crate) type Pending = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

impl Client {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Client { address, tls: None, wire: Wire::Http1, authorization: None }
    }

    pub(crate) fn new(address: SocketAddr, pki: &Pki, certificate: Option<&Issued>, wire: Wire) -> Self {
        Client::with_versions(address, pki, certificate, wire, rustls::ALL_VERSIONS)
    }

    /// A client that speaks only the given versions of TLS.
    pub(crate) fn with_versions(
        address: SocketAddr,
        pki: &Pki,
        certificate: Option<&Issued>,
        wire: Wire,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(pki.authority.certificate_der())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = issued.chain_der.iter().cloned().map(CertificateDer::from).collect();
                let certified = CertifiedKey::new(chain, signing_key(issued));
                // Not `with_client_auth_cert`, which keeps a client from offering what no server takes.
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.alpn_protocols = match wire {
            Wire::Http1 => vec![b"http/1.1".to_vec()],
            Wire::Http2 => vec![b"h2".to_vec()],
        };
        Client { address, tls: Some(Arc::new(config)), wire, authorization: None }
    }

    /// The same client with a Basic credential.
    pub(crate) fn basic(mut self, username: &str, password: &str) -> Self {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        self.authorization = Some(format!("Basic {text}"));
        self
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        let (mut connection, end) = self.open().await?;
        let answer = connection(self.request(method, path, headers, body)).await?;
        drop(connection);
        // The connection is closed before the test goes on, which may block the thread that would close it later; the
        // server would wait for that when it stops. A body that nobody wants may still be on its way, beside the test.
        let _ = tokio::time::timeout(CLOSED_WITHIN, end).await;
        Ok(answer)
    }

    /// One request that must be answered.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[], Bytes::new()).await.unwrap()
    }

    /// One GET that must be answered.
    pub(crate) async fn fetch(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    /// Builds a request as this client would send it.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = match self.wire {
            Wire::Http1 => path.to_owned(),
            Wire::Http2 => format!("{scheme}://localhost{path}"),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if self.wire == Wire::Http1 {
            request = request.header("host", "localhost");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body.into())).unwrap()
    }

    /// Where it connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection that can carry several requests, one after another.
    pub(crate) async fn connect(&self) -> Result<Sender, Failure> {
        Ok(self.open().await?.0)
    }

    /// The same, and the task that ends with the connection.
    async fn open(&self) -> Result<(Sender, JoinHandle<()>), Failure> {
        match self.tls {
            Some(_) => over(self.dial().await?, self.wire).await,
            None => over(TcpStream::connect(self.address).await?, self.wire).await,
        }
    }

    /// What the client knows of TLS, sessions it keeps included.
    pub(crate) fn tls(&self) -> Option<Arc<rustls::ClientConfig>> {
        self.tls.clone()
    }

    /// Opens a connection and leaves what is said on it to the test.
    pub(crate) async fn dial(&self) -> Result<TlsStream<TcpStream>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let config = self.tls.as_ref().ok_or("no TLS")?;
        let name = ServerName::try_from("localhost").unwrap();
        Ok(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?)
    }

    /// Pushes a blob by POST and PUT; the status of the last answer.
    pub(crate) async fn push_blob(&self, name: &str, bytes: &[u8]) -> Result<StatusCode, Failure> {
        let started = self.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], Bytes::new()).await?;
        if started.status != StatusCode::ACCEPTED {
            return Ok(started.status);
        }
        let path = started.location_with(&format!("digest={}", digest_of(bytes)));
        Ok(self.send("PUT", &path, &[], bytes.to_vec()).await?.status)
    }

    /// Pushes blobs and manifest; the status of the first step that was not accepted, or 201.
    pub(crate) async fn push(&self, name: &str, tag: &str, image: &Image) -> Result<StatusCode, Failure> {
        for blob in [&image.config, &image.layer] {
            let status = self.push_blob(name, blob).await?;
            if status != StatusCode::CREATED {
                return Ok(status);
            }
        }
        let path = format!("/v2/{name}/manifests/{tag}");
        let headers = [("content-type", Image::MEDIA_TYPE)];
        Ok(self.send("PUT", &path, &headers, image.manifest.clone()).await?.status)
    }

    /// Pulls manifest and blobs and compares every byte.
    pub(crate) async fn pull(&self, name: &str, reference: &str, image: &Image) {
        let manifest = self.fetch(&format!("/v2/{name}/manifests/{reference}")).await;
        assert_eq!(manifest.status, StatusCode::OK, "{}", manifest.text());
        assert_eq!(manifest.body, image.manifest);
        assert_eq!(manifest.header("docker-content-digest"), image.digest());
        assert_eq!(manifest.header("content-type"), Image::MEDIA_TYPE);
        for blob in [&image.config, &image.layer] {
            let answer = self.fetch(&format!("/v2/{name}/blobs/{}", digest_of(blob))).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body == *blob, "the blob's bytes differ");
        }
    }
}

fn signing_key(issued: &Issued) -> Arc<dyn SigningKey> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
    rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .unwrap_or_else(|_| Arc::new(SmallRsaKey(issued.key_der.clone())))
}

/// An RSA key that is too small for the library; it signs all the same.
#[derive(Debug)]
struct SmallRsaKey(Vec<u8>);

impl SigningKey for SmallRsaKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme()).then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for SmallRsaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(angos_test_ca::sign_pss_sha256(&self.0, message))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

async fn over<S>(stream: S, wire: Wire) -> Result<(Sender, JoinHandle<()>), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    Ok(match wire {
        Wire::Http1 => {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            let end = tokio::spawn(async move { drop(connection.await) });
            let sender = Arc::new(Mutex::new(sender));
            let send: Sender = Box::new(move |request| {
                let sender = Arc::clone(&sender);
                Box::pin(async move {
                    let mut sender = sender.lock().await;
                    // An answer that was read does not mean that the connection has noticed it, too.
                    sender.ready().await?;
                    let answer = sender.send_request(request);
                    drop(sender);
                    collect(answer.await?).await
                })
            });
            (send, end)
        }
        Wire::Http2 => {
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            let end = tokio::spawn(async move { drop(connection.await) });
            let sender = Arc::new(Mutex::new(sender));
            let send: Sender = Box::new(move |request| {
                let sender = Arc::clone(&sender);
                Box::pin(async move {
                    let mut sender = sender.lock().await;
                    // An answer that was read does not mean that the connection has noticed it, too.
                    sender.ready().await?;
                    let answer = sender.send_request(request);
                    drop(sender);
                    collect(answer.await?).await
                })
            });
            (send, end)
        }
    })
}

async fn collect(response: hyper::Response<hyper::body::Incoming>) -> Result<Answer, Failure> {
    let (parts, body) = response.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
}

impl Answer {
    /// The header's text, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of the first OCI error in the body.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The `Location`, with a query parameter appended.
    pub(crate) fn location_with(&self, parameter: &str) -> String {
        let location = self.header("location");
        let separator = if location.contains('?') { '&' } else { '?' };
        format!("{location}{separator}{parameter}")
    }
}
