//! Subject and issuer: the attributes rules can name, and the whole as RFC 4514 text.

use der::asn1::ObjectIdentifier;

use crate::error::{CertificateError, Field, Part, ValueFault};
use crate::limits::{CERTIFICATE_MAX_BYTES, NAME_ATTRIBUTES_MAX};
use crate::text::{self, hex};
use crate::tlv::{Element, Elements, NotDer, tag};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// Attribute types whose values are strings, with the short name that stands for them: RFC 4514 §3, then those of
/// RFC 4519 and RFC 2985 that certificates use, spelled as OpenSSL spells them.
const SHORT_NAMES: [(ObjectIdentifier, &str); 20] = [
    (COMMON_NAME, "CN"),
    (ORGANIZATION, "O"),
    (ORGANIZATIONAL_UNIT, "OU"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
    (ObjectIdentifier::new_unwrap("2.5.4.4"), "SN"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.12"), "title"),
    (ObjectIdentifier::new_unwrap("2.5.4.13"), "description"),
    (ObjectIdentifier::new_unwrap("2.5.4.17"), "postalCode"),
    (ObjectIdentifier::new_unwrap("2.5.4.41"), "name"),
    (ObjectIdentifier::new_unwrap("2.5.4.42"), "GN"),
    (ObjectIdentifier::new_unwrap("2.5.4.43"), "initials"),
    (ObjectIdentifier::new_unwrap("2.5.4.44"), "generationQualifier"),
    (ObjectIdentifier::new_unwrap("2.5.4.46"), "dnQualifier"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"), "emailAddress"),
];

/// The short names of attribute types in the RFC 4514 text of a subject or issuer; every other type is written as
/// numbers.
pub fn attribute_short_names() -> impl Iterator<Item = &'static str> {
    SHORT_NAMES.iter().map(|(_, name)| *name)
}

/// A subject or issuer, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Name {
    pub(crate) common_names: Vec<String>,
    pub(crate) organizations: Vec<String>,
    pub(crate) organizational_units: Vec<String>,
    /// RFC 4514: last attribute first, as OpenSSL prints it too.
    pub(crate) text: String,
}

impl Name {
    /// Reads the contents of a subject: every value that a rule can name must be readable.
    pub(crate) fn subject(contents: &[u8]) -> Result<Self, CertificateError> {
        Self::read(contents, Part::Subject, Self::add)
    }

    /// Reads the contents of an issuer's name. Rules see it as one text, so no value of it has to be readable.
    pub(crate) fn issuer(contents: &[u8]) -> Result<String, CertificateError> {
        let add = |_: &mut Self, kind: ObjectIdentifier, value: Element<'_>| {
            let known = SHORT_NAMES.iter().find(|(known, _)| *known == kind);
            Ok(match (known, text::read(value.tag, value.value)) {
                (Some((_, short_name)), Ok(text)) => format!("{short_name}={}", escaped(&text)),
                (Some((_, short_name)), Err(_)) => encoded(short_name, value),
                (None, _) => encoded(&kind.to_string(), value),
            })
        };
        Ok(Self::read(contents, Part::Issuer, add)?.text)
    }

    fn read(
        contents: &[u8],
        part: Part,
        mut add: impl FnMut(&mut Self, ObjectIdentifier, Element<'_>) -> Result<String, ValueFault>,
    ) -> Result<Self, CertificateError> {
        let malformed = |NotDer| CertificateError::Malformed(part);
        let mut name = Self::default();
        let mut texts = Vec::new();
        let mut elements = Elements::of(contents);
        while !elements.is_empty() {
            let mut attributes = Elements::of(elements.expect(tag::SET).map_err(malformed)?.value);
            let mut joint = ","; // between relative distinguished names; "+" inside of one
            loop {
                if texts.len() == NAME_ATTRIBUTES_MAX {
                    return Err(CertificateError::TooMany { part, limit: NAME_ATTRIBUTES_MAX });
                }
                let (kind, value) = attribute(&mut attributes).map_err(malformed)?;
                let text = add(&mut name, kind, value)
                    .map_err(|fault| CertificateError::Value { field: Field::Subject, fault })?;
                texts.push((joint, text));
                if attributes.is_empty() {
                    break;
                }
                joint = "+";
            }
        }
        while let Some((joint, text)) = texts.pop() {
            name.text.push_str(&text);
            name.text.push_str(if texts.is_empty() { "" } else { joint });
        }
        Ok(name)
    }

    /// Keeps the value if rules can name it, and returns its text for the name as a whole. Rules name three kinds; those
    /// must be readable. Any other value that cannot be read is written as RFC 4514 writes values of unknown types.
    fn add(&mut self, kind: ObjectIdentifier, value: Element<'_>) -> Result<String, ValueFault> {
        let Some((_, short_name)) = SHORT_NAMES.iter().find(|(known, _)| *known == kind) else {
            return Ok(encoded(&kind.to_string(), value));
        };
        let values = match kind {
            COMMON_NAME => &mut self.common_names,
            ORGANIZATION => &mut self.organizations,
            ORGANIZATIONAL_UNIT => &mut self.organizational_units,
            _ => {
                return Ok(match text::read(value.tag, value.value) {
                    Ok(text) => format!("{short_name}={}", escaped(&text)),
                    Err(_) => encoded(short_name, value),
                });
            }
        };
        let text = text::read(value.tag, value.value)?;
        let attribute = format!("{short_name}={}", escaped(&text));
        values.push(text);
        Ok(attribute)
    }
}

/// The RFC 4514 text of a name that stands by itself, as in the list of authorities a TLS server accepts.
///
/// `der` is a `Name` and nothing after it; time and memory are bounded by [`limits`](crate::limits).
pub fn distinguished_name(der: &[u8]) -> Result<String, CertificateError> {
    if der.len() > CERTIFICATE_MAX_BYTES {
        return Err(CertificateError::TooLarge { size: der.len() });
    }
    let contents =
        Elements::only(der, tag::SEQUENCE).map_err(|NotDer| CertificateError::Malformed(Part::Issuer))?;
    Name::issuer(contents)
}

/// The next type and value. An empty set has none, which is an error too.
fn attribute<'a>(attributes: &mut Elements<'a>) -> Result<(ObjectIdentifier, Element<'a>), NotDer> {
    let mut pair = Elements::of(attributes.expect(tag::SEQUENCE)?.value);
    let kind = pair.expect(tag::OBJECT_IDENTIFIER)?;
    let kind = ObjectIdentifier::from_bytes(kind.value).map_err(|_| NotDer)?;
    let value = pair.any()?;
    pair.end()?;
    Ok((kind, value))
}

