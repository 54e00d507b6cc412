//! Stage 5: operations on maps, and building them.

use super::compare::same_number;
use super::iterate::Next;
use super::{EvalResult, Frame, RawValue};
use crate::program::{Loop, Node, Op};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    /// The value of a key. Numbers of any type find the key they are equal to.
    pub(super) fn find(
        &mut self,
        map: RawValue<'a>,
        key: RawValue<'a>,
        at: &Node,
    ) -> EvalResult<Option<RawValue<'a>>> {
        if let (RawValue::ForeignMap(entries), Some(key)) = (map, self.text(key)) {
            let found = entries.value(key).map(RawValue::of);
            // The lookup may search all entries.
            self.charge(entries.len(), at)?;
            return match found {
                Some(None) => Err(at.error(Undecidable::Mistyped)),
                found => Ok(found.flatten()),
            };
        }
        let count = map.count().ok_or(at.type_error(map))?;
        self.charge(count, at)?;
        for index in 0..count {
            let item = self.item(map, index).ok_or(at.error(Undecidable::Mistyped))?;
            if self.same_key(item.place, key) {
                return Ok(Some(item.value));
            }
        }
        Ok(None)
    }

    /// `has(map.key)`
    pub(super) fn has_key(&mut self, map: &'a Node, key: &'a str, at: &Node) -> EvalResult<bool> {
        let whole = self.value(map)?;
        if !whole.is_map() {
            return Err(map.type_error(whole));
        }
        Ok(self.find(whole, RawValue::String(key), at)?.is_some())
    }

    fn same_key(&self, left: RawValue<'a>, right: RawValue<'a>) -> bool {
        match (self.text(left), self.text(right)) {
            (Some(left), Some(right)) => left == right,
            (None, None) => match (left, right) {
                (RawValue::Bool(left), RawValue::Bool(right)) => left == right,
                _ => same_number(left, right),
            },
            _ => false,
        }
    }

    /// `{key: value, …}`
    pub(super) fn map(&mut self, entries: &'a [(Node, Node)], at: &'a Node) -> EvalResult<RawValue<'a>> {
        let range = self.build_from(at, |frame| {
            let before = frame.pending;
            for (key_node, value_node) in entries {
                let key = frame.value(key_node)?;
                let value = match &value_node.op {
                    Op::IfPresent(optional) => match frame.option(optional)? {
                        Some(value) => value,
                        None => continue,
                    },
                    _ => frame.value(value_node)?,
                };
                frame.check_key_is_new(key, before, key_node)?;
                frame.hold(key, at)?;
                frame.hold(value, at)?;
            }
            Ok(())
        })?;
        Ok(RawValue::Map(range))
    }

    /// Whether a key may be added to the entries held since `end`.
    fn check_key_is_new(&mut self, key: RawValue<'a>, end: usize, at: &Node) -> EvalResult<()> {
        match key {
            RawValue::Bool(_)
            | RawValue::Int(_)
            | RawValue::Uint(_)
            | RawValue::String(_)
            | RawValue::Built(_) => {}
            RawValue::Absent => return Err(at.error(Undecidable::Absent)),
            _ => return Err(at.error(Undecidable::BadKey)),
        }
        let held = end - self.pending;
        self.charge(held / 2, at)?;
        // Held downwards: from the top, each key and then its value.
        let keys = self.slots.get(self.pending..end).unwrap_or_default().iter().skip(1).step_by(2);
        let twice = keys.copied().any(|other| self.same_key(other, key));
        if twice { Err(at.error(Undecidable::BadKey)) } else { Ok(()) }
    }

    /// `transformMap(key, value, …)`
    pub(super) fn transform_map(
        &mut self,
        over: &'a Loop,
        condition: Option<&'a Node>,
        body: &'a Node,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let range = self.build_from(at, |frame| {
            frame.iterate(&over.source, &mut |frame, item| {
                frame.enter(over, &item);
                let wanted = match condition {
                    Some(condition) => frame.truth(condition)?,
                    None => true,
                };
                if wanted {
                    frame.hold(item.place, at)?;
                    let value = frame.value(body)?;
                    frame.hold(value, at)?;
                }
                Ok(Next::More)
            })
        })?;
        Ok(RawValue::Map(range))
    }
}
