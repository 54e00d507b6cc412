//! Keys of every kind a client may hold, and what they sign with.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use num_bigint::BigUint;

use crate::der::{NULL, OCTET_STRING, bit_string, integer, object_identifier, sequence, split, tlv};

/// The RSA key of 1024 bits; the cryptographic library neither makes nor takes such keys. Keys do not expire.
const RSA_1024: &[u8] = include_bytes!("../keys/rsa-1024.pkcs8.der");
/// The RSA key of 4096 bits; making one takes a loaded machine many seconds.
const RSA_4096: &[u8] = include_bytes!("../keys/rsa-4096.pkcs8.der");

/// The key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// ECDSA on P-256 (default).
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA of 1024 bits: always the same key.
    Rsa1024,
    /// RSA of 2048 bits.
    Rsa,
    /// RSA of 4096 bits: always the same key.
    Rsa4096,
}

/// How a certificate or a revocation list is signed. The issuer's key must be of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// What is customary for the issuer's key: its curve's own hash, SHA-256 for RSA (default).
    Customary,
    /// ECDSA on P-521 with SHA-384.
    EcdsaP521Sha384,
    /// RSA PKCS #1 v1.5 with SHA-1.
    RsaSha1,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RsaSha512,
    /// RSASSA-PSS with SHA-256.
    RsaPss,
    /// As is customary, with the last octet changed afterwards.
    Forged,
}

/// A private key, PKCS #8, and its public half as a `SubjectPublicKeyInfo`.
#[derive(Clone)]
pub(crate) struct PrivateKey {
    kind: Key,
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) public: Vec<u8>,
}

impl PrivateKey {
    pub(crate) fn generate(kind: Key) -> Self {
        let (pkcs8, public) = match kind {
            Key::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            Key::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            Key::P521 => ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING),
            Key::Ed25519 => {
                let pair = Ed25519KeyPair::generate().expect("a key");
                (pkcs8(&pair), public(pair.public_key()))
            }
            Key::Rsa1024 => (RSA_1024.to_vec(), RsaNumbers::read(RSA_1024).public_key()),
            Key::Rsa => rsa(),
            Key::Rsa4096 => (RSA_4096.to_vec(), RsaNumbers::read(RSA_4096).public_key()),
        };
        Self { kind, pkcs8, public }
    }

    /// The `AlgorithmIdentifier` and the signature of `message`.
    pub(crate) fn sign(&self, signature: Signature, message: &[u8]) -> (Vec<u8>, Vec<u8>) {
        match (signature, self.kind) {
            (Signature::Forged, _) => {
                let (algorithm, mut octets) = self.sign(Signature::Customary, message);
                *octets.last_mut().expect("a signature") ^= 1;
                (algorithm, octets)
            }
            (Signature::EcdsaP521Sha384, _) => self.sign_ecdsa(&ECDSA_P521_SHA384_ASN1_SIGNING, 3, message),
            (Signature::RsaSha1, _) => {
                let octets = RsaNumbers::read(&self.pkcs8).sign_sha1(message);
                (rsa_algorithm(5), octets)
            }
            (Signature::RsaSha384, _) => (rsa_algorithm(12), self.sign_rsa(&RSA_PKCS1_SHA384, message)),
            (Signature::RsaSha512, _) => (rsa_algorithm(13), self.sign_rsa(&RSA_PKCS1_SHA512, message)),
            (Signature::RsaPss, _) => (pss_algorithm(), self.sign_rsa(&RSA_PSS_SHA256, message)),
            (Signature::Customary, Key::P256) => self.sign_ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, 2, message),
            (Signature::Customary, Key::P384) => self.sign_ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, 3, message),
            (Signature::Customary, Key::P521) => self.sign_ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING, 4, message),
            (Signature::Customary, Key::Ed25519) => {
                let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).expect("an Ed25519 key");
                (sequence(&[object_identifier(&[1, 3, 101, 112])]), pair.sign(message).as_ref().to_vec())
            }
            (Signature::Customary, Key::Rsa1024) => {
                let octets = RsaNumbers::read(&self.pkcs8).sign_sha256(message);
                (rsa_algorithm(11), octets)
            }
            (Signature::Customary, Key::Rsa | Key::Rsa4096) => {
                (rsa_algorithm(11), self.sign_rsa(&RSA_PKCS1_SHA256, message))
            }
        }
    }

    fn sign_ecdsa(
        &self,
        scheme: &'static EcdsaSigningAlgorithm,
        hash: u64,
        message: &[u8],
    ) -> (Vec<u8>, Vec<u8>) {
        let pair = EcdsaKeyPair::from_pkcs8(scheme, &self.pkcs8).expect("a key of that curve");
        let signature = pair.sign(&SystemRandom::new(), message).expect("a signature");
        (sequence(&[object_identifier(&[1, 2, 840, 10045, 4, 3, hash])]), signature.as_ref().to_vec())
    }

    fn sign_rsa(&self, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).expect("an RSA key");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), message, &mut signature).expect("a signature");
        signature
    }
}

/// Signs what a client signs in a handshake with an RSA key of 1024 bits: RSASSA-PSS with SHA-256 (RFC 8446 §4.2.3).
///
/// For test clients whose TLS library does not take a key this small.
pub fn sign_pss_sha256(pkcs8: &[u8], message: &[u8]) -> Vec<u8> {
    RsaNumbers::read(pkcs8).sign_pss(message)
}

fn ecdsa(scheme: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(scheme).expect("a key");
    let key = pair.to_pkcs8v1().expect("a key in PKCS #8");
    (key.as_ref().to_vec(), public(pair.public_key()))
}

