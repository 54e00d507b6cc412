//! Stage 5: iterates lists and maps. A list literal or computed list is iterated element by element during
//! evaluation, so that `map(…).exists(…)` needs no memory for it.

use super::{EvalResult, Frame, RawValue};
use crate::program::{Loop, Node, Op};
use crate::value::Undecidable;

/// Whether a visitor wants more elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Enough,
}

/// An element of a list with its index, or a value of a map with its key.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) place: RawValue<'a>,
    pub(super) value: RawValue<'a>,
    keyed: bool,
}

impl<'a> Item<'a> {
    fn element(index: usize, value: RawValue<'a>) -> Self {
        let place = RawValue::Int(i64::try_from(index).unwrap_or(i64::MAX));
        Self { place, value, keyed: false }
    }

    pub(super) fn entry(key: RawValue<'a>, value: RawValue<'a>) -> Self {
        Self { place: key, value, keyed: true }
    }

    /// Whether it is of a map.
    pub(super) fn is_entry(&self) -> bool {
        self.keyed
    }

    /// The value for a loop with one name: the element of a list, the key of a map.
    pub(super) fn alone(&self) -> RawValue<'a> {
        if self.keyed { self.place } else { self.value }
    }
}

pub(super) type Visitor<'v, 'a, 'm> = dyn FnMut(&mut Frame<'a, 'm>, Item<'a>) -> EvalResult<Next> + 'v;

impl<'a, 'm> Frame<'a, 'm> {
    /// Calls `visit` with each element or entry. When the visitor has enough, elements that may fail are
    /// still evaluated: a list with a failing element fails, wherever the iteration could stop. Memory built
    /// for an element is released after its visit unless the visitor keeps it.
    pub(super) fn iterate(&mut self, node: &'a Node, visit: &mut Visitor<'_, 'a, 'm>) -> EvalResult<()> {
        match &node.op {
            Op::List(elements) => {
                self.charge(1, node)?;
                self.iterate_elements(elements, visit)
            }
            Op::Join(sides) => {
                let (mut index, mut next) = (0, Next::More);
                for side in &**sides {
                    self.iterate(side, &mut |frame, item| {
                        if next == Next::More {
                            next = visit(frame, Item::element(index, item.alone()))?;
                        }
                        index += 1;
                        Ok(Next::More)
                    })?;
                }
                Ok(())
            }
            Op::If(parts) if node.streams() => {
                let chosen = self.chosen(parts)?;
                self.iterate(chosen, visit)
            }
            Op::Transform { over, condition, body } => {
                self.charge(1, node)?;
                self.iterate_transformed(over, condition.as_deref(), body, visit)
            }
            Op::Split { text, separator, limit } => {
                let mut index = 0;
                self.each_part([text, separator], limit.as_deref(), node, &mut |frame, part| {
                    index += 1;
                    visit(frame, Item::element(index - 1, part))
                })
            }
            Op::Present(list) => self.iterate_present(list, node, visit),
            Op::Range(end) => self.iterate_range(end, visit, node),
            _ => {
                let before = self.used;
                let whole = self.value(node)?;
                self.iterate_whole(whole, node, visit)?;
                self.release(before);
                Ok(())
            }
        }
    }

    fn iterate_elements(&mut self, elements: &'a [Node], visit: &mut Visitor<'_, 'a, 'm>) -> EvalResult<()> {
        let (mut index, mut next) = (0, Next::More);
        for element in elements {
            if let Op::IfPresent(optional) = &element.op {
                let before = self.used;
                if let Some(held) = self.option(optional)? {
                    if next == Next::More {
                        next = self.show(index, held, visit)?;
                    }
                    index += 1;
                }
                self.release(before);
                continue;
            }
            if next == Next::More || element.constant().is_none() {
                self.offer(element, index, &mut next, visit)?;
            }
            index += 1;
        }
        Ok(())
    }

