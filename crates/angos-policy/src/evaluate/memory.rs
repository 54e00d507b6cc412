//! Stage 5: memory for values built by a rule: text, and slots for the elements of lists and maps.
//!
//! Both are stacks. Finished lists lie at the bottom of the slots, elements of unfinished ones at the top, so
//! that the elements of each list end up side by side however lists nest. [`Frame::value`] releases the
//! memory of an expression unless its value lives there; a loop over a list keeps the memory it still needs
//! by raising the floor.

use super::{EvalResult, Frame, Range, RawValue};
use crate::limits::{SLOTS_MAX, TEXT_MAX_BYTES};
use crate::program::{MemoryNeeds, Node};
use crate::value::Undecidable;

/// How far each stack is filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) text: usize,
    pub(super) slots: usize,
}

/// Runs `work` with as much memory on the stack as the program needs; setting it up takes time.
pub(crate) fn with_memory<'a, R>(
    needs: MemoryNeeds,
    work: impl FnOnce(&mut [u8], &mut [RawValue<'a>]) -> R,
) -> R {
    match (needs.text, needs.slots) {
        (false, false) => work(&mut [], &mut []),
        (true, false) => work(&mut [0; TEXT_MAX_BYTES], &mut []),
        (text, true) => with_slots(text, work),
    }
}

/// Apart, so that decisions that build no lists do not reserve stack for them.
#[inline(never)]
fn with_slots<'a, R>(text: bool, work: impl FnOnce(&mut [u8], &mut [RawValue<'a>]) -> R) -> R {
    let mut slots = [RawValue::Absent; SLOTS_MAX];
    if text { work(&mut [0; TEXT_MAX_BYTES], &mut slots) } else { work(&mut [], &mut slots) }
}

impl<'a> Frame<'a, '_> {
    /// Releases memory above `to`, except below the floor.
    pub(super) fn release(&mut self, to: Mark) {
        self.used.text = to.text.max(self.floor.text);
        self.used.slots = to.slots.max(self.floor.slots);
    }

    /// Keeps everything built so far, until the floor is lowered again.
    pub(super) fn keep(&mut self) {
        self.floor = self.used;
    }

    /// Builds a list or a map: `fill` adds its elements with [`hold`](Self::hold).
    pub(super) fn build_from(
        &mut self,
        at: &'a Node,
        fill: impl FnOnce(&mut Self) -> EvalResult<()>,
    ) -> EvalResult<Range> {
        let (pending, floor) = (self.pending, self.floor);
        let filled = fill(self);
        let settled = filled.and_then(|()| self.settle(pending).ok_or(at.error(Undecidable::ListTooLong)));
        (self.pending, self.floor) = (pending, floor);
        settled
    }

    /// Adds an element to the list that is being built.
    pub(super) fn hold(&mut self, raw: RawValue<'a>, at: &Node) -> EvalResult<()> {
        let next = self.pending.checked_sub(1).filter(|next| *next >= self.used.slots);
        let slot = next.and_then(|next| self.slots.get_mut(next));
        *slot.ok_or(at.error(Undecidable::ListTooLong))? = raw;
        self.pending -= 1;
        self.keep();
        Ok(())
    }

    /// Moves the elements above `self.pending` to the finished lists.
    fn settle(&mut self, end: usize) -> Option<Range> {
        let count = end - self.pending;
        let (from, to) = (self.pending, self.used.slots);
        self.slots.get_mut(from..end)?.reverse();
        self.slots.copy_within(from..end, to);
        self.used.slots = to + count;
        Some(Range::new(to, to + count))
    }

    /// Gives a name of a loop or of `cel.bind` its value.
    pub(super) fn bind(&mut self, slot: usize, raw: RawValue<'a>) {
        if let Some(bound) = self.bound.get_mut(slot) {
            *bound = raw;
        }
    }
}
