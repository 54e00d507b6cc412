//! Stage 3: the spelling that every value of a string variable has.

/// The spelling of every value of a string variable, or of every element of a list of strings.
///
/// A rule that compares the variable with a literal in another spelling (`==`, `!=`, `in`, list and map literals,
/// `startsWith`, `endsWith`, `contains`) could never match. It is an error when the rule is loaded, with the spelling
/// that would match where [`respell`](Self::respell) finds one. The empty string is always accepted: it equals an
/// absent value. Patterns of `matches` and computed strings are not checked.
#[derive(Debug, Clone, Copy)]
pub struct StringForm {
    /// The spelling in words, as it ends an error message: `it is 64 lower-case hexadecimal digits`.
    pub description: &'static str,
    /// Whether a text can be a value. Must accept every value the variable ever has.
    pub is_value: fn(&str) -> bool,
    /// Whether a value can begin with a text.
    pub is_prefix: fn(&str) -> bool,
    /// Whether a value can contain a text, at its end or elsewhere.
    pub is_part: fn(&str) -> bool,
    /// The value that is meant by a text in another spelling. Suggested only if it passes
    /// [`is_value`](Self::is_value).
    pub respell: fn(&str) -> Option<String>,
}

/// Two forms are equal if their descriptions are.
impl PartialEq for StringForm {
    fn eq(&self, other: &Self) -> bool {
        self.description == other.description
    }
}
