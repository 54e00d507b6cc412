//! Which public keys can be used at all, and the names of those and of signature algorithms that cannot.

use rustls::crypto::WebPkiSupportedAlgorithms;

use crate::der::{Elements, tag};
use crate::limits::{RSA_MAX_BITS, RSA_MIN_BITS};

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";

/// Object identifiers of algorithms and curves that certificates are met with and this crate does not accept.
const NAMES: [(&str, &str); 25] = [
    ("1.2.840.113549.1.1.4", "RSA with MD5"),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS with these parameters"),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256"),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384"),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512"),
    ("1.2.840.113549.1.1.14", "RSA with SHA-224"),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    ("1.2.840.10045.4.3.1", "ECDSA with SHA-224"),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256"),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384"),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.10040.4.3", "DSA with SHA-1"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    (RSA_ENCRYPTION, "RSA"),
];

/// Why no signature by this key is ever accepted; `None` if it can be used. `public_key` is the contents of a
/// `SubjectPublicKeyInfo`.
pub(crate) fn key_problem(public_key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> Option<String> {
    let mut fields = Elements::of(public_key);
    let (Some(algorithm), Some(key)) = (fields.expect(tag::SEQUENCE), fields.expect(tag::BIT_STRING)) else {
        return Some("its key cannot be read".to_owned());
    };
    if !algorithms.all.iter().any(|one| one.public_key_alg_id().as_ref() == algorithm) {
        return Some(format!("its key ({}) is of a kind that is not accepted", key_name(algorithm)));
    }
    let bits = rsa_bits(algorithm, key)?;
    let is_accepted = (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits);
    (!is_accepted)
        .then(|| format!("its RSA key has {bits} bits, and {RSA_MIN_BITS} to {RSA_MAX_BITS} are accepted"))
}

/// The kind of a key: its curve where it has one. `algorithm` is the contents of an `AlgorithmIdentifier`.
pub(crate) fn key_name(algorithm: &[u8]) -> String {
    let mut fields = Elements::of(algorithm);
    let Some(kind) = fields.expect(tag::OBJECT_IDENTIFIER) else { return "unreadable".to_owned() };
    match (dotted(kind).as_str(), fields.next()) {
        (EC_PUBLIC_KEY, Some(curve)) if curve.tag == tag::OBJECT_IDENTIFIER => name(curve.value),
        (EC_PUBLIC_KEY, _) => "a curve with explicit parameters".to_owned(),
        ("1.2.840.113549.1.1.10", _) => "RSASSA-PSS".to_owned(),
        _ => name(kind),
    }
}

/// A signature algorithm. `algorithm` is the contents of an `AlgorithmIdentifier`.
pub(crate) fn signature_name(algorithm: &[u8]) -> String {
    Elements::of(algorithm).expect(tag::OBJECT_IDENTIFIER).map_or_else(|| "unreadable".to_owned(), name)
}

fn name(identifier: &[u8]) -> String {
    let numbers = dotted(identifier);
    match NAMES.iter().find(|(known, _)| *known == numbers) {
        Some((_, name)) => (*name).to_owned(),
        None => numbers,
    }
}

/// The modulus of an RSA key, in bits.
fn rsa_bits(algorithm: &[u8], key: &[u8]) -> Option<usize> {
    let kind = Elements::of(algorithm).expect(tag::OBJECT_IDENTIFIER)?;
    if dotted(kind) != RSA_ENCRYPTION {
        return None;
    }
    let modulus = Elements::of(key.get(1..)?).within(tag::SEQUENCE)?.expect(tag::INTEGER)?;
    let modulus = crate::parsed_certificate::without_leading_zeros(modulus);
    let (first, rest) = modulus.split_first()?;
    let leading = usize::try_from(first.leading_zeros()).unwrap_or(0);
    Some((rest.len() * 8 + 8).saturating_sub(leading))
}

/// An object identifier in numbers (X.690 §8.19), at most 32 of them.
pub(crate) fn dotted(identifier: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for octet in identifier {
        number = number.wrapping_shl(7) | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.extend([first, number - first * 40]);
            } else {
                numbers.push(number);
            }
            number = 0;
        }
        if numbers.len() >= 32 {
            break;
        }
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Key, Leaf};

    use super::*;
    use crate::parsed_certificate::ParsedCertificate;

    #[test]
    fn keys_are_named_and_measured() {
        let algorithms = crate::material::provider().signature_verification_algorithms;
        let check = |key, expected: Option<&str>| {
            let issued = Authority::new("CA").issue(&Leaf::client("a").key(key));
            let parsed = ParsedCertificate::read(&issued.certificate_der).unwrap();
            assert_eq!(key_problem(parsed.public_key, &algorithms).as_deref(), expected, "{key:?}");
        };
        check(Key::P256, None);
        check(Key::P521, None);
        check(Key::Ed25519, None);
        check(Key::Rsa, None);
        check(Key::Rsa4096, None);
        check(Key::Rsa1024, Some("its RSA key has 1024 bits, and 2048 to 8192 are accepted"));
        let ed448 = [&[0x30, 5, 6, 3, 0x2b, 0x65, 0x71, 3, 58, 0][..], &[0; 57]].concat();
        let words = "its key (Ed448) is of a kind that is not accepted";
        assert_eq!(key_problem(&ed448, &algorithms).as_deref(), Some(words));
        assert_eq!(key_problem(b"", &algorithms).as_deref(), Some("its key cannot be read"));
    }

    #[test]
    fn algorithms_have_names() {
        let check = |identifier: &[u8], expected: &str| assert_eq!(signature_name(identifier), expected);
        check(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0], "RSA with SHA-1");
        check(&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ECDSA with SHA-1");
        check(&[6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 3, 18], "ML-DSA-65");
        check(&[6, 3, 0x55, 4, 3], "2.5.4.3");
        check(&[], "unreadable");
        let explicit = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x30, 0];
        assert_eq!(key_name(&explicit), "a curve with explicit parameters");
        let k256 = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 10];
        assert_eq!(key_name(&k256), "secp256k1");
    }
}
