//! Stage 1: the attributes of a verified identity that rules can read.

use crate::certificate_forms as forms;
use crate::string_form::StringForm;
use crate::value::{Type, Value};
use angos_identity::{Certificate, Identity};

/// One variable under `identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    Id,
    Username,
    Method,
    ClientIp,
    Present,
    CommonNames,
    Organizations,
    OrganizationalUnits,
    DnsNames,
    EmailAddresses,
    Uris,
    IpAddresses,
    Subject,
    Issuer,
    SerialNumber,
    Fingerprint,
    PublicKeyFingerprint,
    SpiffeId,
    SpiffeTrustDomain,
    SpiffePath,
    NotBefore,
    NotAfter,
    Ca,
}

/// The words of `identity.method`.
const METHODS: &[&str] = &["anonymous", "certificate", "basic"];

/// Every identity variable; `has(identity.certificate)` reads [`Attribute::Present`] too.
pub(crate) const ATTRIBUTES: &[(&str, Attribute, Type)] = &[
    ("identity.id", Attribute::Id, Type::String),
    ("identity.username", Attribute::Username, Type::String),
    ("identity.method", Attribute::Method, Type::Enum(METHODS)),
    ("identity.client_ip", Attribute::ClientIp, Type::String),
    ("identity.certificate.present", Attribute::Present, Type::Bool),
    ("identity.certificate.common_names", Attribute::CommonNames, Type::StringList),
    ("identity.certificate.organizations", Attribute::Organizations, Type::StringList),
    ("identity.certificate.organizational_units", Attribute::OrganizationalUnits, Type::StringList),
    ("identity.certificate.dns_names", Attribute::DnsNames, Type::StringList),
    ("identity.certificate.email_addresses", Attribute::EmailAddresses, Type::StringList),
    ("identity.certificate.uris", Attribute::Uris, Type::StringList),
    ("identity.certificate.ip_addresses", Attribute::IpAddresses, Type::StringList),
    ("identity.certificate.subject", Attribute::Subject, Type::String),
    ("identity.certificate.issuer", Attribute::Issuer, Type::String),
    ("identity.certificate.serial_number", Attribute::SerialNumber, Type::String),
    ("identity.certificate.fingerprint", Attribute::Fingerprint, Type::String),
    ("identity.certificate.public_key_fingerprint", Attribute::PublicKeyFingerprint, Type::String),
    ("identity.certificate.spiffe_id", Attribute::SpiffeId, Type::String),
    ("identity.certificate.spiffe_trust_domain", Attribute::SpiffeTrustDomain, Type::String),
    ("identity.certificate.spiffe_path", Attribute::SpiffePath, Type::String),
    ("identity.certificate.not_before", Attribute::NotBefore, Type::Timestamp),
    ("identity.certificate.not_after", Attribute::NotAfter, Type::Timestamp),
    ("identity.certificate.ca", Attribute::Ca, Type::String),
];

impl Attribute {
    /// The value in `identity`; certificate attributes are absent, lists empty, without a certificate.
    pub(crate) fn read(self, identity: &Identity) -> Value<'_> {
        match self {
            Self::Id => text(identity.id()),
            Self::Username => text(identity.username()),
            Self::Method => Value::String(identity.method().as_str()),
            Self::ClientIp => Value::String(identity.client_ip()),
            Self::Present => Value::Bool(identity.certificate().is_some()),
            _ => identity.certificate().map_or(Value::Absent, |certificate| self.of(certificate)),
        }
    }

    /// The spelling of every value, where there is only one.
    pub(crate) fn form(self) -> Option<&'static StringForm> {
        Some(match self {
            Self::ClientIp => &forms::CLIENT_IP,
            Self::IpAddresses => &forms::IP_ADDRESS,
            Self::Subject | Self::Issuer => &forms::DISTINGUISHED_NAME,
            Self::SerialNumber => &forms::SERIAL_NUMBER,
            Self::Fingerprint | Self::PublicKeyFingerprint => &forms::FINGERPRINT,
            Self::SpiffeId => &forms::SPIFFE_ID,
            Self::SpiffeTrustDomain => &forms::TRUST_DOMAIN,
            Self::SpiffePath => &forms::SPIFFE_PATH,
            _ => return None,
        })
    }

    fn of(self, certificate: &Certificate) -> Value<'_> {
        match self {
            Self::Id | Self::Username | Self::Method | Self::ClientIp | Self::Present => Value::Absent,
            Self::CommonNames => Value::Strings(certificate.common_names()),
            Self::Organizations => Value::Strings(certificate.organizations()),
            Self::OrganizationalUnits => Value::Strings(certificate.organizational_units()),
            Self::DnsNames => Value::Strings(certificate.dns_names()),
            Self::EmailAddresses => Value::Strings(certificate.email_addresses()),
            Self::Uris => Value::Strings(certificate.uris()),
            Self::IpAddresses => Value::Strings(certificate.ip_addresses()),
            Self::Subject => Value::String(certificate.subject()),
            Self::Issuer => Value::String(certificate.issuer()),
            Self::SerialNumber => Value::String(certificate.serial_number()),
            Self::Fingerprint => Value::String(certificate.fingerprint()),
            Self::PublicKeyFingerprint => Value::String(certificate.public_key_fingerprint()),
            Self::SpiffeId => text(certificate.spiffe_id()),
            Self::SpiffeTrustDomain => text(certificate.spiffe_trust_domain()),
            Self::SpiffePath => text(certificate.spiffe_path()),
            Self::NotBefore => Value::Timestamp(certificate.not_before(), 0),
            Self::NotAfter => Value::Timestamp(certificate.not_after(), 0),
            Self::Ca => text(certificate.ca()),
        }
    }
}

fn text(value: Option<&str>) -> Value<'_> {
    value.map_or(Value::Absent, Value::String)
}
