//! Repository names.

use std::str::FromStr;
use std::sync::Arc;

use crate::limits::NAME_MAX_BYTES;
use crate::text::text_type;

/// The name of a repository, such as `library/alpine`.
///
/// One or more components between single slashes; a component is lower-case letters and digits, with single `.`, one or
/// two `_`, or any number of `-` between them. At most [`NAME_MAX_BYTES`] bytes. So a name is never empty, absolute, `..`,
/// or in need of escaping in a path or a log line. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

text_type!(Name, NameError);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing at all.
    #[error("a repository name must not be empty")]
    Empty,
    /// More than [`NAME_MAX_BYTES`].
    #[error("a repository name has at most {NAME_MAX_BYTES} bytes")]
    TooLong,
    /// A component does not follow the grammar.
    #[error(
        "the components of a repository name are lower-case letters and digits, separated inside by one '.', '_', '__' or dashes"
    )]
    Component,
}

impl Name {
    /// Whether this is `prefix` itself or lies below it, by whole components: `a/b` is within `a`, `ab` is not.
    ///
    /// The empty prefix contains nothing.
    pub fn is_within(&self, prefix: &str) -> bool {
        self.0
            .strip_prefix(prefix)
            .is_some_and(|rest| !prefix.is_empty() && (rest.is_empty() || rest.starts_with('/')))
    }
}

/// Allows lookups by text; hashing and comparing are those of the text.
impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_MAX_BYTES {
            return Err(NameError::TooLong);
        }
        if !text.split('/').all(is_component) {
            return Err(NameError::Component);
        }
        Ok(Self(text.into()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let word = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if word.len() == rest.len() {
            return false;
        }
        if word.is_empty() {
            return true;
        }
        rest = match word.strip_prefix("__").or_else(|| word.strip_prefix(['.', '_'])) {
            Some(after) => after,
            None => word.trim_start_matches('-'),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_the_grammar_and_nothing_else() {
        let check = |text: &str, expected: Result<(), NameError>| {
            assert_eq!(text.parse::<Name>().map(|name| assert_eq!(name, text)), expected, "{text:?}");
        };
        for text in
            ["a", "0", "library/alpine", "a.b", "a_b", "a__b", "a-b", "a-----b", "a/b/c/d", "a1.b2_c3__d4-e5"]
        {
            check(text, Ok(()));
        }
        for text in ["blobs/uploads", "v2", "tags/list", "a.b-c/d__e"] {
            check(text, Ok(()));
        }
        for text in [
            "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a..b", "a._b", "a___b", "a.-b", "-a", "a-", "_a",
            "a_",
        ] {
            check(text, Err(NameError::Component));
        }
        for text in ["A", "aB", "é", "a b", "a\n", "a\0", "a:b", "a@b", "a%2fb", "a\\b", "а"] {
            check(text, Err(NameError::Component));
        }
        check("", Err(NameError::Empty));
        check(&"a".repeat(255), Ok(()));
        check(&"a".repeat(256), Err(NameError::TooLong));
    }

    #[test]
    fn is_within_goes_by_whole_components() {
        let check = |name: &str, prefix: &str, expected| {
            assert_eq!(name.parse::<Name>().unwrap().is_within(prefix), expected, "{name} in {prefix:?}");
        };
        check("a/b", "a", true);
        check("a/b", "a/b", true);
        check("a/b/c", "a/b", true);
        check("ab", "a", false);
        check("a-b", "a", false);
        check("a", "a/b", false);
        check("a/b", "a/", false);
        check("a/b", "", false);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[a-z0-9]{1,9}([._-]|__|-{1,4})?[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,9}") {
            let value: Name = text.parse().unwrap();
            prop_assert_eq!(value.as_str(), &text);
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Name>(&json).unwrap(), value);
        }

        #[test]
        fn anything_may_be_tried(text in ".*") {
            if let Ok(value) = text.parse::<Name>() {
                prop_assert!(value.as_str() == text && text.is_ascii() && !text.is_empty());
            }
        }
    }
}
