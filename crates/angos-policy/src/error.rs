//! Stages 2 and 3: a mistake in a rule, shown with its line and a caret.

use crate::literal;
use std::fmt::{self, Write as _};

/// Why a rule does not load, and the position in its text.
///
/// `Display` prints several lines: the message, the line of the rule with a caret below, and a suggestion.
/// Control characters of the rule are shown escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    rule: usize,
    name: Option<String>,
    fault: Fault,
    line: usize,
    column: usize,
    excerpt: String,
    caret: usize,
}

/// An error that is not yet attributed to a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    /// The error is in the string literal that begins at `offset`, at this byte of its unescaped value.
    within: Option<usize>,
}

impl Fault {
    pub(crate) fn new(offset: impl TryInto<usize>, message: impl Into<String>) -> Self {
        Self {
            offset: offset.try_into().unwrap_or(0),
            message: message.into(),
            suggestion: None,
            within: None,
        }
    }

    /// Sets the position inside a string literal of the rule.
    pub(crate) fn within(self, literal: u32, position: usize) -> Self {
        Self { offset: literal as usize, within: Some(position), ..self }
    }

    /// Adds a suggestion.
    pub(crate) fn help(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Adds "did you mean" when there is a near name.
    pub(crate) fn did_you_mean(self, nearest: Option<&str>) -> Self {
        match nearest {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl RuleError {
    pub(crate) fn new(rule: usize, name: Option<&str>, source: &str, mut fault: Fault) -> Self {
        if let Some(position) = fault.within {
            fault.offset = literal::place(source, fault.offset, position);
        }
        fault.offset = fault.offset.min(source.len());
        while !source.is_char_boundary(fault.offset) {
            fault.offset -= 1;
        }
        let (before, after) = source.split_at_checked(fault.offset).unwrap_or((source, ""));
        let line = before.matches('\n').count() + 1;
        let head = before.rsplit('\n').next().unwrap_or("");
        let tail = after.split('\n').next().unwrap_or("");
        let column = head.chars().count() + 1;
        let mut excerpt = String::new();
        if column > crate::limits::EXCERPT_MAX_CHARS + 1 {
            excerpt.push('…');
        }
        head.chars()
            .skip((column - 1).saturating_sub(crate::limits::EXCERPT_MAX_CHARS))
            .for_each(|c| show(&mut excerpt, c));
        let caret = excerpt.chars().count();
        tail.chars().take(crate::limits::EXCERPT_MAX_CHARS).for_each(|c| show(&mut excerpt, c));
        if tail.chars().nth(crate::limits::EXCERPT_MAX_CHARS).is_some() {
            excerpt.push('…');
        }
        Self { rule, name: name.map(str::to_owned), fault, line, column, excerpt, caret }
    }

    /// Position of the rule in the policy, from 0.
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// The rule's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Byte offset of the fault in the rule's text.
    pub fn offset(&self) -> usize {
        self.fault.offset
    }

    /// Line of the fault in the rule's text, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column of the fault in its line, in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The error message, in one line.
    pub fn message(&self) -> &str {
        &self.fault.message
    }

    /// The suggestion, in one line.
    pub fn suggestion(&self) -> Option<&str> {
        self.fault.suggestion.as_deref()
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "rule `{}`", name.escape_debug())?,
            None => write!(f, "rules[{}]", self.rule)?,
        }
        writeln!(f, ":{}:{}: {}", self.line, self.column, self.fault.message)?;
        writeln!(f, "  | {}", self.excerpt)?;
        write!(f, "  | {:caret$}^", "", caret = self.caret)?;
        if let Some(suggestion) = &self.fault.suggestion {
            write!(f, "\n  = {suggestion}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// Appends one character as it may be shown on a terminal or in a log.
pub(crate) fn show(out: &mut String, c: char) {
    if c.is_control() {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", c.escape_default());
    } else {
        out.push(c);
    }
}

/// Part of a rule's text quoted in a message: at most 64 characters, escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("`");
    text.chars().take(64).for_each(|c| show(&mut out, c));
    out.push_str(if text.chars().nth(64).is_some() { "…`" } else { "`" });
    out
}
