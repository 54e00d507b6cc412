//! What a certificate should say.

use std::net::IpAddr;

use crate::der::tlv;
use crate::extension::{CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, Subtree};
use crate::key::{Key, Signature};
use crate::subject::{Attribute, COMMON_NAME, ORGANIZATION, ORGANIZATIONAL_UNIT, Text};

const HOUR: i64 = 3600;

/// What the extended key usage extension allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Client authentication alone.
    Client,
    /// Server authentication alone.
    Server,
    /// Client and server authentication.
    Both,
    /// No such extension, which verifiers read as "anything".
    None,
    /// Code signing alone: neither end of a TLS connection.
    Other,
    /// The purpose that means all purposes (RFC 5280 §4.2.1.12).
    Any,
}

/// What a certificate should say. Valid from an hour ago until tomorrow unless told otherwise.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub(crate) subject: Vec<Vec<Attribute>>,
    pub(crate) alternative_names: Vec<u8>,
    pub(crate) extensions: Vec<(Vec<u64>, bool, Vec<u8>)>,
    pub(crate) usage: Usage,
    pub(crate) is_authority: Option<bool>,
    pub(crate) path_length: Option<u8>,
    pub(crate) key_identifiers: bool,
    pub(crate) key_usage: Option<u16>,
    pub(crate) key: Key,
    pub(crate) signature: Signature,
    pub(crate) version: u8,
    pub(crate) serial: Option<Vec<u8>>,
    /// The serial number is two's complement already.
    pub(crate) is_serial_raw: bool,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Leaf {
    /// Nothing in subject and alternative names.
    pub fn new(usage: Usage) -> Self {
        Self {
            subject: Vec::new(),
            alternative_names: Vec::new(),
            extensions: Vec::new(),
            usage,
            is_authority: Some(false),
            path_length: None,
            key_identifiers: true,
            key_usage: Some(DIGITAL_SIGNATURE),
            key: Key::P256,
            signature: Signature::Customary,
            version: 3,
            serial: None,
            is_serial_raw: false,
            not_before: -HOUR,
            not_after: 24 * HOUR,
        }
    }

    /// A client certificate with this common name.
    pub fn client(common_name: &str) -> Self {
        Self::new(Usage::Client).common_name(common_name)
    }

    /// An authority with this common name, valid from yesterday until the day after tomorrow.
    pub fn authority(common_name: &str) -> Self {
        Self {
            is_authority: Some(true),
            key_usage: Some(KEY_CERT_SIGN | CRL_SIGN),
            ..Self::new(Usage::None).common_name(common_name).valid(-24 * HOUR, 48 * HOUR)
        }
    }

    /// A server certificate for these names; a name that reads as an IP address becomes one.
    pub fn server<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(Self::new(Usage::Server), |leaf, name| {
            let leaf = if leaf.subject.is_empty() { leaf.common_name(name) } else { leaf };
            match name.parse() {
                Ok(address) => leaf.ip(address),
                Err(_) => leaf.dns(name),
            }
        })
    }

    /// Adds a common name.
    #[must_use]
    pub fn common_name(self, text: impl Into<Text>) -> Self {
        self.attribute(&COMMON_NAME, text)
    }

    /// Adds an organization.
    #[must_use]
    pub fn organization(self, text: impl Into<Text>) -> Self {
        self.attribute(&ORGANIZATION, text)
    }

    /// Adds an organizational unit.
    #[must_use]
    pub fn organizational_unit(self, text: impl Into<Text>) -> Self {
        self.attribute(&ORGANIZATIONAL_UNIT, text)
    }

    /// Adds an attribute of any type, as a relative distinguished name of its own.
    #[must_use]
    pub fn attribute(self, kind: &[u64], text: impl Into<Text>) -> Self {
        self.attributes(vec![(kind.to_vec(), text.into())])
    }

    /// Adds one relative distinguished name of several attributes, in this order.
    #[must_use]
    pub fn attributes(mut self, group: Vec<(Vec<u64>, Text)>) -> Self {
        self.subject.push(group);
        self
    }

    /// Adds an e-mail address among the alternative names.
    #[must_use]
    pub fn email(self, address: &str) -> Self {
        self.general_name(0x81, address.as_bytes())
    }

    /// Adds a DNS name among the alternative names.
    #[must_use]
    pub fn dns(self, name: &str) -> Self {
        self.general_name(0x82, name.as_bytes())
    }

    /// Adds a URI among the alternative names.
    #[must_use]
    pub fn uri(self, uri: &str) -> Self {
        self.general_name(0x86, uri.as_bytes())
    }

    /// Adds an IP address among the alternative names.
    #[must_use]
    pub fn ip(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.general_name(0x87, &address.octets()),
            IpAddr::V6(address) => self.general_name(0x87, &address.octets()),
        }
    }

    /// Adds any alternative name: its tag octet and its bytes, which nobody checks.
    #[must_use]
    pub fn general_name(mut self, tag: u8, bytes: &[u8]) -> Self {
        self.alternative_names.extend(tlv(tag, bytes));
        self
    }

    /// Leaves the identifiers of its own key and of its issuer's out.
    #[must_use]
    pub fn without_key_identifiers(mut self) -> Self {
        self.key_identifiers = false;
        self
    }

    /// Adds any extension with these bytes, which nobody checks, even if the certificate has one of that kind.
    #[must_use]
    pub fn extension(mut self, kind: &[u64], critical: bool, bytes: &[u8]) -> Self {
        self.extensions.push((kind.to_vec(), critical, bytes.to_vec()));
        self
    }

    /// Sets what the extended key usage extension allows.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Sets what the basic constraints say: an authority, none, or (without a value) nothing, for lack of the extension.
    #[must_use]
    pub fn basic_constraints(mut self, is_authority: Option<bool>) -> Self {
        self.is_authority = is_authority;
        self
    }

    /// Sets how many intermediates may follow below this authority.
    #[must_use]
    pub fn path_length(mut self, most: u8) -> Self {
        self.path_length = Some(most);
        self
    }

    /// Sets the key usage: the named bits of RFC 5280 §4.2.1.3, or (without a value) no such extension.
    #[must_use]
    pub fn key_usage(mut self, bits: Option<u16>) -> Self {
        self.key_usage = bits;
        self
    }

    /// Adds a distribution point of revocation lists for each of these URIs.
    #[must_use]
    pub fn crl_distribution_points(self, uris: &[&str]) -> Self {
        let points = crate::extension::crl_distribution_points(uris);
        self.extension(&crate::extension::CRL_DISTRIBUTION_POINTS, false, &points)
    }

    /// Adds the name constraints of an authority, critical as RFC 5280 wants them.
    #[must_use]
    pub fn name_constraints(self, permitted: &[Subtree], excluded: &[Subtree]) -> Self {
        let value = crate::extension::name_constraints(permitted, excluded);
        self.extension(&crate::extension::NAME_CONSTRAINTS, true, &value)
    }

    /// Sets how the issuer signs. Its key must be of that kind.
    #[must_use]
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// Sets the version of the certificate; versions below 3 have no extensions.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Sets the kind of key.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Sets the contents of the serial number's INTEGER: `ff` is −1.
    #[must_use]
    pub fn raw_serial(mut self, bytes: &[u8]) -> Self {
        self.serial = Some(bytes.to_vec());
        self.is_serial_raw = true;
        self
    }

    /// Sets the serial number: a positive integer, big end first, of any length. Default: 16 random bytes.
    #[must_use]
    pub fn serial(mut self, bytes: &[u8]) -> Self {
        self.serial = Some(bytes.to_vec());
        self.is_serial_raw = false;
        self
    }

    /// Sets the validity, in seconds from now; negative is the past.
    #[must_use]
    pub fn valid(mut self, not_before: i64, not_after: i64) -> Self {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    /// Valid until an hour ago.
    #[must_use]
    pub fn expired(self) -> Self {
        self.valid(-2 * HOUR, -HOUR)
    }

    /// Valid in an hour from now.
    #[must_use]
    pub fn not_yet_valid(self) -> Self {
        self.valid(HOUR, 2 * HOUR)
    }
}
