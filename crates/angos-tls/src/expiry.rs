//! What of a set will end, and when: for metrics and for warnings in time.

use std::path::{Path, PathBuf};

/// What kind of thing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpiryKind {
    /// A server certificate: clients will refuse it.
    Server,
    /// A client authority: certificates it vouches for will be refused.
    ClientCa,
    /// A revocation list, at its `nextUpdate`: certificates it covers will be refused unless
    /// [`Revocation::expired_list`](crate::Revocation::expired_list) allows them.
    Crl,
}

impl ExpiryKind {
    /// The word for metrics and logs; stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server_certificate",
            Self::ClientCa => "client_ca",
            Self::Crl => "revocation_list",
        }
    }
}

/// One end of validity in a [`Material`](crate::Material).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    pub(crate) kind: ExpiryKind,
    pub(crate) subject: String,
    pub(crate) file: PathBuf,
    pub(crate) at: i64,
    pub(crate) fingerprint: [u8; 32],
}

impl Expiry {
    /// What ends.
    pub fn kind(&self) -> ExpiryKind {
        self.kind
    }

    /// Whose it is: the certificate's subject or the list's issuer, escaped and bounded.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The file it is from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The last second of validity, since 1970.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// SHA-256 of the certificate, or of the list: tells it from another with the same subject.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}
