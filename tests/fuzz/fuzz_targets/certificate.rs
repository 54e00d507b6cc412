//! Whatever a certificate says comes out bounded, and the same facts come out of the same bytes only.
#![no_main]

use angos_identity::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    match Certificate::from_der(der) {
        Ok(certificate) => check(&certificate, der),
        Err(error) => assert!(error.to_string().len() < 1000),
    }
});

fn check(certificate: &Certificate, der: &[u8]) {
    let lists = [
        certificate.common_names(),
        certificate.organizations(),
        certificate.organizational_units(),
        certificate.dns_names(),
        certificate.email_addresses(),
        certificate.uris(),
        certificate.ip_addresses(),
    ];
    let text: usize = lists.into_iter().flatten().map(String::len).sum();
    // A character takes at least one byte in the certificate and at most three in UTF-8; an address at most 39.
    assert!(text <= der.len() * 10);
    assert_eq!((certificate.fingerprint().len(), certificate.public_key_fingerprint().len()), (64, 64));
    // A negative serial number keeps its sign.
    let serial_number = certificate.serial_number();
    let magnitude = serial_number.strip_prefix('-').unwrap_or(serial_number);
    for hex in [magnitude, certificate.fingerprint(), certificate.public_key_fingerprint()] {
        assert!(hex.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)));
    }
    assert!(lists.iter().flat_map(|list| list.iter()).all(|name| !name.contains('\0')));
    if let Some(id) = certificate.spiffe_id() {
        assert_eq!(certificate.uris().iter().filter(|uri| *uri == id).count(), 1);
        // An identity may be its trust domain alone, without a path.
        let (domain, path) = (certificate.spiffe_trust_domain().unwrap(), certificate.spiffe_path().unwrap_or(""));
        assert_eq!(format!("spiffe://{domain}{path}"), id);
    }
    // Nothing may be read after the certificate, and nothing in it be ignored.
    assert!(Certificate::from_der(&[der, &[0]].concat()).is_err());
    assert!(Certificate::from_der(&der[..der.len() - 1]).is_err());
    assert!(certificate.ca().is_none());
}