/// RFC 4514 §2.4: `#` and the hexadecimal DER of the value. A text that begins with `#` is escaped, so the two never
/// read alike. Its length is bounded by that of the certificate.
fn encoded(kind: &str, value: Element<'_>) -> String {
    format!("{kind}=#{}", hex(value.whole))
}

/// RFC 4514 §2.4: escapes what would read as syntax. Control characters never get here.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (position, character) in text.chars().enumerate() {
        let special = match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            '#' => position == 0,
            ' ' => position == 0 || position == last,
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_reads_as_syntax() {
        let check = |text: &str, expected: &str| {
            assert_eq!(escaped(text), expected);
        };
        check("plain = text", "plain = text");
        check("a,b+c\"d\\e<f>g;h", r#"a\,b\+c\"d\\e\<f\>g\;h"#);
        check("#x#", r"\#x#");
        check(" x ", r"\ x\ ");
        check("  ", r"\ \ ");
        check(" ", r"\ ");
        check("Lučić", "Lučić");
    }

    #[test]
    fn a_name_by_itself() {
        let check = |der: &[u8], expected: Result<&str, CertificateError>| {
            assert_eq!(distinguished_name(der), expected.map(str::to_owned), "{der:02x?}");
        };
        let name = b"\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02CA";
        let malformed = Err(CertificateError::Malformed(Part::Issuer));
        check(name, Ok("CN=CA"));
        check(b"\x30\x00", Ok(""));
        check(b"", malformed);
        check(&name[..10], malformed);
        check(&[&name[..], b"\x30\x00"].concat(), malformed);
        check(b"\x31\x00", malformed);
        let oversized = CERTIFICATE_MAX_BYTES + 1;
        check(&vec![0; oversized], Err(CertificateError::TooLarge { size: oversized }));
    }
}
