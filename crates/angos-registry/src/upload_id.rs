//! Upload ids that prove where they came from, so that starting an upload writes nothing.
//!
//! An id carries a random session, its start and the algorithm asked for, and a code over these and the repository
//! name under a secret of this registry. An id that was made up, altered or taken to another repository is therefore
//! unknown without a look into any store, and an expired one says so itself.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use angos_oci::{Algorithm, Name};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::key;

/// An upload session as clients see it: 82 hexadecimal digits.
///
/// Parsing checks the spelling alone; whether the session is one of a repository is for the operations to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId {
    session: [u8; 16],
    start: u64,
    algorithm: u8,
    code: [u8; 16],
}

/// The text is no upload id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an upload id")]
pub struct UploadIdError;

const BYTES: usize = 16 + 8 + 1 + 16;

/// The secret under which ids are made.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl UploadId {
    pub(crate) fn new(
        secret: &Secret,
        name: &Name,
        session: [u8; 16],
        start: u64,
        algorithm: Option<Algorithm>,
    ) -> Self {
        let algorithm = algorithm.map_or(0, key::algorithm_code);
        Self {
            session,
            start,
            algorithm,
            code: code(secret, name, session, start, algorithm),
        }
    }

    /// Whether this id was made under `secret` for `name`. Takes the same time for every wrong code.
    pub(crate) fn belongs_to(&self, secret: &Secret, name: &Name) -> bool {
        let expected = code(secret, name, self.session, self.start, self.algorithm);
        self.code.ct_eq(&expected).into()
    }

    pub(crate) fn session(&self) -> &[u8; 16] {
        &self.session
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The algorithm named when the session started.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        key::algorithm(self.algorithm)
    }
}

fn code(secret: &Secret, name: &Name, session: [u8; 16], start: u64, algorithm: u8) -> [u8; 16] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(&secret.0) {
        Ok(mac) => mac,
        // HMAC takes keys of any length.
        Err(_) => return [0; 16],
    };
    mac.update(&session);
    mac.update(&start.to_be_bytes());
    mac.update(&[algorithm]);
    mac.update(name.as_bytes());
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let (half, _) = full.split_first_chunk().unwrap_or((&[0; 16], &[]));
    *half
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start.to_be_bytes();
        let parts: [&[u8]; 4] = [&self.session, &start, &[self.algorithm], &self.code];
        for byte in parts.into_iter().flatten() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The session alone, without the code that proves it.
impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadId(")?;
        for byte in self.session {
            write!(f, "{byte:02x}")?;
        }
        f.write_char(')')
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        if text.len() != 2 * BYTES {
            return Err(UploadIdError);
        }
        let mut pairs = text.as_bytes().chunks_exact(2);
        Ok(Self {
            session: hex(&mut pairs)?,
            start: u64::from_be_bytes(hex(&mut pairs)?),
            algorithm: u8::from_be_bytes(hex(&mut pairs)?),
            code: hex(&mut pairs)?,
        })
    }
}

/// The next `N` bytes, spelled in lower case alone so that a session has one id.
fn hex<'a, const N: usize>(
    pairs: &mut impl Iterator<Item = &'a [u8]>,
) -> Result<[u8; N], UploadIdError> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = match pair {
            [high, low] => (nibble(*high)? << 4) | nibble(*low)?,
            _ => return Err(UploadIdError),
        };
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Result<u8, UploadIdError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(UploadIdError),
    }
}
