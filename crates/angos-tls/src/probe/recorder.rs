//! What the TLS library asks a client during a handshake, answered and remembered.

use std::sync::{Arc, Mutex, PoisonError};

use angos_identity::distinguished_name;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use crate::client_cert_info::printable;
use crate::limits;
use crate::probe::{CertificateInfo, Pair};
use crate::refusal;

/// What a server said of the certificates it wants.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    cas: Vec<Vec<u8>>,
    shown: bool,
}

impl CertificateRequest {
    /// The authorities it accepts, RFC 4514, as far as it says; empty if it does not. At most
    /// [`limits::PROBE_NAMES_MAX`].
    pub fn cas(&self) -> Vec<String> {
        let text = |name: &Vec<u8>| {
            let text = distinguished_name(name).unwrap_or_else(|_| "(unreadable)".to_owned());
            printable(&text, limits::CERT_TEXT_MAX_CHARS)
        };
        self.cas.iter().take(limits::PROBE_NAMES_MAX).map(text).collect()
    }

    /// Whether it names the authorities it accepts. A server with very many does not.
    pub fn names_cas(&self) -> bool {
        !self.cas.is_empty()
    }

    /// Whether one of the authorities it accepts bears the name of `certificate`'s issuer.
    pub fn accepts_issuer_of(&self, certificate: &CertificateInfo) -> bool {
        self.cas.iter().any(|name| contents(name) == certificate.raw_issuer())
    }

    /// Whether one of the authorities it accepts bears the name of `certificate` itself.
    pub fn accepts(&self, certificate: &CertificateInfo) -> bool {
        self.cas.iter().any(|name| contents(name) == certificate.raw_subject())
    }

    /// Whether the client's certificate was shown. Not if there is none, or its key cannot sign in a way the server
    /// understands.
    pub fn was_answered(&self) -> bool {
        self.shown
    }
}

/// A name without its outer frame. What is no name equals no name of a certificate.
fn contents(name: &[u8]) -> &[u8] {
    const SEQUENCE: u8 = 0x30;
    match name {
        [SEQUENCE, length @ 0..=0x7f, rest @ ..] if rest.len() == usize::from(*length) => rest,
        [SEQUENCE, 0x81, _, rest @ ..] | [SEQUENCE, 0x82, _, _, rest @ ..] => rest,
        _ => &[],
    }
}

/// Why a server's certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerCertError {
    /// It is past its end, or an intermediate is.
    Expired,
    /// It is not valid yet, or an intermediate is not.
    NotYetValid,
    /// It is not for the name the server was reached by.
    Name,
    /// No trusted authority signed it, or an intermediate was not sent.
    UnknownCa,
    /// It is not meant for servers.
    Usage,
    /// A signature in its chain is wrong.
    Signature,
    /// Another reason, in the words of the TLS library.
    Other(String),
}

impl ServerCertError {
    fn new(error: &CertificateError) -> Self {
        use CertificateError as E;
        match error {
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::Name,
            E::UnknownIssuer => Self::UnknownCa,
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => Self::Usage,
            E::BadSignature => Self::Signature,
            other => Self::Other(printable(&reason(other), limits::CERT_TEXT_MAX_CHARS)),
        }
    }
}

/// What webpki finds wrong, in words where there are some.
fn reason(error: &CertificateError) -> String {
    let cause = match error {
        CertificateError::Other(other) => other.0.downcast_ref::<webpki::Error>(),
        _ => None,
    };
    cause.map_or_else(|| "it cannot be used".to_owned(), refusal::words)
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) chain: Vec<CertificateInfo>,
    pub(super) server_errors: Vec<ServerCertError>,
    pub(super) request: Option<CertificateRequest>,
}

/// Answers the TLS library and remembers what it asked. Lives for one handshake.
#[derive(Debug)]
pub(super) struct Recorder {
    provider: Arc<CryptoProvider>,
    /// Judges servers. None: every server is good enough, because the caller only wants to look.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    checks_name: bool,
    pair: Option<Pair>,
    seen: Mutex<Seen>,
}

impl Recorder {
    /// `trusted` none: nobody is distrusted. Without a single usable authority everybody is.
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        trusted: Option<&[CertificateInfo]>,
        checks_name: bool,
        pair: Option<Pair>,
    ) -> Self {
        let verifier = trusted.map(|trusted| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().map(|it| it.der().clone()));
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()
        });
        let distrusts_all = matches!(verifier, Some(Err(_)));
        let seen = Seen {
            server_errors: if distrusts_all { vec![ServerCertError::UnknownCa] } else { Vec::new() },
            ..Seen::default()
        };
        let verifier = verifier.and_then(Result::ok);
        Self { provider, verifier, checks_name, pair, seen: Mutex::new(seen) }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Every reason to distrust the server that can be told apart from the others.
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Vec<ServerCertError> {
        let mut reasons = self.seen().server_errors;
        if let Some(verifier) = &self.verifier {
            match verifier.verify_server_cert(leaf, others, name, &[], now) {
                Ok(_) => {}
                Err(Error::InvalidCertificate(error)) => reasons.push(ServerCertError::new(&error)),
                Err(error) => reasons.push(ServerCertError::Other(error.to_string())),
            }
        }
        let is_of_others = EndEntityCert::try_from(leaf)
            .is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(name).is_err());
        reasons.retain(|reason| *reason != ServerCertError::Name);
        if self.checks_name && is_of_others {
            reasons.push(ServerCertError::Name);
        }
        reasons
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let reasons = self.judge(leaf, others, name, now);
        let chain = std::iter::once(leaf).chain(others).take(limits::PROBE_NAMES_MAX);
        let chain: Vec<_> = chain.map(|der| CertificateInfo::new(der.clone().into_owned())).collect();
        let is_trusted = reasons.is_empty();
        self.note(|seen| {
            seen.chain = chain;
            seen.server_errors = reasons;
        });
        if is_trusted {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The client's half of the recorder: rustls wants an object of its own for it.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Arc<Recorder>);

impl ResolvesClientCert for Answer {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = self.0.pair.as_ref().map(Pair::key);
        let key = key.filter(|key| key.key.choose_scheme(schemes).is_some());
        let cas = authorities.iter().map(|name| name.to_vec()).collect();
        self.0.note(|seen| seen.request = Some(CertificateRequest { cas, shown: key.is_some() }));
        key.map(Arc::clone)
    }

    fn has_certs(&self) -> bool {
        self.0.pair.is_some()
    }
}
