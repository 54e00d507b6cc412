//! What a certificate should say.

use std::net::IpAddr;

use crate::der::tlv;
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
}

/// The key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// ECDSA on P-256 (default).
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA of 2048 bits.
    Rsa,
}

/// What a certificate should say. Valid from an hour ago until tomorrow unless told otherwise.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub(crate) subject: Vec<Vec<Attribute>>,
    pub(crate) alternative_names: Vec<u8>,
    pub(crate) extensions: Vec<(Vec<u64>, bool, Vec<u8>)>,
    pub(crate) usage: Usage,
    pub(crate) key: Key,
    pub(crate) serial: Option<Vec<u8>>,
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
            key: Key::P256,
            serial: None,
            not_before: -HOUR,
            not_after: 24 * HOUR,
        }
    }

    /// A client certificate with this common name.
    pub fn client(common_name: &str) -> Self {
        Self::new(Usage::Client).common_name(common_name)
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

    /// Adds any extension with these bytes, which nobody checks.
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

    /// Sets the kind of key.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Sets the serial number: a positive integer, big end first, of any length. Default: derived from the key.
    #[must_use]
    pub fn serial(mut self, bytes: &[u8]) -> Self {
        self.serial = Some(bytes.to_vec());
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
