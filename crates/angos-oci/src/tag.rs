//! Tags.

use std::str::FromStr;
use std::sync::Arc;

use crate::limits::TAG_MAX_BYTES;
use crate::text::text_type;

/// A tag, such as `latest`.
///
/// A letter, digit or `_`, then letters, digits, `_`, `.` and `-`; at most [`TAG_MAX_BYTES`] bytes. So a tag never needs
/// escaping and never looks like a digest. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

text_type!(Tag, TagError);

/// Why a text is not a [`Tag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// Nothing at all.
    #[error("a tag must not be empty")]
    Empty,
    /// More than [`TAG_MAX_BYTES`].
    #[error("a tag has at most {TAG_MAX_BYTES} bytes")]
    TooLong,
    /// Does not follow the grammar.
    #[error("a tag is letters, digits, '_', '.' and '-', and begins with none of the last two")]
    Character,
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let Some(first) = text.bytes().next() else {
            return Err(TagError::Empty);
        };
        if text.len() > TAG_MAX_BYTES {
            return Err(TagError::TooLong);
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !is_word(first) || !text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-') {
            return Err(TagError::Character);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_the_grammar_and_nothing_else() {
        let check = |text: &str, expected: Result<(), TagError>| {
            assert_eq!(text.parse::<Tag>().map(|tag| assert_eq!(tag, text)), expected, "{text:?}");
        };
        for text in ["latest", "V1", "_", "0", "1.2.3-rc.1", "a..b", "a--", "sha256-abc.sig", "__.__"] {
            check(text, Ok(()));
        }
        for text in [".a", "-a", "a:b", "a/b", "a b", "a\n", "é", "a%20", "a@b", "..", "a+b"] {
            check(text, Err(TagError::Character));
        }
        check("", Err(TagError::Empty));
        check(&"a".repeat(128), Ok(()));
        check(&"a".repeat(129), Err(TagError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}") {
            let value: Tag = text.parse().unwrap();
            prop_assert_eq!(value.as_str(), &text);
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tag>(&json).unwrap(), value);
        }

        #[test]
        fn anything_may_be_tried(text in ".*") {
            if let Ok(value) = text.parse::<Tag>() {
                prop_assert!(value.as_str() == text && text.is_ascii() && !text.is_empty());
            }
        }
    }
}
