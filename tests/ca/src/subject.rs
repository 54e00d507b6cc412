//! Subjects in any encoding: which attributes, in which string types, grouped how.

use crate::der::{SEQUENCE, SET, object_identifier, tlv};

/// An attribute value in one of the string types of X.509, or as raw bytes under any tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// `UTF8String`, what everybody should use.
    Utf8(String),
    /// `PrintableString`; the characters are not checked.
    Printable(String),
    /// `IA5String`; the characters are not checked.
    Ia5(String),
    /// `BMPString`: UTF-16, big end first.
    Bmp(String),
    /// `UniversalString`: UTF-32, big end first.
    Universal(String),
    /// `TeletexString` (T.61) of these bytes.
    Teletex(Vec<u8>),
    /// Any tag and any bytes.
    Raw(u8, Vec<u8>),
}

impl Text {
    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Utf8(text) => tlv(0x0c, text.as_bytes()),
            Self::Printable(text) => tlv(0x13, text.as_bytes()),
            Self::Teletex(bytes) => tlv(0x14, bytes),
            Self::Ia5(text) => tlv(0x16, text.as_bytes()),
            Self::Universal(text) => {
                tlv(0x1c, &text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>())
            }
            Self::Bmp(text) => tlv(0x1e, &text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>()),
            Self::Raw(tag, bytes) => tlv(*tag, bytes),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Utf8(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Utf8(text)
    }
}

/// One attribute of a subject: the numbers of its type and its value.
pub(crate) type Attribute = (Vec<u64>, Text);

pub(crate) const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];
pub(crate) const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];
pub(crate) const ORGANIZATIONAL_UNIT: [u64; 4] = [2, 5, 4, 11];

/// A complete `Name`; each inner list is one relative distinguished name, its members in the order given.
pub(crate) fn name(groups: &[Vec<Attribute>]) -> Vec<u8> {
    let group = |attributes: &Vec<Attribute>| {
        let members = attributes
            .iter()
            .flat_map(|(kind, text)| tlv(SEQUENCE, &[object_identifier(kind), text.encoded()].concat()));
        tlv(SET, &members.collect::<Vec<_>>())
    };
    tlv(SEQUENCE, &groups.iter().flat_map(group).collect::<Vec<_>>())
}
