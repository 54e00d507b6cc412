//! Why a chain is not accepted: one class, the words for the log, and what the client is told.

use std::sync::Arc;

use rustls::{CertificateError, ExtendedKeyPurpose, OtherError};
use rustls_pki_types::UnixTime;
use webpki::Error as Cause;

use crate::alert::Alert;
use crate::algorithms;
use crate::failure_class::FailureClass;
use crate::limits;

/// The verdict on a chain that is not accepted.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) class: FailureClass,
    /// Chooses the alert the client is sent.
    pub(crate) error: rustls::Error,
    /// For the log: what is wrong, never in the debug form of an inner library.
    pub(crate) words: String,
    /// The chain is good, but the identity in it cannot be read.
    pub(crate) unreadable: Option<angos_identity::CertificateError>,
}

impl Refusal {
    /// A refusal of our own, in our own words.
    pub(crate) fn new(class: FailureClass, words: impl Into<String>) -> Self {
        let error = match class {
            FailureClass::Revoked => CertificateError::Revoked,
            FailureClass::RevocationUnknown => CertificateError::UnknownRevocationStatus,
            FailureClass::WrongUsage | FailureClass::KeyUsage | FailureClass::UnsupportedAlgorithm => {
                CertificateError::InvalidPurpose
            }
            FailureClass::BadSignature => CertificateError::BadSignature,
            FailureClass::Expired => CertificateError::Expired,
            FailureClass::NotYetValid => CertificateError::NotValidYet,
            FailureClass::UnknownCa
            | FailureClass::IncompleteChain
            | FailureClass::SelfSigned
            | FailureClass::IssuerName => CertificateError::UnknownIssuer,
            FailureClass::Identity | FailureClass::BadCertificate => CertificateError::BadEncoding,
            // An alert that nothing else is told by: the certificate is good, and its SPIFFE id is not the one.
            _ => CertificateError::ApplicationVerificationFailure,
        };
        Self { class, error: error.into(), words: words.into(), unreadable: None }
    }

    /// A refusal of a good chain whose leaf does not say who its holder is.
    pub(crate) fn unreadable(error: angos_identity::CertificateError) -> Self {
        Self { unreadable: Some(error), ..Self::new(FailureClass::Identity, error.to_string()) }
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        let error = match &cause {
            Cause::BadDer | Cause::BadDerTime | Cause::TrailingData(_) => CertificateError::BadEncoding,
            Cause::CertNotValidYet { time, not_before } => {
                CertificateError::NotValidYetContext { time: *time, not_before: *not_before }
            }
            Cause::CertExpired { time, not_after } => {
                CertificateError::ExpiredContext { time: *time, not_after: *not_after }
            }
            Cause::InvalidCertValidity => CertificateError::Expired,
            Cause::UnknownIssuer => CertificateError::UnknownIssuer,
            Cause::RequiredEkuNotFoundContext(context) => CertificateError::InvalidPurposeContext {
                required: ExtendedKeyPurpose::ClientAuth,
                presented: context.present.iter().map(|purpose| extended_key_purpose(purpose)).collect(),
            },
            Cause::EmptyEkuExtension => CertificateError::InvalidPurpose,
            Cause::InvalidSignatureForPublicKey => CertificateError::BadSignature,
            Cause::UnsupportedSignatureAlgorithmContext(context) => {
                CertificateError::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: context.signature_algorithm_id.clone(),
                    supported_algorithms: context.supported_algorithms.clone(),
                }
            }
            Cause::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
                CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: context.signature_algorithm_id.clone(),
                    public_key_algorithm_id: context.public_key_algorithm_id.clone(),
                }
            }
            _ => CertificateError::Other(OtherError(Arc::new(cause.clone()))),
        };
        let class = match &cause {
            Cause::NameConstraintViolation | Cause::MalformedNameConstraint => FailureClass::NameConstraint,
            Cause::PathLenConstraintViolated | Cause::MaximumPathDepthExceeded => FailureClass::PathLength,
            Cause::CaUsedAsEndEntity => FailureClass::CaAsClient,
            Cause::UnsupportedCertVersion => FailureClass::CertificateVersion,
            _ => classify(&error),
        };
        Self { class, error: error.into(), words: words(&cause), unreadable: None }
    }
}

