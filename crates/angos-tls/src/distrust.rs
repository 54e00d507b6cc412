//! Why a connection that was accepted would not be accepted now.

use std::fmt;

use crate::class::Class;

/// Why a [`Peer`](crate::Peer) is no longer acceptable: see [`Peer::recheck`](crate::Peer::recheck).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distrust {
    /// The certificate, an intermediate or the authority is past its end of validity.
    Expired,
    /// The certificate or an intermediate is revoked.
    Revoked,
    /// No revocation list in force says whether it is revoked: there is none, or it expired.
    RevocationUnknown,
    /// No authority in force vouches for the certificate.
    AuthorityRemoved,
    /// Another authority vouches for it than did in the handshake, so that other rules may hold for it.
    AuthorityChanged,
    /// Certificates are required now, and the peer has none.
    CertificateRequired,
    /// It breaks another rule that is in force now; the class a handshake would be refused with.
    Refused(Class),
}

impl Distrust {
    /// The word for metrics and logs; stable.
    pub fn class(self) -> &'static str {
        match self {
            Self::Expired => Class::Expired.as_str(),
            Self::Revoked => Class::Revoked.as_str(),
            Self::RevocationUnknown => Class::RevocationUnknown.as_str(),
            Self::AuthorityRemoved => "ca_removed",
            Self::AuthorityChanged => "ca_changed",
            Self::CertificateRequired => "certificate_required",
            Self::Refused(class) => class.as_str(),
        }
    }
}

impl From<Class> for Distrust {
    fn from(class: Class) -> Self {
        match class {
            Class::Expired => Self::Expired,
            Class::Revoked => Self::Revoked,
            Class::RevocationUnknown => Self::RevocationUnknown,
            // A wrong signature is what remains when an authority was replaced by another of the same name.
            Class::UnknownAuthority | Class::IncompleteChain | Class::BadSignature => Self::AuthorityRemoved,
            other => Self::Refused(other),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorityRemoved => "no client authority in force vouches for the certificate",
            Self::AuthorityChanged => "another client authority vouches for the certificate than before",
            Self::CertificateRequired => "a client certificate is required now, and the connection has none",
            Self::Expired => Class::Expired.explanation(),
            Self::Revoked => Class::Revoked.explanation(),
            Self::RevocationUnknown => Class::RevocationUnknown.explanation(),
            Self::Refused(class) => class.explanation(),
        })
    }
}

impl std::error::Error for Distrust {}
