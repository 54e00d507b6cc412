//! What webpki knows of a certificate but does not show: validity, key usage, path length, distribution points.

use crate::der::{Elements, tag, unix_seconds};

/// Bits of the key usage extension, RFC 5280 §4.2.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUse {
    DigitalSignature = 0,
    CertificateSigning = 5,
    ListSigning = 6,
}

/// A certificate's fields, as bytes of the certificate.
#[derive(Clone, Debug)]
pub(crate) struct ParsedCertificate<'a> {
    /// Two's complement, in as few octets as possible: 255 and −1 are two numbers.
    pub(crate) serial: &'a [u8],
    /// Contents of the names and of the public key, without their frames, as webpki has them.
    pub(crate) issuer: &'a [u8],
    pub(crate) public_key: &'a [u8],
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// The extension's BIT STRING: the count of unused bits, then the bits.
    key_usage: Option<&'a [u8]>,
    /// The path length of the basic constraints, if there is one.
    pub(crate) path_length: Option<usize>,
    /// The value of the extension, without its frame.
    pub(crate) distribution_points: Option<&'a [u8]>,
}

impl<'a> ParsedCertificate<'a> {
    /// Reads a certificate of version 1 to 3. None: it is none that webpki accepts.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let mut fields = Elements::of(der).within(tag::SEQUENCE)?.within(tag::SEQUENCE)?;
        let _version = fields.optional(tag::EXPLICIT_0);
        let serial = fields.expect(tag::INTEGER)?;
        let _algorithm = fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let mut validity = fields.within(tag::SEQUENCE)?;
        let _subject = fields.expect(tag::SEQUENCE)?;
        let mut outline = Self {
            serial: minimal_integer(serial),
            issuer,
            public_key: fields.expect(tag::SEQUENCE)?,
            not_before: unix_seconds(validity.next()?)?,
            not_after: unix_seconds(validity.next()?)?,
            key_usage: None,
            path_length: None,
            distribution_points: None,
        };
        if let Some(extensions) = fields.find(|field| field.tag == tag::EXPLICIT_3) {
            for (kind, value) in extensions_of(extensions.value)? {
                match kind {
                    [0x55, 0x1d, 0x0f] => outline.key_usage = Elements::of(value).expect(tag::BIT_STRING),
                    [0x55, 0x1d, 0x13] => outline.path_length = path_length(value),
                    [0x55, 0x1d, 0x1f] => {
                        outline.distribution_points = Elements::of(value).expect(tag::SEQUENCE);
                    }
                    _ => {}
                }
            }
        }
        Some(outline)
    }

    /// Whether the key may be used so. A certificate without the extension does not restrict its key.
    pub(crate) fn allows(&self, usage: KeyUse) -> bool {
        let Some(bits) = self.key_usage else { return true };
        let place = usage as usize;
        bits.get(1 + place / 8).is_some_and(|octet| octet & (0x80 >> (place % 8)) != 0)
    }
}

/// The one spelling of an integer, also where the encoding has octets that only repeat the sign.
pub(crate) fn minimal_integer(mut number: &[u8]) -> &[u8] {
    while let [0 | 0xff, rest @ ..] = number
        && let [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] = number
    {
        number = rest;
    }
    number
}

/// The one spelling of a natural number.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Kind and value of each extension in an `Extensions` structure.
pub(crate) fn extensions_of(bytes: &[u8]) -> Option<impl Iterator<Item = (&[u8], &[u8])>> {
    let list = Elements::of(bytes).within(tag::SEQUENCE)?;
    Some(list.filter_map(|extension| {
        let mut fields = Elements::of(extension.value);
        let kind = fields.expect(tag::OBJECT_IDENTIFIER)?;
        let _critical = fields.optional(tag::BOOLEAN);
        Some((kind, fields.expect(tag::OCTET_STRING)?))
    }))
}

/// A length beyond every path counts as none.
fn path_length(basic_constraints: &[u8]) -> Option<usize> {
    let mut fields = Elements::of(basic_constraints).within(tag::SEQUENCE)?;
    let _authority = fields.optional(tag::BOOLEAN);
    match fields.expect(tag::INTEGER)? {
        [length @ 0..=0x7f] => Some(usize::from(*length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Leaf};

    use super::*;

    #[test]
    fn reads_what_the_certificate_says() {
        let authority = Authority::new("CA");
        let leaf = authority.issue(&Leaf::client("alice").valid(-60, 3600));
        for (der, uses) in
            [(authority.certificate_der(), [false, true, true]), (leaf.certificate_der, [true, false, false])]
        {
            let outline = ParsedCertificate::read(&der).unwrap();
            let known = angos_identity::Certificate::from_der(&der).unwrap();
            assert_eq!((outline.not_before, outline.not_after), (known.not_before(), known.not_after()));
            let asked = [KeyUse::DigitalSignature, KeyUse::CertificateSigning, KeyUse::ListSigning];
            assert_eq!(asked.map(|usage| outline.allows(usage)), uses);
            assert!(outline.distribution_points.is_none() && outline.path_length.is_none());
        }
    }

    #[test]
    fn nonsense_has_no_outline() {
        let der = Authority::new("CA").certificate_der();
        assert!(ParsedCertificate::read(b"").is_none());
        assert!(ParsedCertificate::read(&[0x30, 0x00]).is_none());
        for cut in 0..der.len() {
            assert!(ParsedCertificate::read(&der[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn integers_have_one_spelling_each() {
        let check =
            |bytes: &[u8], expected: &[u8]| assert_eq!(minimal_integer(bytes), expected, "{bytes:02x?}");
        check(&[0x00, 0xff], &[0x00, 0xff]); // 255
        check(&[0xff], &[0xff]); // -1
        check(&[0xff, 0xff, 0xff], &[0xff]);
        check(&[0x00, 0x00, 0x7f], &[0x7f]);
        check(&[0x00], &[0x00]);
        check(&[], &[]);
    }

    #[test]
    fn path_lengths() {
        let check = |bytes: &[u8], expected| assert_eq!(path_length(bytes), expected, "{bytes:02x?}");
        check(&[0x30, 0x00], None);
        check(&[0x30, 0x03, 0x01, 0x01, 0xff], None);
        check(&[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00], Some(0));
        check(&[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x03], Some(3));
        check(&[0x30, 0x07, 0x01, 0x01, 0xff, 0x02, 0x02, 0x01, 0x00], None);
    }
}
