//! Sizes and durations as operators write them: `4MiB`, `30s`, or a plain number of bytes or seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    /// Reads `4096`, `4096B`, `4KiB` (powers of 1024) or `4KB` (powers of 1000).
    pub(crate) fn parse(text: &str) -> Option<ByteSize> {
        quantity(text, &SIZE_UNITS, 1).map(ByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(out, self.0, SIZE_UNITS.get(..5).unwrap_or_default())
    }
}

/// A length of time, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimeSpan(pub(crate) Duration);

impl TimeSpan {
    /// Reads `30` (seconds), `500ms`, `30s`, `5m`, `1h`, `7d`.
    pub(crate) fn parse(text: &str) -> Option<TimeSpan> {
        quantity(text, &DURATION_UNITS, 1000).map(|millis| TimeSpan(Duration::from_millis(millis)))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(out, u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), &DURATION_UNITS)
    }
}

fn display(out: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let largest = units.iter().rev().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    match largest {
        Some((unit, factor)) => write!(out, "{}{unit}", value / factor),
        None => write!(out, "{value}"),
    }
}

/// A whole number with one of `units`; without a unit it counts in `plain`. A space may stand between.
fn quantity(text: &str, units: &[(&str, u64)], plain: u64) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let factor = match unit {
        "" if digits == text.len() => plain,
        _ => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

struct QuantityVisitor<T> {
    expected: &'static str,
    number: fn(u64) -> Option<T>,
    text: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        (self.number)(number).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let found = u64::try_from(number).ok().and_then(self.number);
        found.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        let expected = "a number of bytes or a string such as \"4MiB\"";
        deserializer.deserialize_any(QuantityVisitor {
            expected,
            number: |bytes| Some(ByteSize(bytes)),
            text: ByteSize::parse,
        })
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TimeSpan, D::Error> {
        let expected = "a number of seconds or a string such as \"30s\"";
        let number = |seconds: u64| Some(TimeSpan(Duration::from_millis(seconds.checked_mul(1000)?)));
        deserializer.deserialize_any(QuantityVisitor { expected, number, text: TimeSpan::parse })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("4096B", Some(4096)),
            ("4KiB", Some(4096)),
            ("4 MiB", Some(4 << 20)),
            ("1TiB", Some(1 << 40)),
            ("5GB", Some(5_000_000_000)),
            ("", None),
            ("MiB", None),
            ("4 ", None),
            ("4mib", None),
            ("4M", None),
            ("-1", None),
            ("1.5GiB", None),
            ("99999999999999999999", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(ByteSize::parse(text), expected.map(ByteSize), "{text:?}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("30", Some(30_000)),
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5 m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("s", None),
            ("1h30m", None),
            ("1 hour", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(
                TimeSpan::parse(text),
                expected.map(|ms| TimeSpan(Duration::from_millis(ms))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn written_back_in_the_largest_whole_unit() {
        for (size, text) in [(0, "0"), (1, "1B"), (4096, "4KiB"), (4097, "4097B"), (1 << 40, "1TiB")] {
            assert_eq!(ByteSize(size).to_string(), text);
        }
        for (millis, text) in [(0, "0"), (500, "500ms"), (30_000, "30s"), (90_000, "90s"), (86_400_000, "1d")]
        {
            assert_eq!(TimeSpan(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
