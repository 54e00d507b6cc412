//! Stage 5: program + identity + facts → a value, or the reason there is none.
//!
//! Nothing here allocates. Values borrow from the program, the identity and the facts; strings a rule builds
//! live in a fixed piece of the caller's stack.

mod arithmetic;
mod call;
mod compare;
mod convert;
mod edit;
mod lists;
mod maps;
mod math;
mod network;
mod prospect;
mod text;

use crate::environment::Origin;
use crate::limits::{LOOP_DEPTH_MAX, RULE_COST_MAX};
use crate::moment::{Moment, duration_part};
use crate::program::{Constant, Node, Op, Program, Scalar};
use crate::value::{Facts, Undecidable, Value};
use angos_identity::Identity;
pub(crate) use convert::convert_constant;
use ipnet::IpNet;
pub(crate) use prospect::{Outcomes, Prospect};
use std::net::IpAddr;

/// The value of an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Datum<'a> {
    Absent,
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(&'a str),
    /// A string the rule built: this range of [`Frame::memory`].
    Built {
        start: usize,
        end: usize,
    },
    Bytes(&'a [u8]),
    Timestamp(Moment),
    Duration(i64),
    Ip(IpAddr),
    Cidr(IpNet),
    Type(&'static str),
}

/// Why an expression has no value, and which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) cause: Undecidable,
    pub(crate) offset: u32,
}

type Outcome<T> = Result<T, Trouble>;

/// The state of evaluating one rule. `'a` is what values borrow from, `'m` the memory for built strings.
pub(crate) struct Frame<'a, 'm> {
    identity: &'a Identity,
    facts: &'a dyn Facts,
    bound: [Datum<'a>; LOOP_DEPTH_MAX],
    left: u32,
    memory: &'m mut [u8],
    used: usize,
    /// What a walk over a list has found lies below; a walk gives no memory up below this.
    kept: usize,
}

impl<'a, 'm> Frame<'a, 'm> {
    pub(crate) fn new(identity: &'a Identity, facts: &'a dyn Facts, memory: &'m mut [u8]) -> Self {
        let bound = [Datum::Absent; LOOP_DEPTH_MAX];
        Self { identity, facts, bound, left: RULE_COST_MAX, memory, used: 0, kept: 0 }
    }

    /// The value of a rule. Each rule has the whole cost bound to itself, so that order never matters.
    pub(crate) fn run(&mut self, program: &'a Program) -> Outcome<bool> {
        self.left = RULE_COST_MAX;
        self.used = 0;
        self.kept = 0;
        self.truth(&program.root)
    }

    /// Hands the value of an expression to `then`.
    pub(crate) fn answer<R>(
        mut self,
        program: &'a Program,
        then: impl FnOnce(Result<Value<'_>, Undecidable>) -> R,
    ) -> R {
        let outcome = self.value(&program.root).map_err(|trouble| trouble.cause);
        then(outcome.and_then(|datum| shown(datum, self.memory).ok_or(Undecidable::Mistyped)))
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
        self.spend(1, node)?;
        let used = self.used;
        let outcome = self.test(node);
        self.used = used;
        outcome
    }

    /// Evaluates an expression and gives back the memory its operands built strings in.
    fn value(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        self.spend(1, node)?;
        let used = self.used;
        let outcome = self.compute(node);
        if !matches!(outcome, Ok(Datum::Built { .. })) {
            self.used = used;
        }
        outcome
    }

    /// The operations whose answer is yes or no.
    fn test(&mut self, node: &'a Node) -> Outcome<bool> {
        match &node.op {
            Op::Not(operand) => Ok(!self.truth(operand)?),
            Op::And(sides) => self.junction(sides, false),
            Op::Or(sides) => self.junction(sides, true),
            Op::Equal { negated, sides } => Ok(self.equal_sides(sides, node)? != *negated),
            Op::EqualLists { negated, sides } => Ok(self.equal_lists(sides, node)? != *negated),
            Op::Ordered { order, sides } => self.ordered(*order, sides, node),
            Op::In { needle, list } => self.contained(needle, list, node),
            Op::Has(origin) => Ok(!matches!(self.source(*origin), Value::Absent | Value::Strings([]))),
            Op::Quantified { quantifier, list, slot, test } => {
                self.quantified(*quantifier, list, *slot, test, node)
            }
            Op::Search { search, sides } => self.search(*search, sides),
            Op::Matches { text, pattern } => self.matches(text, pattern, node),
            Op::Covers(sides) => self.covers(sides),
            Op::Parses { to, text } => self.parses(*to, text),
            _ => match self.compute(node)? {
                Datum::Bool(value) => Ok(value),
                other => Err(node.unfit(other)),
            },
        }
    }

    fn compute(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        match &node.op {
            Op::Constant(constant) => Ok(Datum::from(constant)),
            Op::Read(origin, scalar) => {
                admit(self.source(*origin), *scalar).ok_or(node.trouble(Undecidable::Mistyped))
            }
            Op::Bound(slot) => Ok(*self.bound.get(*slot).unwrap_or(&Datum::Absent)),
            Op::If(parts) => {
                let [condition, yes, no] = &**parts;
                let chosen = if self.truth(condition)? { yes } else { no };
                self.value(chosen)
            }
            Op::Count(list) => self.count(list, node),
            Op::Lookup { key, table } => {
                let found = self.lookup(key, table, node)?;
                self.compute(found)
            }
            Op::Element { list, index } => self.element(list, index, node),
            Op::Arithmetic { operation, sides } => self.arithmetic(*operation, sides, node),
            Op::Negate(operand) => self.negate(operand, node),
            Op::Length(operand) => self.length(operand),
            Op::Case { lower, text } => self.change_case(*lower, text),
            Op::Convert { to, value } => self.convert(*to, value, node),
            Op::TypeOf(of, name) => self.present(of).map(|_| Datum::Type(name)),
            Op::Part { part, east, of } => match self.value(of)? {
                Datum::Timestamp(moment) => {
                    moment.part(*part, *east).map(Datum::Int).ok_or(node.trouble(Undecidable::Overflow))
                }
                Datum::Duration(nanoseconds) => Ok(Datum::Int(duration_part(nanoseconds, *part))),
                other => Err(of.unfit(other)),
            },
            Op::Address { property, of } => self.address_property(*property, of),
            Op::Network { property, of } => self.network_property(*property, of),
            Op::Math { math, of } => self.math(*math, of, node),
            Op::Extreme { greatest, among } => self.extreme(*greatest, among, node),
            Op::Edit { edit, text, arguments } => self.edit(*edit, text, arguments, node),
            Op::Call { body, result, arguments } => self.call(*body, *result, arguments, node),
            Op::Not(_)
            | Op::And(_)
            | Op::Or(_)
            | Op::Equal { .. }
            | Op::EqualLists { .. }
            | Op::Ordered { .. }
            | Op::In { .. }
            | Op::Has(_)
            | Op::Quantified { .. }
            | Op::Search { .. }
            | Op::Matches { .. }
            | Op::Covers(_)
            | Op::Parses { .. } => self.test(node).map(Datum::Bool),
        }
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

impl Node {
    fn trouble(&self, cause: Undecidable) -> Trouble {
        Trouble { cause, offset: self.offset }
    }

    /// What to say of a value that is not of the type the checker promised.
    fn unfit(&self, datum: Datum<'_>) -> Trouble {
        self.trouble(if matches!(datum, Datum::Absent) { Undecidable::Absent } else { Undecidable::Mistyped })
    }
}

impl<'a> From<&'a Constant> for Datum<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Uint(value) => Self::Uint(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::String(value) => Self::String(value),
            Constant::Bytes(value) => Self::Bytes(value),
            Constant::Timestamp(value) => Self::Timestamp(*value),
            Constant::Duration(value) => Self::Duration(*value),
            Constant::Ip(value) => Self::Ip(*value),
            Constant::Cidr(value) => Self::Cidr(*value),
            Constant::Type(name) => Self::Type(name),
        }
    }
}

/// A value as the outside sees it, if it can; `memory` is what built strings live in.
fn shown<'t>(datum: Datum<'t>, memory: &'t [u8]) -> Option<Value<'t>> {
    Some(match datum {
        Datum::Absent => Value::Absent,
        Datum::Bool(value) => Value::Bool(value),
        Datum::Int(value) => Value::Int(value),
        Datum::Uint(value) => Value::Uint(value),
        Datum::Double(value) => Value::Double(value),
        Datum::String(text) => Value::String(text),
        Datum::Built { start, end } => Value::String(built(memory, start, end)?),
        Datum::Bytes(value) => Value::Bytes(value),
        Datum::Timestamp(moment) => Value::Timestamp(moment.seconds, moment.nanoseconds),
        Datum::Duration(value) => Value::Duration(value),
        Datum::Null | Datum::Ip(_) | Datum::Cidr(_) | Datum::Type(_) => return None,
    })
}

/// A string the rule built.
fn built(memory: &[u8], start: usize, end: usize) -> Option<&str> {
    std::str::from_utf8(memory.get(start..end)?).ok()
}

/// A value from outside, if it is of the declared type.
fn admit(value: Value<'_>, declared: Scalar) -> Option<Datum<'_>> {
    Some(match (value, declared) {
        (Value::Absent, _) => Datum::Absent,
        (Value::String(value), Scalar::String) => Datum::String(value),
        (Value::Bool(value), Scalar::Bool) => Datum::Bool(value),
        (Value::Int(value), Scalar::Int) => Datum::Int(value),
        (Value::Uint(value), Scalar::Uint) => Datum::Uint(value),
        (Value::Double(value), Scalar::Double) => Datum::Double(value),
        (Value::Bytes(value), Scalar::Bytes) => Datum::Bytes(value),
        (Value::Timestamp(seconds, nanoseconds), Scalar::Timestamp) => {
            Datum::Timestamp(Moment::new(seconds, nanoseconds)?)
        }
        (Value::Duration(value), Scalar::Duration) => Datum::Duration(value),
        _ => return None,
    })
}
