//! Stage 5: what is asked of maps, and building them.

use super::compare::same_number;
use super::walk::Next;
use super::{Datum, Frame, Outcome};
use crate::program::{Loop, Node, Op};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    /// The value of a key. Numbers of any type find the key they are equal to.
    pub(super) fn find(&mut self, map: Datum<'a>, key: Datum<'a>, at: &Node) -> Outcome<Option<Datum<'a>>> {
        if let (Datum::ForeignMap(entries), Some(key)) = (map, self.text(key)) {
            let found = entries.value(key).map(Datum::of);
            // It may walk its entries.
            self.spend(entries.len(), at)?;
            return match found {
                Some(None) => Err(at.trouble(Undecidable::Mistyped)),
                found => Ok(found.flatten()),
            };
        }
        let count = map.count().ok_or(at.unfit(map))?;
        self.spend(count, at)?;
        for index in 0..count {
            let item = self.item(map, index).ok_or(at.trouble(Undecidable::Mistyped))?;
            if self.same_key(item.place, key) {
                return Ok(Some(item.value));
            }
        }
        Ok(None)
    }

    /// `has(map.key)`
    pub(super) fn has_key(&mut self, map: &'a Node, key: &'a str, at: &Node) -> Outcome<bool> {
        let whole = self.value(map)?;
        if !whole.is_map() {
            return Err(map.unfit(whole));
        }
        Ok(self.find(whole, Datum::String(key), at)?.is_some())
    }

    fn same_key(&self, left: Datum<'a>, right: Datum<'a>) -> bool {
        match (self.text(left), self.text(right)) {
            (Some(left), Some(right)) => left == right,
            (None, None) => match (left, right) {
                (Datum::Bool(left), Datum::Bool(right)) => left == right,
                _ => same_number(left, right),
            },
            _ => false,
        }
    }

    /// `{key: value, …}`
    pub(super) fn map(&mut self, entries: &'a [(Node, Node)], at: &'a Node) -> Outcome<Datum<'a>> {
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
                frame.admit_key(key, before, key_node)?;
                frame.hold(key, at)?;
                frame.hold(value, at)?;
            }
            Ok(())
        })?;
        Ok(Datum::Map(range))
    }

    /// Whether a key may be added to the entries held since `end`.
    fn admit_key(&mut self, key: Datum<'a>, end: usize, at: &Node) -> Outcome<()> {
        match key {
            Datum::Bool(_) | Datum::Int(_) | Datum::Uint(_) | Datum::String(_) | Datum::Built(_) => {}
            Datum::Absent => return Err(at.trouble(Undecidable::Absent)),
            _ => return Err(at.trouble(Undecidable::BadKey)),
        }
        let held = end - self.pending;
        self.spend(held / 2, at)?;
        // Held downwards: from the top, each key and then its value.
        let keys = self.slots.get(self.pending..end).unwrap_or_default().iter().skip(1).step_by(2);
        let twice = keys.copied().any(|other| self.same_key(other, key));
        if twice { Err(at.trouble(Undecidable::BadKey)) } else { Ok(()) }
    }

    /// `transformMap(key, value, …)`
    pub(super) fn transform_map(
        &mut self,
        over: &'a Loop,
        condition: Option<&'a Node>,
        body: &'a Node,
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let range = self.build_from(at, |frame| {
            frame.walk(&over.source, &mut |frame, item| {
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
        Ok(Datum::Map(range))
    }
}
