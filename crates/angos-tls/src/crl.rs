//! One revocation list: its fields, whose word it is, and which certificates it speaks of.
//!
//! webpki reads it first and refuses what it does not understand: delta lists, indirect ones, lists parted by
//! reasons, unknown critical extensions. What it does not tell is read beside it: number, dates and scope.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustls::crypto::WebPkiSupportedAlgorithms;
use sha2::{Digest, Sha256};
use webpki::{BorrowedCertRevocationList, Error};

use crate::client_cert_info::printable;
use crate::der::{Elements, tag, unix_seconds};
use crate::limits;
use crate::load_error::Problem;
use crate::parsed_certificate::{ParsedCertificate, extensions_of, minimal_integer, without_leading_zeros};

/// A list that was read.
#[derive(Debug)]
pub(crate) struct Crl {
    /// The contents of its issuer's name.
    pub(crate) issuer: Vec<u8>,
    /// The same for people.
    pub(crate) issuer_text: String,
    pub(crate) file: PathBuf,
    pub(crate) digest: [u8; 32],
    /// Empty: it has none.
    number: Vec<u8>,
    this_update: i64,
    /// From this second on it is expired.
    pub(crate) next_update: i64,
    /// Its issuing distribution point, encoded and read. None: it speaks of all certificates of its issuer.
    distribution_point: Option<Vec<u8>>,
    scope: Scope,
    revoked: HashSet<Box<[u8]>>,
    signed: Signed,
    /// SHA-256 of the public keys that are known to have signed it.
    proven: Mutex<Vec<[u8; 32]>>,
}

#[derive(Debug, Default)]
struct Scope {
    only_leaves: bool,
    only_authorities: bool,
    uris: Vec<Vec<u8>>,
}

/// What was signed, and the signature.
#[derive(Debug)]
struct Signed {
    body: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Crl {
    /// Reads the list at `position` of a file.
    pub(crate) fn read(der: &[u8], file: PathBuf, position: usize) -> Result<Self, Problem> {
        let bad = |reason: String| Problem::BadCrl { position, reason };
        let known = BorrowedCertRevocationList::from_der(der).map_err(|error| bad(reason(&error)))?;
        let mut revoked = HashSet::new();
        for entry in &known {
            let entry = entry.map_err(|error| bad(reason(&error)))?;
            if revoked.len() == limits::REVOKED_CERTIFICATES_MAX {
                return Err(Problem::TooManyRevoked);
            }
            revoked.insert(minimal_integer(entry.serial_number).into());
        }
        let mut list = Self::fields(der, file).ok_or_else(|| bad("it cannot be read".to_owned()))?;
        list.revoked = revoked;
        Ok(list)
    }

    fn fields(der: &[u8], file: PathBuf) -> Option<Self> {
        let mut outer = Elements::of(der).within(tag::SEQUENCE)?;
        let body = outer.next()?;
        let algorithm = outer.expect(tag::SEQUENCE)?.to_vec();
        let signature = outer.expect(tag::BIT_STRING)?.get(1..)?.to_vec();
        let mut fields = Elements::of(body.value);
        fields.expect(tag::INTEGER)?; // version
        fields.expect(tag::SEQUENCE)?; // algorithm
        let issuer = fields.next()?;
        let text = angos_identity::distinguished_name(issuer.whole)
            .unwrap_or_else(|_| "an unreadable name".to_owned());
        let mut list = Self {
            issuer: issuer.value.to_vec(),
            issuer_text: printable(&text, limits::CERT_TEXT_MAX_CHARS),
            file,
            digest: Sha256::digest(der).into(),
            number: Vec::new(),
            this_update: unix_seconds(fields.next()?)?,
            next_update: unix_seconds(fields.next()?)?,
            distribution_point: None,
            scope: Scope::default(),
            revoked: HashSet::new(),
            signed: Signed { body: body.whole.to_vec(), algorithm, signature },
            proven: Mutex::default(),
        };
        let _entries = fields.optional(tag::SEQUENCE);
        for (kind, value) in extensions_of(fields.expect(tag::EXPLICIT_0)?)? {
            match kind {
                [0x55, 0x1d, 0x14] => {
                    let number = Elements::of(value).expect(tag::INTEGER)?;
                    list.number = without_leading_zeros(number).to_vec();
                }
                [0x55, 0x1d, 0x1c] => {
                    list.scope = Scope::read(value)?;
                    list.distribution_point = Some(value.to_vec());
                }
                _ => {}
            }
        }
        Some(list)
    }

    pub(crate) fn revoked_count(&self) -> usize {
        self.revoked.len()
    }

    /// Whether the certificate with this serial number of this issuer is on it.
    pub(crate) fn names(&self, certificate: &ParsedCertificate<'_>) -> bool {
        self.revoked.contains(certificate.serial)
    }

    /// Whether both speak of the same certificates, so that only the newer one counts.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.distribution_point == other.distribution_point
    }

