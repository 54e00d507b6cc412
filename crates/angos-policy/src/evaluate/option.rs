//! Stage 5: optional values. An optional that is queried at once is never built; one that is stored, in a
//! list or under a name, is a range of slots that holds its value or is empty.

use super::iterate::{Next, Visitor};
use super::lists::position;
use super::{EvalResult, Frame, RawValue, is_there};
use crate::program::{Node, Op, Optional, OptionalQuery};
use crate::timestamp::Timestamp;
use crate::value::{Undecidable, Value};

impl<'a, 'm> Frame<'a, 'm> {
    /// The content of an expression that must be optional.
    pub(super) fn option(&mut self, node: &'a Node) -> EvalResult<Option<RawValue<'a>>> {
        let from = self.budget;
        self.charge(1, node)?;
        let before = self.used;
        let outcome = match &node.op {
            Op::Optional(optional) => self.look(optional, node),
            Op::If(parts) if node.is_optional() => self.chosen(parts).and_then(|chosen| self.option(chosen)),
            _ => self.compute(node).and_then(|whole| self.held(whole, node)),
        };
        self.record_option(node, from, outcome);
        if !matches!(outcome, Ok(Some(raw)) if raw.is_built()) {
            self.release(before);
        }
        outcome
    }

    /// The content of a built optional.
    fn held(&self, whole: RawValue<'a>, at: &Node) -> EvalResult<Option<RawValue<'a>>> {
        match whole {
            RawValue::Optional(range) if range.len() == 0 => Ok(None),
            RawValue::Optional(range) => {
                self.slots.get(range.start()).copied().map(Some).ok_or(at.error(Undecidable::Mistyped))
            }
            other => Err(at.type_error(other)),
        }
    }

    fn look(&mut self, optional: &'a Optional, at: &'a Node) -> EvalResult<Option<RawValue<'a>>> {
        match optional {
            Optional::None => Ok(None),
            Optional::Of(of) => self.present(of).map(Some),
            Optional::OfNonZero(of) => {
                let raw = self.value(of)?;
                Ok(if self.is_zero(raw) { None } else { Some(raw) })
            }
            Optional::Read(origin, ty) => match self.source(*origin) {
                value if !is_there(value) => Ok(None),
                _ => self.read(*origin, *ty, at).map(Some),
            },
            Optional::Select { chained, sides } => {
                let [of, key] = &**sides;
                let whole = if *chained { self.option(of)? } else { Some(self.value(of)?) };
                let whole = match whole {
                    None | Some(RawValue::Absent) => return Ok(None),
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
                let Some(raw) = self.option(of)? else { return Ok(None) };
                self.bind(*slot, raw);
                if *flat { self.option(body) } else { self.present(body).map(Some) }
            }
        }
    }

    /// The value of a key, or the element at an index.
    fn lookup(
        &mut self,
        whole: RawValue<'a>,
        of: &Node,
        (key, key_node): (RawValue<'a>, &Node),
        at: &Node,
    ) -> EvalResult<Option<RawValue<'a>>> {
        if whole.is_map() {
            self.find(whole, key, at)
        } else if whole.is_list() {
            let index = position(key).map_err(|cause| key_node.error(cause))?;
            Ok(index.and_then(|index| self.item(whole, index)).map(|item| item.value))
        } else {
            Err(of.type_error(whole))
        }
    }

    /// Builds an optional that is stored.
    pub(super) fn build_option(&mut self, optional: &'a Optional, at: &'a Node) -> EvalResult<RawValue<'a>> {
        let range = self.build_from(at, |frame| match frame.look(optional, at)? {
            Some(raw) => frame.hold(raw, at),
            None => Ok(()),
        })?;
        Ok(RawValue::Optional(range))
    }

    pub(super) fn optional_query(&mut self, query: &'a OptionalQuery, at: &Node) -> EvalResult<RawValue<'a>> {
        match query {
            OptionalQuery::HasValue(of) => Ok(RawValue::Bool(self.option(of)?.is_some())),
            OptionalQuery::Value(of) => self.unwrap(of, at),
            OptionalQuery::OrValue(sides) => {
                let [of, other] = &**sides;
                match self.option(of)? {
                    Some(raw) => Ok(raw),
                    None => self.value(other),
                }
            }
        }
    }

    pub(super) fn unwrap(&mut self, of: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        self.option(of)?.ok_or(at.error(Undecidable::Optional))
    }

    /// The values of those optionals in a list that have one.
    pub(super) fn iterate_present(
        &mut self,
        list: &'a Node,
        at: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<()> {
        let (mut index, mut next) = (0, Next::More);
        self.iterate(list, &mut |frame, item| {
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
    fn is_zero(&self, raw: RawValue<'a>) -> bool {
        match raw {
            RawValue::Absent
            | RawValue::Null
            | RawValue::Bool(false)
            | RawValue::Int(0)
            | RawValue::Uint(0) => true,
            RawValue::Double(value) => value == 0.0,
            RawValue::Duration(value) => value == 0,
            RawValue::Timestamp(timestamp) => timestamp == Timestamp { seconds: 0, nanoseconds: 0 },
            RawValue::Optional(range) => range.len() == 0,
            _ => match (raw.count(), self.text(raw), self.bytes(raw)) {
                (Some(count), ..) => count == 0,
                (_, Some(text), _) => text.is_empty(),
                (.., Some(bytes)) => bytes.is_empty(),
                _ => false,
            },
        }
    }

    /// Reports an optional that is not built.
    fn record_option(&mut self, node: &Node, from: u32, outcome: EvalResult<Option<RawValue<'a>>>) {
        if let Some(trace) = &mut self.trace {
            let memory = super::Memory { text: self.text, slots: self.slots };
            let during = super::Interval { from, to: self.budget };
            let value = |raw: RawValue<'a>| raw.shown(&memory).unwrap_or(Value::Absent);
            let held = outcome.map(|held| held.map(value)).map_err(|error| error.cause);
            trace.record_optional(node.offset, during, held);
        }
    }
}