fn rsa() -> (Vec<u8>, Vec<u8>) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    (pkcs8(&pair), public(pair.public_key()))
}

fn pkcs8(pair: &impl AsDer<Pkcs8V1Der<'static>>) -> Vec<u8> {
    pair.as_der().expect("a key in PKCS #8").as_ref().to_vec()
}

fn public(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().expect("a public key").as_ref().to_vec()
}

fn rsa_algorithm(last: u64) -> Vec<u8> {
    sequence(&[object_identifier(&[1, 2, 840, 113_549, 1, 1, last]), NULL.to_vec()])
}

/// RFC 4055 §3.1: SHA-256, MGF1 with SHA-256, a salt of 32 octets.
fn pss_algorithm() -> Vec<u8> {
    let sha256 = sequence(&[object_identifier(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), NULL.to_vec()]);
    let mask = sequence(&[object_identifier(&[1, 2, 840, 113_549, 1, 1, 8]), sha256.clone()]);
    let parameters = sequence(&[tlv(0xa0, &sha256), tlv(0xa1, &mask), tlv(0xa2, &integer(&[32]))]);
    sequence(&[object_identifier(&[1, 2, 840, 113_549, 1, 1, 10]), parameters])
}

/// RSA by its formula, for what no library signs any more.
struct RsaNumbers {
    modulus: BigUint,
    public_exponent: BigUint,
    private_exponent: BigUint,
    octets: usize,
}

impl RsaNumbers {
    /// Reads PKCS #8 around the `RSAPrivateKey` of RFC 8017.
    fn read(pkcs8: &[u8]) -> Self {
        let (info, _) = split(pkcs8);
        let (_version, rest) = split(info);
        let (_algorithm, rest) = split(rest);
        let (key, _) = split(rest);
        let (_version, mut rest) = split(split(key).0);
        let mut number = || {
            let (value, following) = split(rest);
            rest = following;
            BigUint::from_bytes_be(value)
        };
        let (modulus, public_exponent, private_exponent) = (number(), number(), number());
        let octets = usize::try_from(modulus.bits().div_ceil(8)).expect("a length");
        Self { modulus, public_exponent, private_exponent, octets }
    }

    fn public_key(&self) -> Vec<u8> {
        let key =
            sequence(&[integer(&self.modulus.to_bytes_be()), integer(&self.public_exponent.to_bytes_be())]);
        sequence(&[rsa_algorithm(1), bit_string(&key)])
    }

    fn sign_sha1(&self, message: &[u8]) -> Vec<u8> {
        let hash = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, message);
        self.sign_pkcs1(&[1, 3, 14, 3, 2, 26], hash.as_ref())
    }

    fn sign_sha256(&self, message: &[u8]) -> Vec<u8> {
        self.sign_pkcs1(&[2, 16, 840, 1, 101, 3, 4, 2, 1], digest::digest(&SHA256, message).as_ref())
    }

    /// EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
    fn sign_pkcs1(&self, algorithm: &[u64], hash: &[u8]) -> Vec<u8> {
        let algorithm = sequence(&[object_identifier(algorithm), NULL.to_vec()]);
        let info = sequence(&[algorithm, tlv(OCTET_STRING, hash)]);
        let padding = vec![0xff; self.octets - info.len() - 3];
        self.power(&[vec![0, 1], padding, vec![0], info].concat())
    }

    /// EMSA-PSS (RFC 8017 §9.1) with SHA-256 and a salt of 32 octets, here of zeros.
    fn sign_pss(&self, message: &[u8]) -> Vec<u8> {
        let salt = [0; 32];
        let hash = digest::digest(&SHA256, message);
        let seed = digest::digest(&SHA256, &[&[0; 8], hash.as_ref(), &salt].concat());
        let mut block = vec![0; self.octets - seed.as_ref().len() - 1 - salt.len() - 1];
        block.push(1);
        block.extend(salt);
        let mask = (0_u32..).flat_map(|counter| {
            digest::digest(&SHA256, &[seed.as_ref(), &counter.to_be_bytes()].concat()).as_ref().to_vec()
        });
        for (octet, mask) in block.iter_mut().zip(mask) {
            *octet ^= mask;
        }
        *block.first_mut().expect("a block") &= 0x7f;
        self.power(&[&block, seed.as_ref(), &[0xbc]].concat())
    }

    fn power(&self, block: &[u8]) -> Vec<u8> {
        let power = BigUint::from_bytes_be(block).modpow(&self.private_exponent, &self.modulus).to_bytes_be();
        [vec![0; self.octets - power.len()], power].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
    };

    fn check(scheme: &'static dyn VerificationAlgorithm, key: &PrivateKey, signature: &[u8]) {
        let (_algorithm, public) = split(split(&key.public).0);
        let public = &split(public).0[1..]; // without the octet that counts unused bits
        UnparsedPublicKey::new(scheme, public).verify(b"message", signature).unwrap();
    }

    #[test]
    fn the_formula_agrees_with_the_library() {
        let small = PrivateKey::generate(Key::Rsa1024);
        let (_, signature) = small.sign(Signature::Customary, b"message");
        check(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &small, &signature);
        let key = PrivateKey::generate(Key::Rsa);
        let (_, signature) = key.sign(Signature::RsaSha1, b"message");
        check(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &key, &signature);
        check(&RSA_PSS_2048_8192_SHA256, &key, &sign_pss_sha256(&key.pkcs8, b"message"));
        assert_eq!(RsaNumbers::read(&key.pkcs8).public_key(), key.public);
    }
}
