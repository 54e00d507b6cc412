//! The few DER productions that certificates and revocation lists are made of.

use time::OffsetDateTime;

pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const TRUE: [u8; 3] = [0x01, 1, 0xff];
pub(crate) const NULL: [u8; 2] = [0x05, 0];

/// One tag, length and value.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let significant = significant(&value.len().to_be_bytes());
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("a length of at most eight bytes"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}

/// A SEQUENCE of complete elements.
pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &elements.concat())
}

/// An OBJECT IDENTIFIER from its numbers.
pub(crate) fn object_identifier(arcs: &[u64]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { panic!("an object identifier has two numbers at least") };
    let mut body = Vec::new();
    for arc in std::iter::once(first * 40 + second).chain(rest.iter().copied()) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = u8::try_from((arc >> (7 * group)) & 0x7f).expect("seven bits");
            body.push(if group == 0 { bits } else { bits | 0x80 });
        }
    }
    tlv(OBJECT_IDENTIFIER, &body)
}

/// A positive INTEGER from its magnitude, big end first.
pub(crate) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let mut body = significant(magnitude);
    if body.first().is_none_or(|first| *first >= 0x80) {
        body.insert(0, 0);
    }
    tlv(0x02, &body)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], octets].concat())
}

/// A BIT STRING of named bits, of which `bits` holds the first in its highest.
pub(crate) fn named_bits(bits: u16) -> Vec<u8> {
    let used = 16 - bits.trailing_zeros().min(16);
    let octets = bits.to_be_bytes();
    let whole = used.div_ceil(8);
    let unused = u8::try_from(whole * 8 - used).expect("fewer than eight bits");
    tlv(
        BIT_STRING,
        &std::iter::once(unused).chain(octets.into_iter().take(whole as usize)).collect::<Vec<_>>(),
    )
}

/// A `Time` so many seconds from now: `UTCTime` before 2050, `GeneralizedTime` from then on (RFC 5280 §4.1.2.5).
pub(crate) fn time(seconds_from_now: i64) -> Vec<u8> {
    let latest = 253_402_300_799; // the last second of the year 9999
    let seconds = OffsetDateTime::now_utc().unix_timestamp().saturating_add(seconds_from_now).min(latest);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).expect("a moment in a year of four digits");
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let rest = format!("{:02}{day:02}{hour:02}{minute:02}{second:02}Z", u8::from(month));
    if (1950..2050).contains(&year) {
        tlv(0x17, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        tlv(0x18, format!("{year:04}{rest}").as_bytes())
    }
}

/// An `Extension`.
pub(crate) fn extension(kind: &[u64], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { TRUE.to_vec() } else { Vec::new() };
    sequence(&[object_identifier(kind), critical, tlv(OCTET_STRING, value)])
}

/// Splits the first element off `input`: (its value, what follows).
pub(crate) fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let first = usize::from(*input.get(1).expect("a length octet"));
    let (header, length) = if first < 0x80 {
        (2, first)
    } else {
        let octets = input.get(2..2 + (first & 0x7f)).expect("the length octets");
        (2 + octets.len(), octets.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet)))
    };
    let (element, rest) = input.split_at(header + length);
    (element.get(header..).expect("the value"), rest)
}

fn significant(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().skip_while(|octet| *octet == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        for (size, header) in [
            (0, vec![4, 0]),
            (127, vec![4, 127]),
            (128, vec![4, 0x81, 128]),
            (256, vec![4, 0x82, 1, 0]),
            (65536, vec![4, 0x83, 1, 0, 0]),
        ] {
            let encoded = tlv(4, &vec![7; size]);
            assert_eq!(encoded[..header.len()], header, "{size}");
            let (value, rest) = split(&encoded);
            assert_eq!((value.len(), rest.len()), (size, 0));
        }
    }

    #[test]
    fn object_identifiers_are_base_128() {
        assert_eq!(object_identifier(&[2, 5, 4, 3]), [6, 3, 0x55, 4, 3]);
        assert_eq!(
            object_identifier(&[1, 2, 840, 113_549, 1, 9, 1]),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]
        );
    }

    #[test]
    fn integers_are_positive_and_minimal() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn named_bits_end_at_the_last_one() {
        assert_eq!(named_bits(0), [3, 1, 0]);
        assert_eq!(named_bits(0x8000), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0x0600), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(0x8080), [3, 3, 7, 0x80, 0x80]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        assert_eq!(time(0).first(), Some(&0x17));
        let far = time(i64::MAX);
        assert_eq!(far.get(2..), Some(&b"99991231235959Z"[..]));
    }
}
