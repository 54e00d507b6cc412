//! The facts of one certificate, read once.

use std::sync::Arc;

use der::Decode as _;
use der::asn1::ObjectIdentifier;
use sha2::{Digest as _, Sha256};
use x509_cert::ext::Extension;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use x509_cert::time::{Time, Validity};

use crate::alternative_names::AlternativeNames;
use crate::error::{CertificateError, Part};
use crate::limits::{CERTIFICATE_MAX_BYTES, EXTENSIONS_MAX, SERIAL_NUMBER_MAX_BYTES};
use crate::name::Name;
use crate::text::hex;
use crate::tlv::{Element, Elements, NotDer, tag};

const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// The facts of a certificate, as plain data.
///
/// Guarantee: every fact is exactly what the certificate says. If one of them could not be read, there is no
/// `Certificate` but a [`CertificateError`]. Reading is not verifying: whether somebody trusted signed it, and whether
/// it is valid now, was decided elsewhere.
///
/// Values compare as they stand: no letter case is folded, no Unicode normalised.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) subject: Name,
    pub(crate) issuer: String,
    pub(crate) names: AlternativeNames,
    pub(crate) serial_number: String,
    pub(crate) fingerprint: String,
    pub(crate) public_key_fingerprint: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) ca: Option<Arc<str>>,
}

impl Certificate {
    /// Reads one certificate and nothing after it. Time and memory are bounded by [`limits`](crate::limits).
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_MAX_BYTES {
            return Err(CertificateError::TooLarge { size: der.len() });
        }
        let fields = Fields::read(der)?;
        let (not_before, not_after) = validity(fields.validity)?;
        SubjectPublicKeyInfoRef::from_der(fields.public_key)
            .map_err(|_| CertificateError::Malformed(Part::PublicKey))?;
        Ok(Self {
            subject: Name::subject(fields.subject)?,
            issuer: Name::issuer(fields.issuer)?,
            names: match alternative_names(fields.extensions)? {
                Some(extension) => AlternativeNames::read(&extension)?,
                None => AlternativeNames::default(),
            },
            serial_number: serial_number(fields.serial_number)?,
            fingerprint: hex(&Sha256::digest(der)),
            public_key_fingerprint: hex(&Sha256::digest(fields.public_key)),
            not_before,
            not_after,
            ca: None,
        })
    }

    /// Notes which configured authority verified this certificate.
    #[must_use]
    pub fn with_ca(self, name: impl Into<Arc<str>>) -> Self {
        Self { ca: Some(name.into()), ..self }
    }

    /// Common names of the subject, in certificate order.
    pub fn common_names(&self) -> &[String] {
        &self.subject.common_names
    }

    /// Organizations of the subject, in certificate order.
    pub fn organizations(&self) -> &[String] {
        &self.subject.organizations
    }

    /// Organizational units of the subject, in certificate order.
    pub fn organizational_units(&self) -> &[String] {
        &self.subject.organizational_units
    }

    /// DNS names among the alternative names. A common name that looks like one does not count.
    pub fn dns_names(&self) -> &[String] {
        &self.names.dns_names
    }

    /// E-mail addresses among the alternative names. The subject's `emailAddress` does not count: a trusted
    /// authority's name constraints do not reach it.
    pub fn email_addresses(&self) -> &[String] {
        &self.names.email_addresses
    }

    /// URIs among the alternative names, SPIFFE ids included.
    pub fn uris(&self) -> &[String] {
        &self.names.uris
    }

    /// IP addresses among the alternative names, in their customary text (RFC 5952 for IPv6).
    pub fn ip_addresses(&self) -> &[String] {
        &self.names.ip_addresses
    }

    /// The subject in RFC 4514 text; empty if the certificate has none.
    pub fn subject(&self) -> &str {
        &self.subject.text
    }

    /// The issuer in RFC 4514 text.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The serial number in lower-case hexadecimal, two digits per byte, no leading zero byte. A negative one, which
    /// RFC 5280 forbids and some CAs issued, begins with `-`: `-01` is −1 and `ff` is 255, as OpenSSL prints them.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// SHA-256 of the whole certificate, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`, in lower-case hexadecimal.
    pub fn public_key_fingerprint(&self) -> &str {
        &self.public_key_fingerprint
    }

    /// The one URI with the scheme `spiffe`.
    pub fn spiffe_id(&self) -> Option<&str> {
        self.names.spiffe.as_ref().map(|spiffe| spiffe.id.as_str())
    }

    /// The trust domain of [`spiffe_id`](Self::spiffe_id).
    pub fn spiffe_trust_domain(&self) -> Option<&str> {
        self.names.spiffe.as_ref().map(|spiffe| spiffe.trust_domain.as_str())
    }

    /// The path of [`spiffe_id`](Self::spiffe_id) with its leading `/`; `None` when the id is a bare trust domain.
    pub fn spiffe_path(&self) -> Option<&str> {
        self.names.spiffe.as_ref().and_then(|spiffe| spiffe.path.as_deref())
    }

    /// The configured authority that verified this certificate, if the verifier noted it.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// First second of validity, since 1970.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// Last second of validity, since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// The fields that hold facts, still encoded: elements as a whole, names and extensions without their frame.
