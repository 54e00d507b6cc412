//! Stage 5: the methods of CEL's lists extension. Each builds a new list in the frame's slots.

use super::walk::Next;
use super::{Datum, Frame, Outcome};
use crate::limits::VALUE_DEPTH_MAX;
use crate::program::{Arrange, Node};
use crate::value::Undecidable;

impl<'a> Frame<'a, '_> {
    pub(super) fn arrange(
        &mut self,
        arrange: Arrange,
        list: &'a Node,
        arguments: &'a [Node],
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let whole = self.value(list)?;
        if !whole.is_list() {
            return Err(list.unfit(whole));
        }
        let count = whole.count().unwrap_or(0);
        self.spend(count, at)?;
        let range = match (arrange, arguments) {
            (Arrange::Reverse, _) => {
                self.build_from(at, |frame| (0..count).rev().try_for_each(|i| frame.take(whole, i, at)))?
            }
            (Arrange::Slice, [from, to]) => {
                let (from, to) = (self.bound_of(from, count)?, self.bound_of(to, count)?);
                if from > to {
                    return Err(at.trouble(Undecidable::Index));
                }
                self.build_from(at, |frame| (from..to).try_for_each(|i| frame.take(whole, i, at)))?
            }
            (Arrange::Flatten, depth) => {
                let depth = match depth.first().map(|depth| self.value(depth)).transpose()? {
                    Some(Datum::Int(depth)) => {
                        usize::try_from(depth).map_err(|_| at.trouble(Undecidable::Index))?
                    }
                    Some(other) => return Err(at.unfit(other)),
                    None => 1,
                };
                self.build_from(at, |frame| frame.flatten(whole, depth.min(VALUE_DEPTH_MAX), at))?
            }
            (Arrange::Distinct, _) => self.build_from(at, |frame| frame.distinct(whole, count, at))?,
            (Arrange::Sort, _) => return self.sort(whole, count, at),
            (Arrange::Slice, _) => return Err(at.trouble(Undecidable::Mistyped)),
        };
        Ok(Datum::List(range))
    }

    /// An end of a slice.
    fn bound_of(&mut self, node: &'a Node, count: usize) -> Outcome<usize> {
        match self.value(node)? {
            Datum::Int(place) => usize::try_from(place)
                .ok()
                .filter(|place| *place <= count)
                .ok_or(node.trouble(Undecidable::Index)),
            other => Err(node.unfit(other)),
        }
    }

    /// Adds an element of a list to the one that is being built.
    pub(super) fn take(&mut self, whole: Datum<'a>, index: usize, at: &Node) -> Outcome<()> {
        let item = self.item(whole, index).ok_or(at.trouble(Undecidable::Mistyped))?;
        self.hold(item.value, at)
    }

    fn flatten(&mut self, whole: Datum<'a>, depth: usize, at: &'a Node) -> Outcome<()> {
        self.walk_whole(whole, at, &mut |frame, item| {
            if depth > 0 && item.value.is_list() {
                frame.flatten(item.value, depth - 1, at)?;
            } else {
                frame.hold(item.value, at)?;
            }
            Ok(Next::More)
        })
    }

    fn distinct(&mut self, whole: Datum<'a>, count: usize, at: &Node) -> Outcome<()> {
        for index in 0..count {
            let item = self.item(whole, index).ok_or(at.trouble(Undecidable::Mistyped))?;
            let mut seen = false;
            for earlier in 0..index {
                self.spend(1, at)?;
                let other = self.item(whole, earlier).ok_or(at.trouble(Undecidable::Mistyped))?;
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
