//! The string types of ASN.1, each decoded by its own character set or refused.

use crate::error::ValueFault;
use crate::limits::VALUE_MAX_BYTES;

/// The text of a string element with this tag.
///
/// Issuers put every ASCII character into a `PrintableString`, not only its alphabet (`&`, `@`, `*`, `_`); it is read as
/// ASCII. A T.61 string is read as Latin-1, as OpenSSL and its relatives write and read it. Both have this one reading,
/// so no value can be read as two names.
pub(crate) fn read(tag: u8, bytes: &[u8]) -> Result<String, ValueFault> {
    const UTF8: u8 = 0x0c;
    const NUMERIC: u8 = 0x12;
    const PRINTABLE: u8 = 0x13;
    const TELETEX: u8 = 0x14;
    const IA5: u8 = 0x16;
    const VISIBLE: u8 = 0x1a;
    const UNIVERSAL: u8 = 0x1c;
    const BMP: u8 = 0x1e;

    if bytes.len() > VALUE_MAX_BYTES {
        return Err(ValueFault::TooLong);
    }
    let decoded = match tag {
        UTF8 => str::from_utf8(bytes).ok().map(str::to_owned),
        NUMERIC => ascii(bytes, |byte| byte.is_ascii_digit() || byte == b' '),
        PRINTABLE | IA5 => ascii(bytes, |byte| byte.is_ascii()),
        TELETEX => Some(bytes.iter().copied().map(char::from).collect()),
        VISIBLE => ascii(bytes, |byte| byte == b' ' || byte.is_ascii_graphic()),
        UNIVERSAL => utf32(bytes),
        BMP => utf16(bytes),
        _ => return Err(ValueFault::UnknownType),
    };
    match decoded {
        None => Err(ValueFault::Undecodable),
        Some(text) if text.is_empty() => Err(ValueFault::Empty),
        Some(text) if text.chars().any(char::is_control) => Err(ValueFault::Control),
        Some(text) => Ok(text),
    }
}

/// As [`read`], for what is written out as text.
pub(crate) fn read_utf8(text: &str) -> Result<String, ValueFault> {
    read(0x0c, text.as_bytes())
}

/// As [`read`], for the alternative names, whose tags imply an IA5 string.
pub(crate) fn read_ia5(bytes: &[u8]) -> Result<String, ValueFault> {
    read(0x16, bytes)
}

/// Lower-case hexadecimal, two digits per byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

fn ascii(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    text.bytes().all(allowed).then(|| text.to_owned())
}

fn utf32(bytes: &[u8]) -> Option<String> {
    let (units, []) = bytes.as_chunks::<4>() else { return None };
    units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
}

/// The type promises one unit per character; surrogate pairs are read as what they can only mean.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ValueFault::{Control, Empty, TooLong, Undecodable, UnknownType};

    #[test]
    fn each_string_type_has_its_character_set() {
        let check = |tag: u8, bytes: &[u8], expected: Result<&str, ValueFault>| {
            assert_eq!(read(tag, bytes), expected.map(str::to_owned), "tag {tag:#x}, {bytes:02x?}");
        };
        check(0x0c, "Jürgen 株式会社".as_bytes(), Ok("Jürgen 株式会社"));
        check(0x0c, &[0xff], Err(Undecodable));
        check(0x0c, &[0xed, 0xa0, 0x80], Err(Undecodable)); // a surrogate in UTF-8
        check(0x12, b"12 34", Ok("12 34"));
        check(0x12, b"12a", Err(Undecodable));
        check(0x13, b"O'Neil (x)+,-./:=?", Ok("O'Neil (x)+,-./:=?"));
        check(0x13, b"R&D *_@x", Ok("R&D *_@x"));
        check(0x13, b"J\xfcrgen", Err(Undecodable));
        check(0x14, b"plain", Ok("plain"));
        check(0x14, b"J\xfcrgen", Ok("Jürgen")); // Latin-1
        check(0x14, "Jürgen".as_bytes(), Ok("JÃ¼rgen")); // UTF-8 is read as Latin-1 too
        check(0x14, &[0x9b], Err(Control));
        check(0x16, b"a@b", Ok("a@b"));
        check(0x16, &[0x80], Err(Undecodable));
        check(0x1a, b"visible ~", Ok("visible ~"));
        check(0x1a, &[0x7f], Err(Undecodable));
        check(0x1c, &[0, 0, 0, 0x41, 0, 1, 0xf6, 0], Ok("A😀"));
        check(0x1c, &[0, 0, 0xd8, 0], Err(Undecodable));
        check(0x1c, &[0, 0x11, 0, 0], Err(Undecodable));
        check(0x1c, &[0, 0, 0x41], Err(Undecodable));
        check(0x1e, &[0, 0x41, 0, 0xfc], Ok("Aü"));
        check(0x1e, &[0xd8, 0x3d, 0xde, 0], Ok("😀"));
        check(0x1e, &[0xd8, 0x3d], Err(Undecodable));
        check(0x1e, &[0, 0x41, 0], Err(Undecodable));
        for tag in [0x02, 0x04, 0x15, 0x19, 0x1b, 0x1d, 0x24, 0x2c, 0x33, 0x80] {
            check(tag, b"x", Err(UnknownType));
        }
    }

    #[test]
    fn what_would_mislead_a_reader_is_refused() {
        let check = |tag: u8, bytes: &[u8], fault: ValueFault| {
            assert_eq!(read(tag, bytes), Err(fault), "tag {tag:#x}, {bytes:02x?}");
        };
        check(0x0c, b"", Empty);
        check(0x1e, b"", Empty);
        check(0x0c, b"admin\0.example", Control);
        check(0x0c, b"a\nb", Control);
        check(0x0c, b"\x1b[31m", Control);
        check(0x0c, "\u{85}".as_bytes(), Control);
        check(0x14, b"a\rb", Control);
        check(0x16, &[0x7f], Control);
        check(0x1c, &[0; 4], Control);
        check(0x1e, &[0; 2], Control);
        check(0x0c, &[b'a'; VALUE_MAX_BYTES + 1], TooLong);
        assert!(read(0x0c, &[b'a'; VALUE_MAX_BYTES]).is_ok());
    }
}
