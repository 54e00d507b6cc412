//! The facts of a certificate nobody has, written out by a person or read from a log.

use crate::alternative_names::AlternativeNames;
use crate::certificate::Certificate;
use crate::error::{CertificateError, Field, Part, ValueFault};
use crate::limits::NAME_ATTRIBUTES_MAX;
use crate::name::Name;
use crate::text;

/// What a certificate would say, as plain data; every field is empty by default.
///
/// The SPIFFE id is not a field of its own: it is the one among [`uris`](Self::uris) with that scheme, as it is in a
/// certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Common names of the subject.
    pub common_names: Vec<String>,
    /// Organizations of the subject.
    pub organizations: Vec<String>,
    /// Organizational units of the subject.
    pub organizational_units: Vec<String>,
    /// DNS names among the alternative names.
    pub dns_names: Vec<String>,
    /// E-mail addresses among the alternative names.
    pub email_addresses: Vec<String>,
    /// URIs among the alternative names, a SPIFFE id included.
    pub uris: Vec<String>,
    /// IP addresses among the alternative names; any spelling, read back in the customary one.
    pub ip_addresses: Vec<String>,
    /// The subject in RFC 4514 text. Not derived from the lists above: they do not tell the order.
    pub subject: String,
    /// The issuer in RFC 4514 text.
    pub issuer: String,
    /// Lower-case hexadecimal, two digits per byte; a negative number begins with `-`.
    pub serial_number: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// SHA-256 of the public key, lower-case hexadecimal.
    pub public_key_fingerprint: String,
    /// First second of validity, since 1970.
    pub not_before: i64,
    /// Last second of validity, since 1970.
    pub not_after: i64,
    /// The configured authority that would have verified it.
    pub ca: Option<String>,
}

impl Certificate {
    /// The certificate that would say this.
    ///
    /// Proves nothing: for tools that ask "what if", never for a connection. What no certificate could say and pass
    /// [`from_der`](Self::from_der) (a control character, a malformed DNS name, two SPIFFE ids) is refused with the
    /// same error, so that an answer about the result is an answer about a certificate that can exist.
    ///
    /// ```
    /// use angos_identity::{Certificate, CertificateFacts};
    ///
    /// let facts = CertificateFacts {
    ///     organizations: vec!["Platform".into()],
    ///     uris: vec!["spiffe://prod.example/ci".into()],
    ///     ..CertificateFacts::default()
    /// };
    /// let certificate = Certificate::described(facts)?;
    /// assert_eq!(certificate.spiffe_trust_domain(), Some("prod.example"));
    /// # Ok::<(), angos_identity::CertificateError>(())
    /// ```
    pub fn described(facts: CertificateFacts) -> Result<Self, CertificateError> {
        let [common_names, organizations, organizational_units] =
            [facts.common_names, facts.organizations, facts.organizational_units];
        let attributes = [&common_names, &organizations, &organizational_units];
        if attributes.iter().map(|values| values.len()).sum::<usize>() > NAME_ATTRIBUTES_MAX {
            return Err(CertificateError::TooMany { part: Part::Subject, limit: NAME_ATTRIBUTES_MAX });
        }
        for value in attributes.into_iter().flatten() {
            text::read_utf8(value)
                .map_err(|fault| CertificateError::Value { field: Field::Subject, fault })?;
        }
        for (value, field) in [(&facts.subject, Field::Subject), (&facts.issuer, Field::Issuer)] {
            if value.chars().any(char::is_control) {
                return Err(CertificateError::Value { field, fault: ValueFault::Control });
            }
        }
        for (value, field) in [
            // A negative serial number begins with `-`.
            (facts.serial_number.strip_prefix('-').unwrap_or(&facts.serial_number), Field::SerialNumber),
            (&facts.fingerprint, Field::Fingerprint),
            (&facts.public_key_fingerprint, Field::PublicKeyFingerprint),
        ] {
            if !is_hex(value) {
                return Err(CertificateError::Value { field, fault: ValueFault::Malformed });
            }
        }
        Ok(Self {
            subject: Name { common_names, organizations, organizational_units, text: facts.subject },
            issuer: facts.issuer,
            names: AlternativeNames::described(
                &facts.dns_names,
                &facts.email_addresses,
                &facts.uris,
                &facts.ip_addresses,
            )?,
            serial_number: facts.serial_number,
            fingerprint: facts.fingerprint,
            public_key_fingerprint: facts.public_key_fingerprint,
            not_before: facts.not_before,
            not_after: facts.not_after,
            ca: facts.ca.map(Into::into),
        })
    }
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SpiffeFault;
    use angos_test_ca::{Authority, Leaf};

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// A certificate described by what another one says is the same.
    #[test]
    fn a_description_says_what_it_was_given() {
        let der = Authority::new("CA").issue(&Leaf::client("ci")).certificate_der;
        let real = Certificate::from_der(&der).unwrap();
        let described = Certificate::described(CertificateFacts {
            common_names: real.common_names().to_vec(),
            organizations: real.organizations().to_vec(),
            organizational_units: real.organizational_units().to_vec(),
            dns_names: real.dns_names().to_vec(),
            email_addresses: real.email_addresses().to_vec(),
            uris: real.uris().to_vec(),
            ip_addresses: real.ip_addresses().to_vec(),
            subject: real.subject().to_owned(),
            issuer: real.issuer().to_owned(),
            serial_number: real.serial_number().to_owned(),
            fingerprint: real.fingerprint().to_owned(),
            public_key_fingerprint: real.public_key_fingerprint().to_owned(),
            not_before: real.not_before(),
            not_after: real.not_after(),
            ca: None,
        });
        assert_eq!(format!("{:?}", described.unwrap()), format!("{real:?}"));
    }

