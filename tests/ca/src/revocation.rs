//! What a revocation list should say.

use crate::der::{ENUMERATED, extension, integer, sequence, time, tlv};
use crate::extension::{AUTHORITY_KEY_IDENTIFIER, distribution_point, key_identifier};
use crate::key::{PrivateKey, Signature};

const CRL_NUMBER: [u64; 4] = [2, 5, 29, 20];
const REASON_CODE: [u64; 4] = [2, 5, 29, 21];
const DELTA_CRL_INDICATOR: [u64; 4] = [2, 5, 29, 27];
const ISSUING_DISTRIBUTION_POINT: [u64; 4] = [2, 5, 29, 28];

const HOUR: i64 = 3600;

/// Which certificates a partitioned list speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of its distribution point.
    All,
    /// Those of users alone.
    Users,
    /// Those of authorities alone.
    Authorities,
    /// Those of its distribution point that were revoked because their key was stolen.
    KeyCompromise,
    /// Those of other issuers too: an indirect list.
    Indirect,
}

/// What a revocation list should say. Issued an hour ago, next update tomorrow, unless told otherwise.
#[derive(Debug, Clone)]
pub struct RevocationList {
    pub(crate) signature: Signature,
    version: u8,
    number: Option<u64>,
    this_update: i64,
    next_update: Option<i64>,
    entries: Vec<Vec<u8>>,
    extensions: Vec<Vec<u8>>,
}

impl RevocationList {
    /// An empty list with this number.
    pub fn new(number: u64) -> Self {
        Self {
            signature: Signature::Customary,
            version: 2,
            number: Some(number),
            this_update: -HOUR,
            next_update: Some(24 * HOUR),
            entries: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// Revokes the certificate with this serial number.
    #[must_use]
    pub fn revoke(mut self, serial: &[u8]) -> Self {
        self.entries.push(sequence(&[integer(serial), time(-HOUR)]));
        self
    }

    /// Revokes the certificate whose serial number's INTEGER has these contents: `ff` is −1.
    #[must_use]
    pub fn revoke_raw(mut self, serial: &[u8]) -> Self {
        self.entries.push(sequence(&[tlv(0x02, serial), time(-HOUR)]));
        self
    }

    /// Revokes the certificate with this serial number for the reason of this code (RFC 5280 §5.3.1).
    #[must_use]
    pub fn revoke_because(mut self, serial: &[u8], code: u8) -> Self {
        let reason = extension(&REASON_CODE, false, &tlv(ENUMERATED, &[code]));
        self.entries.push(sequence(&[integer(serial), time(-HOUR), sequence(&[reason])]));
        self
    }

    /// Leaves the number out.
    #[must_use]
    pub fn without_number(mut self) -> Self {
        self.number = None;
        self
    }

    /// Sets both dates, in seconds from now; negative is the past.
    #[must_use]
    pub fn valid(mut self, this_update: i64, next_update: i64) -> Self {
        (self.this_update, self.next_update) = (this_update, Some(next_update));
        self
    }

    /// Leaves the date of the next list out.
    #[must_use]
    pub fn without_next_update(mut self) -> Self {
        self.next_update = None;
        self
    }

    /// Speaks only of certificates of this distribution point, and of those only as far as `scope` says.
    #[must_use]
    pub fn distribution_point(self, uri: &str, scope: Scope) -> Self {
        let scope = match scope {
            Scope::All => Vec::new(),
            Scope::Users => tlv(0x81, &[0xff]),
            Scope::Authorities => tlv(0x82, &[0xff]),
            Scope::KeyCompromise => tlv(0x83, &[6, 0x40]), // six unused bits, then the second bit
            Scope::Indirect => tlv(0x84, &[0xff]),
        };
        self.extension(&ISSUING_DISTRIBUTION_POINT, true, &sequence(&[distribution_point(uri), scope]))
    }

    /// Says no more than what changed since the list of this number.
    #[must_use]
    pub fn delta_of(self, base: u64) -> Self {
        self.extension(&DELTA_CRL_INDICATOR, true, &integer(&base.to_be_bytes()))
    }

    /// Adds any extension with these bytes, which nobody checks.
    #[must_use]
    pub fn extension(mut self, kind: &[u64], critical: bool, bytes: &[u8]) -> Self {
        self.extensions.push(extension(kind, critical, bytes));
        self
    }

    /// Sets how the issuer signs. Its key must be of that kind.
    #[must_use]
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// Sets the version; lists of version 1 have no extensions.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The `TBSCertList` of the issuer with this name and key.
    pub(crate) fn to_be_signed(&self, issuer: &[u8], key: &PrivateKey) -> Vec<u8> {
        let (algorithm, _) = key.sign(self.signature, &[]);
        let is_first = self.version == 1;
        let entries = if self.entries.is_empty() { Vec::new() } else { sequence(&self.entries) };
        sequence(&[
            if is_first { Vec::new() } else { integer(&[self.version - 1]) },
            algorithm,
            issuer.to_vec(),
            time(self.this_update),
            self.next_update.map_or_else(Vec::new, time),
            entries,
            if is_first { Vec::new() } else { tlv(0xa0, &self.extensions(key)) },
        ])
    }

    fn extensions(&self, key: &PrivateKey) -> Vec<u8> {
        let identifier = sequence(&[tlv(0x80, &key_identifier(&key.public))]);
        let number = self.number.map(|number| extension(&CRL_NUMBER, false, &integer(&number.to_be_bytes())));
        let issuer = extension(&AUTHORITY_KEY_IDENTIFIER, false, &identifier);
        let all: Vec<_> =
            std::iter::once(issuer).chain(number).chain(self.extensions.iter().cloned()).collect();
        sequence(&all)
    }
}