    /// By number (RFC 5280 §5.2.3), where both have one; otherwise by date.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        let dates = self.this_update.cmp(&other.this_update);
        let numbers = match (&self.number, &other.number) {
            (one, other) if one.is_empty() || other.is_empty() => Ordering::Equal,
            (one, other) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
        };
        numbers.then(dates) == Ordering::Less
    }

    /// Whether it can be relied on for a certificate of its issuer: one that is not on it is not revoked.
    ///
    /// RFC 5280 §6.3.3 (b)(2). The point of a certificate without distribution points is its issuer itself, so a list of
    /// some point may not be the one that would name it.
    pub(crate) fn covers(&self, certificate: &ParsedCertificate<'_>, is_leaf: bool) -> bool {
        let Scope { only_leaves, only_authorities, uris } = &self.scope;
        if *only_leaves && !is_leaf || *only_authorities && is_leaf {
            return false;
        }
        match (&self.distribution_point, certificate.distribution_points) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(points)) => Elements::of(points)
                .any(|point| point_uris(point.value).any(|uri| uris.iter().any(|it| it == uri))),
        }
    }

    /// Whether a key is known to have signed both.
    pub(crate) fn shares_a_signer_with(&self, other: &Self) -> bool {
        let mine = self.proven.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let theirs = other.proven.lock().unwrap_or_else(PoisonError::into_inner);
        mine.iter().any(|key| theirs.contains(key))
    }

    /// Whether this key has signed it. The answer is remembered, so it is cheap for the few keys that have.
    pub(crate) fn is_signed_by(&self, public_key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        let key_digest = <[u8; 32]>::from(Sha256::digest(public_key));
        if self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(&key_digest) {
            return true;
        }
        let proven = self.signed.is_by(public_key, algorithms).unwrap_or(false);
        let mut keys = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven && keys.len() < limits::CRL_KEYS_MAX {
            keys.push(key_digest);
        }
        proven
    }
}

impl Signed {
    fn is_by(&self, public_key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> Option<bool> {
        let mut fields = Elements::of(public_key);
        let key_algorithm = fields.expect(tag::SEQUENCE)?;
        let key = fields.expect(tag::BIT_STRING)?.get(1..)?;
        let suits = |one: &&&dyn rustls_pki_types::SignatureVerificationAlgorithm| {
            one.signature_alg_id().as_ref() == self.algorithm
                && one.public_key_alg_id().as_ref() == key_algorithm
        };
        let good = algorithms
            .all
            .iter()
            .filter(suits)
            .any(|one| one.verify_signature(key, &self.body, &self.signature).is_ok());
        Some(good)
    }
}

impl Scope {
    /// Reads an issuing distribution point (RFC 5280 §5.2.5).
    fn read(value: &[u8]) -> Option<Self> {
        let mut scope = Self::default();
        for field in Elements::of(value).within(tag::SEQUENCE)? {
            match field.tag {
                tag::EXPLICIT_0 => scope.uris = uris(field.value).map(<[u8]>::to_vec).collect(),
                tag::IMPLICIT_1 => scope.only_leaves = field.value != [0],
                tag::IMPLICIT_2 => scope.only_authorities = field.value != [0],
                _ => {}
            }
        }
        Some(scope)
    }
}

/// The URIs of one distribution point of a certificate (RFC 5280 §4.2.1.13). One that is meant for a list of
/// another issuer or for some reasons only has none: such lists are not understood.
fn point_uris(point: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut fields = Elements::of(point);
    let name = fields.optional(tag::EXPLICIT_0).filter(|_| fields.next().is_none());
    name.into_iter().flat_map(uris)
}

/// The URIs of a `DistributionPointName`.
fn uris(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let full = Elements::of(name).expect(tag::EXPLICIT_0).unwrap_or_default();
    Elements::of(full).filter(|name| name.tag == tag::URI).map(|name| name.value)
}

/// Why webpki does not take a list, for people.
fn reason(error: &Error) -> String {
    match error {
        Error::UnsupportedDeltaCrl => "it is a delta list".to_owned(),
        Error::UnsupportedIndirectCrl => "it speaks of certificates of other issuers".to_owned(),
        Error::UnsupportedRevocationReasonsPartitioning => "it speaks of some reasons only".to_owned(),
        Error::UnsupportedCrlVersion => "it is not of version 2".to_owned(),
        Error::UnsupportedCrlIssuingDistributionPoint => {
            "its issuing distribution point has no full name".to_owned()
        }
        Error::UnsupportedCriticalExtension => {
            "it has a critical extension that is not understood".to_owned()
        }
        Error::BadDer | Error::TrailingData(_) => "it is malformed".to_owned(),
        Error::MalformedExtensions | Error::ExtensionValueInvalid => "an extension cannot be read".to_owned(),
        other => crate::refusal::words(other),
    }
}
