//! Stage 3: the patterns of `matches`, with bounds on the cost to compile them.

use crate::limits::{PATTERN_FOLDS_MAX, PATTERN_MAX_BYTES, PATTERN_NESTING_MAX, REGEX_MAX_BYTES};
use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, ClassSetItem, ClassUnicode, Flags, GroupKind, Visitor};

/// Compiles a pattern; the error is a message in one line.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(format!("the pattern is longer than {PATTERN_MAX_BYTES} bytes"));
    }
    if folds(pattern) > PATTERN_FOLDS_MAX {
        return Err("the pattern ignores the case of too many characters".to_owned());
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(REGEX_MAX_BYTES)
        .dfa_size_limit(2 * REGEX_MAX_BYTES)
        .nest_limit(PATTERN_NESTING_MAX)
        .build();
    match built {
        Ok(regex) => {
            // Lets the engine build its scratch memory now rather than in the first decision.
            regex.is_match("");
            Ok(regex)
        }
        Err(regex::Error::CompiledTooBig(_)) => Err("the pattern is too large when compiled".to_owned()),
        Err(error) => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            Err(format!("bad pattern: {}", last.chars().take(120).collect::<String>()))
        }
    }
}

/// The number of characters whose other cases the compiler looks up one by one: those of each class, if the
/// pattern ignores case. The bound on the compiled size does not bound this work.
fn folds(pattern: &str) -> usize {
    let parsed = ast::parse::ParserBuilder::new().nest_limit(PATTERN_NESTING_MAX).build().parse(pattern);
    // A pattern that does not parse is refused for that.
    parsed.ok().and_then(|parsed| ast::visit(&parsed, Folds::default()).ok()).unwrap_or(0)
}

#[derive(Default)]
struct Folds {
    ignores_case: bool,
    characters: usize,
}

impl Folds {
    fn flags(&mut self, flags: &Flags) {
        self.ignores_case |= flags.flag_state(ast::Flag::CaseInsensitive) == Some(true);
    }

    /// About as many as there are in the largest classes people name, or all.
    fn class(&mut self, negated: bool) {
        self.characters += if negated { u32::from(char::MAX) as usize } else { 150_000 };
    }
}

impl Visitor for Folds {
    type Output = usize;
    type Err = ();

    fn finish(self) -> Result<usize, ()> {
        Ok(if self.ignores_case { self.characters } else { 0 })
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        match ast {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => {
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.flags(flags);
                }
            }
            // On its own it is folded before it is negated.
            Ast::ClassUnicode(_) => self.class(false),
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), ()> {
        match item {
            ClassSetItem::Range(range) => {
                let (first, last) = (u32::from(range.start.c), u32::from(range.end.c));
                self.characters += last.saturating_sub(first) as usize;
            }
            ClassSetItem::Perl(class) => self.class(class.negated),
            ClassSetItem::Unicode(class @ ClassUnicode { .. }) => self.class(class.is_negated()),
            ClassSetItem::Bracketed(class) => self.class(class.negated),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{folds, regex};

    #[test]
    fn ignoring_case_is_bounded() {
        for (pattern, accepted) in [
            ("(?i)^team-[a-z0-9]+/[^/]+$", true),
            (r"(?i)^\w+[\w.-]+@example\.com$", true),
            (r"(?i:[\w\W])", false),
            (r"[\w\W][\w\W][\w\W][\w\W]", true),
            (r"(?i)[\w\W]", false),
            (r"(?i)[\w][\w][\w][\w][\w][\w][\w][\w]", false),
            (r"(?i)[a[^b]]", true),
            (r"(?i)[a[^b]][c[^d]]", false),
            (r"(?i)[\x00-\x{10ffff}][\x00-\x{10ffff}]", false),
            (r"[a(?i)]", true),
        ] {
            assert_eq!(regex(pattern).is_ok(), accepted, "{pattern} folds {}", folds(pattern));
        }
    }
}
