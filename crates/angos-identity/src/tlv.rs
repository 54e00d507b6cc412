//! Tag, length, value: the frame of DER, read strictly and without allocating.
//!
//! `der` reads the contents of single fields. The frame is read here because `der` refuses some universal tags
//! (`UniversalString` among them) wherever they stand, and because lists must be counted before they are built.

/// Tag octets this crate looks for.
pub(crate) mod tag {
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// The bytes are no DER element, or not the one expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDer;

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// Tag, length and value.
    pub(crate) whole: &'a [u8],
}

/// A run of elements, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The value of the one element that `bytes` are.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Result<&'a [u8], NotDer> {
        let mut elements = Self::of(bytes);
        let element = elements.expect(tag)?;
        elements.end()?;
        Ok(element.value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, NotDer> {
        let (tag, header, length) = frame(self.rest).ok_or(NotDer)?;
        let end = header.checked_add(length).ok_or(NotDer)?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(NotDer)?;
        let value = whole.get(header..).ok_or(NotDer)?;
        self.rest = rest;
        Ok(Element { tag, value, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, NotDer> {
        self.any().and_then(|element| if element.tag == tag { Ok(element) } else { Err(NotDer) })
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, NotDer> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    pub(crate) fn end(&self) -> Result<(), NotDer> {
        if self.rest.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// Tag, size of the header and length of the value at the start of `bytes`: low tag numbers, definite and minimal
/// lengths below 16 MiB.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    const HIGH_TAG_NUMBER: u8 = 0x1f;
    let (&tag, rest) = bytes.split_first()?;
    if tag & HIGH_TAG_NUMBER == HIGH_TAG_NUMBER {
        return None;
    }
    let length = |octets: &[u8]| octets.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet));
    match *rest {
        [short @ 0..=0x7f, ..] => Some((tag, 2, usize::from(short))),
        [0x81, a @ 0x80..=0xff, ..] => Some((tag, 3, usize::from(a))),
        [0x82, a @ 1..=0xff, b, ..] => Some((tag, 4, length(&[a, b]))),
        [0x83, a @ 1..=0xff, b, c, ..] => Some((tag, 5, length(&[a, b, c]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_strict() {
        let check = |bytes: &[u8], expected: Option<(u8, usize)>| {
            let found = Elements::of(bytes).any().ok().map(|element| (element.tag, element.value.len()));
            assert_eq!(found, expected, "{bytes:02x?}");
        };
        check(&[], None);
        check(&[0x30], None);
        check(&[0x30, 0x00], Some((0x30, 0)));
        check(&[0x1c, 0x01, 0xff], Some((0x1c, 1)));
        check(&[0x30, 0x01], None); // truncated
        check(&[0x30, 0x80, 0x00, 0x00], None); // indefinite
        check(&[0x30, 0x81, 0x01, 0x00], None); // not minimal
        check(&[0x30, 0x82, 0x00, 0x80], None); // not minimal
        check(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], None); // beyond any limit
        check(&[0x3f, 0x81, 0x00], None); // high tag number
        check(&[&[0x04, 0x81, 0x80][..], &[0; 128]].concat(), Some((0x04, 128)));
        check(&[&[0x04, 0x82, 0x01, 0x00][..], &[0; 256]].concat(), Some((0x04, 256)));
        check(&[&[0x04, 0x83, 0x01, 0x00, 0x00][..], &vec![0; 65536]].concat(), Some((0x04, 65536)));
    }

    #[test]
    fn only_refuses_what_follows() {
        assert_eq!(Elements::only(&[0x30, 0x00], tag::SEQUENCE), Ok(&[][..]));
        assert_eq!(Elements::only(&[0x30, 0x00, 0x00], tag::SEQUENCE), Err(NotDer));
        assert_eq!(Elements::only(&[0x31, 0x00], tag::SEQUENCE), Err(NotDer));
    }
}
