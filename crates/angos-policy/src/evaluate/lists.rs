//! Stage 5: what is asked of lists.

use super::walk::{Next, Visitor};
use super::{Datum, Frame, Outcome, Trouble};
use crate::program::{Constant, Loop, Node, Op, Quantifier};
use crate::value::{Type, Undecidable, Value};

impl<'a, 'm> Frame<'a, 'm> {
    /// The list an expression walks, as a whole.
    pub(super) fn collect(&mut self, node: &'a Node) -> Outcome<Datum<'a>> {
        let range = self.build_from(node, |frame| {
            frame.walk(node, &mut |frame, item| {
                frame.hold(item.alone(), node)?;
                Ok(Next::More)
            })
        })?;
        Ok(Datum::List(range))
    }

    pub(super) fn size(&mut self, of: &'a Node) -> Outcome<Datum<'a>> {
        let mut size = 0;
        if of.streams() {
            self.walk(of, &mut |_, _| {
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
        Ok(Datum::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    /// `needle in list`: true if any element is equal, whatever becomes of the others. `key in map`.
    pub(super) fn contained(&mut self, sides: &'a [Node; 2], at: &'a Node) -> Outcome<bool> {
        let [needle_node, list] = sides;
        // What most rules ask, answered without a detour.
        if let (Some(needle), Op::Read(origin, Type::StringList)) = (needle_node.constant_text(), &list.op) {
            return match self.source(*origin) {
                Value::Strings(strings) => {
                    self.note(list, self.left, Ok(Datum::Strings(strings)));
                    self.spend(strings.len(), at)?;
                    Ok(strings.iter().any(|text| text == needle))
                }
                Value::Absent => {
                    self.note(list, self.left, Ok(Datum::Constants(&[])));
                    Ok(false)
                }
                _ => Err(list.trouble(Undecidable::Mistyped)),
            };
        }
        let needle = self.value(needle_node)?;
        if let (Datum::String(needle), Some(Constant::List(constants))) = (needle, list.constant()) {
            self.spend(constants.len(), at)?;
            let same = |constant: &Constant| matches!(constant, Constant::String(text) if **text == *needle);
            return Ok(constants.iter().any(same));
        }
        let whole = if list.streams() { None } else { Some(self.value(list)?) };
        match whole {
            Some(map) if map.is_map() => match needle {
                Datum::Absent => Err(needle_node.trouble(Undecidable::Absent)),
                key => Ok(self.find(map, key, at)?.is_some()),
            },
            Some(other) if !other.is_list() => Err(list.unfit(other)),
            _ => self.contains(needle, whole, list, at),
        }
    }

    fn contains(
        &mut self,
        needle: Datum<'a>,
        whole: Option<Datum<'a>>,
        list: &'a Node,
        at: &'a Node,
    ) -> Outcome<bool> {
        let mut found = Ok(false);
        let visit: &mut Visitor<'_, 'a, 'm> = &mut |frame, item| match frame.equal(needle, item.value, at) {
            Ok(true) => {
                found = Ok(true);
                Ok(Next::Enough)
            }
            Ok(false) => Ok(Next::More),
            Err(trouble) if trouble.cause == Undecidable::Cost => Err(trouble),
            Err(trouble) => {
                found = Err(trouble);
                Ok(Next::More)
            }
        };
        match whole {
            Some(whole) => self.walk_whole(whole, at, visit)?,
            None => self.walk(list, visit)?,
        }
        found
    }

    /// `list[index]`, `map[key]`
    pub(super) fn index(&mut self, sides: &'a [Node; 2], at: &'a Node) -> Outcome<Datum<'a>> {
        let [of, key] = sides;
        if of.streams() {
            let key_value = self.value(key)?;
            let index = position(key_value).map_err(|cause| key.trouble(cause))?;
            let found = match index {
                Some(index) => self.nth(of, index)?,
                None => None,
            };
            return found.ok_or(at.trouble(Undecidable::Index));
        }
        let whole = self.value(of)?;
        let key_value = self.key(key)?;
        if whole.is_map() {
            return self.find(whole, key_value, at)?.ok_or(at.trouble(Undecidable::Key));
        }
        if !whole.is_list() {
            return Err(of.unfit(whole));
        }
        let index = position(key_value).map_err(|cause| key.trouble(cause))?;
        let found = index.and_then(|index| self.item(whole, index));
        found.map(|item| item.value).ok_or(at.trouble(Undecidable::Index))
    }

    /// What is looked for in a list or map. A constant is no step of its own: the field in `map.field` stands at the
    /// place of the whole.
    pub(super) fn key(&mut self, key: &'a Node) -> Outcome<Datum<'a>> {
        match key.constant() {
            Some(constant) => Ok(Datum::from(constant)),
            None => self.present(key),
        }
    }

    /// An element of a list that is walked. What was built for it is kept.
    fn nth(&mut self, list: &'a Node, index: usize) -> Outcome<Option<Datum<'a>>> {
        let floor = self.floor;
        let (mut position, mut found) = (0, None);
        let walked = self.walk(list, &mut |frame, item| {
            if position == index {
                found = Some(item.value);
                // The rest of the list may be walked nevertheless.
                frame.keep();
                return Ok(Next::Enough);
            }
            position += 1;
            Ok(Next::More)
        });
        self.floor = floor;
        walked.map(|()| found)
    }

    pub(super) fn quantified(
        &mut self,
        quantifier: Quantifier,
        over: &'a Loop,
        test: &'a Node,
        at: &'a Node,
    ) -> Outcome<bool> {
        // `exists` is settled by one true, `all` by one false, whatever becomes of the others.
        let settles = quantifier != Quantifier::All;
        let mut trouble: Option<Trouble> = None;
        let mut hits = 0_usize;
        self.spend(1, at)?;
        self.walk(&over.source, &mut |frame, item| {
            frame.enter(over, &item);
            match frame.truth(test) {
                Ok(value) if value == settles => {
                    hits += 1;
                    let enough = quantifier != Quantifier::ExistsOne;
                    return Ok(if enough { Next::Enough } else { Next::More });
                }
                Ok(_) => {}
                Err(found) if found.cause == Undecidable::Cost => return Err(found),
                Err(found) => trouble = trouble.or(Some(found)),
            }
            Ok(Next::More)
        })?;
        match (quantifier, trouble) {
            (Quantifier::ExistsOne, None) => Ok(hits == 1),
            (Quantifier::ExistsOne, Some(trouble)) => Err(trouble),
            _ if hits > 0 => Ok(settles),
            (_, None) => Ok(!settles),
            (_, Some(trouble)) => Err(trouble),
        }
    }
}

/// A position in a list: none below zero or between two.
pub(super) fn position(index: Datum<'_>) -> Result<Option<usize>, Undecidable> {
    match index {
        Datum::Int(index) => Ok(usize::try_from(index).ok()),
        Datum::Uint(index) => Ok(usize::try_from(index).ok()),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and within the range of exact doubles"
        )]
        Datum::Double(index) => {
            let exact = (0.0..9_007_199_254_740_992.0).contains(&index) && index.fract() == 0.0;
            Ok(exact.then_some(index as usize))
        }
        Datum::Absent => Err(Undecidable::Absent),
        _ => Err(Undecidable::NoOverload),
    }
}
