//! Beside stage 5: the text of a rule and the trace of its evaluation → the outcome of each part.

use super::span::Tokens;
use crate::check::is_binding;
use crate::evaluate::{Interval, Shown, Trace, Visit, Visits};
use crate::syntax::{Expression, Form, Operator};
use crate::value::Undecidable;
use std::ops::Range;

/// One evaluation of one part of a rule.
///
/// The body of a loop (`exists`, `all`, `map`, …) is a part as often as it was evaluated, up to
/// [`EXPLAINED_ROUNDS_MAX`](crate::limits::EXPLAINED_ROUNDS_MAX). `a && b && c` is one part, made of three. Literals, the names a loop gives its elements, and what
/// was computed when the rule was loaded are not parts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PartExplanation {
    /// Its byte range in the rule.
    pub span: Range<usize>,
    /// The outcome.
    pub outcome: PartOutcome,
    /// How often it was evaluated in the whole rule: more than once in the body of a loop.
    pub rounds: usize,
    /// Its parts.
    pub parts: Vec<PartExplanation>,
}

/// The outcome of a part of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartOutcome {
    /// This value, as CEL writes it ([`Value::to_cel`](crate::Value::to_cel)).
    Value(String),
    /// A variable this request does not have.
    Absent,
    /// No value.
    Undecidable(Undecidable),
    /// A list that was iterated and never built; its parts have values.
    Iterated,
    /// Not evaluated: the result was known before.
    NotEvaluated,
    /// Evaluated in an iteration of a loop that is not recorded.
    Truncated,
}

impl PartExplanation {
    pub(super) fn truncated(span: Range<usize>) -> Self {
        Self { span, outcome: PartOutcome::Truncated, rounds: 0, parts: Vec::new() }
    }
}

/// The whole rule as a part.
pub(super) fn whole(source: &str, expression: &Expression, trace: &Trace) -> PartExplanation {
    let view = TraceView { tokens: Tokens::of(source), trace };
    let mut parts = view.parts(expression, Interval::ALL);
    parts.pop().unwrap_or(PartExplanation::truncated(0..source.len()))
}

struct TraceView<'a> {
    tokens: Tokens<'a>,
    trace: &'a Trace,
}

impl TraceView<'_> {
    /// The evaluations of `expression` during another evaluation, in order; one entry with the reason if
    /// there are none.
    fn parts(&self, expression: &Expression, during: Interval) -> Vec<PartExplanation> {
        let span = self.tokens.span_of(expression);
        let part = |outcome, rounds, parts| PartExplanation { span: span.clone(), outcome, rounds, parts };
        let Some(Visits { count, kept }) = self.visits(expression) else {
            let parts = self.parts_of(expression, during);
            let is_iterated = parts.iter().any(|part| part.outcome != PartOutcome::NotEvaluated);
            return vec![if is_iterated {
                part(PartOutcome::Iterated, 0, parts)
            } else {
                part(PartOutcome::NotEvaluated, 0, Vec::new())
            }];
        };
        let visits: Vec<&Visit> = kept.iter().filter(|visit| during.contains(visit.during)).collect();
        if visits.is_empty() {
            let outcome =
                if kept.len() == *count { PartOutcome::NotEvaluated } else { PartOutcome::Truncated };
            return vec![part(outcome, *count, Vec::new())];
        }
        let one = |visit: &Visit| {
            let outcome = match &visit.outcome {
                Ok(Shown::Value(text)) => PartOutcome::Value(text.clone()),
                Ok(Shown::Absent) => PartOutcome::Absent,
                Err(cause) => PartOutcome::Undecidable(*cause),
            };
            part(outcome, *count, self.parts_of(expression, visit.during))
        };
        visits.into_iter().map(one).collect()
    }

    /// The parts of an expression that were evaluated or could have been.
    fn parts_of(&self, expression: &Expression, during: Interval) -> Vec<PartExplanation> {
        if is_variable(expression) && self.trace.at(expression.offset).is_none() || is_presence(expression) {
            return Vec::new();
        }
        let parts = expression
            .parts()
            .enumerate()
            .filter(|(index, part)| self.has_value(expression, *index, part))
            .flat_map(|(_, part)| {
                if is_link(expression, part) { self.parts_of(part, during) } else { self.parts(part, during) }
            });
        let parts: Vec<PartExplanation> = parts.collect();
        // Nothing of it was ever evaluated, so it was computed when the rule was loaded.
        let is_folded =
            !chooses(expression) && parts.iter().all(|part| part.outcome == PartOutcome::NotEvaluated);
        if is_folded && self.visits(expression).is_some() { Vec::new() } else { parts }
    }

    /// Skips literals and bare names, whose values are obvious.
    fn has_value(&self, of: &Expression, index: usize, part: &Expression) -> bool {
        let is_name = names_something(of, index, part) && self.visits(part).is_none();
        !is_name && !is_literal(part)
    }

    /// The recorded evaluations of an expression, at its own token or, for names and `has`, at the name.
    fn visits(&self, expression: &Expression) -> Option<&Visits> {
        self.trace.at(expression.offset).or_else(|| match &expression.form {
            _ if is_variable(expression) => self.trace.at(expression.start()),
            Form::Call { arguments, .. } if is_presence(expression) => {
                arguments.first().and_then(|argument| self.visits(argument))
            }
            _ => None,
        })
    }
}

/// Whether it may leave parts out.
fn chooses(expression: &Expression) -> bool {
    let Form::Operation { operator, .. } = &expression.form else { return false };
    matches!(operator, Operator::And | Operator::Or | Operator::If)
}

/// Whether `part` and `chain` are joined by the same of `&&` and `||`, so that the parts of one are parts of the other.
fn is_link(chain: &Expression, part: &Expression) -> bool {
    match (&chain.form, &part.form) {
        (Form::Operation { operator, .. }, Form::Operation { operator: inner, .. }) => {
            operator == inner && matches!(operator, Operator::And | Operator::Or)
        }
        _ => false,
    }
}

/// A dotted name.
fn is_variable(expression: &Expression) -> bool {
    match &expression.form {
        Form::Name(_) => true,
        Form::Field { of, .. } => is_variable(of),
        _ => false,
    }
}

/// `has(…)`, which looks whether its argument is there and does not evaluate it.
fn is_presence(expression: &Expression) -> bool {
    matches!(&expression.form, Form::Call { function, target: None, .. } if function == "has")
}

/// Whether a part of a call may be no value but a name: that of a group of functions (`math.abs`), or one that is given
/// to an element or a value (`exists(x, …)`, `cel.bind(x, …)`).
fn names_something(call: &Expression, index: usize, part: &Expression) -> bool {
    let Form::Call { function, target: Some(_), arguments } = &call.form else { return false };
    matches!(part.form, Form::Name(_)) && (index == 0 || (is_binding(function) && index < arguments.len()))
}

fn is_literal(expression: &Expression) -> bool {
    match &expression.form {
        Form::Null
        | Form::Bool(_)
        | Form::Int(_)
        | Form::Uint(_)
        | Form::Double(_)
        | Form::String(_)
        | Form::Bytes(_) => true,
        Form::List(_) | Form::Map(_) => expression.parts().all(is_literal),
        Form::Name(_)
        | Form::Field { .. }
        | Form::Call { .. }
        | Form::Operation { .. }
        | Form::IfPresent(_) => false,
    }
}
