//! The closed set of reasons a handshake ends without a connection, for counting and explaining.

use std::fmt;

/// Why a connection was not accepted, in one word. The words are stable: metrics and alerts rest on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The handshake did not finish before its deadline.
    Timeout,
    /// A certificate is required and none was offered.
    NoCertificate,
    /// No configured authority signed the certificate.
    UnknownCa,
    /// An intermediate is missing from what was offered: the certificate's issuer is one that vouched for
    /// others before.
    IncompleteChain,
    /// The certificate, or an intermediate, is past its end of validity.
    Expired,
    /// The certificate, or an intermediate, is not valid yet.
    NotYetValid,
    /// The certificate, or an intermediate, is on a revocation list.
    Revoked,
    /// No usable revocation list says whether the certificate, or an intermediate, is revoked.
    RevocationUnknown,
    /// The certificate is not meant for client authentication.
    WrongUsage,
    /// A signature is wrong: of the certificate, or of the client's proof that it holds the private key.
    BadSignature,
    /// A name in the certificate is outside what its authorities may vouch for.
    NameConstraint,
    /// The certificate is malformed or breaks another rule (path length, critical extension).
    BadCertificate,
    /// What the client sent is not a TLS handshake this server can finish, or the client refused the server.
    Protocol,
    /// The connection failed or was closed in mid-handshake.
    Io,
    /// The certificate is valid but says who its holder is in a way that cannot be read.
    Identity,
}

impl FailureClass {
    /// Every class, so that counters can start at zero.
    pub const ALL: [Self; 15] = [
        Self::Timeout,
        Self::NoCertificate,
        Self::UnknownCa,
        Self::IncompleteChain,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::RevocationUnknown,
        Self::WrongUsage,
        Self::BadSignature,
        Self::NameConstraint,
        Self::BadCertificate,
        Self::Protocol,
        Self::Io,
        Self::Identity,
    ];

    /// The word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NoCertificate => "no_certificate",
            Self::UnknownCa => "unknown_ca",
            Self::IncompleteChain => "incomplete_chain",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::WrongUsage => "wrong_usage",
            Self::BadSignature => "bad_signature",
            Self::NameConstraint => "name_constraint",
            Self::BadCertificate => "bad_certificate",
            Self::Protocol => "protocol",
            Self::Io => "io",
            Self::Identity => "identity",
        }
    }

    /// One sentence for an operator: what it means and where to look.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Timeout => "the handshake did not finish in time",
            Self::NoCertificate => "a client certificate is required and none was offered",
            Self::UnknownCa => {
                "no client authority signed the certificate, or the client did not send its intermediates"
            }
            Self::IncompleteChain => "the client did not send the intermediate that signed its certificate",
            Self::Expired => "the certificate or one of its intermediates has expired",
            Self::NotYetValid => {
                "the certificate or one of its intermediates is not valid yet; check both clocks"
            }
            Self::Revoked => "the certificate or one of its intermediates is revoked",
            Self::RevocationUnknown => {
                "no revocation list in force says whether the certificate or one of its intermediates is revoked"
            }
            Self::WrongUsage => "the certificate's key usage does not include client authentication",
            Self::BadSignature => {
                "a signature is wrong: the client does not hold the certificate's key, or another authority of the same name signed it"
            }
            Self::NameConstraint => "a name in the certificate is outside what its authorities may vouch for",
            Self::BadCertificate => "the certificate is malformed or breaks a constraint of its issuer",
            Self::Protocol => "no TLS connection could be agreed on",
            Self::Io => "the connection failed or was closed in mid-handshake",
            Self::Identity => "the certificate is valid, but the identity in it cannot be read",
        }
    }

    /// Whether the client's certificate, or the lack of one, is the reason.
    pub fn is_authentication(self) -> bool {
        !matches!(self, Self::Timeout | Self::Protocol | Self::Io)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
