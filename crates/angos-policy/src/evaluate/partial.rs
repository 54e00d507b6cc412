//! Stage 5 for partial facts: program + partial facts → every possible outcome.
//!
//! An expression without unknown facts is evaluated as in a decision. Otherwise logic and comparisons are
//! evaluated over sets of outcomes; any other expression may have any outcome, which is always sound.

use super::{EvalResult, Frame, RawValue, is_there, with_memory};
use crate::analyze::{Example, Known, PartialFacts};
use crate::environment::Origin;
use crate::program::{Constant, MemoryNeeds, Node, Op, Optional, OptionalQuery, Quantifier, Search};
use crate::value::{Type, Undecidable, Value};
use angos_identity::Identity;

/// The possible outcomes of a boolean expression over all completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcomes(u8);

impl Outcomes {
    const NONE: Self = Self(0);
    const YES: Self = Self(1);
    const NO: Self = Self(2);
    /// Undecidable.
    const FAILS: Self = Self(4);
    /// Undecidable because of the cost limit, which the other side of `&&` and `||` cannot hide.
    const EXHAUSTS: Self = Self(8);
    const EITHER: Self = Self(1 | 2);
    const ANY: Self = Self(1 | 2 | 4 | 8);

    pub(crate) fn may_be(self, answer: bool) -> bool {
        self.meets(Self::of(answer))
    }

    pub(crate) fn is_always(self, answer: bool) -> bool {
        self == Self::of(answer)
    }

