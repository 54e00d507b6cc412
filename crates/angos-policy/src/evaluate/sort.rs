//! Stage 5: `sort` and `sortBy`, in the frame's slots: by insertion, so that equal ones stay in their order.

use super::iterate::Next;
use super::{EvalResult, Frame, Range, RawValue};
use crate::limits::SLOTS_MAX;
use crate::program::{Loop, Node};
use crate::value::Undecidable;
use std::cmp::Ordering;

impl<'a> Frame<'a, '_> {
    /// `list.sort()`: a sorted copy.
    pub(super) fn sort(
        &mut self,
        whole: RawValue<'a>,
        count: usize,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        if count > SLOTS_MAX {
            return Err(at.error(Undecidable::ListTooLong));
        }
        let range =
            self.build_from(at, |frame| (0..count).try_for_each(|index| frame.take(whole, index, at)))?;
        self.sort_slots(range, 1, at)?;
        Ok(RawValue::List(range))
    }

    /// `list.sortBy(x, key)`: a copy sorted by the key of each element.
    pub(super) fn sort_by(
        &mut self,
        over: &'a Loop,
        key: &'a Node,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let pairs = self.build_from(at, |frame| {
            frame.iterate(&over.source, &mut |frame, item| {
                if item.is_entry() {
                    return Err(over.source.error(Undecidable::NoOverload));
                }
                frame.enter(over, &item);
                let key = frame.present(key)?;
                frame.hold(key, at)?;
                frame.hold(item.value, at)?;
                Ok(Next::More)
            })
        })?;
        self.sort_slots(pairs, 2, at)?;
        // The keys are no longer needed; their memory is released with the list.
        let (start, count) = (pairs.start(), pairs.len() / 2);
        for index in 0..count {
            self.slots.copy_within(start + 2 * index + 1..start + 2 * index + 2, start + index);
        }
        self.used.slots = start + count;
        Ok(RawValue::List(Range::new(start, start + count)))
    }

    /// Sorts entries of `width` slots by the first slot of each; these must have one type, which has an
    /// order.
    fn sort_slots(&mut self, range: Range, width: usize, at: &Node) -> EvalResult<()> {
        let mut kind = None;
        for end in (range.start()..range.end()).step_by(width) {
            let key = self.slot(end);
            if !key.has_order() || *kind.get_or_insert(key.type_name()) != key.type_name() {
                return Err(at.type_error(key));
            }
            let mut place = end;
            while place > range.start() {
                self.charge(1, at)?;
                match self.sorted(self.slot(place - width), self.slot(place)) {
                    Some(Ordering::Greater) => {
                        (0..width).for_each(|part| self.slots.swap(place - width + part, place + part));
                    }
                    Some(_) => break,
                    None => return Err(at.error(Undecidable::NoOverload)),
                }
                place -= width;
            }
        }
        Ok(())
    }

    fn slot(&self, place: usize) -> RawValue<'a> {
        self.slots.get(place).copied().unwrap_or(RawValue::Absent)
    }
}

impl RawValue<'_> {
    /// Whether values of its type can be sorted.
    fn has_order(self) -> bool {
        matches!(
            self,
            Self::Bool(_)
                | Self::Int(_)
                | Self::Uint(_)
                | Self::Double(_)
                | Self::String(_)
                | Self::Built(_)
                | Self::Bytes(_)
                | Self::BuiltBytes(_)
                | Self::Timestamp(_)
                | Self::Duration(_)
        )
    }
}