    #[test]
    fn derived_facts_are_derived_as_from_a_certificate() {
        let certificate = Certificate::described(CertificateFacts {
            uris: words(&["https://a/", "spiffe://prod.example/ns/ci"]),
            ip_addresses: words(&["2001:DB8:0::1"]),
            ca: Some("partners".into()),
            ..CertificateFacts::default()
        })
        .unwrap();
        assert_eq!(certificate.spiffe_id(), Some("spiffe://prod.example/ns/ci"));
        assert_eq!(certificate.spiffe_path(), Some("/ns/ci"));
        assert_eq!(certificate.ip_addresses(), ["2001:db8::1"]);
        assert_eq!(certificate.ca(), Some("partners"));
    }

    #[test]
    fn what_no_certificate_says_is_refused() {
        let check = |facts: CertificateFacts, expected: CertificateError| {
            assert_eq!(Certificate::described(facts.clone()).unwrap_err(), expected, "{facts:?}");
        };
        let value = |field, fault| CertificateError::Value { field, fault };
        let none = CertificateFacts::default;
        check(
            CertificateFacts { common_names: words(&[""]), ..none() },
            value(Field::Subject, ValueFault::Empty),
        );
        check(
            CertificateFacts { organizations: words(&["a\nb"]), ..none() },
            value(Field::Subject, ValueFault::Control),
        );
        check(
            CertificateFacts { common_names: vec!["a".into(); NAME_ATTRIBUTES_MAX + 1], ..none() },
            CertificateError::TooMany { part: Part::Subject, limit: NAME_ATTRIBUTES_MAX },
        );
        check(
            CertificateFacts { dns_names: words(&["a b"]), ..none() },
            value(Field::DnsNames, ValueFault::Malformed),
        );
        check(
            CertificateFacts { dns_names: words(&["dä.example"]), ..none() },
            value(Field::DnsNames, ValueFault::Undecodable),
        );
        check(
            CertificateFacts { ip_addresses: words(&["1.2.3"]), ..none() },
            value(Field::IpAddresses, ValueFault::Malformed),
        );
        check(
            CertificateFacts { fingerprint: "AB".into(), ..none() },
            value(Field::Fingerprint, ValueFault::Malformed),
        );
        check(
            CertificateFacts { uris: words(&["spiffe://a/b", "spiffe://a/c"]), ..none() },
            CertificateError::SeveralSpiffeIds,
        );
        check(
            CertificateFacts { uris: words(&["spiffe://A/b"]), ..none() },
            CertificateError::Spiffe(SpiffeFault::TrustDomain),
        );
    }
}
