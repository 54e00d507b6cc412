//! Stage 5 with tracing: records the outcome of each expression of a rule for an explanation.
//!
//! The evaluator reports to a trace if it is given one; it is the same evaluator, and takes the same steps.

use crate::limits::EXPLAINED_ROUNDS_MAX;
use crate::value::{Undecidable, Value};
use std::collections::BTreeMap;

/// The outcomes of a rule's expressions, by their offset in the rule.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    visits: BTreeMap<u32, Visits>,
}

/// The evaluations of one expression.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// How many there were.
    pub(crate) count: usize,
    /// The first ones and the last one.
    pub(crate) kept: Vec<Visit>,
}

/// One evaluation of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) during: Interval,
    /// The value as CEL writes it, or the cause of the failure.
    pub(crate) outcome: Result<Shown, Undecidable>,
}

/// A recorded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Absent,
    Value(String),
}

/// When an expression was evaluated. The clock is the remaining cost budget of the rule: every step costs, so
/// the clock runs down strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Interval {
    /// The whole evaluation.
    pub(crate) const ALL: Self = Self { from: u32::MAX, to: 0 };

    pub(crate) fn contains(self, other: Self) -> bool {
        other.from <= self.from && other.to >= self.to
    }
}

impl Trace {
    /// The evaluations of the expression at `offset`; `None` if it was not evaluated.
    pub(crate) fn at(&self, offset: u32) -> Option<&Visits> {
        self.visits.get(&offset)
    }

    pub(super) fn record(&mut self, offset: u32, during: Interval, outcome: Result<Value<'_>, Undecidable>) {
        let outcome = outcome.map(|value| match value {
            Value::Absent => Shown::Absent,
            value => Shown::Value(value.to_cel()),
        });
        self.keep(offset, Visit { during, outcome });
    }

    /// As [`record`](Self::record), of an optional that is not built.
    pub(super) fn record_optional(
        &mut self,
        offset: u32,
        during: Interval,
        outcome: Result<Option<Value<'_>>, Undecidable>,
    ) {
        let outcome = outcome.map(|held| {
            Shown::Value(match held {
                Some(value) => format!("optional.of({})", value.to_cel()),
                None => "optional.none()".to_owned(),
            })
        });
        self.keep(offset, Visit { during, outcome });
    }

    fn keep(&mut self, offset: u32, visit: Visit) {
        let Visits { count, kept } = self.visits.entry(offset).or_default();
        // Two evaluations at one offset: the written expression, and an implicit conversion around it.
        if kept.last().is_some_and(|last| visit.during.contains(last.during)) {
            return;
        }
        *count += 1;
        if kept.len() == EXPLAINED_ROUNDS_MAX {
            kept.pop();
        }
        kept.push(visit);
    }
}
