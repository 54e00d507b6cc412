//! Stage 5: program + identity + facts → a value, or the reason there is none.
//!
//! Nothing here allocates. Values borrow from the program, the identity and the facts; what a rule builds
//! lives in fixed pieces of the caller's stack ([`memory`]).

mod admit;
mod arithmetic;
mod arrange;
mod call;
mod compare;
mod convert;
mod datum;
mod edit;
mod encode;
mod format;
mod lists;
mod maps;
mod math;
mod memory;
mod network;
mod option;
mod prospect;
mod quote;
mod sort;
mod text;
mod trace;
mod walk;

use crate::environment::Origin;
use crate::limits::{LOOP_DEPTH_MAX, RULE_COST_MAX};
use crate::moment::{Part, Zone, duration_part};
use crate::program::{Node, Op, Program};
use crate::value::{Facts, Undecidable, Value};
use angos_identity::Identity;
pub(crate) use convert::convert_constant;
use datum::Range;
pub(crate) use datum::{Datum, Memory};
use memory::Mark;
pub(crate) use memory::with_memory;
pub(crate) use prospect::{Outcomes, Prospect};
pub(crate) use trace::{Interval, Shown, Trace, Visit, Visits};

/// Why an expression has no value, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) cause: Undecidable,
    pub(crate) offset: u32,
}

type Outcome<T> = Result<T, Trouble>;

/// The state of evaluating one rule. `'a` is what values borrow from, `'m` the memory for what is built.
pub(crate) struct Frame<'a, 'm> {
    identity: &'a Identity,
    facts: &'a dyn Facts,
    bound: [Datum<'a>; LOOP_DEPTH_MAX],
    left: u32,
    /// Strings and bytes the rule built, up to `used.text`.
    text: &'m mut [u8],
    /// Lists and maps the rule built, up to `used.slots`; elements of unfinished ones, from `pending`.
    slots: &'m mut [Datum<'a>],
    pending: usize,
    used: Mark,
    /// What lies below is kept until whoever raised it lowers it again.
    floor: Mark,
    trace: Option<&'m mut Trace>,
    /// The word that was found in its closed set last, and the set.
    word: Option<(&'a str, &'static [&'static str])>,
}

impl<'a, 'm> Frame<'a, 'm> {
    pub(crate) fn new(
        identity: &'a Identity,
        facts: &'a dyn Facts,
        text: &'m mut [u8],
        slots: &'m mut [Datum<'a>],
    ) -> Self {
        let bound = [Datum::Absent; LOOP_DEPTH_MAX];
        let (used, floor, pending) = (Mark::default(), Mark::default(), slots.len());
        let left = RULE_COST_MAX;
        Self { identity, facts, bound, left, text, slots, pending, used, floor, trace: None, word: None }
    }

    /// Reports every value to `trace`.
    pub(crate) fn watched(self, trace: &'m mut Trace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Reports the outcome of an expression that began to be evaluated when so much of the cost bound was left.
    #[inline]
    fn note(&mut self, node: &Node, from: u32, outcome: Outcome<Datum<'a>>) {
        if let Some(trace) = &mut self.trace {
            let during = Interval { from, to: self.left };
            let memory = Memory { text: self.text, slots: self.slots };
            let outcome = outcome.map_err(|trouble| trouble.cause);
            let shown = outcome.and_then(|datum| datum.shown(&memory).ok_or(Undecidable::Mistyped));
            trace.note(node.offset, during, shown);
        }
    }

    /// The value of a rule. Each rule has the whole cost bound to itself, so that order never matters.
    pub(crate) fn run(&mut self, program: &'a Program) -> Outcome<bool> {
        self.left = RULE_COST_MAX;
        (self.used, self.floor, self.pending) = (Mark::default(), Mark::default(), self.slots.len());
        self.truth(&program.root)
    }

    /// Hands the value of an expression to `then`.
    pub(crate) fn answer<R>(
        mut self,
        program: &'a Program,
        then: impl FnOnce(Result<Value<'_>, Undecidable>) -> R,
    ) -> R {
        let outcome = self.value(&program.root).map_err(|trouble| trouble.cause);
        let memory = Memory { text: self.text, slots: self.slots };
        then(outcome.and_then(|datum| datum.shown(&memory).ok_or(Undecidable::Mistyped)))
    }

    fn spend(&mut self, cost: usize, at: &Node) -> Outcome<()> {
        let left = u32::try_from(cost).ok().and_then(|cost| self.left.checked_sub(cost));
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(at.trouble(Undecidable::Cost))
    }

    fn source(&self, origin: Origin) -> Value<'a> {
        match origin {
            Origin::Identity(attribute) => attribute.read(self.identity),
            Origin::Fact(index) => self.facts.fact(index),
        }
    }

    /// Evaluates a boolean expression.
    fn truth(&mut self, node: &'a Node) -> Outcome<bool> {
        let from = self.left;
        self.spend(1, node)?;
        let before = self.used;
        let outcome = self.test(node);
        self.note(node, from, outcome.map(Datum::Bool));
        self.release(before);
        outcome
    }

    /// Evaluates an expression and gives back the memory its operands built in.
    fn value(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        let from = self.left;
        self.spend(1, node)?;
        let before = self.used;
        let outcome = self.compute(node);
        self.note(node, from, outcome);
        if !matches!(outcome, Ok(datum) if datum.is_built()) {
            self.release(before);
        }
        outcome
    }

    /// Evaluates an expression whose value must not be absent.
    fn present(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        match self.value(node)? {
            Datum::Absent => Err(node.trouble(Undecidable::Absent)),
            datum => Ok(datum),
        }
    }

    /// The operations whose answer is yes or no.
    fn test(&mut self, node: &'a Node) -> Outcome<bool> {
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
                Datum::Bool(value) => Ok(value),
                other => Err(node.unfit(other)),
            },
        }
    }

