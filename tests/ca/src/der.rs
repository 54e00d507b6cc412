//! The few DER productions rcgen has no door for: arbitrary names, and the certificate around them.

pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const BIT_STRING: u8 = 0x03;

/// One tag, length and value.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = value.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
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

/// Splits the first element off `input`: (whole element, its value, what follows).
fn split(input: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let first = usize::from(*input.get(1).expect("a length octet"));
    let (header, length) = if first < 0x80 {
        (2, first)
    } else {
        let octets = input.get(2..2 + (first & 0x7f)).expect("the length octets");
        (2 + octets.len(), octets.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet)))
    };
    let (element, rest) = input.split_at(header + length);
    (element, element.get(header..).expect("the value"), rest)
}

/// Elements in the `TBSCertificate` before the subject: version, serial, signature, issuer, validity.
const BEFORE_SUBJECT: usize = 5;

/// `certificate` with its subject replaced by `subject` (a complete `Name`), signed again by `sign`.
pub(crate) fn with_subject(
    certificate: &[u8],
    subject: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let (_, body, _) = split(certificate);
    let (_, to_be_signed, after) = split(body);
    let (algorithm, ..) = split(after);

    let mut rest = to_be_signed;
    let mut fields = Vec::new();
    for _ in 0..BEFORE_SUBJECT {
        let (element, _, following) = split(rest);
        fields.extend_from_slice(element);
        rest = following;
    }
    let (_, _, after_subject) = split(rest);
    fields.extend_from_slice(subject);
    fields.extend_from_slice(after_subject);

    let to_be_signed = tlv(SEQUENCE, &fields);
    let mut signature = vec![0]; // no unused bits
    signature.extend(sign(&to_be_signed));
    tlv(SEQUENCE, &[to_be_signed, algorithm.to_vec(), tlv(BIT_STRING, &signature)].concat())
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
            let (element, value, rest) = split(&encoded);
            assert_eq!((element.len(), value.len(), rest.len()), (encoded.len(), size, 0));
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
}
