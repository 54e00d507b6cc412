//! The authority that signs, and what it hands out.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, SigningKey,
};
use time::{Duration, OffsetDateTime};

use crate::der::{SEQUENCE, tlv, with_subject};
use crate::leaf::{Key, Leaf, Usage};
use crate::subject;

const SUBJECT_ALTERNATIVE_NAME: [u64; 4] = [2, 5, 29, 17];

/// A certificate authority with a key of its own, valid from yesterday until the day after tomorrow.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    /// Intermediates from this authority up to, without, the root.
    chain: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Authority {
    /// A self-signed root with this common name.
    pub fn new(name: &str) -> Self {
        let key = generate(Key::P256);
        let parameters = authority_parameters(name);
        let certificate = parameters.self_signed(&key).expect("a root certificate");
        Self { issuer: Issuer::new(parameters, key), certificate, chain: Vec::new() }
    }

    /// An authority below this one. What it issues carries the intermediates in its bundle.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let key = generate(Key::P256);
        let parameters = authority_parameters(name);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("an intermediate certificate");
        let chain =
            std::iter::once(certificate.der().to_vec()).chain(self.chain.iter().cloned()).collect::<Vec<_>>();
        Self { issuer: Issuer::new(parameters, key), certificate, chain }
    }

    /// This authority's own certificate.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// This authority's own certificate.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// Writes `<stem>.pem`, this authority's own certificate.
    pub fn write(&self, directory: &Path, stem: &str) -> PathBuf {
        let path = directory.join(format!("{stem}.pem"));
        fs::write(&path, self.certificate_pem()).expect("write the certificate");
        path
    }

    /// A certificate with a fresh key that says what `leaf` asks for.
    pub fn issue(&self, leaf: &Leaf) -> Issued {
        let key = generate(leaf.key);
        let drafted = leaf_parameters(leaf).signed_by(&key, &self.issuer).expect("a leaf certificate");
        let certificate_der = with_subject(drafted.der(), &subject::name(&leaf.subject), |bytes| {
            self.issuer.key().sign(bytes).expect("a signature")
        });
        let chain_der: Vec<_> =
            std::iter::once(certificate_der.clone()).chain(self.chain.iter().cloned()).collect();
        Issued {
            certificate_pem: chain_der.iter().map(|der| pem(der)).collect(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
            certificate_der,
            chain_der,
        }
    }
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The leaf, then the intermediates.
    pub certificate_pem: String,
    /// The leaf's key, PKCS #8.
    pub key_pem: String,
    /// The leaf's key, PKCS #8.
    pub key_der: Vec<u8>,
    /// The leaf alone.
    pub certificate_der: Vec<u8>,
    /// The leaf, then the intermediates.
    pub chain_der: Vec<Vec<u8>>,
}

impl Issued {
    /// Writes `<stem>.pem` (leaf, then intermediates) and `<stem>.key`, and says where.
    pub fn write(&self, directory: &Path, stem: &str) -> (PathBuf, PathBuf) {
        let certificate = directory.join(format!("{stem}.pem"));
        let key = directory.join(format!("{stem}.key"));
        fs::write(&certificate, &self.certificate_pem).expect("write the certificate");
        fs::write(&key, &self.key_pem).expect("write the key");
        (certificate, key)
    }
}

fn generate(key: Key) -> KeyPair {
    let algorithm = match key {
        Key::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Key::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Key::Ed25519 => &rcgen::PKCS_ED25519,
        Key::Rsa => &rcgen::PKCS_RSA_SHA256,
    };
    KeyPair::generate_for(algorithm).expect("a key")
}

fn authority_parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.use_authority_key_identifier_extension = true;
    parameters.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    parameters.not_after = OffsetDateTime::now_utc() + Duration::days(2);
    parameters
}

fn leaf_parameters(leaf: &Leaf) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = match leaf.usage {
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Both => vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
        Usage::None => Vec::new(),
        Usage::Other => vec![ExtendedKeyUsagePurpose::CodeSigning],
    };
    parameters.use_authority_key_identifier_extension = true;
    parameters.serial_number = leaf.serial.as_deref().map(SerialNumber::from_slice);
    parameters.not_before = OffsetDateTime::now_utc() + Duration::seconds(leaf.not_before);
    parameters.not_after = OffsetDateTime::now_utc() + Duration::seconds(leaf.not_after);
    if !leaf.alternative_names.is_empty() {
        let names = tlv(SEQUENCE, &leaf.alternative_names);
        let critical = leaf.subject.is_empty(); // as RFC 5280 wants it
        parameters.custom_extensions.push(extension(&SUBJECT_ALTERNATIVE_NAME, critical, names));
    }
    for (kind, critical, bytes) in &leaf.extensions {
        parameters.custom_extensions.push(extension(kind, *critical, bytes.clone()));
    }
    parameters
}

fn extension(kind: &[u64], critical: bool, bytes: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(kind, bytes);
    extension.set_criticality(critical);
    extension
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.collect::<String>())
}
