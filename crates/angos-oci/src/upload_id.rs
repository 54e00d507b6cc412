//! The id of an upload session as clients and access policies see it. The registry makes ids and knows theirs; here
//! is only the value and its text.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// An upload session as clients see it: 82 hexadecimal digits.
///
/// Parsing checks the spelling alone; whether the session is one of a repository is for the operations to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UploadId {
    /// The random session.
    pub session: [u8; 16],
    /// Its start, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// The registry's number for the digest algorithm that was named when the session started; 0 for none.
    pub algorithm: u8,
    /// The code that proves that the registry made this id: a secret.
    pub code: [u8; 16],
}

/// The text is no upload id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an upload id")]
pub struct UploadIdError;

const BYTES: usize = 16 + 8 + 1 + 16;

impl UploadId {
    /// An id that no session has, for asking about sessions without one.
    pub const ZERO: Self = Self { session: [0; 16], start: 0, algorithm: 0, code: [0; 16] };

    /// The same session with zeros for the code, which opens nothing: for logs.
    #[must_use]
    pub fn without_code(self) -> Self {
        Self { code: [0; 16], ..self }
    }
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

    const ID: UploadId = UploadId { session: [7; 16], start: 42, algorithm: 2, code: [9; 16] };

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let text = ID.to_string();
        assert_eq!(text.len(), 82);
        assert_eq!(text.parse(), Ok(ID));
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

    proptest! {
        #[test]
        fn any_text_is_an_id_or_an_error(text in "[0-9a-f]{80,84}|.*") {
            if let Ok(id) = text.parse::<UploadId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
