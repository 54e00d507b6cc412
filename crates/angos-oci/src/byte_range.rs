//! The `Range` header of a blob request.

use std::ops::Range;

use crate::decimal::parse_saturating;

/// One range of bytes that a client asks for, before the size of the content is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `first-last`, both included; `last` is [`u64::MAX`] for `first-`.
    Between { first: u64, last: u64 },
    /// `-count`: that many bytes at the end.
    Suffix { count: u64 },
}

/// A range of bytes that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a byte range is written bytes=first-last, bytes=first- or bytes=-count")]
pub struct RangeError;

impl ByteRange {
    /// Reads the value of a `Range` header.
    ///
    /// `None`: another unit, or more than one range; the header is to be ignored and the whole content sent, as RFC 9110
    /// allows. Numbers beyond 64 bits are taken as the largest one.
    pub fn parse(value: &str) -> Result<Option<Self>, RangeError> {
        let Some((unit, ranges)) = value.split_once('=') else {
            return Err(RangeError);
        };
        if !unit.trim_matches([' ', '\t']).eq_ignore_ascii_case("bytes") || ranges.contains(',') {
            return Ok(None);
        }
        let (first, last) = ranges.trim_matches([' ', '\t']).split_once('-').ok_or(RangeError)?;
        let number = |digits| parse_saturating(digits).ok_or(RangeError);
        let kind = match (first, last) {
            ("", count) => Kind::Suffix { count: number(count)? },
            (first, "") => Kind::Between { first: number(first)?, last: u64::MAX },
            (first, last) => Kind::Between { first: number(first)?, last: number(last)? },
        };
        match kind {
            Kind::Between { first, last } if first > last => Err(RangeError),
            _ => Ok(Some(Self(kind))),
        }
    }

    /// The bytes meant in a content of `size` bytes, never empty and never beyond it; `None` if there are none.
    pub fn resolve(self, size: u64) -> Option<Range<u64>> {
        let range = match self.0 {
            Kind::Between { first, last } => first..last.saturating_add(1).min(size),
            Kind::Suffix { count } => size.saturating_sub(count)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_resolves() {
        // value, range within 10 bytes: Err (malformed), Ok(None) (ignored), Ok(Some(None)) (not satisfiable)
        let check = |value: &str, expected: Result<Option<Option<Range<u64>>>, RangeError>| {
            assert_eq!(
                ByteRange::parse(value).map(|range| range.map(|range| range.resolve(10))),
                expected,
                "{value:?}"
            );
        };
        for (value, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=9-", 9..10),
            ("bytes=0-99", 0..10),
            ("bytes=0-18446744073709551615", 0..10),
            ("bytes=0-99999999999999999999999", 0..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("Bytes= 0-1 ", 0..2),
        ] {
            check(value, Ok(Some(Some(range))));
        }
        for value in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            check(value, Ok(Some(None)));
        }
        for value in ["items=0-1", "bytes=0-1,3-4", "bytes=0-1,", "=0-1"] {
            check(value, Ok(None));
        }
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=1",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=--1",
            "bytes=1-2-3",
        ] {
            check(value, Err(RangeError));
        }
    }

    #[test]
    fn nothing_can_be_taken_from_nothing() {
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(ByteRange::parse(value).unwrap().unwrap().resolve(0), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn never_reaches_beyond_the_content(value in "(bytes=)?[0-9]{0,21}-[0-9]{0,21}", size: u64) {
            if let Ok(Some(range)) = ByteRange::parse(&value) && let Some(range) = range.resolve(size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }

        #[test]
        fn what_is_written_is_read(first: u64, length in 1..u64::MAX) {
            let last = first.saturating_add(length - 1);
            let range = ByteRange::parse(&format!("bytes={first}-{last}")).unwrap().unwrap();
            prop_assert_eq!(range.resolve(u64::MAX).is_some(), first != u64::MAX);
            if let Some(range) = range.resolve(u64::MAX) {
                prop_assert_eq!(range, first..last.saturating_add(1));
            }
        }
    }
}
