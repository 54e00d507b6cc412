//! The rustls side of verification: what a client offers goes to [`Trust`], and what was found travels back.
//!
//! One verifier serves all connections and is told nothing about the one it works for. What it learns travels
//! back to the accept call through a task-local slot, which exists exactly as long as [`capture`] polls.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::client_cert_info::ClientCertInfo;
use crate::failure_class::FailureClass;
use crate::refusal::Refusal;
use crate::sessions::SessionClient;
use crate::trust::{Trust, Verified};

tokio::task_local! {
    static CAPTURE: RefCell<HandshakeCapture>;
}

/// What was captured during one handshake.
#[derive(Debug, Default)]
pub(crate) struct HandshakeCapture {
    /// A chain that is good: one that was offered, or that of a session. Its holder may still fail to prove
    /// possession of the key, or the session may not be resumed after all, so this counts only once the handshake
    /// has succeeded with that chain.
    pub(crate) verified: Option<Arc<Verified>>,
    /// When the session that is resumed began. None: no session is.
    since: Option<Instant>,
    /// The leaf that was refused.
    pub(crate) refused: Option<ClientCertInfo>,
    /// Why its chain is not good.
    pub(crate) refusal: Option<Refusal>,
}

/// Runs a handshake and returns what was captured meanwhile.
pub(crate) async fn capture<F: Future>(handshake: F) -> (F::Output, HandshakeCapture) {
    CAPTURE
        .scope(RefCell::default(), async {
            let output = handshake.await;
            (output, CAPTURE.with(RefCell::take))
        })
        .await
}

/// Outside of [`capture`] (an embedder drives rustls with our configuration) nothing is remembered.
fn record(change: impl FnOnce(&mut HandshakeCapture)) {
    let _unobserved = CAPTURE.try_with(|captured| change(&mut captured.borrow_mut()));
}

/// A session of this client is being resumed.
pub(crate) fn resume(known: SessionClient) {
    record(|captured| (captured.verified, captured.since) = (known.verified, Some(known.since)));
}

/// What is known of the client of this handshake, to be kept with its session.
pub(crate) fn known() -> Option<SessionClient> {
    let known = |captured: &RefCell<HandshakeCapture>| {
        let captured = captured.borrow();
        SessionClient {
            verified: captured.verified.clone(),
            since: captured.since.unwrap_or_else(Instant::now),
        }
    };
    CAPTURE.try_with(known).ok()
}

/// Accepts what [`Trust`] finds good.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Arc<Trust>,
    mandatory: bool,
    hints: Vec<DistinguishedName>,
}

impl Verifier {
    pub(crate) fn new(trust: Arc<Trust>, mandatory: bool) -> Self {
        let hints = trust.hints();
        Self { trust, mandatory, hints }
    }
}

impl ClientCertVerifier for Verifier {
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.trust.verify(leaf, intermediates, now) {
            Ok(verified) => {
                record(|captured| (captured.verified, captured.since) = (Some(verified), None));
                Ok(ClientCertVerified::assertion())
            }
            Err(refusal) => {
                let error = refuse(leaf, refusal.error.clone());
                record(|captured| captured.refusal = Some(refusal));
                Err(error)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, self.trust.algorithms())
            .map_err(|error| refuse_proof(leaf, error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, self.trust.algorithms())
            .map_err(|error| refuse_proof(leaf, error))
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms().supported_schemes()
    }
}

/// The chain is good, and the proof that the client holds the key of the leaf is not.
fn refuse_proof(leaf: &CertificateDer<'_>, error: Error) -> Error {
    let (class, words) = match &error {
        Error::InvalidCertificate(rustls::CertificateError::BadSignature) => (
            FailureClass::BadSignature,
            "the client does not hold the private key of the certificate it sent",
        ),
        _ => (FailureClass::UnsupportedAlgorithm, "the client signed in a way that does not fit its key"),
    };
    let refusal = Refusal { error: error.clone(), ..Refusal::new(class, words) };
    record(|captured| captured.refusal = Some(refusal));
    refuse(leaf, error)
}

fn refuse(leaf: &CertificateDer<'_>, error: Error) -> Error {
    record(|captured| captured.refused = Some(ClientCertInfo::from_der(leaf)));
    error
}
