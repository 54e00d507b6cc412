//! Stages 3 to 5: timestamps and durations: their text, their range, their parts.

use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
pub(crate) use zone::Zone;

mod zone;

/// An instant; CEL's range is the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// The field that `getHours()` and similar methods return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeField {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// Each part, the method that asks for it, and whether durations have it.
pub(crate) const TIME_FIELDS: &[(&str, TimeField, bool)] = &[
    ("getFullYear", TimeField::FullYear, false),
    ("getMonth", TimeField::Month, false),
    ("getDate", TimeField::Date, false),
    ("getDayOfMonth", TimeField::DayOfMonth, false),
    ("getDayOfWeek", TimeField::DayOfWeek, false),
    ("getDayOfYear", TimeField::DayOfYear, false),
    ("getHours", TimeField::Hours, true),
    ("getMinutes", TimeField::Minutes, true),
    ("getSeconds", TimeField::Seconds, true),
    ("getMilliseconds", TimeField::Milliseconds, true),
];

const SECOND: i128 = 1_000_000_000;

impl Timestamp {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;

    /// The instant, if it is within the years 1 to 9999.
    pub(crate) fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        ((Self::FIRST..=Self::LAST).contains(&seconds) && nanoseconds < 1_000_000_000)
            .then_some(Self { seconds, nanoseconds })
    }

    /// Parses RFC 3339.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let timestamp = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Self::new(timestamp.unix_timestamp(), timestamp.nanosecond())
    }

    /// The instant `nanoseconds` later.
    pub(crate) fn plus(self, nanoseconds: i64) -> Option<Self> {
        let total = self.total() + i128::from(nanoseconds);
        let seconds = i64::try_from(total.div_euclid(SECOND)).ok()?;
        Self::new(seconds, u32::try_from(total.rem_euclid(SECOND)).ok()?)
    }

    /// The instant `nanoseconds` earlier.
    pub(crate) fn minus(self, nanoseconds: i64) -> Option<Self> {
        let total = self.total() - i128::from(nanoseconds);
        let seconds = i64::try_from(total.div_euclid(SECOND)).ok()?;
        Self::new(seconds, u32::try_from(total.rem_euclid(SECOND)).ok()?)
    }

    /// Nanoseconds from `earlier` to here.
    pub(crate) fn since(self, earlier: Self) -> Option<i64> {
        i64::try_from(self.total() - earlier.total()).ok()
    }

    fn total(self) -> i128 {
        i128::from(self.seconds) * SECOND + i128::from(self.nanoseconds)
    }

    /// A part of the instant as seen in a zone.
    pub(crate) fn part(self, part: TimeField, zone: &Zone) -> Option<i64> {
        let east = zone.east(self);
        let local = OffsetDateTime::from_unix_timestamp(self.seconds.checked_add(east)?).ok()?;
        Some(match part {
            TimeField::FullYear => local.year().into(),
            TimeField::Month => i64::from(u8::from(local.month())) - 1,
            TimeField::Date => local.day().into(),
            TimeField::DayOfMonth => i64::from(local.day()) - 1,
            TimeField::DayOfWeek => local.weekday().number_days_from_sunday().into(),
            TimeField::DayOfYear => i64::from(local.ordinal()) - 1,
            TimeField::Hours => local.hour().into(),
            TimeField::Minutes => local.minute().into(),
            TimeField::Seconds => local.second().into(),
            TimeField::Milliseconds => i64::from(self.nanoseconds / 1_000_000),
        })
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = OffsetDateTime::from_unix_timestamp(self.seconds).map_err(|_| fmt::Error)?;
        let (date, hours) = (utc.date(), utc.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", hours.hour(), hours.minute(), hours.second())?;
        decimals(f, self.nanoseconds)?;
        f.write_str("Z")
    }
}

/// A duration as `3600.5s`.
pub(crate) struct Seconds(pub(crate) i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", magnitude / 1_000_000_000)?;
        decimals(f, u32::try_from(magnitude % 1_000_000_000).unwrap_or(0))?;
        f.write_str("s")
    }
}

fn decimals(f: &mut fmt::Formatter<'_>, nanoseconds: u32) -> fmt::Result {
    let (mut digits, mut width) = (nanoseconds, 9);
    if digits == 0 {
        return Ok(());
    }
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    write!(f, ".{digits:0width$}")
}

/// A part of a duration: the whole of it in that unit, milliseconds excepted; none if only timestamps have it.
pub(crate) fn duration_part(nanoseconds: i64, part: TimeField) -> Option<i64> {
    Some(match part {
        TimeField::Hours => nanoseconds / 3_600_000_000_000,
        TimeField::Minutes => nanoseconds / 60_000_000_000,
        TimeField::Seconds => nanoseconds / 1_000_000_000,
        TimeField::Milliseconds => nanoseconds / 1_000_000 % 1000,
        _ => return None,
    })
}

/// Parses `1h30m`, `-1.5s`, `10ms`: numbers with units h, m, s, ms, us, ns; to nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at_checked(number)?;
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        total = total.checked_add(quantity(digits, unit)?)?;
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// `digits` with at most one point, times a unit.
fn quantity(digits: &str, unit: &str) -> Option<i128> {
    let scale: i128 = match unit {
        "h" => 3600 * SECOND,
        "m" => 60 * SECOND,
        "s" => SECOND,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
        return None;
    }
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()? }.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes().take(18) {
        place /= 10;
        total += i128::from(digit - b'0') * place;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::{Seconds, TimeField, Timestamp, Zone, parse_duration};

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("10ms5us3ns", Some(10_005_003)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("2562047h", Some(2_562_047 * 3_600_000_000_000)),
            ("2562048h", None),
            ("1d", None),
            ("s", None),
            (".s", None),
            ("1.2.3s", None),
            ("1", None),
            ("", None),
            ("-", None),
            ("99999999999999999999999999s", None),
        ] {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn timestamps_have_a_range_and_parts() {
        let timestamp = Timestamp::parse("2009-02-13T23:31:30.05Z").unwrap();
        assert_eq!(timestamp.seconds, 1_234_567_890);
        assert_eq!(timestamp.to_string(), "2009-02-13T23:31:30.05Z");
        for (part, expected) in [
            (TimeField::FullYear, 2009),
            (TimeField::Month, 1),
            (TimeField::Date, 13),
            (TimeField::DayOfMonth, 12),
            (TimeField::DayOfWeek, 5),
            (TimeField::DayOfYear, 43),
            (TimeField::Hours, 23),
            (TimeField::Minutes, 31),
            (TimeField::Seconds, 30),
            (TimeField::Milliseconds, 50),
        ] {
            assert_eq!(timestamp.part(part, &Zone::UTC), Some(expected), "{part:?}");
        }
        assert_eq!(timestamp.part(TimeField::Hours, &Zone::parse("+02:00").unwrap()), Some(1));
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59Z").and_then(|m| m.plus(1_000_000_000)), None);
        assert_eq!(Timestamp::parse("0001-01-01T00:00:00Z").and_then(|m| m.minus(1)), None);
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Seconds(-1_500_000_000).to_string(), "-1.5s");
    }
}
