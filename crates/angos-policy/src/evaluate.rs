//! Stage 5: program + identity + facts → a value, or an error.
//!
//! Evaluation does not allocate. Values borrow from the program, the identity and the facts; strings and
//! lists built by a rule live in fixed buffers on the caller's stack ([`memory`]).

mod arithmetic;
mod call;
mod compare;
mod convert;
mod declared_type;
mod encode;
mod format;
mod iterate;
mod list_methods;
mod lists;
mod maps;
mod math;
mod memory;
mod network;
mod option;
mod partial;
mod quote;
mod raw_value;
mod sort;
mod string_methods;
mod text;
mod trace;

use crate::environment::Origin;
use crate::limits::{LOOP_DEPTH_MAX, RULE_COST_MAX};
use crate::program::{Node, Op, Program};
use crate::timestamp::{TimeField, Zone, duration_part};
use crate::value::{Facts, Undecidable, Value};
use angos_identity::Identity;
pub(crate) use convert::convert_constant;
use memory::Mark;
pub(crate) use memory::with_memory;
pub(crate) use partial::{Outcomes, PartialEvaluator};
use raw_value::Range;
pub(crate) use raw_value::{Memory, RawValue};
pub(crate) use trace::{Interval, Shown, Trace, Visit, Visits};

/// An undecidable expression: the cause and the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EvalError {
    pub(crate) cause: Undecidable,
    pub(crate) offset: u32,
}

type EvalResult<T> = Result<T, EvalError>;

