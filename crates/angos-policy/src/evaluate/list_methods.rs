//! Stage 5: the methods of CEL's lists extension. Each builds a new list in the frame's slots.

use super::iterate::Next;
use super::{EvalResult, Frame, RawValue};
use crate::limits::VALUE_DEPTH_MAX;
use crate::program::{ListMethod, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn list_method(
        &mut self,
        method: ListMethod,
        list: &'a Node,
        arguments: &'a [Node],
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let whole = self.value(list)?;
        if !whole.is_list() {
            return Err(list.type_error(whole));
        }
        let count = whole.count().unwrap_or(0);
        self.charge(count, at)?;
        let range = match (method, arguments) {
            (ListMethod::Reverse, _) => {
                self.build_from(at, |frame| (0..count).rev().try_for_each(|i| frame.take(whole, i, at)))?
            }
            (ListMethod::Slice, [from, to]) => {
                let (from, to) = (self.bound_of(from, count)?, self.bound_of(to, count)?);
                if from > to {
                    return Err(at.error(Undecidable::Index));
                }
                self.build_from(at, |frame| (from..to).try_for_each(|i| frame.take(whole, i, at)))?
            }
            (ListMethod::Flatten, depth) => {
                let depth = match depth.first().map(|depth| self.value(depth)).transpose()? {
                    Some(RawValue::Int(depth)) => {
                        usize::try_from(depth).map_err(|_| at.error(Undecidable::Index))?
                    }
                    Some(other) => return Err(at.type_error(other)),
                    None => 1,
                };
                self.build_from(at, |frame| frame.flatten(whole, depth.min(VALUE_DEPTH_MAX), at))?
            }
            (ListMethod::Distinct, _) => self.build_from(at, |frame| frame.distinct(whole, count, at))?,
            (ListMethod::Sort, _) => return self.sort(whole, count, at),
            (ListMethod::Slice, _) => return Err(at.error(Undecidable::Mistyped)),
        };
        Ok(RawValue::List(range))
    }

    /// An end of a slice.
    fn bound_of(&mut self, node: &'a Node, count: usize) -> EvalResult<usize> {
        match self.value(node)? {
            RawValue::Int(place) => usize::try_from(place)
                .ok()
                .filter(|place| *place <= count)
                .ok_or(node.error(Undecidable::Index)),
            other => Err(node.type_error(other)),
        }
    }

    /// Adds an element of a list to the one that is being built.
    pub(super) fn take(&mut self, whole: RawValue<'a>, index: usize, at: &Node) -> EvalResult<()> {
        let item = self.item(whole, index).ok_or(at.error(Undecidable::Mistyped))?;
        self.hold(item.value, at)
    }

    fn flatten(&mut self, whole: RawValue<'a>, depth: usize, at: &'a Node) -> EvalResult<()> {
        self.iterate_whole(whole, at, &mut |frame, item| {
            if depth > 0 && item.value.is_list() {
                frame.flatten(item.value, depth - 1, at)?;
            } else {
                frame.hold(item.value, at)?;
            }
            Ok(Next::More)
        })
    }

    fn distinct(&mut self, whole: RawValue<'a>, count: usize, at: &Node) -> EvalResult<()> {
        for index in 0..count {
            let item = self.item(whole, index).ok_or(at.error(Undecidable::Mistyped))?;
            let mut seen = false;
            for earlier in 0..index {
                self.charge(1, at)?;
                let other = self.item(whole, earlier).ok_or(at.error(Undecidable::Mistyped))?;
                if self.equal(other.value, item.value, at)? {
                    seen = true;
                    break;
                }
            }
            if !seen {
                self.hold(item.value, at)?;
            }
        }
        Ok(())
    }
}
