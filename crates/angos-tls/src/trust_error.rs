//! Why a connection that was accepted would not be accepted now.

use std::fmt;

use crate::failure_class::FailureClass;

/// Why a [`Peer`](crate::Peer) is no longer acceptable: see [`Peer::recheck`](crate::Peer::recheck).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrustError {
    /// The certificate, an intermediate or the authority is past its end of validity.
    Expired,
    /// The certificate or an intermediate is revoked.
    Revoked,
    /// No revocation list in force says whether it is revoked: there is none, or it expired.
    RevocationUnknown,
    /// No authority in force vouches for the certificate.
    CaRemoved,
    /// Another authority vouches for it than did in the handshake, so that other rules may hold for it.
    CaChanged,
    /// Certificates are required now, and the peer has none.
    CertificateRequired,
    /// It breaks another rule that is in force now; the class a handshake would be refused with.
    Refused(FailureClass),
}

impl TrustError {
    /// The word for metrics and logs; stable.
    pub fn class(self) -> &'static str {
        match self {
            Self::Expired => FailureClass::Expired.as_str(),
            Self::Revoked => FailureClass::Revoked.as_str(),
            Self::RevocationUnknown => FailureClass::RevocationUnknown.as_str(),
            Self::CaRemoved => "ca_removed",
            Self::CaChanged => "ca_changed",
            Self::CertificateRequired => "certificate_required",
            Self::Refused(class) => class.as_str(),
        }
    }
}

impl From<FailureClass> for TrustError {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Expired => Self::Expired,
            FailureClass::Revoked => Self::Revoked,
            FailureClass::RevocationUnknown => Self::RevocationUnknown,
            // A wrong signature is what remains when an authority was replaced by another of the same name.
            FailureClass::UnknownCa
            | FailureClass::IncompleteChain
            | FailureClass::IssuerName
            | FailureClass::UnsupportedAlgorithm
            | FailureClass::BadSignature => Self::CaRemoved,
            other => Self::Refused(other),
        }
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CaRemoved => "no client authority in force vouches for the certificate",
            Self::CaChanged => "another client authority vouches for the certificate than before",
            Self::CertificateRequired => "a client certificate is required now, and the connection has none",
            Self::Expired => FailureClass::Expired.explanation(),
            Self::Revoked => FailureClass::Revoked.explanation(),
            Self::RevocationUnknown => FailureClass::RevocationUnknown.explanation(),
            Self::Refused(class) => class.explanation(),
        })
    }
}

impl std::error::Error for TrustError {}
