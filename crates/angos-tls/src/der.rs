//! Tag, length, value: reading the few fields of certificates and revocation lists that webpki does not show.
//!
//! Everything read here was accepted by webpki first, so this reader decides nothing; it must only never
//! panic, and say nothing rather than something wrong.

pub(crate) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// Context-specific.
    pub(crate) const IMPLICIT_1: u8 = 0x81;
    pub(crate) const IMPLICIT_2: u8 = 0x82;
    pub(crate) const URI: u8 = 0x86;
    /// Constructed, context-specific.
    pub(crate) const EXPLICIT_0: u8 = 0xa0;
    pub(crate) const EXPLICIT_3: u8 = 0xa3;
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// Tag, length and value.
    pub(crate) whole: &'a [u8],
}

/// A run of elements, one after the other; ends at the first that is none.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The value of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.value)
    }

    /// The elements inside the next one, which must have this tag.
    pub(crate) fn within(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self::of)
    }

    /// The value of the next element if it has this tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.rest.first() == Some(&tag) { self.next().map(|element| element.value) } else { None }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, after_tag) = self.rest.split_first()?;
        let (&first, after_first) = after_tag.split_first()?;
        let octets = match first {
            0..=0x7f => 0,
            0x81..=0x84 => usize::from(first & 0x7f),
            _ => return None, // indefinite, or beyond any limit
        };
        let length = match octets {
            0 => usize::from(first),
            _ => after_first.get(..octets)?.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)),
        };
        let header = 2 + octets;
        let (whole, rest) = self.rest.split_at_checked(header.checked_add(length)?)?;
        self.rest = rest;
        Some(Element { tag, value: whole.get(header..)?, whole })
    }
}

/// A SEQUENCE of these contents, which are shorter than 64 KiB.
pub(crate) fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap_or(u16::MAX).to_be_bytes();
    let header = match length {
        [0, short @ 0..=0x7f] => vec![tag::SEQUENCE, short],
        [0, long] => vec![tag::SEQUENCE, 0x81, long],
        [high, low] => vec![tag::SEQUENCE, 0x82, high, low],
    };
    [&header, contents].concat()
}

/// Seconds since 1970 of a time as RFC 5280 writes it (§4.1.2.5: with seconds, in Zulu).
pub(crate) fn unix_seconds(time: Element<'_>) -> Option<i64> {
    let text = std::str::from_utf8(time.value).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, from) = match (time.tag, text.len()) {
        (tag::UTC_TIME, 12) => {
            let year = number(0, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (tag::GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let pair = |place: usize| number(from + 2 * place, from + 2 * place + 2);
    let (month, day) = (pair(0)?, pair(1)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(((days(year, month, day) * 24 + pair(2)?) * 60 + pair(3)?) * 60 + pair(4)?)
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_nothing_can_be_read() {
        let check = |bytes: &[u8], expected: &[(u8, usize)]| {
            let found: Vec<_> =
                Elements::of(bytes).map(|element| (element.tag, element.value.len())).collect();
            assert_eq!(found, expected, "{bytes:02x?}");
        };
        check(&[], &[]);
        check(&[0x30], &[]);
        check(&[0x30, 0x00], &[(0x30, 0)]);
        check(&[0x30, 0x01], &[]);
        check(&[0x02, 0x01, 0x05, 0x30, 0x02, 0x00], &[(0x02, 1)]);
        check(&[0x30, 0x80, 0x00, 0x00], &[]);
        check(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[]);
        check(&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 0], &[]);
        check(&[&[0x04, 0x82, 0x01, 0x00][..], &[0; 256]].concat(), &[(0x04, 256)]);
    }

    #[test]
    fn a_sequence_is_read_as_it_was_written() {
        for length in [0, 1, 127, 128, 255, 256, 65535] {
            let contents = vec![7; length];
            let written = sequence(&contents);
            assert_eq!(Elements::of(&written).expect(tag::SEQUENCE), Some(&contents[..]), "{length}");
        }
    }

    #[test]
    fn times() {
        let check = |tag: u8, text: &str, expected: Option<i64>| {
            let time = Element { tag, value: text.as_bytes(), whole: &[] };
            assert_eq!(unix_seconds(time), expected, "{text}");
        };
        check(tag::UTC_TIME, "700101000000Z", Some(0));
        check(tag::UTC_TIME, "491231235959Z", Some(2_524_607_999));
        check(tag::UTC_TIME, "500101000000Z", Some(-631_152_000));
        check(tag::GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000));
        check(tag::GENERALIZED_TIME, "20240229120000Z", Some(1_709_208_000));
        check(tag::GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799));
        check(tag::GENERALIZED_TIME, "20240229120000", None);
        check(tag::GENERALIZED_TIME, "20241329120000Z", None);
        check(tag::UTC_TIME, "20240229120000Z", None);
        check(tag::UTC_TIME, "7001010000Z", None);
        check(tag::UTC_TIME, "70010100000\u{e9}Z", None);
    }
}
