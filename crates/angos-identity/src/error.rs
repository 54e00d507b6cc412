//! Why a certificate's facts cannot be read. No variant carries bytes of the certificate, so all are safe to log.

use crate::limits;

/// Why the facts of a certificate cannot be read; whoever issued the certificate is at fault.
///
/// A caller must refuse such a certificate. Treating it as no certificate, or leaving the unreadable fact out, would
/// let its holder dodge a rule that denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The certificate is longer than [`limits::CERTIFICATE_MAX_BYTES`].
    #[error("the certificate has {size} bytes, the limit is {}", limits::CERTIFICATE_MAX_BYTES)]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// This part is not what X.509 and DER prescribe.
    #[error("the {0} cannot be read")]
    Malformed(Part),
    /// This part holds more entries than are allowed.
    #[error("the {part} has more than {limit} entries")]
    TooMany {
        /// Where the entries are.
        part: Part,
        /// How many are allowed.
        limit: usize,
    },
    /// The same extension appears twice, so either could be meant.
    #[error("an extension appears twice")]
    RepeatedExtension,
    /// A value that a rule could name cannot be read.
    #[error("a value of the {field} {fault}")]
    Value {
        /// What the value says.
        field: Field,
        /// What is wrong with it.
        fault: ValueFault,
    },
    /// A URI with the scheme `spiffe` is no valid SPIFFE id.
    #[error("the SPIFFE id {0}")]
    Spiffe(SpiffeFault),
    /// Two or more URIs have the scheme `spiffe`.
    #[error("there are several SPIFFE ids")]
    SeveralSpiffeIds,
}

/// A part of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The outermost structure: to-be-signed part, algorithm, signature.
    Certificate,
    /// The version, or fields the version does not allow.
    Version,
    /// The serial number: at most 20 bytes, in DER.
    SerialNumber,
    /// The signature algorithm, which stands in two places and must be the same.
    SignatureAlgorithm,
    /// The issuer's name.
    Issuer,
    /// The dates.
    Validity,
    /// The subject's name.
    Subject,
    /// The public key with its algorithm.
    PublicKey,
    /// The list of extensions.
    Extensions,
    /// The subject alternative names.
    AlternativeNames,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Certificate => "certificate",
            Self::Version => "version",
            Self::SerialNumber => "serial number",
            Self::SignatureAlgorithm => "signature algorithm",
            Self::Issuer => "issuer",
            Self::Validity => "validity",
            Self::Subject => "subject",
            Self::PublicKey => "public key",
            Self::Extensions => "extension list",
            Self::AlternativeNames => "subject alternative name list",
        })
    }
}

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// An attribute of the subject.
    Subject,
    /// An attribute of the issuer.
    Issuer,
    /// A DNS name.
    DnsNames,
    /// An e-mail address.
    EmailAddresses,
    /// A URI.
    Uris,
    /// An IP address.
    IpAddresses,
    /// The serial number.
    SerialNumber,
    /// The hash of the certificate.
    Fingerprint,
    /// The hash of the public key.
    PublicKeyFingerprint,
}

impl std::fmt::Display for Field {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::DnsNames => "DNS names",
            Self::EmailAddresses => "e-mail addresses",
            Self::Uris => "URIs",
            Self::IpAddresses => "IP addresses",
            Self::SerialNumber => "serial number",
            Self::Fingerprint => "fingerprint",
            Self::PublicKeyFingerprint => "public key fingerprint",
        })
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueFault {
    /// Not one of the string types this crate reads.
    #[error("is of an unknown string type")]
    UnknownType,
    /// The bytes are not of the character set that the type promises.
    #[error("holds bytes its string type does not allow")]
    Undecodable,
    /// A NUL or another control character, which would forge a log line or end a C string early.
    #[error("holds a control character")]
    Control,
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// Longer than [`limits::VALUE_MAX_BYTES`].
    #[error("is longer than {} bytes", limits::VALUE_MAX_BYTES)]
    TooLong,
    /// Not of the form its field prescribes: no DNS name, no address, no absolute URI.
    #[error("is malformed")]
    Malformed,
}

/// What is wrong with a SPIFFE id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeFault {
    /// The scheme is not lower-case `spiffe://`.
    #[error("does not begin with spiffe://")]
    Scheme,
    /// The trust domain is empty, too long or holds other characters than `a-z 0-9 . - _`.
    #[error("has an invalid trust domain")]
    TrustDomain,
    /// The path has an empty or dotted segment, ends in `/`, or holds other characters than `a-z A-Z 0-9 . - _`.
    #[error("has an invalid path")]
    Path,
}
