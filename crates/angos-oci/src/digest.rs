//! Content digests: an algorithm and the hash it gave.

use std::fmt;
use std::str::FromStr;

use crate::excerpt::Excerpt;
use crate::hasher::Hasher;
use crate::text::deserialize_text;

/// A hash algorithm that content may be named by.
///
/// Source: the algorithms the image specification registers and requires or recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, the canonical one.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in order.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name in front of the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash, in bytes.
    pub const fn byte_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Length of the hash, in hexadecimal digits.
    pub const fn hex_len(self) -> usize {
        self.byte_len() * 2
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| DigestError::Algorithm(Excerpt::of(text)))
    }
}

/// Why a text is not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// No colon between algorithm and hash.
    #[error("a digest is written algorithm:hex")]
    Separator,
    /// An algorithm this registry does not compute.
    #[error("unsupported digest algorithm \"{0}\"")]
    Algorithm(Excerpt),
    /// The part after the colon is not exactly the hash.
    #[error("a {0} digest has {len} lower-case hexadecimal digits", len = .0.hex_len())]
    Hex(Algorithm),
}

/// The longest hash of any algorithm, in bytes.
const MAX_BYTES: usize = 64;

/// The name of a piece of content: an algorithm and its hash of the content.
///
/// Equal digests print equally: hexadecimal digits are lower case, as the image specification requires. Ordered as the
/// texts are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// The hash, followed by zeros.
    bytes: [u8; MAX_BYTES],
}

impl Digest {
    /// Hashes `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// A digest from the raw hash; `None` unless `hash` has exactly the algorithm's length.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        (hash.len() == algorithm.byte_len()).then(|| Self::from_hash(algorithm, hash))
    }

    /// The same for a hash that the algorithm itself gave.
    pub(crate) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        let mut bytes = [0; MAX_BYTES];
        bytes.iter_mut().zip(hash).for_each(|(byte, hash)| *byte = *hash);
        Self { algorithm, bytes }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw hash.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.byte_len()).unwrap_or_default()
    }

    /// The hash in lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.write_hex(&mut [0; MAX_BYTES * 2]).to_owned()
    }

    fn write_hex<'a>(&self, buffer: &'a mut [u8; MAX_BYTES * 2]) -> &'a str {
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        let (pairs, _) = buffer.as_chunks_mut::<2>();
        for ([high, low], byte) in pairs.iter_mut().zip(self.bytes) {
            *high = digit(byte >> 4);
            *low = digit(byte & 15);
        }
        let hex = buffer.get(..self.algorithm.hex_len()).unwrap_or_default();
        str::from_utf8(hex).unwrap_or_default()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.as_str())?;
        f.write_str(":")?;
        f.write_str(self.write_hex(&mut [0; MAX_BYTES * 2]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Separator)?;
        let algorithm: Algorithm = algorithm.parse()?;
        let (pairs, odd) = hex.as_bytes().as_chunks::<2>();
        if pairs.len() != algorithm.byte_len() || !odd.is_empty() {
            return Err(DigestError::Hex(algorithm));
        }
        let mut bytes = [0; MAX_BYTES];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else {
                return Err(DigestError::Hex(algorithm));
            };
            *byte = high << 4 | low;
        }
        Ok(Self { algorithm, bytes })
    }
}

impl TryFrom<&str> for Digest {
    type Error = DigestError;

    fn try_from(text: &str) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

deserialize_text!(Digest);

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA256_EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SHA512_ABC: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                              2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn hashes_as_the_standard_says() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), SHA256_EMPTY);
        assert_eq!(Digest::of(Algorithm::Sha512, b"abc").to_string(), SHA512_ABC);
    }

    #[test]
    fn accepts_the_grammar_and_nothing_else() {
        let check = |text: &str, expected: Result<(), DigestError>| {
            assert_eq!(
                text.parse::<Digest>().map(|digest| assert_eq!(digest.to_string(), text)),
                expected,
                "{text:?}"
            );
        };
        check(SHA256_EMPTY, Ok(()));
        check(SHA512_ABC, Ok(()));
        for text in ["", "sha256", &SHA256_EMPTY[7..]] {
            check(text, Err(DigestError::Separator));
        }
        for algorithm in ["", "SHA256", "sha1", "sha384", "blake3", "sha256+b64", " sha256", "a\nb"] {
            let text = SHA256_EMPTY.replace("sha256", algorithm);
            check(&text, Err(DigestError::Algorithm(Excerpt::of(algorithm))));
        }
        for text in [
            "sha256:".to_owned(),
            SHA256_EMPTY.to_uppercase().replace("SHA256", "sha256"),
            SHA256_EMPTY.replace("e3", "E3"),
            SHA256_EMPTY.replace("e3", "g3"),
            SHA256_EMPTY.replace("e3", ":3"),
            SHA256_EMPTY.replace("e3", "é"),
            format!("{SHA256_EMPTY}0"),
            format!("{SHA256_EMPTY}00"),
            SHA256_EMPTY[..70].to_owned(),
            SHA512_ABC.replace("sha512", "sha256"),
        ] {
            check(&text, Err(DigestError::Hex(Algorithm::Sha256)));
        }
        check(&SHA256_EMPTY.replace("sha256", "sha512"), Err(DigestError::Hex(Algorithm::Sha512)));
    }

    #[test]
    fn bytes_must_have_the_exact_length() {
        for algorithm in Algorithm::ALL {
            let len = algorithm.byte_len();
            for (length, expected) in [(0, false), (len - 1, false), (len, true), (len + 1, false)] {
                assert_eq!(
                    Digest::from_bytes(algorithm, &vec![7; length]).is_some(),
                    expected,
                    "{algorithm} {length}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(content: Vec<u8>, long: bool) {
            let digest = Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &content);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_bytes(digest.algorithm(), digest.bytes()), Some(digest));
            prop_assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), digest.to_string());
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn order_is_that_of_the_texts(left: [u8; 32], right: [u8; 32], long: bool) {
            let left = Digest::from_bytes(Algorithm::Sha256, &left).unwrap();
            let right = if long { Digest::of(Algorithm::Sha512, &right) } else { Digest::from_bytes(Algorithm::Sha256, &right).unwrap() };
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
        }
    }
}
