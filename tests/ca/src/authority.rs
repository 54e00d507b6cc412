//! The authority that signs, and what it hands out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::der::{bit_string, extension, integer, sequence, time, tlv};
use crate::extension;
use crate::key::{PrivateKey, Signature};
use crate::leaf::Leaf;
use crate::revocation::RevocationList;
use crate::subject;

/// A certificate authority with a key of its own, valid from yesterday until the day after tomorrow.
#[derive(Clone)]
pub struct Authority {
    /// A complete `Name`.
    name: Vec<u8>,
    key: PrivateKey,
    certificate: Vec<u8>,
    serial: Vec<u8>,
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
        Self::root(&Leaf::authority(name))
    }

    /// Whatever `leaf` asks for, self-signed.
    pub fn root(leaf: &Leaf) -> Self {
        let key = PrivateKey::generate(leaf.key);
        let name = subject::name(&leaf.subject);
        let (certificate, serial) = Signer { name: &name, key: &key }.certify(leaf, &name, &key.public);
        Self { name, key, certificate, serial, chain: Vec::new() }
    }

    /// An authority below this one. What it issues carries the intermediates in its bundle.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        self.subordinate(&Leaf::authority(name))
    }

    /// As [`intermediate`](Self::intermediate), with a certificate that says what `leaf` asks for, fit for an
    /// authority or not.
    #[must_use]
    pub fn subordinate(&self, leaf: &Leaf) -> Self {
        self.certify(leaf, subject::name(&leaf.subject), PrivateKey::generate(leaf.key))
    }

    /// The same authority, name and key, with a certificate of this issuer: a cross-signature. Everything but name and
    /// key is as `leaf` asks for.
    #[must_use]
    pub fn cross_sign(&self, other: &Self, leaf: &Leaf) -> Self {
        self.certify(leaf, other.name.clone(), other.key.clone())
    }

    fn certify(&self, leaf: &Leaf, name: Vec<u8>, key: PrivateKey) -> Self {
        let (certificate, serial) = self.signer().certify(leaf, &name, &key.public);
        let chain = std::iter::once(certificate.clone()).chain(self.chain.iter().cloned()).collect();
        Self { name, key, certificate, serial, chain }
    }

    fn signer(&self) -> Signer<'_> {
        Signer { name: &self.name, key: &self.key }
    }

    /// This authority's own certificate.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// This authority's own certificate.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    /// Writes `<stem>.pem`, this authority's own certificate.
    pub fn write(&self, directory: &Path, stem: &str) -> PathBuf {
        let path = directory.join(format!("{stem}.pem"));
        fs::write(&path, self.certificate_pem()).expect("write the certificate");
        path
    }

    /// A certificate with a fresh key that says what `leaf` asks for.
    pub fn issue(&self, leaf: &Leaf) -> Issued {
        let key = PrivateKey::generate(leaf.key);
        let (certificate, serial) = self.signer().certify(leaf, &subject::name(&leaf.subject), &key.public);
        Issued::new(certificate, serial, &key, &self.chain)
    }

    /// This authority's own certificate and key, to be shown as if they were a client's.
    pub fn as_client(&self) -> Issued {
        let above = self.chain.get(1..).unwrap_or_default();
        Issued::new(self.certificate.clone(), self.serial.clone(), &self.key, above)
    }

    /// The serial number of this authority's own certificate, for the list of its issuer.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// A revocation list of this authority, as DER.
    pub fn revocation_list(&self, list: &RevocationList) -> Vec<u8> {
        let signed = list.to_be_signed(&self.name, &self.key);
        sign(&self.key, list.signature, &signed)
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
    /// The leaf's serial number, big end first.
    pub serial: Vec<u8>,
}

impl Issued {
    fn new(certificate: Vec<u8>, serial: Vec<u8>, key: &PrivateKey, above: &[Vec<u8>]) -> Self {
        let issued = Self {
            certificate_pem: String::new(),
            key_pem: pem("PRIVATE KEY", &key.pkcs8),
            key_der: key.pkcs8.clone(),
            certificate_der: certificate,
            chain_der: Vec::new(),
            serial,
        };
        issued.with_intermediates(above.iter().cloned())
    }

    /// The same leaf with these certificates behind it, in this order.
    #[must_use]
    pub fn with_intermediates(mut self, intermediates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.chain_der = std::iter::once(self.certificate_der.clone()).chain(intermediates).collect();
        self.certificate_pem = self.chain_der.iter().map(|der| pem("CERTIFICATE", der)).collect();
        self
    }

    /// Writes `<stem>.pem` (leaf, then intermediates) and `<stem>.key`, and says where.
    pub fn write(&self, directory: &Path, stem: &str) -> (PathBuf, PathBuf) {
        let certificate = directory.join(format!("{stem}.pem"));
        let key = directory.join(format!("{stem}.key"));
        fs::write(&certificate, &self.certificate_pem).expect("write the certificate");
        fs::write(&key, &self.key_pem).expect("write the key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("keep the key private");
        (certificate, key)
    }
}

/// One section of a PEM file.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines.collect::<String>())
}

/// Who signs a certificate.
struct Signer<'a> {
    name: &'a [u8],
    key: &'a PrivateKey,
}

impl Signer<'_> {
    /// A certificate for this name and key, and its serial number.
    fn certify(&self, leaf: &Leaf, name: &[u8], public_key: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let serial = leaf.serial.clone().unwrap_or_else(random_serial);
        let (algorithm, _) = self.key.sign(leaf.signature, &[]);
        let version = if leaf.version == 1 { Vec::new() } else { tlv(0xa0, &integer(&[leaf.version - 1])) };
        let extensions = if leaf.version == 3 { self.extensions(leaf, public_key) } else { Vec::new() };
        let to_be_signed = sequence(&[
            version,
            if leaf.is_serial_raw { tlv(0x02, &serial) } else { integer(&serial) },
            algorithm,
            self.name.to_vec(),
            sequence(&[time(leaf.not_before), time(leaf.not_after)]),
            name.to_vec(),
            public_key.to_vec(),
            extensions,
        ]);
        (sign(self.key, leaf.signature, &to_be_signed), serial)
    }

    fn extensions(&self, leaf: &Leaf, public_key: &[u8]) -> Vec<u8> {
        let own: Vec<_> = extension::of(leaf, public_key, &self.key.public)
            .into_iter()
            .chain(leaf.extensions.iter().cloned())
            .map(|(kind, critical, value)| extension(&kind, critical, &value))
            .collect();
        tlv(0xa3, &sequence(&own))
    }
}

/// The signed structure around `to_be_signed`.
fn sign(key: &PrivateKey, signature: Signature, to_be_signed: &[u8]) -> Vec<u8> {
    let (algorithm, signature) = key.sign(signature, to_be_signed);
    sequence(&[to_be_signed.to_vec(), algorithm, bit_string(&signature)])
}

fn random_serial() -> Vec<u8> {
    let mut serial = vec![0; 16];
    rand::fill(&mut serial).expect("random bytes");
    let first = serial.first_mut().expect("a byte");
    *first = (*first & 0x3f) | 0x40; // positive, and no leading zero
    serial
}