    fn iterate_transformed(
        &mut self,
        over: &'a Loop,
        condition: Option<&'a Node>,
        body: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<()> {
        let (mut index, mut next) = (0, Next::More);
        self.iterate(&over.source, &mut |frame, item| {
            frame.enter(over, &item);
            let wanted = match condition {
                Some(condition) => frame.truth(condition)?,
                None => true,
            };
            if wanted {
                frame.offer(body, index, &mut next, visit)?;
                index += 1;
            }
            Ok(Next::More)
        })
    }

    fn iterate_range(
        &mut self,
        end: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
        at: &'a Node,
    ) -> EvalResult<()> {
        let end = match self.value(end)? {
            RawValue::Int(end) => usize::try_from(end).map_err(|_| at.error(Undecidable::Index))?,
            other => return Err(end.type_error(other)),
        };
        for index in 0..end {
            self.charge(1, at)?;
            let item = Item::element(index, RawValue::Int(i64::try_from(index).unwrap_or(i64::MAX)));
            if visit(self, item)? == Next::Enough {
                break;
            }
        }
        Ok(())
    }

    /// A list or a map that is there as a whole.
    pub(super) fn iterate_whole(
        &mut self,
        whole: RawValue<'a>,
        at: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<()> {
        if let RawValue::Strings(strings) = whole {
            for (index, text) in strings.iter().enumerate() {
                self.charge(1, at)?;
                if visit(self, Item::element(index, RawValue::String(text)))? == Next::Enough {
                    break;
                }
            }
            return Ok(());
        }
        let before = self.used;
        let count = whole.count().ok_or(at.type_error(whole))?;
        for index in 0..count {
            self.charge(1, at)?;
            let item = self.item(whole, index).ok_or(at.error(Undecidable::Mistyped))?;
            if visit(self, item)? == Next::Enough {
                break;
            }
            self.release(before);
        }
        Ok(())
    }

    /// Shows `visit` an element that is there already.
    pub(super) fn show(
        &mut self,
        index: usize,
        raw: RawValue<'a>,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<Next> {
        visit(self, Item::element(index, raw))
    }

    /// Evaluates an element and, unless there is enough already, shows it to `visit`.
    fn offer(
        &mut self,
        node: &'a Node,
        index: usize,
        next: &mut Next,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<()> {
        let before = self.used;
        let raw = self.value(node)?;
        if *next == Next::More {
            *next = visit(self, Item::element(index, raw))?;
        }
        self.release(before);
        Ok(())
    }

    /// Gives the names of a loop their values.
    pub(super) fn enter(&mut self, over: &Loop, item: &Item<'a>) {
        if over.pair {
            self.bind(over.slot, item.place);
            self.bind(over.slot + 1, item.value);
        } else {
            self.bind(over.slot, item.alone());
        }
    }

    /// An element or entry of a list or map.
    pub(super) fn item(&self, whole: RawValue<'a>, index: usize) -> Option<Item<'a>> {
        let slot = |place: usize| self.slots.get(place).copied();
        Some(match whole {
            RawValue::Strings(values) => Item::element(index, RawValue::String(values.get(index)?)),
            RawValue::Constants(values) => Item::element(index, RawValue::from(values.get(index)?)),
            RawValue::Foreign(values) if index < values.len() => {
                Item::element(index, RawValue::of(values.element(index))?)
            }
            RawValue::List(range) if index < range.len() => {
                Item::element(index, slot(range.start() + index)?)
            }
            RawValue::ConstantMap(entries) => {
                let (key, value) = entries.get(index)?;
                Item::entry(RawValue::from(key), RawValue::from(value))
            }
            RawValue::ForeignMap(entries) if index < entries.len() => {
                let (key, value) = entries.entry(index);
                Item::entry(RawValue::of(key)?, RawValue::of(value)?)
            }
            RawValue::Map(range) if 2 * index + 1 < range.len() => {
                let place = range.start() + 2 * index;
                Item::entry(slot(place)?, slot(place + 1)?)
            }
            _ => return None,
        })
    }
}