    fn of(answer: bool) -> Self {
        if answer { Self::YES } else { Self::NO }
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of `self` that are among `others`.
    fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    fn meets(self, others: Self) -> bool {
        self.among(others) != Self::NONE
    }

    fn negated(self) -> Self {
        let Self(bits) = self;
        Self((bits & !3) | (bits & 1) << 1 | (bits & 2) >> 1)
    }

    /// The result of [`Frame::junction`] for each pair of outcomes.
    fn joined(self, right: Self, settles: bool) -> Self {
        let decided = Self::of(settles).or(Self::EXHAUSTS);
        let mut all = self.among(decided);
        if self.meets(Self::of(!settles)) {
            all = all.or(right);
        }
        if self.meets(Self::FAILS) {
            all = all.or(right.among(decided));
            if right.meets(Self::of(!settles).or(Self::FAILS)) {
                all = all.or(Self::FAILS);
            }
        }
        all
    }
}

impl From<EvalResult<bool>> for Outcomes {
    /// An exhausted budget proves nothing: the decision may be cheaper.
    fn from(outcome: EvalResult<bool>) -> Self {
        match outcome {
            Ok(answer) => Self::of(answer),
            Err(error) if error.cause == Undecidable::Cost => Self::ANY,
            Err(_) => Self::FAILS,
        }
    }
}

/// The knowledge about one side of a comparison.
enum Side<'a> {
    Exact(RawValue<'a>),
    Variable(Known<'a>),
    Open,
}

/// Evaluates one rule with partial facts.
pub(crate) struct PartialEvaluator<'a, 'm> {
    frame: Frame<'a, 'm>,
    identity: &'a Identity,
    partial: &'a dyn PartialFacts,
    /// A part of the rule that is assumed to be true or false.
    assumed: Option<(&'a Node, bool)>,
}

impl<'a> PartialEvaluator<'a, '_> {
    /// Evaluates a rule, or a part of one outside loops, optionally with one part assumed to be true or
    /// false.
    pub(crate) fn outcomes_of(
        node: &'a Node,
        identity: &'a Identity,
        partial: &'a dyn PartialFacts,
        assumed: Option<(&'a Node, bool)>,
    ) -> Outcomes {
        let facts = Example(partial);
        with_memory(MemoryNeeds { text: true, slots: true }, |text, slots| {
            let frame = Frame::new(identity, &facts, text, slots);
            PartialEvaluator { frame, identity, partial, assumed }.truth(node)
        })
    }

    fn truth(&mut self, node: &'a Node) -> Outcomes {
        if self.frame.charge(1, node).is_err() {
            return Outcomes::ANY;
        }
        if let Some((_, answer)) = self.assumed.filter(|(part, _)| std::ptr::eq(*part, node)) {
            return Outcomes::of(answer);
        }
        match &node.op {
            Op::Not(operand) => self.truth(operand).negated(),
            Op::And(sides) => self.joined(sides, false),
            Op::Or(sides) => self.joined(sides, true),
            Op::If(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.truth(condition);
                let mut all = condition.among(Outcomes::FAILS.or(Outcomes::EXHAUSTS));
                for (answer, chosen) in [(true, yes), (false, no)] {
                    if condition.may_be(answer) {
                        all = all.or(self.truth(chosen));
                    }
                }
                all
            }
            _ if self.is_closed(node) => self.frame.truth(node).into(),
            _ if self.surely_fails(node) => Outcomes::FAILS.or(Outcomes::EXHAUSTS),
            Op::Read(origin, Type::Bool) => match self.known(*origin) {
                Known::Exactly(Value::Bool(value)) => Outcomes::of(value),
                Known::Exactly(_) => Outcomes::FAILS,
                Known::Present | Known::StartsWith(_) => Outcomes::EITHER,
                Known::Nothing => Outcomes::EITHER.or(Outcomes::FAILS),
            },
            Op::Has(origin, ty) => self.has(*origin, *ty, node),
            Op::OptionalQuery(OptionalQuery::HasValue(of))
                if let Op::Optional(Optional::Read(origin, ty)) = &of.op =>
            {
                self.has(*origin, *ty, node)
            }
            Op::Equal { negated, sides } => {
                let equal = self.equal(sides, node);
                if *negated { equal.negated() } else { equal }
            }
            Op::In(sides) => self.contained(sides, node),
            Op::Search { search, sides } => self.found(*search, sides),
            Op::Quantified { quantifier, over, .. } if self.is_empty(&over.source) => {
                Outcomes::of(*quantifier == Quantifier::All)
            }
            _ => Outcomes::ANY,
        }
    }

    fn joined(&mut self, sides: &'a [Node; 2], settles: bool) -> Outcomes {
        let [left, right] = sides;
        let left = self.truth(left);
        left.joined(self.truth(right), settles)
    }

    fn known(&self, origin: Origin) -> Known<'a> {
        match origin {
            Origin::Identity(attribute) => self.partial.caller().known(attribute),
            Origin::Fact(index) => self.partial.fact(index),
        }
    }

    fn has(&mut self, origin: Origin, ty: Type, at: &Node) -> Outcomes {
        match self.known(origin) {
            Known::Exactly(value) if !is_there(value) => Outcomes::NO,
            Known::Exactly(value) => self.of_declared(value, ty, at).map_or(Outcomes::ANY, |_| Outcomes::YES),
            Known::StartsWith(_) => Outcomes::YES,
            // A list that is there may be empty.
            Known::Present | Known::Nothing => Outcomes::EITHER,
        }
    }

    /// A value that is known, if it is of its declared type.
    fn of_declared(&mut self, value: Value<'a>, ty: Type, at: &Node) -> Option<RawValue<'a>> {
        let raw = RawValue::of_declared(value, ty)?;
        self.frame.conforms(raw, ty, at).ok().map(|()| raw)
    }

    fn side(&mut self, node: &'a Node) -> Side<'a> {
        if let Op::Read(origin, ty) = &node.op {
            return match self.known(*origin) {
                Known::Exactly(value) => self.of_declared(value, *ty, node).map_or(Side::Open, Side::Exact),
                // An absent list is empty, and a present `dyn` value may be null.
                _ if is_list_like(*ty) => Side::Open,
                known => Side::Variable(known),
            };
        }
        if !self.is_closed(node) {
            return Side::Open;
        }
        self.frame.value(node).map_or(Side::Open, Side::Exact)
    }

    fn equal(&mut self, sides: &'a [Node; 2], at: &Node) -> Outcomes {
        let [left, right] = sides;
        let used = self.frame.used;
        let outcomes = match (self.side(left), self.side(right)) {
            (Side::Exact(left), Side::Exact(right)) => self.frame.equal(left, right, at).into(),
            (Side::Exact(exact), Side::Variable(known)) | (Side::Variable(known), Side::Exact(exact)) => {
                self.equals(known, exact, at)
            }
            (Side::Variable(_), Side::Variable(_)) => Outcomes::EITHER.or(Outcomes::FAILS),
            _ => Outcomes::ANY,
        };
        self.frame.used = used;
        outcomes
    }

    /// Whether a partly known value equals `exact`.
    fn equals(&mut self, known: Known<'a>, exact: RawValue<'a>, at: &Node) -> Outcomes {
        let of_present = match (known, exact) {
            (_, RawValue::Null) => Outcomes::NO,
            (_, RawValue::Absent) => Outcomes::EITHER.or(Outcomes::FAILS),
            (Known::StartsWith(start), exact) => match self.frame.text(exact) {
                Some(text) if !text.starts_with(start) => Outcomes::NO,
                _ => Outcomes::EITHER,
            },
            _ => Outcomes::EITHER,
        };
        if !matches!(known, Known::Nothing) {
            return of_present;
        }
        Outcomes::from(self.frame.equal(RawValue::Absent, exact, at)).or(of_present)
    }

    /// `needle in list` where the list is written out.
    fn contained(&mut self, [needle, list]: &'a [Node; 2], at: &Node) -> Outcomes {
        let Some(Constant::List(elements)) = list.constant() else { return Outcomes::ANY };
        if self.frame.charge(elements.len(), at).is_err() {
            return Outcomes::ANY;
        }
        let needle = match self.side(needle) {
            Side::Open => return Outcomes::ANY,
            needle => needle,
        };
        elements.iter().fold(Outcomes::NO, |found, element| {
            let element = RawValue::from(element);
            let here = match needle {
                Side::Exact(needle) => self.frame.equal(needle, element, at).into(),
                Side::Variable(known) => self.equals(known, element, at),
                Side::Open => Outcomes::ANY,
            };
            found.joined(here, true)
        })
    }

    /// `text.startsWith(part)` and its like, of a variable.
    fn found(&mut self, search: Search, sides: &'a [Node; 2]) -> Outcomes {
        let [text, part] = sides;
        let used = self.frame.used;
        let (text, part) = (self.side(text), self.side(part));
        let outcomes = match (search, text, part) {
            (Search::StartsWith | Search::EndsWith, Side::Variable(known), Side::Exact(part)) => {
                match (known, self.frame.text(part)) {
                    (Known::StartsWith(start), Some(part)) if search == Search::StartsWith => {
                        match (start.starts_with(part), part.starts_with(start)) {
                            (true, _) => Outcomes::YES,
                            (false, true) => Outcomes::EITHER,
                            (false, false) => Outcomes::NO,
                        }
                    }
                    (Known::Present | Known::StartsWith(_), Some(_)) => Outcomes::EITHER,
                    _ => Outcomes::EITHER.or(Outcomes::FAILS),
                }
            }
            _ => Outcomes::ANY,
        };
        self.frame.used = used;
        outcomes
    }

    /// Whether a list is known to have no element.
    fn is_empty(&mut self, list: &'a Node) -> bool {
        self.is_closed(list) && matches!(self.frame.size(list), Ok(RawValue::Int(0)))
    }

    /// Whether an expression has no value in any completion, because a part it needs has none.
    fn surely_fails(&mut self, node: &'a Node) -> bool {
        if self.is_closed(node) {
            let used = self.frame.used;
            let outcome = self.frame.value(node);
            self.frame.used = used;
            return outcome.is_err_and(|error| error.cause != Undecidable::Cost);
        }
        if self.frame.charge(1, node).is_err() {
            return false;
        }
        match &node.op {
            Op::Equal { sides, .. } => sides.iter().any(|side| self.surely_fails(side)),
            Op::Arithmetic { sides, .. } | Op::Ordered { sides, .. } | Op::Search { sides, .. } => {
                sides.iter().any(|side| self.is_surely_absent(side) || self.surely_fails(side))
            }
            Op::Size(of) | Op::Negate(of) => self.surely_fails(of),
            Op::Matches { text: of, .. } | Op::Case { text: of, .. } | Op::Convert { value: of, .. } => {
                self.surely_fails(of)
            }
            _ => false,
        }
    }

    fn is_surely_absent(&self, node: &Node) -> bool {
        let Op::Read(origin, ty) = node.op else { return false };
        // An absent list is an empty one.
        !is_list_like(ty) && self.known(origin) == Known::Exactly(Value::Absent)
    }

    fn is_closed(&self, node: &Node) -> bool {
        let mut closed = true;
        node.each_origin(&mut |origin| closed &= self.is_exact(origin));
        closed
    }

    /// Whether the frame reads the same value as every completion.
    fn is_exact(&self, origin: Origin) -> bool {
        match (origin, self.known(origin)) {
            (Origin::Identity(attribute), Known::Exactly(value)) => attribute.read(self.identity) == value,
            (Origin::Fact(_), Known::Exactly(_)) => true,
            _ => false,
        }
    }
}

fn is_list_like(ty: Type) -> bool {
    matches!(ty, Type::StringList | Type::List(_) | Type::Map(..) | Type::Dyn | Type::Null)
}
