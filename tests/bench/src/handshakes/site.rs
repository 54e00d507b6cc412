//! Authorities, certificates and settings of servers and clients.

use super::{HANDSHAKES, KINDS, Kind, WARM_UP};
use angos_test_ca::{Authority, Issued, Leaf};
use angos_tls::{Acceptor, ClientAuth, ClientCa, Clients, Material, Settings};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// Authorities, certificates and settings of the servers measured.
pub(super) struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
    server: Issued,
    /// As many clients as a slice takes.
    clients: Vec<Issued>,
    /// Connections at once.
    pub(super) in_flight: usize,
}

impl Site {
    pub(super) fn new(in_flight: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Benchmark authority");
        authority.write(folder.path(), "ca");
        let server = authority.issue(&Leaf::server(["localhost"]));
        server.write(folder.path(), "server");
        let client =
            |number| authority.issue(&Leaf::client(&format!("client {number}")).organization("Bench"));
        let clients = (0..HANDSHAKES + WARM_UP).map(client).collect();
        Self { folder, authority, server, clients, in_flight }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new acceptor, which remembers nothing.
    pub(super) fn acceptor(&self, kind: &Kind) -> Acceptor {
        let clients = match kind.auth {
            ClientAuth::None => Clients::anonymous(),
            auth => Clients { auth, cas: vec![ClientCa::new(self.path().join("ca.pem"))] },
        };
        let (certificate, key) = (self.path().join("server.pem"), self.path().join("server.key"));
        let settings = Settings::new(certificate, key, clients);
        Acceptor::new(Material::load(&settings).unwrap())
    }

    fn provider(&self) -> Arc<CryptoProvider> {
        let kind = Kind { auth: ClientAuth::None, ..KINDS[0] };
        Arc::clone(self.acceptor(&kind).server_config().crypto_provider())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.certificate_der())).unwrap();
        roots
    }

    /// rustls as it comes, with its own verifier and its own memory of sessions.
    pub(super) fn bare(&self, kind: &Kind) -> Arc<ServerConfig> {
        let provider = self.provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if kind.auth == ClientAuth::None {
            builder.with_no_client_auth()
        } else {
            let roots = Arc::new(self.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        };
        let (chain, key) = pair(&self.server);
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// The clients of a slice, the warm-up first, in their order.
    pub(super) fn dialers(&self, kind: &Kind) -> Vec<Arc<ClientConfig>> {
        let provider = self.provider();
        let config = |client: &Issued| {
            let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_safe_default_protocol_versions().unwrap();
            let builder = builder.with_root_certificates(self.roots());
            let mut config = if kind.auth == ClientAuth::None {
                builder.with_no_client_auth()
            } else {
                let (chain, key) = pair(client);
                builder.with_client_auth_cert(chain, key).unwrap()
            };
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            if !kind.resumes {
                config.resumption = Resumption::disabled();
            }
            Arc::new(config)
        };
        // A client that resumes has one session at a time, so those in flight at once are different clients.
        let different = if kind.strangers { self.clients.len() } else { self.in_flight };
        let configs: Vec<_> = self.clients.iter().take(different).map(config).collect();
        configs.iter().cycle().take(HANDSHAKES + WARM_UP).cloned().collect()
    }
}

/// The name of the server.
pub(super) fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn pair(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
    (
        chain.collect::<Result<_, _>>().unwrap(),
        PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap(),
    )
}
