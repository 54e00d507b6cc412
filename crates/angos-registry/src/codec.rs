//! The bytes of a record: fixed-width numbers and length-prefixed text behind a version byte.
//!
//! Decoding takes any bytes whatever: what is cut short, too long, of another version or not the type it should be is
//! [`Malformed`], never a panic and never an allocation larger than the input.

use angos_oci::Digest;
use bytes::Bytes;

use crate::key;

/// These bytes are not such a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn new(version: u8) -> Self {
        Self(vec![version])
    }

    pub(crate) fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(crate) fn number(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// At most 64 KiB of text; longer text is cut, which callers rule out by the bounds of their types.
    pub(crate) fn text(mut self, text: &str) -> Self {
        let (kept, _) = text.split_at(text.floor_char_boundary(usize::from(u16::MAX)));
        let length = u16::try_from(kept.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(kept.as_bytes());
        self
    }

    pub(crate) fn digest(mut self, digest: &Digest) -> Self {
        self.0.push(key::algorithm_code(digest.algorithm()));
        self.0.extend_from_slice(digest.bytes());
        self
    }

    pub(crate) fn optional<T>(self, value: Option<T>, put: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.byte(0),
            Some(value) => put(self.byte(1), value),
        }
    }

    /// Everything that is left of the record.
    pub(crate) fn rest(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn done(self) -> Bytes {
        Bytes::from(self.0)
    }
}

pub(crate) struct Decoder(Bytes);

impl Decoder {
    pub(crate) fn new(record: Bytes, version: u8) -> Result<Self, Malformed> {
        let mut decoder = Self(record);
        if decoder.byte()? == version { Ok(decoder) } else { Err(Malformed) }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.as_ref().try_into().map_err(|_| Malformed)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Text of any type that can be parsed from it.
    pub(crate) fn text<T: std::str::FromStr>(&mut self) -> Result<T, Malformed> {
        let length = u16::from_be_bytes(self.array()?);
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(&bytes).map_err(|_| Malformed)?.parse().map_err(|_| Malformed)
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, Malformed> {
        let algorithm = key::algorithm(self.byte()?).ok_or(Malformed)?;
        let bytes = self.take(algorithm.hex_len() / 2)?;
        Digest::from_bytes(algorithm, &bytes).ok_or(Malformed)
    }

    pub(crate) fn optional<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => take(self).map(Some),
            _ => Err(Malformed),
        }
    }

    /// Everything that is left, sharing the memory of the record.
    pub(crate) fn rest(self) -> Bytes {
        self.0
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
