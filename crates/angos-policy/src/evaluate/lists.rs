//! Stage 5: operations on lists.

use super::iterate::{Next, Visitor};
use super::{EvalError, EvalResult, Frame, RawValue};
use crate::program::{Constant, Loop, Node, Op, Quantifier};
use crate::value::{Type, Undecidable, Value};

impl<'a, 'm> Frame<'a, 'm> {
    /// Builds the list that an expression iterates.
    pub(super) fn collect(&mut self, node: &'a Node) -> EvalResult<RawValue<'a>> {
        let range = self.build_from(node, |frame| {
            frame.iterate(node, &mut |frame, item| {
                frame.hold(item.alone(), node)?;
                Ok(Next::More)
            })
        })?;
        Ok(RawValue::List(range))
    }

    pub(super) fn size(&mut self, of: &'a Node) -> EvalResult<RawValue<'a>> {
        let mut size = 0;
        if of.streams() {
            self.iterate(of, &mut |_, _| {
                size += 1;
                Ok(Next::More)
            })?;
        } else {
            let whole = self.value(of)?;
            size = match whole.count() {
                Some(count) => count,
                None => self.length(whole, of)?,
            };
        }
        Ok(RawValue::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    /// `needle in list`: true if any element is equal, even if another one fails. `key in map`.
    pub(super) fn contained(&mut self, sides: &'a [Node; 2], at: &'a Node) -> EvalResult<bool> {
        let [needle_node, list] = sides;
        // Fast path for the most frequent test.
        if let (Some(needle), Op::Read(origin, Type::StringList)) = (needle_node.constant_text(), &list.op) {
            return match self.source(*origin) {
                Value::Strings(strings) => {
                    self.record(list, self.budget, Ok(RawValue::Strings(strings)));
                    self.charge(strings.len(), at)?;
                    Ok(strings.iter().any(|text| text == needle))
                }
                Value::Absent => {
                    self.record(list, self.budget, Ok(RawValue::Constants(&[])));
                    Ok(false)
                }
                _ => Err(list.error(Undecidable::Mistyped)),
            };
        }
        let needle = self.value(needle_node)?;
        if let (RawValue::String(needle), Some(Constant::List(constants))) = (needle, list.constant()) {
            self.charge(constants.len(), at)?;
            let same = |constant: &Constant| matches!(constant, Constant::String(text) if **text == *needle);
            return Ok(constants.iter().any(same));
        }
        let whole = if list.streams() { None } else { Some(self.value(list)?) };
        match whole {
            Some(map) if map.is_map() => match needle {
                RawValue::Absent => Err(needle_node.error(Undecidable::Absent)),
                key => Ok(self.find(map, key, at)?.is_some()),
            },
            Some(other) if !other.is_list() => Err(list.type_error(other)),
            _ => self.contains(needle, whole, list, at),
        }
    }

    fn contains(
        &mut self,
        needle: RawValue<'a>,
        whole: Option<RawValue<'a>>,
        list: &'a Node,
        at: &'a Node,
    ) -> EvalResult<bool> {
        let mut found = Ok(false);
        let visit: &mut Visitor<'_, 'a, 'm> = &mut |frame, item| match frame.equal(needle, item.value, at) {
            Ok(true) => {
                found = Ok(true);
                Ok(Next::Enough)
            }
            Ok(false) => Ok(Next::More),
            Err(error) if error.cause == Undecidable::Cost => Err(error),
            Err(error) => {
                found = Err(error);
                Ok(Next::More)
            }
        };
        match whole {
            Some(whole) => self.iterate_whole(whole, at, visit)?,
            None => self.iterate(list, visit)?,
        }
        found
    }

    /// `list[index]`, `map[key]`
    pub(super) fn index(&mut self, sides: &'a [Node; 2], at: &'a Node) -> EvalResult<RawValue<'a>> {
        let [of, key] = sides;
        if of.streams() {
            let key_value = self.value(key)?;
            let index = position(key_value).map_err(|cause| key.error(cause))?;
            let found = match index {
                Some(index) => self.nth(of, index)?,
                None => None,
            };
            return found.ok_or(at.error(Undecidable::Index));
        }
        let whole = self.value(of)?;
        let key_value = self.key(key)?;
        if whole.is_map() {
            return self.find(whole, key_value, at)?.ok_or(at.error(Undecidable::Key));
        }
        if !whole.is_list() {
            return Err(of.type_error(whole));
        }
        let index = position(key_value).map_err(|cause| key.error(cause))?;
        let found = index.and_then(|index| self.item(whole, index));
        found.map(|item| item.value).ok_or(at.error(Undecidable::Index))
    }

    /// What is looked for in a list or map. A constant is no step of its own: the field in `map.field` stands at the
    /// place of the whole.
    pub(super) fn key(&mut self, key: &'a Node) -> EvalResult<RawValue<'a>> {
        match key.constant() {
            Some(constant) => Ok(RawValue::from(constant)),
            None => self.present(key),
        }
    }

    /// An element of an iterated list. Memory built for it is kept.
    fn nth(&mut self, list: &'a Node, index: usize) -> EvalResult<Option<RawValue<'a>>> {
        let floor = self.floor;
        let (mut position, mut found) = (0, None);
        let iterated = self.iterate(list, &mut |frame, item| {
            if position == index {
                found = Some(item.value);
                // The rest of the list may still be iterated.
                frame.keep();
                return Ok(Next::Enough);
            }
            position += 1;
            Ok(Next::More)
        });
        self.floor = floor;
        iterated.map(|()| found)
    }

    pub(super) fn quantified(
        &mut self,
        quantifier: Quantifier,
        over: &'a Loop,
        test: &'a Node,
        at: &'a Node,
    ) -> EvalResult<bool> {
        // One true result determines `exists`, one false result `all`, even if another element fails.
        let settles = quantifier != Quantifier::All;
        let mut error: Option<EvalError> = None;
        let mut hits = 0_usize;
        self.charge(1, at)?;
        self.iterate(&over.source, &mut |frame, item| {
            frame.enter(over, &item);
            match frame.truth(test) {
                Ok(value) if value == settles => {
                    hits += 1;
                    let enough = quantifier != Quantifier::ExistsOne;
                    return Ok(if enough { Next::Enough } else { Next::More });
                }
                Ok(_) => {}
                Err(found) if found.cause == Undecidable::Cost => return Err(found),
                Err(found) => error = error.or(Some(found)),
            }
            Ok(Next::More)
        })?;
        match (quantifier, error) {
            (Quantifier::ExistsOne, None) => Ok(hits == 1),
            (Quantifier::ExistsOne, Some(error)) => Err(error),
            _ if hits > 0 => Ok(settles),
            (_, None) => Ok(!settles),
            (_, Some(error)) => Err(error),
        }
    }
}

/// A position in a list: none below zero or between two.
pub(super) fn position(index: RawValue<'_>) -> Result<Option<usize>, Undecidable> {
    match index {
        RawValue::Int(index) => Ok(usize::try_from(index).ok()),
        RawValue::Uint(index) => Ok(usize::try_from(index).ok()),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and within the range of exact doubles"
        )]
        RawValue::Double(index) => {
            let exact = (0.0..9_007_199_254_740_992.0).contains(&index) && index.fract() == 0.0;
            Ok(exact.then_some(index as usize))
        }
        RawValue::Absent => Err(Undecidable::Absent),
        _ => Err(Undecidable::NoOverload),
    }
}
