//! Beside stage 6: an explanation in lines for people.

use super::{PartExplanation, PartOutcome, PolicyExplanation, RuleExplanation, RuleOutcome};
use crate::error::show;
use crate::policy::Reason;
use crate::value::Undecidable;
use std::fmt::{self, Display, Formatter};

impl Display for PolicyExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = |rule: usize| self.rules.get(rule).map_or("", |rule| &rule.name).escape_debug();
        let answer = if self.decision.allowed { "allowed" } else { "denied" };
        match self.decision.reason {
            Reason::Rule(rule) => writeln!(f, "{answer}: {} is true", name(rule))?,
            Reason::Default => writeln!(f, "{answer}: no rule is true")?,
            Reason::Undecidable { rule, cause, .. } => {
                writeln!(f, "{answer}: no rule is true, and {} cannot be decided: {cause}", name(rule))?;
            }
        }
        self.rules.iter().try_for_each(|rule| rule.fmt(f))
    }
}

impl Display for RuleExplanation {
    /// One line for the rule, and one for each of its parts below it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.name.escape_debug(), self.outcome)?;
        self.lines(f, &self.whole, 1)
    }
}

impl Display for RuleOutcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("is true"),
            Self::False => f.write_str("is false"),
            Self::Undecidable(cause) => write!(f, "cannot be decided: {cause}"),
        }
    }
}

impl RuleExplanation {
    /// The text of a part, as written in the rule.
    pub fn text(&self, part: &PartExplanation) -> &str {
        self.source.get(part.span.clone()).unwrap_or_default()
    }

    fn lines(&self, f: &mut Formatter<'_>, part: &PartExplanation, depth: usize) -> fmt::Result {
        write!(f, "{:indent$}", "", indent = 2 * depth)?;
        f.write_str(&one_line(self.text(part)))?;
        match &part.outcome {
            PartOutcome::Undecidable(cause) if part.passes_on(*cause) => writeln!(f, " → no value")?,
            outcome => writeln!(f, " → {outcome}")?,
        }
        part.parts.iter().try_for_each(|part| self.lines(f, part, depth + 1))
    }
}

/// Text that may be written in several lines.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (index, part) in text.lines().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        part.trim().chars().for_each(|c| show(&mut line, c));
    }
    line
}

impl PartExplanation {
    /// Whether it has no value because a part of it has none.
    fn passes_on(&self, cause: Undecidable) -> bool {
        self.parts.iter().any(|part| part.outcome == PartOutcome::Undecidable(cause))
    }
}

impl Display for PartOutcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(text) => f.write_str(text),
            Self::Absent => f.write_str("absent"),
            Self::Undecidable(cause) => write!(f, "no value: {cause}"),
            Self::Iterated => f.write_str("iterated element by element"),
            Self::NotEvaluated => f.write_str("not evaluated"),
            Self::Truncated => f.write_str("evaluated in a round that is not shown"),
        }
    }
}
