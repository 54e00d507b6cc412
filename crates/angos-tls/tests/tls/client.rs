//! A TLS client that does as told, right or wrong.

use std::io;
use std::sync::Arc;

use angos_test_ca::{Authority, Issued};
use angos_tls::{AcceptError, Acceptor, Peer};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion, version,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) trusted: Vec<u8>,
    pub(crate) credential: Option<Credential>,
    pub(crate) version: &'static SupportedProtocolVersion,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) groups: Vec<&'static dyn SupportedKxGroup>,
}

/// A certificate chain and the key to sign with, which need not belong together.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

impl From<Issued> for Credential {
    fn from(issued: Issued) -> Self {
        Self { chain: issued.chain_der, key: issued.key_der }
    }
}

/// How one connection went, seen from both ends.
pub(crate) struct Attempt {
    pub(crate) server: Result<Peer, AcceptError>,
    /// What the server said once connected, or the alert it sent.
    pub(crate) client: Result<String, Option<AlertDescription>>,
}

impl Client {
    pub(crate) fn new(servers: &Authority) -> Self {
        Self {
            trusted: servers.certificate_der(),
            credential: None,
            version: &version::TLS13,
            alpn: Vec::new(),
            groups: aws_lc_rs::default_provider().kx_groups,
        }
    }

    pub(crate) fn with(mut self, credential: impl Into<Credential>) -> Self {
        self.credential = Some(credential.into());
        self
    }

    pub(crate) fn tls(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone().into()).unwrap();
        let provider = rustls::crypto::CryptoProvider {
            kx_groups: self.groups.clone(),
            ..aws_lc_rs::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.credential {
            None => builder.with_no_client_auth(),
            Some(credential) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(credential.key.clone()));
                let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
                let chain = credential.chain.iter().cloned().map(CertificateDer::from).collect();
                builder.with_client_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))))
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }

    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(self.config())).connect(name, stream).await
    }

    pub(crate) async fn attempt(&self, acceptor: &Acceptor) -> Attempt {
        let (near, far) = duplex(64 * 1024);
        let server = async {
            let (mut stream, peer) = acceptor.accept(far).await?;
            stream.write_all(b"welcome").await.unwrap();
            stream.shutdown().await.unwrap();
            Ok(peer)
        };
        let client = async {
            let mut said = String::new();
            match self.connect(near).await {
                Ok(mut stream) => stream.read_to_string(&mut said).await.map(|_| said),
                Err(error) => Err(error),
            }
        };
        let (server, client) = tokio::join!(server, client);
        Attempt { server, client: client.map_err(|error| alert(&error)) }
    }
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Offers its certificate whatever the server says about authorities and algorithms.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes whatever certificate the server shows.
#[derive(Debug)]
pub(crate) struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