/// What webpki finds wrong with a chain, in words.
pub(crate) fn words(cause: &Cause) -> String {
    let words = match cause {
        Cause::UnknownIssuer => "no CA bears the name of its issuer",
        Cause::CertExpired { time, not_after } => return since("it expired", *time, *not_after),
        Cause::CertNotValidYet { time, not_before } => return since("it begins", *not_before, *time),
        Cause::RequiredEkuNotFoundContext(context) => return purposes(&context.present),
        Cause::UnsupportedSignatureAlgorithmContext(context) => {
            let name = algorithms::signature_name(&context.signature_algorithm_id);
            return format!("it, or an intermediate, is signed with {name}, which is not accepted");
        }
        Cause::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            let name = algorithms::signature_name(&context.signature_algorithm_id);
            let key = algorithms::key_name(&context.public_key_algorithm_id);
            return format!(
                "it is signed with {name}, which is not accepted from a key of its issuer's kind ({key})"
            );
        }
        Cause::InvalidSignatureForPublicKey => "the key of its issuer did not make its signature",
        Cause::BadDer | Cause::TrailingData(_) => "it is malformed",
        Cause::BadDerTime => "a date in it cannot be read",
        Cause::CaUsedAsEndEntity => "it is a CA certificate (basic constraints CA:TRUE)",
        Cause::EndEntityUsedAsCa => "an intermediate is not a CA certificate",
        Cause::NameConstraintViolation => "a name in it is outside the name constraints of a CA",
        Cause::MalformedNameConstraint => "the name constraints of a CA cannot be read",
        Cause::PathLenConstraintViolated => "there are more intermediates than a CA allows",
        Cause::MaximumPathDepthExceeded => "there are more than 6 intermediates",
        Cause::UnsupportedCertVersion => {
            "it, or an intermediate, is not of version 3, so it has no extensions"
        }
        Cause::UnsupportedCriticalExtension => "it has a critical extension that is not understood",
        Cause::EmptyEkuExtension => "its extended key usage is empty",
        Cause::InvalidCertValidity => "its validity ends before it begins",
        Cause::SignatureAlgorithmMismatch => "it names two signature algorithms",
        Cause::MaximumNameConstraintComparisonsExceeded
        | Cause::MaximumPathBuildCallsExceeded
        | Cause::MaximumSignatureChecksExceeded => "finding a path through its intermediates takes too long",
        Cause::MalformedExtensions | Cause::ExtensionValueInvalid => "an extension cannot be read",
        _ => "it breaks a rule of RFC 5280",
    };
    words.to_owned()
}

/// How long ago `from` was at `to`, in the largest unit that fits.
fn since(what: &str, to: UnixTime, from: UnixTime) -> String {
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7200 => (seconds / 60, "minutes"),
        7200..172_800 => (seconds / 3600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    let tail = if what == "it begins" { "from now" } else { "ago" };
    format!("{what} {number} {unit} {tail}")
}

/// What an extended key usage permits instead of client authentication.
fn purposes(present: &[Vec<usize>]) -> String {
    let name = |purpose: &Vec<usize>| match purpose.as_slice() {
        [1, 3, 6, 1, 5, 5, 7, 3, 1] => "serverAuth".to_owned(),
        [1, 3, 6, 1, 5, 5, 7, 3, 3] => "codeSigning".to_owned(),
        [1, 3, 6, 1, 5, 5, 7, 3, 4] => "emailProtection".to_owned(),
        [2, 5, 29, 37, 0] => "anyExtendedKeyUsage".to_owned(),
        numbers => numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("."),
    };
    let names: Vec<_> = present.iter().take(limits::PURPOSES_SHOWN_MAX).map(name).collect();
    format!("its extended key usage, or that of an intermediate, is {} and not clientAuth", names.join(", "))
}

/// Why no TLS connection came about, in words.
pub(crate) fn protocol_words(error: &rustls::Error) -> String {
    use rustls::{Error as E, InvalidMessage, PeerIncompatible as P};
    let words = match error {
        E::AlertReceived(alert) => {
            return format!("the client sent the alert {}", Alert::new(*alert));
        }
        E::NoCertificatesPresented => "no certificate was sent",
        E::InvalidMessage(InvalidMessage::InvalidContentType) => "what the client sent is not TLS",
        E::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            "a message of the handshake is larger than 64 KiB"
        }
        E::InvalidMessage(_) => "a TLS message of the client is malformed",
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            "the client sent a TLS message out of order"
        }
        E::PeerIncompatible(
            P::Tls12NotOffered | P::Tls12NotOfferedOrEnabled | P::SupportedVersionsExtensionRequired,
        ) => "the client offers no version of TLS from 1.2 on",
        E::PeerIncompatible(P::NoCipherSuitesInCommon) => "client and server share no cipher suite",
        E::PeerIncompatible(P::NoKxGroupsInCommon) => "client and server share no key exchange group",
        E::PeerIncompatible(P::NoSignatureSchemesInCommon) => "client and server share no signature scheme",
        E::PeerIncompatible(P::NoCertificateRequestSignatureSchemesInCommon) => {
            "the client's key can make none of the accepted signatures"
        }
        E::PeerIncompatible(_) => "client and server share no way to do TLS",
        E::PeerMisbehaved(_) => "the client broke the TLS protocol",
        E::NoApplicationProtocol => "client and server share no application protocol (ALPN)",
        E::DecryptError => "a message of the client could not be decrypted",
        E::InvalidCertificate(_) => "the certificate the client sent cannot be used",
        _ => "the TLS library gave up",
    };
    words.to_owned()
}

fn extended_key_purpose(numbers: &[usize]) -> ExtendedKeyPurpose {
    match numbers {
        [1, 3, 6, 1, 5, 5, 7, 3, 1] => ExtendedKeyPurpose::ServerAuth,
        [1, 3, 6, 1, 5, 5, 7, 3, 2] => ExtendedKeyPurpose::ClientAuth,
        other => ExtendedKeyPurpose::Other(other.to_vec()),
    }
}

/// The class of what the TLS library says about a certificate.
pub(crate) fn classify(error: &CertificateError) -> FailureClass {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => FailureClass::UnknownCa,
        E::Expired | E::ExpiredContext { .. } => FailureClass::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => FailureClass::NotYetValid,
        E::Revoked => FailureClass::Revoked,
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            FailureClass::RevocationUnknown
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => FailureClass::WrongUsage,
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => FailureClass::UnsupportedAlgorithm,
        E::BadSignature => FailureClass::BadSignature,
        _ => FailureClass::BadCertificate,
    }
}