struct Fields<'a> {
    serial_number: Element<'a>,
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        const INTEGER: u8 = 0x02;
        let whole = part(Part::Certificate);
        let mut outer = Elements::of(Elements::only(der, tag::SEQUENCE).map_err(whole)?);
        let mut fields = Elements::of(outer.expect(tag::SEQUENCE).map_err(whole)?.value);
        let outer_algorithm = outer.expect(tag::SEQUENCE).map_err(part(Part::SignatureAlgorithm))?;
        outer.expect(tag::BIT_STRING).and_then(|_| outer.end()).map_err(whole)?;

        let version = version(&mut fields)?;
        let serial_number = fields.expect(INTEGER).map_err(part(Part::SerialNumber))?;
        let algorithm = fields.expect(tag::SEQUENCE).map_err(part(Part::SignatureAlgorithm))?;
        if algorithm != outer_algorithm {
            return Err(CertificateError::Malformed(Part::SignatureAlgorithm));
        }
        Ok(Self {
            serial_number,
            issuer: fields.expect(tag::SEQUENCE).map_err(part(Part::Issuer))?.value,
            validity: fields.expect(tag::SEQUENCE).map_err(part(Part::Validity))?.whole,
            subject: fields.expect(tag::SEQUENCE).map_err(part(Part::Subject))?.value,
            public_key: fields.expect(tag::SEQUENCE).map_err(part(Part::PublicKey))?.whole,
            extensions: extensions(&mut fields, version)?,
        })
    }
}

fn part(part: Part) -> impl Fn(NotDer) -> CertificateError + Copy {
    move |NotDer| CertificateError::Malformed(part)
}

/// The version's number as encoded: absent or 0 for the first, 2 for the third.
fn version(fields: &mut Elements<'_>) -> Result<u8, CertificateError> {
    let malformed = part(Part::Version);
    match fields.optional(0xa0).map_err(malformed)?.map(|element| element.value) {
        None => Ok(0),
        Some([0x02, 0x01, version @ 0..=2]) => Ok(*version),
        Some(_) => Err(malformed(NotDer)),
    }
}

/// What may follow the public key: unique ids, which say nothing a rule could name, and extensions.
fn extensions<'a>(fields: &mut Elements<'a>, version: u8) -> Result<Option<&'a [u8]>, CertificateError> {
    let malformed = part(Part::Extensions);
    let issuer_id = fields.optional(0x81).map_err(malformed)?;
    let subject_id = fields.optional(0x82).map_err(malformed)?;
    let extensions = fields.optional(0xa3).map_err(malformed)?;
    fields.end().map_err(malformed)?;
    let needed = match (issuer_id.or(subject_id), extensions) {
        (_, Some(_)) => 2,
        (Some(_), None) => 1,
        (None, None) => 0,
    };
    if version < needed {
        return Err(CertificateError::Malformed(Part::Version));
    }
    extensions
        .map(|Element { value, .. }| Elements::only(value, tag::SEQUENCE))
        .transpose()
        .map_err(malformed)
}

/// The value of the extension with the alternative names.
fn alternative_names(extensions: Option<&[u8]>) -> Result<Option<Vec<u8>>, CertificateError> {
    let malformed = CertificateError::Malformed(Part::Extensions);
    let Some(extensions) = extensions else { return Ok(None) };
    let mut elements = Elements::of(extensions);
    let mut seen = Vec::new();
    let mut found = None;
    while !elements.is_empty() {
        if seen.len() == EXTENSIONS_MAX {
            return Err(CertificateError::TooMany { part: Part::Extensions, limit: EXTENSIONS_MAX });
        }
        let element = elements.any().map_err(|NotDer| malformed)?;
        let extension = Extension::from_der(element.whole).map_err(|_| malformed)?;
        if seen.contains(&extension.extn_id) {
            return Err(CertificateError::RepeatedExtension);
        }
        seen.push(extension.extn_id);
        if extension.extn_id == SUBJECT_ALTERNATIVE_NAME {
            found = Some(extension.extn_value.into_bytes().into());
        }
    }
    Ok(found)
}

/// RFC 5280 §4.1.2.2: at most 20 octets, to which the encoding may add one zero. Certificates with negative numbers must
/// be handled gracefully.
fn serial_number(integer: Element<'_>) -> Result<String, CertificateError> {
    let malformed = CertificateError::Malformed(Part::SerialNumber);
    let (sign, magnitude) = match integer.value {
        // DER: no octet that says nothing but the sign, which the next one says already.
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => return Err(malformed),
        [0, rest @ ..] if !rest.is_empty() => ("", rest.to_vec()),
        octets @ [0x80..=0xff, ..] => ("-", negated(octets)),
        octets => ("", octets.to_vec()),
    };
    if magnitude.len() > SERIAL_NUMBER_MAX_BYTES {
        return Err(malformed);
    }
    Ok(format!("{sign}{}", hex(&magnitude)))
}

/// The magnitude of a negative two's complement number, without a leading zero octet.
fn negated(octets: &[u8]) -> Vec<u8> {
    let mut carry = true;
    let mut magnitude: Vec<u8> = octets
        .iter()
        .rev()
        .map(|octet| {
            let (sum, overflow) = (!octet).overflowing_add(u8::from(carry));
            carry = overflow;
            sum
        })
        .collect();
    while magnitude.len() > 1 && magnitude.last() == Some(&0) {
        magnitude.pop();
    }
    magnitude.reverse();
    magnitude
}

fn validity(der: &[u8]) -> Result<(i64, i64), CertificateError> {
    let malformed = CertificateError::Malformed(Part::Validity);
    let validity: Validity = Validity::from_der(der).map_err(|_| malformed)?;
    let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| malformed);
    Ok((seconds(validity.not_before)?, seconds(validity.not_after)?))
}

#[cfg(test)]
mod tests;
