//! Stage 5: optional values. One that is asked something is looked at as it is evaluated; one that is kept, in a list
//! or under a name, is built: a range of slots with its value in it, or empty.

use super::lists::position;
use super::walk::{Next, Visitor};
use super::{Datum, Frame, Outcome, is_there};
use crate::moment::Moment;
use crate::program::{Ask, Node, Op, Optional};
use crate::value::{Undecidable, Value};

impl<'a, 'm> Frame<'a, 'm> {
    /// What an expression that must be optional holds.
    pub(super) fn option(&mut self, node: &'a Node) -> Outcome<Option<Datum<'a>>> {
        let from = self.left;
        self.spend(1, node)?;
        let before = self.used;
        let outcome = match &node.op {
            Op::Optional(optional) => self.look(optional, node),
            Op::If(parts) if node.is_optional() => self.chosen(parts).and_then(|chosen| self.option(chosen)),
            _ => self.compute(node).and_then(|whole| self.held(whole, node)),
        };
        self.note_option(node, from, outcome);
        if !matches!(outcome, Ok(Some(datum)) if datum.is_built()) {
            self.release(before);
        }
        outcome
    }

    /// What a built optional holds.
    fn held(&self, whole: Datum<'a>, at: &Node) -> Outcome<Option<Datum<'a>>> {
        match whole {
            Datum::Optional(range) if range.len() == 0 => Ok(None),
            Datum::Optional(range) => {
                self.slots.get(range.start()).copied().map(Some).ok_or(at.trouble(Undecidable::Mistyped))
            }
            other => Err(at.unfit(other)),
        }
    }

    fn look(&mut self, optional: &'a Optional, at: &'a Node) -> Outcome<Option<Datum<'a>>> {
        match optional {
            Optional::None => Ok(None),
            Optional::Of(of) => self.present(of).map(Some),
            Optional::OfNonZero(of) => {
                let datum = self.value(of)?;
                Ok(if self.is_zero(datum) { None } else { Some(datum) })
            }
            Optional::Read(origin, ty) => match self.source(*origin) {
                value if !is_there(value) => Ok(None),
                _ => self.read(*origin, *ty, at).map(Some),
            },
            Optional::Select { chained, sides } => {
                let [of, key] = &**sides;
                let whole = if *chained { self.option(of)? } else { Some(self.value(of)?) };
                let whole = match whole {
                    None | Some(Datum::Absent) => return Ok(None),
                    Some(whole) => whole,
                };
                let key_value = self.key(key)?;
                self.lookup(whole, of, (key_value, key), at)
            }
            Optional::Either(sides) => {
                let [first, second] = &**sides;
                match self.option(first)? {
                    None => self.option(second),
                    found => Ok(found),
                }
            }
            Optional::Map { slot, flat, of, body } => {
                let Some(datum) = self.option(of)? else { return Ok(None) };
                self.bind(*slot, datum);
                if *flat { self.option(body) } else { self.present(body).map(Some) }
            }
        }
    }

    /// The value of a key, or the element at an index.
    fn lookup(
        &mut self,
        whole: Datum<'a>,
        of: &Node,
        (key, key_node): (Datum<'a>, &Node),
        at: &Node,
    ) -> Outcome<Option<Datum<'a>>> {
        if whole.is_map() {
            self.find(whole, key, at)
        } else if whole.is_list() {
            let index = position(key).map_err(|cause| key_node.trouble(cause))?;
            Ok(index.and_then(|index| self.item(whole, index)).map(|item| item.value))
        } else {
            Err(of.unfit(whole))
        }
    }

    /// An optional that is kept.
    pub(super) fn build_option(&mut self, optional: &'a Optional, at: &'a Node) -> Outcome<Datum<'a>> {
        let range = self.build_from(at, |frame| match frame.look(optional, at)? {
            Some(datum) => frame.hold(datum, at),
            None => Ok(()),
        })?;
        Ok(Datum::Optional(range))
    }

    pub(super) fn ask(&mut self, ask: &'a Ask, at: &Node) -> Outcome<Datum<'a>> {
        match ask {
            Ask::HasValue(of) => Ok(Datum::Bool(self.option(of)?.is_some())),
            Ask::Value(of) => self.unwrap(of, at),
            Ask::OrValue(sides) => {
                let [of, other] = &**sides;
                match self.option(of)? {
                    Some(datum) => Ok(datum),
                    None => self.value(other),
                }
            }
        }
    }

    pub(super) fn unwrap(&mut self, of: &'a Node, at: &Node) -> Outcome<Datum<'a>> {
        self.option(of)?.ok_or(at.trouble(Undecidable::Optional))
    }

    /// The values of those optionals in a list that have one.
    pub(super) fn walk_present(
        &mut self,
        list: &'a Node,
        at: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> Outcome<()> {
        let (mut index, mut next) = (0, Next::More);
        self.walk(list, &mut |frame, item| {
            if let Some(held) = frame.held(item.value, at)?
                && next == Next::More
            {
                next = frame.show(index, held, visit)?;
                index += 1;
            }
            Ok(Next::More)
        })
    }

    /// The value a type begins with, and lists and maps without anything in them.
    fn is_zero(&self, datum: Datum<'a>) -> bool {
        match datum {
            Datum::Absent | Datum::Null | Datum::Bool(false) | Datum::Int(0) | Datum::Uint(0) => true,
            Datum::Double(value) => value == 0.0,
            Datum::Duration(value) => value == 0,
            Datum::Timestamp(moment) => moment == Moment { seconds: 0, nanoseconds: 0 },
            Datum::Optional(range) => range.len() == 0,
            _ => match (datum.count(), self.text(datum), self.bytes(datum)) {
                (Some(count), ..) => count == 0,
                (_, Some(text), _) => text.is_empty(),
                (.., Some(bytes)) => bytes.is_empty(),
                _ => false,
            },
        }
    }

    /// Reports an optional that is not built.
    fn note_option(&mut self, node: &Node, from: u32, outcome: Outcome<Option<Datum<'a>>>) {
        if let Some(trace) = &mut self.trace {
            let memory = super::Memory { text: self.text, slots: self.slots };
            let during = super::Interval { from, to: self.left };
            let value = |datum: Datum<'a>| datum.shown(&memory).unwrap_or(Value::Absent);
            let held = outcome.map(|held| held.map(value)).map_err(|trouble| trouble.cause);
            trace.note_optional(node.offset, during, held);
        }
    }
}
