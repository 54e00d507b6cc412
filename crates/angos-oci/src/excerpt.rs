//! The piece of untrusted input that an error message may repeat.

use std::fmt;

use crate::limits::EXCERPT_MAX_CHARACTERS;

/// A short, printable piece of untrusted input.
///
/// Never longer than [`EXCERPT_MAX_CHARACTERS`] characters, an ellipsis aside, and free of control characters, quotes and
/// everything else [`char::escape_debug`] escapes, so it may go into a log line or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// Cuts and escapes `input`.
    pub fn of(input: &str) -> Self {
        let mut text = String::new();
        let mut room = EXCERPT_MAX_CHARACTERS;
        for character in input.chars() {
            let escaped = character.escape_debug();
            let Some(left) = room.checked_sub(escaped.clone().count()) else {
                text.push('…');
                break;
            };
            room = left;
            text.extend(escaped);
        }
        Self(text.into_boxed_str())
    }

    /// The text as it may be shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_little_and_only_what_prints() {
        let check = |input: &str, expected: &str| assert_eq!(Excerpt::of(input).as_str(), expected);
        check("", "");
        check("sha1", "sha1");
        check("a\nb\u{1b}[31m\"", "a\\nb\\u{1b}[31m\\\"");
        check(&"x".repeat(64), &"x".repeat(64));
        check(&"x".repeat(65), &format!("{}…", "x".repeat(64)));
        check(&"\n".repeat(1000), &format!("{}…", "\\n".repeat(32)));
        check(&format!("{}\n", "x".repeat(63)), &format!("{}…", "x".repeat(63)));
    }
}
