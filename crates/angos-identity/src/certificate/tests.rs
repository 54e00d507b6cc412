//! Certificates as a whole: what they say, and what refuses them.

use angos_test_ca::{Authority, Leaf, Text, Usage};
use proptest::prelude::*;

use super::*;
use crate::error::{Field, SpiffeFault, ValueFault};
use crate::limits::{ALTERNATIVE_NAMES_MAX, NAME_ATTRIBUTES_MAX, VALUE_MAX_BYTES};

const EMAIL_ADDRESS: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 1];

fn read(leaf: &Leaf) -> Result<Certificate, CertificateError> {
    Certificate::from_der(&Authority::new("Test CA").issue(leaf).certificate_der)
}

fn client() -> Leaf {
    Leaf::new(Usage::Client)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/fixtures/certificates/{name}.der", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
}

#[test]
fn every_fact_is_read() {
    let leaf = Leaf::client("first")
        .common_name("second")
        .organization("DevOps")
        .organization(Text::Printable("Platform".into()))
        .organizational_unit("Builders")
        .email("ops@example.org")
        .dns("build.example.org")
        .uri("https://example.org/")
        .uri("spiffe://example.org/ns/ci")
        .ip("192.0.2.1".parse().unwrap())
        .ip("2001:db8::1".parse().unwrap())
        .serial(&[0x00, 0x9a, 0x0b]);
    let certificate = read(&leaf).unwrap();
    assert_eq!(certificate.common_names(), ["first", "second"]);
    assert_eq!(certificate.organizations(), ["DevOps", "Platform"]);
    assert_eq!(certificate.organizational_units(), ["Builders"]);
    assert_eq!(certificate.email_addresses(), ["ops@example.org"]);
    assert_eq!(certificate.dns_names(), ["build.example.org"]);
    assert_eq!(certificate.uris(), ["https://example.org/", "spiffe://example.org/ns/ci"]);
    assert_eq!(certificate.ip_addresses(), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(certificate.subject(), "OU=Builders,O=Platform,O=DevOps,CN=second,CN=first");
    assert_eq!(certificate.issuer(), "CN=Test CA");
    assert_eq!(certificate.serial_number(), "9a0b");
    assert_eq!(certificate.spiffe_id(), Some("spiffe://example.org/ns/ci"));
    assert_eq!(certificate.spiffe_trust_domain(), Some("example.org"));
    assert_eq!(certificate.spiffe_path(), Some("/ns/ci"));
    assert_eq!(certificate.ca(), None);
    assert_eq!(certificate.not_after() - certificate.not_before(), 25 * 3600);
    assert_eq!(certificate.with_ca("ci").ca(), Some("ci"));
}

#[test]
fn nothing_is_made_up() {
    let certificate = read(&client()).unwrap();
    assert_eq!(certificate.subject(), "");
    for list in [
        certificate.common_names(),
        certificate.organizations(),
        certificate.organizational_units(),
        certificate.email_addresses(),
        certificate.dns_names(),
        certificate.uris(),
        certificate.ip_addresses(),
    ] {
        assert_eq!(list, [""; 0]);
    }
    assert_eq!(
        certificate.spiffe_id().or(certificate.spiffe_trust_domain()).or(certificate.spiffe_path()),
        None
    );

    // The subject's e-mail address and a name-like common name stay in the subject.
    let leaf = Leaf::client("a.example").attribute(&EMAIL_ADDRESS, Text::Ia5("a@example.org".into()));
    let certificate = read(&leaf).unwrap();
    assert_eq!(certificate.subject(), "emailAddress=a@example.org,CN=a.example");
    assert_eq!((certificate.email_addresses(), certificate.dns_names()), (&[][..], &[][..]));

    // A trust domain has no path.
    let certificate = read(&client().uri("spiffe://example.org")).unwrap();
    assert_eq!((certificate.spiffe_trust_domain(), certificate.spiffe_path()), (Some("example.org"), None));
}

#[test]
fn openssl_reads_the_same() {
    let certificate = Certificate::from_der(&fixture("multi-valued")).unwrap();
    assert_eq!(certificate.common_names(), ["builder"]);
    assert_eq!(certificate.organizations(), ["Acme", "Second, + more"]);
    assert_eq!(certificate.organizational_units(), ["Ops"]);
    assert_eq!(certificate.subject(), r"O=Second\, \+ more,CN=builder+O=Acme+OU=Ops,C=CH");
    assert_eq!(certificate.issuer(), certificate.subject());
    assert_eq!(certificate.serial_number(), "10f662dd98cc8c1e2631c9ab4ca2154fd2cfd566");
    assert_eq!(certificate.fingerprint(), "dc3232516792378350767bce7563c595da3553802bf2ee5248f662e4a77c2f32");
    assert_eq!(
        certificate.public_key_fingerprint(),
        "3fa3ff3862083479fbfd9d729f9c2e2e610522cda9d94d8918d17c8d17ef8cd5"
    );
    assert_eq!((certificate.not_before(), certificate.not_after()), (1_795_297_502, 4_948_897_502));

    let certificate = Certificate::from_der(&fixture("names")).unwrap();
    assert_eq!(certificate.common_names(), ["names"]);
    assert_eq!(certificate.email_addresses(), ["ops@example.org"]);
    assert_eq!(certificate.uris(), ["https://example.org/", "spiffe://example.org/ci"]);
    assert_eq!(certificate.dns_names(), ["*.example.org"]);
    assert_eq!(certificate.ip_addresses(), ["192.0.2.1", "2001:db8::1"]);
}

#[test]
fn every_string_type_is_read_or_refused() {
    let check = |name: &str, expected: Result<(&str, &str), CertificateError>| {
        let found = Certificate::from_der(&fixture(name));
        let found = found.as_ref().map(|c| (&*c.organizations()[0], &*c.common_names()[0]));
        assert_eq!(found, expected.as_ref().map(|(o, cn)| (*o, *cn)), "{name}");
    };
    let subject = |fault| Err(CertificateError::Value { field: Field::Subject, fault });
    check("bmp", Ok(("Zürich", "Владимир")));
    check("t61-ascii", Ok(("Plain", "plain")));
    check("t61-latin1", Ok(("Zürich", "latin")));
    check("nul-in-cn", subject(ValueFault::Control));
    check("long-serial", Err(CertificateError::Malformed(Part::SerialNumber)));

    let check = |text: Text, expected: Result<&str, ValueFault>| {
        let expected = expected.map_err(|fault| CertificateError::Value { field: Field::Subject, fault });
        let found = read(&client().organization(text.clone())).map(|found| found.organizations()[0].clone());
        assert_eq!(found, expected.map(str::to_owned), "{text:?}");
    };
    check(Text::Universal("Zürich 😀".into()), Ok("Zürich 😀"));
    check(Text::Raw(0x12, b"42".into()), Ok("42"));
    check(Text::Raw(0x1a, b"visible".into()), Ok("visible"));
    check(Text::Utf8(String::new()), Err(ValueFault::Empty));
    check(Text::Utf8("a\nb".into()), Err(ValueFault::Control));
    check(Text::Bmp("a\0b".into()), Err(ValueFault::Control));
    check(Text::Printable("R&D *_@b".into()), Ok("R&D *_@b"));
    check(Text::Raw(0x1b, b"general".into()), Err(ValueFault::UnknownType));
    check(Text::Raw(0x2c, b"\x0c\x01a".into()), Err(ValueFault::UnknownType)); // constructed
    check(Text::Raw(0x0c, vec![b'a'; VALUE_MAX_BYTES + 1]), Err(ValueFault::TooLong));

    // No rule names a value of the issuer, so one that cannot be read stands as its DER.
    let leaf = Authority::new("a\u{7f}b").issue(&client()).certificate_der;
    assert_eq!(Certificate::from_der(&leaf).unwrap().issuer(), "CN=#0c03617f62");
}

#[test]
fn attributes_no_rule_can_name_never_refuse() {
    let check = |kind: &[u64], value: Text, expected: &str| {
        let leaf = Leaf::client("a").attribute(kind, value);
        assert_eq!(read(&leaf).unwrap().subject(), format!("{expected},CN=a"), "{kind:?}");
    };
    check(&[2, 5, 4, 7], Text::Utf8("a\nb".into()), "L=#0c03610a62");
    check(&[2, 5, 4, 7], Text::Raw(0x1b, b"general".into()), "L=#1b0767656e6572616c");
    check(&[2, 5, 4, 7], Text::Utf8(String::new()), "L=#0c00");
    check(&[2, 5, 4, 7], Text::Utf8("#0c00".into()), r"L=\#0c00");
    check(&EMAIL_ADDRESS, Text::Raw(0x0c, vec![0xff]), "emailAddress=#0c01ff");
    let long = Leaf::client("a").attribute(&[2, 5, 4, 13], Text::Raw(0x0c, vec![b'a'; 4 * VALUE_MAX_BYTES]));
    assert!(read(&long).is_ok());
}

#[test]
fn subjects_cannot_be_forged() {
    let check = |leaf: Leaf, expected: &str| assert_eq!(read(&leaf).unwrap().subject(), expected);
    check(Leaf::client("a,O=Admins"), r"CN=a\,O=Admins");
    check(Leaf::client(" #+;<>\"\\ "), r#"CN=\ #\+\;\<\>\"\\\ "#);
    check(Leaf::client("#a"), r"CN=\#a");
    check(client().attribute(&[1, 3, 6, 1, 4, 1, 99_999, 1], "x,"), "1.3.6.1.4.1.99999.1=#0c02782c");
    check(client().attribute(&[2, 5, 4, 45], Text::Raw(0x03, vec![0, 1])), "2.5.4.45=#03020001");
    check(
        client()
            .attributes(vec![(vec![2, 5, 4, 10], "o".into()), (vec![2, 5, 4, 3], "cn".into())])
            .organizational_unit("u"),
        "OU=u,CN=cn+O=o",
    );
}

#[test]
fn malformed_alternative_names_refuse_the_certificate() {
    let check = |leaf: Leaf, expected: CertificateError| {
        assert_eq!(read(&leaf).err(), Some(expected), "{leaf:?}");
    };
    let value = |field, fault| CertificateError::Value { field, fault };
    check(client().dns(""), value(Field::DnsNames, ValueFault::Empty));
    check(client().dns("a b"), value(Field::DnsNames, ValueFault::Malformed));
    check(client().dns("a\0.example"), value(Field::DnsNames, ValueFault::Control));
    check(client().dns("bücher.example"), value(Field::DnsNames, ValueFault::Undecodable));
    check(client().email("nobody"), value(Field::EmailAddresses, ValueFault::Malformed));
    check(client().email("a@b\r\nc"), value(Field::EmailAddresses, ValueFault::Control));
    check(client().uri("no-scheme"), value(Field::Uris, ValueFault::Malformed));
    check(client().general_name(0x87, &[127, 0, 0]), value(Field::IpAddresses, ValueFault::Malformed));
    check(client().general_name(0x87, &[0; 8]), value(Field::IpAddresses, ValueFault::Malformed));
    check(client().general_name(0xa2, b"a.example"), CertificateError::Malformed(Part::AlternativeNames));
    check(client().general_name(0x89, b""), CertificateError::Malformed(Part::AlternativeNames));
    check(client().uri("spiffe://a/b").uri("spiffe://a/c"), CertificateError::SeveralSpiffeIds);
    check(client().uri("spiffe://a/b").uri("spiffe://a/b"), CertificateError::SeveralSpiffeIds);
    check(client().uri("spiffe://a/b/"), CertificateError::Spiffe(SpiffeFault::Path));
    check(client().uri("SPIFFE://a/b"), CertificateError::Spiffe(SpiffeFault::Scheme));

    let names = [2, 5, 29, 17];
    check(
        client().extension(&names, false, b"\x30\x00"),
        CertificateError::Malformed(Part::AlternativeNames),
    );
    check(
        client().extension(&names, false, b"\x30\x01"),
        CertificateError::Malformed(Part::AlternativeNames),
    );
    check(
        client().extension(&names, false, b"\x30\x03\x82\x01a\x00"),
        CertificateError::Malformed(Part::AlternativeNames),
    );
    check(
        client().dns("a").extension(&names, false, b"\x30\x03\x82\x01b"),
        CertificateError::RepeatedExtension,
    );
}

#[test]
fn other_kinds_of_alternative_names_are_stepped_over() {
    let leaf = [0xa0, 0xa3, 0xa4, 0xa5, 0x88]
        .into_iter()
        .fold(client(), |leaf, tag| leaf.general_name(tag, b"\x82\x0badmin.local"));
    let certificate = read(&leaf.dns("a.example")).unwrap();
    assert_eq!(certificate.dns_names(), ["a.example"]);
}

#[test]
fn counts_and_sizes_are_bounded() {
    let many =
        |count: usize, add: fn(Leaf) -> Leaf| read(&(0..count).fold(client(), |leaf, _| add(leaf))).err();
    let too_many = |part, limit| Some(CertificateError::TooMany { part, limit });
    assert_eq!(many(NAME_ATTRIBUTES_MAX, |leaf| leaf.organization("o")), None);
    assert_eq!(
        many(NAME_ATTRIBUTES_MAX + 1, |leaf| leaf.organization("o")),
        too_many(Part::Subject, NAME_ATTRIBUTES_MAX)
    );
    assert_eq!(many(ALTERNATIVE_NAMES_MAX, |leaf| leaf.dns("a")), None);
    assert_eq!(
        many(ALTERNATIVE_NAMES_MAX + 1, |leaf| leaf.dns("a")),
        too_many(Part::AlternativeNames, ALTERNATIVE_NAMES_MAX)
    );
    let extended = |count: usize| {
        read(
            &(0..count as u64)
                .fold(client(), |leaf, n| leaf.extension(&[1, 3, 6, 1, 4, 1, 99_999, n], false, b"\x05\x00")),
        )
        .err()
    };
    assert_eq!(extended(EXTENSIONS_MAX / 2), None);
    assert_eq!(extended(EXTENSIONS_MAX), too_many(Part::Extensions, EXTENSIONS_MAX));
    let size = CERTIFICATE_MAX_BYTES + 1;
    assert_eq!(Certificate::from_der(&vec![0x30; size]).err(), Some(CertificateError::TooLarge { size }));
}

#[test]
fn serial_numbers_have_one_spelling() {
    let check = |bytes: &[u8], expected: Option<&str>| {
        let found = read(&client().serial(bytes)).ok().map(|found| found.serial_number().to_owned());
        assert_eq!(found.as_deref(), expected, "{bytes:02x?}");
    };
    check(&[0], Some("00"));
    check(&[0x0a], Some("0a"));
    check(&[0, 0, 0x7f], Some("7f"));
    check(&[0, 0xff], Some("ff"));
    check(&[0xff; 20], Some(&"ff".repeat(20)));
    check(&[0x7f; 21], None);
    check(&[0xff; 30], None);
}

/// Puts `with` in the place of the first `what`.
fn replaced(der: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let at = der.windows(what.len()).position(|window| window == what).expect("the bytes to replace");
    [&der[..at], with, &der[at + what.len()..]].concat()
}

#[test]
fn the_frame_is_strict() {
    let der = Authority::new("CA").issue(&Leaf::client("a")).certificate_der;
    let check = |der: &[u8], part: Part| {
        assert_eq!(Certificate::from_der(der).err(), Some(CertificateError::Malformed(part)));
    };
    check(&[], Part::Certificate);
    check(&der[..der.len() - 1], Part::Certificate);
    check(&[&der[..], &[0]].concat(), Part::Certificate);
    check(&replaced(&der, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 3]), Part::Version);
    check(&replaced(&der, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]), Part::Version);
    let ecdsa_with_sha256 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let ecdsa_with_sha384 = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    check(&replaced(&der, &ecdsa_with_sha256, &ecdsa_with_sha384), Part::SignatureAlgorithm);
    check(&replaced(&der, b"\x17\x0d", b"\x16\x0d"), Part::Validity);
}

