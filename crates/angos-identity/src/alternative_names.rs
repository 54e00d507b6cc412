//! The subject alternative names: DNS names, e-mail addresses, URIs and IP addresses.
//!
//! Other kinds (other name, X.400 address, directory name, EDI party name, registered id) carry none of the facts a
//! rule can name. They are stepped over as whole elements, whatever they hold; they are never read as anything else.

use std::net::IpAddr;

use crate::error::{CertificateError, Field, Part, ValueFault};
use crate::limits::{ALTERNATIVE_NAMES_MAX, DNS_LABEL_MAX_BYTES, DNS_NAME_MAX_BYTES};
use crate::spiffe::SpiffeId;
use crate::text;
use crate::tlv::{Elements, NotDer, tag};

// Tag octets of the kinds (RFC 5280 §4.2.1.6).
const OTHER_NAME: u8 = 0xa0;
const EMAIL_ADDRESS: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const X400_ADDRESS: u8 = 0xa3;
const DIRECTORY_NAME: u8 = 0xa4;
const EDI_PARTY_NAME: u8 = 0xa5;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
const REGISTERED_ID: u8 = 0x88;

/// All alternative names, each kind in certificate order.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlternativeNames {
    pub(crate) dns_names: Vec<String>,
    pub(crate) email_addresses: Vec<String>,
    pub(crate) uris: Vec<String>,
    pub(crate) ip_addresses: Vec<String>,
    pub(crate) spiffe: Option<SpiffeId>,
}

impl AlternativeNames {
    /// Reads the value of the extension.
    pub(crate) fn read(extension: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |NotDer| CertificateError::Malformed(Part::AlternativeNames);
        let mut elements = Elements::of(Elements::only(extension, tag::SEQUENCE).map_err(malformed)?);
        let mut names = Self::default();
        let mut count = 0;
        loop {
            count += 1;
            if count > ALTERNATIVE_NAMES_MAX {
                return Err(CertificateError::TooMany {
                    part: Part::AlternativeNames,
                    limit: ALTERNATIVE_NAMES_MAX,
                });
            }
            let name = elements.any().map_err(malformed)?; // of an empty list, this is the error
            names.add(name.tag, name.value)?;
            if elements.is_empty() {
                return Ok(names);
            }
        }
    }

    /// The names that are written out, each kind checked as if it had been read.
    pub(crate) fn described(
        dns_names: &[String],
        email_addresses: &[String],
        uris: &[String],
        ip_addresses: &[String],
    ) -> Result<Self, CertificateError> {
        let count = dns_names.len() + email_addresses.len() + uris.len() + ip_addresses.len();
        if count > ALTERNATIVE_NAMES_MAX {
            return Err(CertificateError::TooMany {
                part: Part::AlternativeNames,
                limit: ALTERNATIVE_NAMES_MAX,
            });
        }
        let mut names = Self::default();
        for name in dns_names {
            names.add(DNS_NAME, name.as_bytes())?;
        }
        for address in email_addresses {
            names.add(EMAIL_ADDRESS, address.as_bytes())?;
        }
        for uri in uris {
            names.add(URI, uri.as_bytes())?;
        }
        for address in ip_addresses {
            let malformed =
                CertificateError::Value { field: Field::IpAddresses, fault: ValueFault::Malformed };
            match address.parse().map_err(|_| malformed)? {
                IpAddr::V4(address) => names.add(IP_ADDRESS, &address.octets())?,
                IpAddr::V6(address) => names.add(IP_ADDRESS, &address.octets())?,
            }
        }
        Ok(names)
    }

    fn add(&mut self, tag: u8, value: &[u8]) -> Result<(), CertificateError> {
        match tag {
            EMAIL_ADDRESS => {
                self.email_addresses.push(checked(value, Field::EmailAddresses, is_email_address)?);
            }
            DNS_NAME => self.dns_names.push(checked(value, Field::DnsNames, is_dns_name)?),
            URI => {
                let uri = checked(value, Field::Uris, is_uri)?;
                self.add_spiffe(&uri)?;
                self.uris.push(uri);
            }
            IP_ADDRESS => self.ip_addresses.push(ip_address(value)?),
            OTHER_NAME | X400_ADDRESS | DIRECTORY_NAME | EDI_PARTY_NAME | REGISTERED_ID => {}
            _ => return Err(CertificateError::Malformed(Part::AlternativeNames)),
        }
        Ok(())
    }

    fn add_spiffe(&mut self, uri: &str) -> Result<(), CertificateError> {
        if let Some(parsed) = SpiffeId::parse(uri) {
            if self.spiffe.is_some() {
                return Err(CertificateError::SeveralSpiffeIds);
            }
            self.spiffe = Some(parsed.map_err(CertificateError::Spiffe)?);
        }
        Ok(())
    }
}

fn checked(bytes: &[u8], field: Field, is_valid: fn(&str) -> bool) -> Result<String, CertificateError> {
    text::read_ia5(bytes)
        .and_then(|text| if is_valid(&text) { Ok(text) } else { Err(ValueFault::Malformed) })
        .map_err(|fault| CertificateError::Value { field, fault })
}

/// `local@domain` in visible ASCII.
fn is_email_address(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

/// Labels of letters, digits, `-` and `_`; the first may be the wildcard `*`.
fn is_dns_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label =
        |label: &str| (1..=DNS_LABEL_MAX_BYTES).contains(&label.len()) && label.bytes().all(allowed);
    text.len() <= DNS_NAME_MAX_BYTES && text.strip_prefix("*.").unwrap_or(text).split('.').all(is_label)
}

/// `scheme:something` in the characters of RFC 3986.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && rest.bytes().all(allowed)
}

/// The customary text of four or sixteen octets.
fn ip_address(octets: &[u8]) -> Result<String, CertificateError> {
    let address = <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .map_err(|_| CertificateError::Value { field: Field::IpAddresses, fault: ValueFault::Malformed })?;
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_valid: fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
        for text in valid {
            assert!(is_valid(text), "{text}");
        }
        for text in invalid {
            assert!(!is_valid(text), "{text}");
        }
    }

    #[test]
    fn dns_names() {
        let (label, long) = ("a".repeat(63), "a.".repeat(126) + "bc");
        check(
            is_dns_name,
            &["localhost", "a-b.example", "*.example", "_dns.example", "1.2", &label],
            &["", "*", "a..b", ".a", "a.", "a.*.b", "*a.b", "a b", "a/b", &format!("{label}a"), &long],
        );
    }

    #[test]
    fn email_addresses() {
        check(is_email_address, &["a@b", "a@x@b", "a+c@b.example"], &["", "a", "@b", "a@", "a b@c"]);
    }

    #[test]
    fn uris() {
        check(
            is_uri,
            &["https://a/b?c#d", "urn:uuid:x", "a+b-c.1:x", "spiffe://a"],
            &["", "a", ":x", "a:", "1a:x", "a b:x", "a:b c", "a:<b>", "a:b\\c", "a_b:c"],
        );
    }
}
