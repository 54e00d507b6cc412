//! Which tags may move once they exist.

use regex::{Regex, RegexBuilder};

use crate::limits::PATTERN_MAX_BYTES;

/// Regular expressions over whole tags.
///
/// A pattern must match the tag from its first to its last character: `rc` does not cover `src`. Matching takes time
/// linear in the tag, which is at most 128 bytes.
#[derive(Debug, Clone, Default)]
pub struct TagPatterns(Vec<Regex>);

/// A pattern that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("pattern {position} is not a usable regular expression: {source}")]
pub struct PatternError {
    /// Which pattern, counted from 0.
    pub position: usize,
    /// What is wrong with it.
    #[source]
    source: regex::Error,
}

impl TagPatterns {
    /// Compiles every pattern, or says which one is wrong.
    pub fn new<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, PatternError> {
        patterns
            .into_iter()
            .enumerate()
            .map(|(position, pattern)| {
                compile(pattern.as_ref()).map_err(|source| PatternError { position, source })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether one of the patterns covers the whole tag.
    pub fn matches(&self, tag: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(tag))
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    // First alone: `a)(b` must not become valid through the anchors put around it.
    let bounded = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_MAX_BYTES).build();
    bounded(pattern)?;
    bounded(&format!(r"\A(?:{pattern})\z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_tags() {
        let check = |pattern: &str, tag: &str, expected: bool| {
            let patterns = TagPatterns::new([pattern]).unwrap();
            assert_eq!(patterns.matches(tag), expected, "{pattern} on {tag}");
        };
        check("latest", "latest", true);
        check("^latest$", "latest", true);
        check("latest", "not-latest", false);
        check("latest", "latest-1", false);
        check("dev|main", "main", true);
        check("dev|main", "maintenance", false);
        check("dev-.*", "dev-1", true);
        check("", "x", false);
    }

    #[test]
    fn an_unusable_pattern_is_named_by_position() {
        for bad in ["(", "a)(b", "a{999999}", "\\", "(?x) a # the closing bracket is in this comment"] {
            let error = TagPatterns::new(["fine", bad]).unwrap_err();
            assert_eq!(error.position, 1, "{bad}");
        }
    }
}
