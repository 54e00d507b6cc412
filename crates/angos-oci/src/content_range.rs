//! The `Content-Range` header of an upload's chunk.

use std::fmt;
use std::str::FromStr;

use crate::decimal::parse_saturating;
use crate::limits::SIZE_MAX;

/// Where in an upload a chunk lies: first and last byte, both included.
///
/// Never empty and never beyond [`SIZE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    start: u64,
    end: u64,
}

/// A `Content-Range` that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range of a chunk is written first-last")]
pub struct ContentRangeError;

impl ContentRange {
    /// A range from its first and its last byte; `None` if `end` lies before `start` or is not less than [`SIZE_MAX`].
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start <= end && end < SIZE_MAX { Some(Self { start, end }) } else { None }
    }

    /// Offset of the first byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Offset of the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Number of bytes; at least one.
    pub const fn length(self) -> u64 {
        self.end - self.start + 1
    }
}

impl FromStr for ContentRange {
    type Err = ContentRangeError;

    /// Reads `first-last` as the distribution specification writes it, and `bytes first-last/size` (or `/*`) as RFC 9110
    /// does; the size is not used.
    fn from_str(value: &str) -> Result<Self, ContentRangeError> {
        let value = value.trim_matches([' ', '\t']);
        let range = match value.get(..5) {
            Some(unit) if unit.eq_ignore_ascii_case("bytes") => {
                value.get(5..).and_then(|rest| rest.strip_prefix([' ', '='])).ok_or(ContentRangeError)?
            }
            _ => value,
        };
        let range = match range.split_once('/') {
            Some((range, size)) if size == "*" || parse_saturating(size).is_some() => range,
            Some(_) => return Err(ContentRangeError),
            None => range,
        };
        let (start, end) = range.split_once('-').ok_or(ContentRangeError)?;
        let number = |digits| parse_saturating(digits).ok_or(ContentRangeError);
        Self::new(number(start)?, number(end)?).ok_or(ContentRangeError)
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_both_spellings() {
        let check = |value: &str, expected: Option<(u64, u64)>| {
            let range = value.parse::<ContentRange>().ok();
            assert_eq!(range.map(|range| (range.start(), range.end())), expected, "{value:?}");
        };
        for value in [
            "2-5",
            " 2-5 ",
            "bytes 2-5",
            "bytes 2-5/10",
            "bytes 2-5/*",
            "Bytes 2-5/10",
            "bytes=2-5",
            "2-5/10",
        ] {
            check(value, Some((2, 5)));
        }
        check("0-0", Some((0, 0)));
        check("0-9223372036854775806", Some((0, SIZE_MAX - 1)));
        for value in [
            "",
            "-",
            "5",
            "5-",
            "-5",
            "0--1",
            "5-2",
            "a-b",
            "1-2-3",
            "bytes",
            "bytes2-5",
            "bytes */10",
            "2-5/",
            "2-5/x",
        ] {
            check(value, None);
        }
        for value in
            ["0-9223372036854775807", "0-18446744073709551615", "0-99999999999999999999", "+1-2", "byteé-1"]
        {
            check(value, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(start in 0..SIZE_MAX, length in 1..1_000_000_u64) {
            prop_assume!(start + length <= SIZE_MAX);
            let range = ContentRange::new(start, start + length - 1).unwrap();
            prop_assert_eq!(range.length(), length);
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }
}