#[test]
fn negative_serial_numbers_are_shown_and_are_numbers_of_their_own() {
    let der = Authority::new("CA").issue(&Leaf::client("a").serial(&[0x12, 0x34, 0x56])).certificate_der;
    let check = |octets: [u8; 3], expected: Option<&str>| {
        let [a, b, c] = octets;
        let found = Certificate::from_der(&replaced(&der, &[2, 3, 0x12, 0x34, 0x56], &[2, 3, a, b, c]));
        assert_eq!(found.ok().as_ref().map(Certificate::serial_number), expected, "{octets:02x?}");
    };
    check([0x92, 0x34, 0x56], Some("-6dcbaa"));
    check([0x80, 0, 0], Some("-800000"));
    check([0xff, 0x7f, 0xff], Some("-8001"));
    check([0xff, 0x00, 0x00], Some("-010000"));
    check([0x00, 0xff, 0xff], Some("ffff"));
    check([0xff, 0xff, 0xff], None); // -1 in three octets is not DER
    check([0x00, 0x7f, 0xff], None);
}

/// Readable certificates to damage.
fn samples() -> Vec<Vec<u8>> {
    let leaf =
        Leaf::client("a").organization(Text::Bmp("ü".into())).dns("a").uri("spiffe://a/b").email("a@b");
    let mut samples: Vec<_> = ["multi-valued", "bmp", "names"].map(fixture).into();
    samples.push(Authority::new("CA").issue(&leaf).certificate_der);
    samples
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damage_never_panics(
        sample in 0usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local!(static SAMPLES: Vec<Vec<u8>> = samples());
        let mut der = SAMPLES.with(|samples| samples[sample].clone());
        for (at, byte) in damage {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        if let Ok(certificate) = Certificate::from_der(&der) {
            let text = format!("{certificate:?}{}{}", certificate.subject(), certificate.issuer());
            prop_assert!(!text.chars().any(char::is_control));
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
    }
}
