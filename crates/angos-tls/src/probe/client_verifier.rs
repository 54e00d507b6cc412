//! Whether a server would take a client's certificate: the verdict of a handshake, without one.

use std::sync::Arc;
use std::time::SystemTime;

use angos_identity::Certificate;
use rustls_pki_types::UnixTime;

use crate::accept_error::AcceptError;
use crate::client_cert_info::ClientCertInfo;
use crate::failure_class::FailureClass;
use crate::load_error::LoadError;
use crate::loading;
use crate::probe::CertificateInfo;
use crate::settings::Settings;
use crate::trust::Trust;

/// The client authorities and revocation lists of a configuration, without the server's own certificates and keys.
///
/// Its verdict is that of [`Acceptor::accept`](crate::Acceptor::accept) under the [`Material`](crate::Material) of the same
/// settings, by the same code. One thing that a handshake proves is not asked: that the client holds the private key.
#[derive(Debug)]
pub struct ClientVerifier {
    trust: Trust,
}

impl ClientVerifier {
    /// Reads the bundles and lists of the client authorities; the other files of `settings` are left alone. Returns
    /// everything that is wrong with them. Blocks on the file system.
    pub fn load(settings: &Settings) -> Result<Self, Vec<LoadError>> {
        loading::trust(settings).map(|trust| Self { trust })
    }

    /// The identity of the first certificate as a server would know it at `time`, its authority included. The others are
    /// what the client sends beside it, in any order.
    pub fn verify(
        &self,
        chain: &[CertificateInfo],
        time: SystemTime,
    ) -> Result<Arc<Certificate>, AcceptError> {
        let Some((leaf, others)) = chain.split_first() else {
            let detail = Box::new(rustls::Error::NoCertificatesPresented);
            return Err(AcceptError::Tls { class: FailureClass::NoCertificate, detail, certificate: None });
        };
        let others: Vec<_> = others.iter().map(|other| other.der().clone()).collect();
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match self.trust.verify(leaf.der(), &others, UnixTime::since_unix_epoch(since)) {
            Ok(verified) => Ok(Arc::clone(&verified.identity)),
            Err(refusal) => Err(AcceptError::refused(refusal, ClientCertInfo::from_der(leaf.der()))),
        }
    }
}