    fn compute(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        match &node.op {
            Op::Constant(constant) => Ok(Datum::from(constant)),
            Op::Read(origin, ty) => self.read(*origin, *ty, node),
            Op::Bound(slot) => Ok(*self.bound.get(*slot).unwrap_or(&Datum::Absent)),
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
            Op::Ask(ask) => self.ask(ask, node),
            // Lists and maps take it apart before it comes here.
            Op::IfPresent(of) => self.unwrap(of, node),
            Op::Map(entries) => self.map(entries, node),
            Op::TransformMap { over, condition, body } => {
                self.transform_map(over, condition.as_deref(), body, node)
            }
            Op::Arrange { arrange, list, arguments } => self.arrange(*arrange, list, arguments, node),
            Op::SortBy { over, key } => self.sort_by(over, key, node),
            Op::Arithmetic { operation, sides, .. } => self.arithmetic(*operation, sides, node),
            Op::Negate(operand) => self.negate(operand, node),
            Op::Case { lower, text } => self.change_case(*lower, text),
            Op::Convert { to, value } => self.convert(*to, value, node),
            Op::TypeOf(of) => Ok(Datum::Type(self.present(of)?.type_name())),
            Op::Part { part, zone, of } => self.part(*part, zone, of, node),
            Op::Address { property, of } => self.address_property(*property, of),
            Op::Network { property, of } => self.network_property(*property, of),
            Op::Math { math, of } => self.math(*math, of, node),
            Op::Bits { bits, sides } => self.bits(*bits, sides, node),
            Op::Extreme { greatest, among } => self.extreme(*greatest, among, node),
            Op::Edit { edit, text, arguments } => self.edit(*edit, text, arguments, node),
            Op::Encode(bytes) => self.encode(bytes, node),
            Op::Decode(text) => self.decode(text, node),
            Op::Format { text, arguments } => self.format(text, arguments, node),
            Op::Glue { list, separator } => self.glue(list, separator.as_deref(), node),
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
            | Op::Parses { .. } => self.test(node).map(Datum::Bool),
        }
    }

    /// The side of `?:` that the condition chooses.
    fn chosen(&mut self, [condition, yes, no]: &'a [Node; 3]) -> Outcome<&'a Node> {
        Ok(if self.truth(condition)? { yes } else { no })
    }

    /// `cel.bind(name, value, body)`
    fn bound_in(&mut self, slot: usize, value: &'a Node, body: &'a Node) -> Outcome<Datum<'a>> {
        let value = self.value(value)?;
        self.bind(slot, value);
        self.value(body)
    }

    /// A part of a timestamp, or of a duration.
    fn part(&mut self, part: Part, zone: &Zone, of: &'a Node, at: &Node) -> Outcome<Datum<'a>> {
        let (found, missing) = match self.value(of)? {
            Datum::Timestamp(moment) => (moment.part(part, zone), Undecidable::Overflow),
            Datum::Duration(nanoseconds) => (duration_part(nanoseconds, part), Undecidable::NoOverload),
            other => return Err(of.unfit(other)),
        };
        found.map(Datum::Int).ok_or(at.trouble(missing))
    }

    /// `&&` or `||`: one side that settles the answer outweighs an error on the other.
    fn junction(&mut self, sides: &'a [Node; 2], settles: bool) -> Outcome<bool> {
        let [left, right] = sides;
        let left = match self.truth(left) {
            Ok(value) if value == settles => return Ok(settles),
            Err(trouble) if trouble.cause == Undecidable::Cost => return Err(trouble),
            other => other,
        };
        match self.truth(right) {
            Ok(value) if value == settles => Ok(settles),
            Err(trouble) if left.is_ok() || trouble.cause == Undecidable::Cost => Err(trouble),
            _ => left,
        }
    }
}

/// What `has(variable)` says: whether it is there; of a list or a map, whether anything is in it.
fn is_there(value: Value<'_>) -> bool {
    match value {
        Value::Absent | Value::Strings([]) => false,
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => true,
    }
}

impl Node {
    fn trouble(&self, cause: Undecidable) -> Trouble {
        Trouble { cause, offset: self.offset }
    }

    /// What to say of a value of a type the operation does not take.
    fn unfit(&self, datum: Datum<'_>) -> Trouble {
        let absent = matches!(datum, Datum::Absent);
        self.trouble(if absent { Undecidable::Absent } else { Undecidable::NoOverload })
    }
}
