//! Where a filtered list goes on, without telling the name of a repository that the caller may not see.
//!
//! A name is encrypted under keys of this registry (SIV: a code over the name, and a stream that follows from the code).
//! All positions have the same length.

use std::fmt::Write as _;

use angos_oci::Name;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::upload_id::Secret;
use crate::{Registry, Result};

/// Begins a position, and no name.
const MARK: char = '~';

/// Room for the longest name, filled with zeros.
const NAME_BYTES: usize = 256;

const CODE_BYTES: usize = 16;

type Block = [u8; 32];

impl Registry {
    /// A text that [`open_position`](Self::open_position) turns into the name again, and nobody else does.
    pub async fn seal_position(&self, name: &Name) -> Result<String> {
        Ok(seal(self.secret().await?, name))
    }

    /// The name in a position that this registry made; `None` for a position that it did not make.
    pub async fn open_position(&self, position: &str) -> Result<Option<Name>> {
        Ok(open(self.secret().await?, position))
    }

    /// Whether a text claims to be a position. No name does.
    pub fn is_position(text: &str) -> bool {
        text.starts_with(MARK)
    }
}

fn seal(secret: &Secret, name: &Name) -> String {
    let mut bytes = [0; NAME_BYTES];
    for (byte, of_name) in bytes.iter_mut().zip(name.as_bytes()) {
        *byte = *of_name;
    }
    let code = code(secret, &bytes);
    apply_stream(secret, &code, &mut bytes);
    let mut position = String::with_capacity(1 + 2 * (CODE_BYTES + NAME_BYTES));
    position.push(MARK);
    for byte in code.iter().chain(&bytes) {
        // Writing to a string does not fail.
        let _ = write!(position, "{byte:02x}");
    }
    position
}

fn open(secret: &Secret, position: &str) -> Option<Name> {
    let digits = position.strip_prefix(MARK)?.as_bytes();
    let mut bytes = [0; NAME_BYTES];
    let mut code_given = [0; CODE_BYTES];
    if digits.len() != 2 * (CODE_BYTES + NAME_BYTES) {
        return None;
    }
    for (byte, pair) in code_given.iter_mut().chain(&mut bytes).zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    apply_stream(secret, &code_given, &mut bytes);
    code_of(secret, &bytes)?.verify_truncated_left(&code_given).ok()?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
    std::str::from_utf8(bytes.get(..end)?).ok()?.parse().ok()
}

fn code(secret: &Secret, bytes: &[u8; NAME_BYTES]) -> [u8; CODE_BYTES] {
    let mut code = [0; CODE_BYTES];
    let whole = code_of(secret, bytes).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    for (kept, byte) in code.iter_mut().zip(whole) {
        *kept = byte;
    }
    code
}

/// A key of any length is one, so there always is a code.
fn code_of(secret: &Secret, bytes: &[u8; NAME_BYTES]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&hash(&secret.0, b"code of a position")).ok()?;
    mac.update(bytes);
    Some(mac)
}

/// Encrypts or decrypts.
fn apply_stream(secret: &Secret, code: &[u8; CODE_BYTES], bytes: &mut [u8; NAME_BYTES]) {
    let key = hash(&secret.0, b"stream of a position");
    for (number, chunk) in (0_u8..).zip(bytes.chunks_mut(size_of::<Block>())) {
        let mut input = [0; CODE_BYTES + 1];
        for (to, from) in input.iter_mut().zip(code.iter().chain(&[number])) {
            *to = *from;
        }
        for (byte, mask) in chunk.iter_mut().zip(hash(&key, &input)) {
            *byte ^= mask;
        }
    }
}

fn hash(key: &[u8], input: &[u8]) -> Block {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(input);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_opened_by_its_registry_alone() {
        let (own, other) = (Secret([7; 64]), Secret([8; 64]));
        for text in ["a", "team/app", &"long/".repeat(50)[..249]] {
            let name: Name = text.parse().unwrap();
            let position = seal(&own, &name);
            assert_eq!(position.len(), 545, "the length tells nothing");
            assert!(Registry::is_position(&position));
            assert_eq!(open(&own, &position), Some(name.clone()));
            assert_eq!(open(&other, &position), None);
            for index in [1, 2, 40, 300, 544] {
                let mut altered = position.clone().into_bytes();
                altered[index] = if altered[index] == b'0' { b'1' } else { b'0' };
                assert_eq!(open(&own, std::str::from_utf8(&altered).unwrap()), None, "digit {index}");
            }
        }
        for text in ["", "~", "~zz", "a", &"~".repeat(545), &"0".repeat(545)] {
            assert_eq!(open(&own, text), None, "{text}");
        }
    }
}
