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

/// The secret under which ids are made: one block of the hash, which is a key as it is.
pub(crate) struct Secret(pub(crate) [u8; 64]);

impl UploadId {
    /// An id that no session has, for asking about sessions without one.
    pub const ZERO: Self = Self { session: [0; 16], start: 0, algorithm: 0, code: [0; 16] };

    pub(crate) fn new(
        secret: &Secret,
        name: &Name,
        session: [u8; 16],
        start: u64,
        algorithm: Option<Algorithm>,
    ) -> Self {
        let algorithm = algorithm.map_or(0, key::algorithm_code);
        let full = mac(secret, name, session, start, algorithm).finalize().into_bytes();
        let mut code = [0; 16];
        for (kept, byte) in code.iter_mut().zip(full) {
            *kept = byte;
        }
        Self { session, start, algorithm, code }
    }

    /// Whether this id was made under `secret` for `name`. Takes the same time for every wrong code.
    pub(crate) fn belongs_to(&self, secret: &Secret, name: &Name) -> bool {
        mac(secret, name, self.session, self.start, self.algorithm).verify_truncated_left(&self.code).is_ok()
    }

    /// The same session with zeros for the code, which opens nothing: for logs.
    #[must_use]
    pub fn without_code(self) -> Self {
        Self { code: [0; 16], ..self }
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

fn mac(secret: &Secret, name: &Name, session: [u8; 16], start: u64, algorithm: u8) -> Hmac<Sha256> {
    let mut mac = Hmac::new((&secret.0).into());
    mac.update(&session);
    mac.update(&start.to_be_bytes());
    mac.update(&[algorithm]);
    mac.update(name.as_bytes());
    mac
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
fn hex<'a, const N: usize>(pairs: &mut impl Iterator<Item = &'a [u8]>) -> Result<[u8; N], UploadIdError> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(secret: u8, name: &str) -> UploadId {
        let name = name.parse().unwrap();
        UploadId::new(&Secret([secret; 64]), &name, [7; 16], 42, Some(Algorithm::Sha512))
    }

    #[test]
    fn an_id_belongs_to_one_secret_and_one_name() {
        let check = |secret: u8, name: &str, expected: bool| {
            let name = name.parse().unwrap();
            assert_eq!(id(1, "a/b").belongs_to(&Secret([secret; 64]), &name), expected, "{name}");
        };
        check(1, "a/b", true);
        check(2, "a/b", false);
        check(1, "a", false);
        check(1, "a/b/c", false);
    }

    #[test]
    fn every_part_is_covered_by_the_code() {
        let name = "a".parse().unwrap();
        let good = id(1, "a");
        for forged in [
            UploadId { session: [8; 16], ..good },
            UploadId { start: 43, ..good },
            UploadId { algorithm: 1, ..good },
            UploadId { code: [0; 16], ..good },
        ] {
            assert!(!forged.belongs_to(&Secret([1; 64]), &name), "{forged:?}");
        }
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let text = id(1, "a").to_string();
        assert_eq!(text.len(), 82);
        assert_eq!(text.parse(), Ok(id(1, "a")));
        for wrong in [
            String::new(),
            text.to_uppercase(),
            format!("{text}0"),
            text[1..].to_owned(),
            format!("{}é", &text[2..]),
            format!(" {}", &text[1..]),
            "../".repeat(41)[..82].to_owned(),
        ] {
            assert_eq!(wrong.parse::<UploadId>(), Err(UploadIdError), "{wrong}");
        }
    }

    #[test]
    fn debug_output_does_not_hold_the_code() {
        let id = id(1, "a");
        let code = &id.to_string()[50..];
        assert!(!format!("{id:?}").contains(code));
        let shown = id.without_code();
        assert_eq!(shown.to_string(), format!("{}{}", &id.to_string()[..50], "0".repeat(32)));
        assert!(!shown.belongs_to(&Secret([1; 64]), &"a".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_or_an_error(text in "[0-9a-f]{80,84}|.*") {
            if let Ok(id) = text.parse::<UploadId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