/// The state of evaluating one rule. `'a` is what values borrow from, `'m` the memory for what is built.
pub(crate) struct Frame<'a, 'm> {
    identity: &'a Identity,
    facts: &'a dyn Facts,
    bound: [RawValue<'a>; LOOP_DEPTH_MAX],
    budget: u32,
    /// Strings and bytes the rule built, up to `used.text`.
    text: &'m mut [u8],
    /// Lists and maps the rule built, up to `used.slots`; elements of unfinished ones, from `pending`.
    slots: &'m mut [RawValue<'a>],
    pending: usize,
    used: Mark,
    /// Memory below is kept until the function that raised the floor lowers it again.
    floor: Mark,
    trace: Option<&'m mut Trace>,
    /// The string that was last found in its enum, and the enum.
    last_enum_value: Option<(&'a str, &'static [&'static str])>,
}

impl<'a, 'm> Frame<'a, 'm> {
    pub(crate) fn new(
        identity: &'a Identity,
        facts: &'a dyn Facts,
        text: &'m mut [u8],
        slots: &'m mut [RawValue<'a>],
    ) -> Self {
        let bound = [RawValue::Absent; LOOP_DEPTH_MAX];
        let (used, floor, pending) = (Mark::default(), Mark::default(), slots.len());
        let budget = RULE_COST_MAX;
        Self {
            identity,
            facts,
            bound,
            budget,
            text,
            slots,
            pending,
            used,
            floor,
            trace: None,
            last_enum_value: None,
        }
    }

    /// Reports every value to `trace`.
    pub(crate) fn traced(self, trace: &'m mut Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Reports the outcome of an expression to the trace; `from` is the cost budget before its evaluation.
    #[inline]
    fn record(&mut self, node: &Node, from: u32, outcome: EvalResult<RawValue<'a>>) {
        if let Some(trace) = &mut self.trace {
            let during = Interval { from, to: self.budget };
            let memory = Memory { text: self.text, slots: self.slots };
            let outcome = outcome.map_err(|error| error.cause);
            let shown = outcome.and_then(|raw| raw.shown(&memory).ok_or(Undecidable::Mistyped));
            trace.record(node.offset, during, shown);
        }
    }

    /// The value of a rule. Each rule has the whole cost bound to itself, so that order never matters.
    pub(crate) fn run(&mut self, program: &'a Program) -> EvalResult<bool> {
        self.budget = RULE_COST_MAX;
        (self.used, self.floor, self.pending) = (Mark::default(), Mark::default(), self.slots.len());
        self.truth(&program.root)
    }

    /// Calls `then` with the value of an expression.
    pub(crate) fn answer<R>(
        mut self,
        program: &'a Program,
        then: impl FnOnce(Result<Value<'_>, Undecidable>) -> R,
    ) -> R {
        let outcome = self.value(&program.root).map_err(|error| error.cause);
        let memory = Memory { text: self.text, slots: self.slots };
        then(outcome.and_then(|raw| raw.shown(&memory).ok_or(Undecidable::Mistyped)))
    }

    fn charge(&mut self, cost: usize, at: &Node) -> EvalResult<()> {
        let left = u32::try_from(cost).ok().and_then(|cost| self.budget.checked_sub(cost));
        self.budget = left.unwrap_or(0);
        left.map(|_| ()).ok_or(at.error(Undecidable::Cost))
    }

    fn source(&self, origin: Origin) -> Value<'a> {
        match origin {
            Origin::Identity(attribute) => attribute.read(self.identity),
            Origin::Fact(index) => self.facts.fact(index),
        }
    }

    /// Evaluates a boolean expression.
    fn truth(&mut self, node: &'a Node) -> EvalResult<bool> {
        let from = self.budget;
        self.charge(1, node)?;
        let before = self.used;
        let outcome = self.test(node);
        self.record(node, from, outcome.map(RawValue::Bool));
        self.release(before);
        outcome
    }

    /// Evaluates an expression and gives back the memory its operands built in.
    fn value(&mut self, node: &'a Node) -> EvalResult<RawValue<'a>> {
        let from = self.budget;
        self.charge(1, node)?;
        let before = self.used;
        let outcome = self.compute(node);
        self.record(node, from, outcome);
        if !matches!(outcome, Ok(raw) if raw.is_built()) {
            self.release(before);
        }
        outcome
    }

    /// Evaluates an expression whose value must not be absent.
    fn present(&mut self, node: &'a Node) -> EvalResult<RawValue<'a>> {
        match self.value(node)? {
            RawValue::Absent => Err(node.error(Undecidable::Absent)),
            raw => Ok(raw),
        }
    }

    /// The operations with a boolean result.
    fn test(&mut self, node: &'a Node) -> EvalResult<bool> {
        match &node.op {
            Op::Not(operand) => Ok(!self.truth(operand)?),
            Op::And(sides) => self.junction(sides, false),
            Op::Or(sides) => self.junction(sides, true),
            Op::Equal { negated, sides } => Ok(self.equal_sides(sides, node)? != *negated),
            Op::Ordered { order, sides } => self.ordered(*order, sides, node),
            Op::In(sides) => self.contained(sides, node),
            Op::Has(origin, ty) => self.has(*origin, *ty, node),
            Op::HasKey { map, key } => self.has_key(map, key, node),
            Op::Quantified { quantifier, over, test } => self.quantified(*quantifier, over, test, node),
            Op::Search { search, sides } => self.search(*search, sides),
            Op::Matches { text, pattern } => self.matches(text, pattern),
            Op::Covers(sides) => self.covers(sides),
            Op::Parses { to, text } => self.parses(*to, text),
            Op::IsCanonical(text) => self.is_canonical(text),
            _ => match self.compute(node)? {
                RawValue::Bool(value) => Ok(value),
                other => Err(node.type_error(other)),
            },
        }
    }

    fn compute(&mut self, node: &'a Node) -> EvalResult<RawValue<'a>> {
        match &node.op {
            Op::Constant(constant) => Ok(RawValue::from(constant)),
            Op::Read(origin, ty) => self.read(*origin, *ty, node),
            Op::Bound(slot) => Ok(*self.bound.get(*slot).unwrap_or(&RawValue::Absent)),
            Op::If(parts) => {
                let chosen = self.chosen(parts)?;
                self.value(chosen)
            }
            Op::Bind { slot, value, body } => self.bound_in(*slot, value, body),
            Op::Size(of) => self.size(of),
            Op::Index(sides) => self.index(sides, node),
            Op::List(_)
            | Op::Join(_)
            | Op::Transform { .. }
            | Op::Split { .. }
            | Op::Range(_)
            | Op::Present(_) => self.collect(node),
            Op::Optional(optional) => self.build_option(optional, node),
            Op::OptionalQuery(query) => self.optional_query(query, node),
            // Lists and maps handle it before it gets here.
            Op::IfPresent(of) => self.unwrap(of, node),
            Op::Map(entries) => self.map(entries, node),
            Op::TransformMap { over, condition, body } => {
                self.transform_map(over, condition.as_deref(), body, node)
            }
            Op::ListMethod { method, list, arguments } => self.list_method(*method, list, arguments, node),
            Op::SortBy { over, key } => self.sort_by(over, key, node),
            Op::Arithmetic { operation, sides, .. } => self.arithmetic(*operation, sides, node),
            Op::Negate(operand) => self.negate(operand, node),
            Op::Case { lower, text } => self.change_case(*lower, text),
            Op::Convert { to, value } => self.convert(*to, value, node),
            Op::TypeOf(of) => Ok(RawValue::Type(self.present(of)?.type_name())),
            Op::TimeField { part, zone, of } => self.part(*part, zone, of, node),
            Op::Address { property, of } => self.address_property(*property, of),
            Op::Network { property, of } => self.network_property(*property, of),
            Op::Math { math, of } => self.math(*math, of, node),
            Op::Bits { bits, sides } => self.bits(*bits, sides, node),
            Op::Extreme { greatest, among } => self.extreme(*greatest, among, node),
            Op::StringMethod { method, text, arguments } => {
                self.string_method(*method, text, arguments, node)
            }
            Op::Encode(bytes) => self.encode(bytes, node),
            Op::Decode(text) => self.decode(text, node),
            Op::Format { text, arguments } => self.format(text, arguments, node),
            Op::JoinStrings { list, separator } => self.join_strings(list, separator.as_deref(), node),
            Op::Call { function, arguments } => self.call(function, arguments, node),
            Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Equal { .. }
            | Op::Ordered { .. }
            | Op::In(_)
            | Op::Has(..)
            | Op::HasKey { .. }
            | Op::Quantified { .. }
            | Op::Search { .. }
            | Op::Matches { .. }
            | Op::Covers(_)
            | Op::IsCanonical(_)
            | Op::Parses { .. } => self.test(node).map(RawValue::Bool),
        }
    }

    /// The side of `?:` that the condition chooses.
    fn chosen(&mut self, [condition, yes, no]: &'a [Node; 3]) -> EvalResult<&'a Node> {
        Ok(if self.truth(condition)? { yes } else { no })
    }

    /// `cel.bind(name, value, body)`
    fn bound_in(&mut self, slot: usize, value: &'a Node, body: &'a Node) -> EvalResult<RawValue<'a>> {
        let value = self.value(value)?;
        self.bind(slot, value);
        self.value(body)
    }

    /// A part of a timestamp, or of a duration.
    fn part(&mut self, part: TimeField, zone: &Zone, of: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        let (found, missing) = match self.value(of)? {
            RawValue::Timestamp(timestamp) => (timestamp.part(part, zone), Undecidable::Overflow),
            RawValue::Duration(nanoseconds) => (duration_part(nanoseconds, part), Undecidable::NoOverload),
            other => return Err(of.type_error(other)),
        };
        found.map(RawValue::Int).ok_or(at.error(missing))
    }

    /// `&&` or `||`: a side that determines the result hides an error of the other.
    fn junction(&mut self, sides: &'a [Node; 2], settles: bool) -> EvalResult<bool> {
        let [left, right] = sides;
        let left = match self.truth(left) {
            Ok(value) if value == settles => return Ok(settles),
            Err(error) if error.cause == Undecidable::Cost => return Err(error),
            other => other,
        };
        match self.truth(right) {
            Ok(value) if value == settles => Ok(settles),
            Err(error) if left.is_ok() || error.cause == Undecidable::Cost => Err(error),
            _ => left,
        }
    }
}

/// The result of `has(variable)`: whether the value is present; for a list or a map, whether it is not empty.
fn is_there(value: Value<'_>) -> bool {
    match value {
        Value::Absent | Value::Strings([]) => false,
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => true,
    }
}

impl Node {
    fn error(&self, cause: Undecidable) -> EvalError {
        EvalError { cause, offset: self.offset }
    }

    /// The error for a value of a type the operation does not take.
    fn type_error(&self, raw: RawValue<'_>) -> EvalError {
        let absent = matches!(raw, RawValue::Absent);
        self.error(if absent { Undecidable::Absent } else { Undecidable::NoOverload })
    }
}
