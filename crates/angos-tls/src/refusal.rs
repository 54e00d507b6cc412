//! Why a chain is not accepted: one class, the words for the log, and what the client is told.

use std::sync::Arc;

use rustls::{CertificateError, ExtendedKeyPurpose, OtherError};
use webpki::Error as Cause;

use crate::failure_class::FailureClass;

/// The verdict on a chain that is not accepted.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) class: FailureClass,
    /// Chooses the alert the client is sent.
    pub(crate) error: rustls::Error,
    /// For the log, where the error does not say it all.
    pub(crate) words: Option<String>,
    /// The chain is good, but the identity in it cannot be read.
    pub(crate) unreadable: Option<angos_identity::CertificateError>,
}

impl Refusal {
    /// A refusal of our own, in our own words.
    pub(crate) fn new(class: FailureClass, words: impl Into<String>) -> Self {
        let error = match class {
            FailureClass::Revoked => CertificateError::Revoked,
            FailureClass::RevocationUnknown => CertificateError::UnknownRevocationStatus,
            FailureClass::WrongUsage => CertificateError::InvalidPurpose,
            FailureClass::Expired => CertificateError::Expired,
            FailureClass::NotYetValid => CertificateError::NotValidYet,
            FailureClass::UnknownCa | FailureClass::IncompleteChain => CertificateError::UnknownIssuer,
            FailureClass::Identity | FailureClass::BadCertificate => CertificateError::BadEncoding,
            // An alert that nothing else is told by: the certificate is good, and its SPIFFE id is not the one.
            _ => CertificateError::ApplicationVerificationFailure,
        };
        Self { class, error: error.into(), words: Some(words.into()), unreadable: None }
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
            _ => classify(&error),
        };
        Self { class, error: error.into(), words: words(&cause), unreadable: None }
    }
}

/// What rustls has no words for.
pub(crate) fn words(cause: &Cause) -> Option<String> {
    let words = match cause {
        Cause::CaUsedAsEndEntity => "it is the certificate of an authority",
        Cause::EndEntityUsedAsCa => "an intermediate is no certificate of an authority",
        Cause::NameConstraintViolation => "a name in it is outside an authority's name constraints",
        Cause::MalformedNameConstraint => "an authority's name constraints cannot be read",
        Cause::PathLenConstraintViolated => "there are more intermediates than an authority allows",
        Cause::UnsupportedCertVersion => "it is not of version 3",
        Cause::UnsupportedCriticalExtension => "it has a critical extension that is not understood",
        Cause::EmptyEkuExtension => "its extended key usage is empty",
        Cause::InvalidCertValidity => "its validity ends before it begins",
        Cause::SignatureAlgorithmMismatch => "it names two signature algorithms",
        Cause::MaximumNameConstraintComparisonsExceeded
        | Cause::MaximumPathBuildCallsExceeded
        | Cause::MaximumPathDepthExceeded
        | Cause::MaximumSignatureChecksExceeded => "finding a path through its intermediates takes too long",
        Cause::MalformedExtensions | Cause::ExtensionValueInvalid => "an extension cannot be read",
        _ => return None,
    };
    Some(words.to_owned())
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
        E::BadSignature
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => FailureClass::BadSignature,
        _ => FailureClass::BadCertificate,
    }
}
