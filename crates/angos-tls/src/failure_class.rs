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
    /// No configured CA issued the certificate.
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
    /// The extended key usage of the certificate, or of an intermediate, does not include client authentication.
    WrongUsage,
    /// The key usage of the certificate lacks digitalSignature, or that of an intermediate lacks keyCertSign.
    KeyUsage,
    /// A signature is wrong: of the certificate, or of the client's proof that it holds the private key.
    BadSignature,
    /// The client's key, the key of an issuer or a signature of the chain is of a kind that is not accepted.
    UnsupportedAlgorithm,
    /// The certificate is signed by itself and not by a CA.
    SelfSigned,
    /// A CA certificate was sent as the client's own.
    CaAsClient,
    /// The certificate, or an intermediate, is not of X.509 version 3.
    CertificateVersion,
    /// The chain is longer than a CA of it allows, or than any may be.
    PathLength,
    /// The issuer's name is the name of a client CA, but with other letter case, spaces or string types.
    IssuerName,
    /// A name in the certificate is outside what its CAs may issue for.
    NameConstraint,
    /// The certificate is malformed or breaks another rule (a critical extension that is not understood).
    BadCertificate,
    /// The client sent an HTTP request without TLS.
    PlainHttp,
    /// What the client sent is not a TLS handshake this server can finish, or the client refused the server.
    Protocol,
    /// The connection failed or was closed in mid-handshake.
    Io,
    /// The certificate is valid but says who its holder is in a way that cannot be read.
    Identity,
}

impl FailureClass {
    /// Every class, so that counters can start at zero.
    pub const ALL: [Self; 23] = [
        Self::Timeout,
        Self::NoCertificate,
        Self::UnknownCa,
        Self::IncompleteChain,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::RevocationUnknown,
        Self::WrongUsage,
        Self::KeyUsage,
        Self::BadSignature,
        Self::UnsupportedAlgorithm,
        Self::SelfSigned,
        Self::CaAsClient,
        Self::CertificateVersion,
        Self::PathLength,
        Self::IssuerName,
        Self::NameConstraint,
        Self::BadCertificate,
        Self::PlainHttp,
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
            Self::KeyUsage => "key_usage",
            Self::BadSignature => "bad_signature",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::SelfSigned => "self_signed",
            Self::CaAsClient => "ca_as_client",
            Self::CertificateVersion => "certificate_version",
            Self::PathLength => "path_length",
            Self::IssuerName => "issuer_name",
            Self::NameConstraint => "name_constraint",
            Self::BadCertificate => "bad_certificate",
            Self::PlainHttp => "plain_http",
            Self::Protocol => "protocol",
            Self::Io => "io",
            Self::Identity => "identity",
        }
    }

    /// One sentence for an operator: what it means and where to look.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Timeout => "the handshake did not finish in time",
            Self::NoCertificate => "a client certificate is required and the client sent none",
            Self::UnknownCa => {
                "no client CA issued the certificate, or the client did not send its intermediates"
            }
            Self::IncompleteChain => "the client did not send the intermediate that signed its certificate",
            Self::Expired => "the certificate or one of its intermediates has expired",
            Self::NotYetValid => {
                "the certificate or one of its intermediates is not valid yet; check both clocks"
            }
            Self::Revoked => "the certificate or one of its intermediates is revoked",
            Self::RevocationUnknown => {
                "no current CRL says whether the certificate or one of its intermediates is revoked"
            }
            Self::WrongUsage => "the certificate's extended key usage does not include client authentication",
            Self::KeyUsage => "the key usage of the certificate or of an intermediate forbids this use",
            Self::BadSignature => {
                "a signature is wrong: the client does not hold the certificate's key, or another CA of the same name signed it"
            }
            Self::UnsupportedAlgorithm => "a key or signature of the chain is of a kind that is not accepted",
            Self::SelfSigned => "the certificate is self-signed; a client CA has to issue it",
            Self::CaAsClient => "the client sent a CA certificate as its own",
            Self::CertificateVersion => {
                "a certificate of the chain is not of X.509 version 3; issue it with extensions (`openssl x509 -req -extfile FILE`)"
            }
            Self::PathLength => "the chain has more intermediates than a CA of it allows",
            Self::IssuerName => {
                "the issuer's name is written differently in the certificate and in the client CA's"
            }
            Self::NameConstraint => "a name in the certificate is outside what its CAs may issue for",
            Self::BadCertificate => "the certificate is malformed or breaks a constraint of its issuer",
            Self::PlainHttp => "the client spoke HTTP without TLS to a port that speaks TLS",
            Self::Protocol => "no TLS connection could be agreed on",
            Self::Io => "the connection failed or was closed during the handshake",
            Self::Identity => "the certificate is valid, but the identity in it cannot be read",
        }
    }

    /// Whether the client's certificate, or the lack of one, is the reason.
    pub fn is_authentication(self) -> bool {
        !matches!(self, Self::Timeout | Self::PlainHttp | Self::Protocol | Self::Io)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
