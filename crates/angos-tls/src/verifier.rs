//! Verifying client certificates: webpki decides, this wrapper reads the identity and remembers what was offered.
//!
//! One verifier serves all connections and is told nothing about the one it works for. What it learns travels
//! back to the accept call through a task-local slot, which exists exactly as long as [`observe`] polls.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use angos_identity::{Certificate, CertificateError};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::offered::Offered;

tokio::task_local! {
    static SEEN: RefCell<Seen>;
}

/// What the verifier saw during one handshake.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The identity of a leaf whose chain is good. Its holder may still fail to prove possession of the key,
    /// so this counts only once the handshake has succeeded.
    pub(crate) identity: Option<Arc<Certificate>>,
    /// The leaf that was refused.
    pub(crate) refused: Option<Offered>,
    /// Why the identity in a good certificate could not be read.
    pub(crate) unreadable: Option<CertificateError>,
}

/// Runs a handshake and returns what the verifier saw meanwhile.
pub(crate) async fn observe<F: Future>(handshake: F) -> (F::Output, Seen) {
    SEEN.scope(RefCell::default(), async {
        let output = handshake.await;
        (output, SEEN.with(RefCell::take))
    })
    .await
}

/// Outside of [`observe`] (an embedder drives rustls with our configuration) nothing is remembered.
fn note(change: impl FnOnce(&mut Seen)) {
    let _unobserved = SEEN.try_with(|seen| change(&mut seen.borrow_mut()));
}

/// Accepts what `inner` accepts, provided that the identity in it can be read.
#[derive(Debug)]
pub(crate) struct IdentityVerifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl IdentityVerifier {
    pub(crate) fn new(inner: Arc<dyn ClientCertVerifier>) -> Self {
        Self { inner }
    }
}

impl ClientCertVerifier for IdentityVerifier {
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refuse = |error| refuse(leaf, error);
        let verified = self.inner.verify_client_cert(leaf, intermediates, now).map_err(refuse)?;
        match Certificate::from_der(leaf) {
            Ok(identity) => note(|seen| seen.identity = Some(Arc::new(identity))),
            Err(error) => {
                note(|seen| seen.unreadable = Some(error));
                return Err(refuse(Error::InvalidCertificate(rustls::CertificateError::BadEncoding)));
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, leaf, signature).map_err(|error| refuse(leaf, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, leaf, signature).map_err(|error| refuse(leaf, error))
    }

    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.inner.requires_raw_public_keys()
    }
}

fn refuse(leaf: &CertificateDer<'_>, error: Error) -> Error {
    note(|seen| seen.refused = Some(Offered::from_der(leaf)));
    error
}
