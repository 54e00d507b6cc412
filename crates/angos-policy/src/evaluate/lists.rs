//! Stage 5: lists. They are walked where they are used and never stored, so `map` and `filter` need no memory.

use super::{Datum, Frame, Outcome, Trouble};
use crate::program::{Constant, List, Node, Op, Quantifier};
use crate::value::{Undecidable, Value};

/// What a visitor of a list wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Enough,
}

pub(super) type Visitor<'v, 'a, 'm> = dyn FnMut(&mut Frame<'a, 'm>, Datum<'a>) -> Outcome<Next> + 'v;

impl<'a, 'm> Frame<'a, 'm> {
    /// Shows `visit` each element. Once it has enough, elements that may still fail are evaluated
    /// nevertheless: a list with an error in it is an error, wherever the walk would have stopped.
    /// Strings built for an element are given up after its visit, except the one that was enough.
    pub(super) fn each(
        &mut self,
        list: &'a List,
        at: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> Outcome<()> {
        match list {
            List::Read(origin, offset) => {
                for text in strings(self.source(*origin), *offset)? {
                    self.spend(1, at)?;
                    if visit(self, Datum::String(text))? == Next::Enough {
                        break;
                    }
                }
                Ok(())
            }
            List::Literal(elements) => self.each_element(elements, visit),
            List::Lookup { key, table } => {
                let elements = self.lookup(key, table, at)?;
                self.each_element(elements, visit)
            }
            List::Split { text, separator, limit } => {
                self.each_part([text, separator], limit.as_deref(), at, visit)
            }
            List::Join(sides) => {
                let mut next = Next::More;
                for side in &**sides {
                    self.each(side, at, &mut |frame, datum| {
                        if next == Next::More {
                            next = visit(frame, datum)?;
                        }
                        Ok(Next::More)
                    })?;
                }
                Ok(())
            }
            List::If(condition, sides) => {
                let [yes, no] = &**sides;
                let chosen = if self.truth(condition)? { yes } else { no };
                self.each(chosen, at, visit)
            }
            List::Map { source, slot, condition, body } => {
                let mut next = Next::More;
                self.each(source, at, &mut |frame, element| {
                    frame.bind(*slot, element);
                    let wanted = match condition {
                        Some(condition) => frame.truth(condition)?,
                        None => true,
                    };
                    if wanted {
                        frame.offer(body, &mut next, visit)?;
                    }
                    Ok(Next::More)
                })
            }
            List::Filter { source, slot, condition } => {
                let mut next = Next::More;
                self.each(source, at, &mut |frame, element| {
                    frame.bind(*slot, element);
                    if frame.truth(condition)? && next == Next::More {
                        next = visit(frame, element)?;
                    }
                    Ok(Next::More)
                })
            }
        }
    }

    fn each_element(&mut self, elements: &'a [Node], visit: &mut Visitor<'_, 'a, 'm>) -> Outcome<()> {
        let mut next = Next::More;
        for element in elements {
            if next == Next::More || !matches!(element.op, Op::Constant(_)) {
                self.offer(element, &mut next, visit)?;
            }
        }
        Ok(())
    }

    /// Evaluates an element and, unless there is enough already, shows it to `visit`.
    fn offer(&mut self, node: &'a Node, next: &mut Next, visit: &mut Visitor<'_, 'a, 'm>) -> Outcome<()> {
        let used = self.used;
        let datum = self.value(node)?;
        if *next == Next::More {
            *next = visit(self, datum)?;
            if *next == Next::Enough {
                return Ok(());
            }
        }
        self.used = used.max(self.kept);
        Ok(())
    }

    fn bind(&mut self, slot: usize, datum: Datum<'a>) {
        if let Some(bound) = self.bound.get_mut(slot) {
            *bound = datum;
        }
    }

    pub(super) fn count(&mut self, list: &'a List, at: &'a Node) -> Outcome<Datum<'a>> {
        if let List::Read(origin, offset) = list {
            let length = strings(self.source(*origin), *offset)?.len();
            return Ok(Datum::Int(i64::try_from(length).unwrap_or(i64::MAX)));
        }
        let mut count = 0;
        self.each(list, at, &mut |_, _| {
            count += 1;
            Ok(Next::More)
        })?;
        Ok(Datum::Int(count))
    }

    /// `needle in list`: true if any element is equal, whatever becomes of the others.
    pub(super) fn contained(&mut self, needle: &'a Node, list: &'a List, at: &'a Node) -> Outcome<bool> {
        let needle = match needle.constant_text() {
            Some(constant) => Datum::String(constant),
            None => self.value(needle)?,
        };
        match (needle, list) {
            (Datum::String(needle), List::Read(origin, offset)) => {
                let strings = strings(self.source(*origin), *offset)?;
                self.spend(strings.len(), at)?;
                return Ok(strings.iter().any(|text| text == needle));
            }
            (Datum::String(needle), List::Literal(nodes)) if nodes.iter().all(Node::is_constant) => {
                self.spend(nodes.len(), at)?;
                return Ok(nodes.iter().any(|node| node.constant_text() == Some(needle)));
            }
            _ => {}
        }
        let mut found = Ok(false);
        self.each(list, at, &mut |frame, element| match frame.equal(needle, element, at) {
            Ok(true) => {
                found = Ok(true);
                Ok(Next::Enough)
            }
            Ok(false) => Ok(Next::More),
            Err(trouble) => {
                found = Err(trouble);
                Ok(Next::More)
            }
        })?;
        found
    }

    pub(super) fn element(
        &mut self,
        list: &'a List,
        index_node: &'a Node,
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let index = match self.value(index_node)? {
            Datum::Int(index) => usize::try_from(index).ok(),
            Datum::Uint(index) => usize::try_from(index).ok(),
            other => return Err(index_node.unfit(other)),
        };
        let found = match index {
            Some(index) => self.nth(list, index, at)?,
            None => None,
        };
        found.ok_or(at.trouble(Undecidable::Index))
    }

    /// An element by position. A string built for it is kept.
    fn nth(&mut self, list: &'a List, index: usize, at: &'a Node) -> Outcome<Option<Datum<'a>>> {
        let (used, kept) = (self.used, self.kept);
        let mut position = 0;
        let mut found = None;
        let walked = self.each(list, at, &mut |frame, datum| {
            if position == index {
                found = Some(datum);
                // The rest of the list may be walked nevertheless.
                frame.kept = frame.used;
                return Ok(Next::Enough);
            }
            position += 1;
            Ok(Next::More)
        });
        self.kept = kept;
        walked?;
        if let Some(Datum::Built { end, .. }) = found {
            // It may be older than this walk, and what is between still in use.
            self.used = used.max(end);
        }
        Ok(found)
    }

    pub(super) fn quantified(
        &mut self,
        quantifier: Quantifier,
        list: &'a List,
        slot: usize,
        test: &'a Node,
        at: &'a Node,
    ) -> Outcome<bool> {
        // `exists` is settled by one true, `all` by one false, whatever becomes of the others.
        let settles = quantifier != Quantifier::All;
        let mut trouble: Option<Trouble> = None;
        let mut hits = 0_usize;
        self.each(list, at, &mut |frame, element| {
            frame.bind(slot, element);
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

    /// Equal when as long as each other and equal in each place.
    pub(super) fn equal_lists(&mut self, sides: &'a [List; 2], at: &'a Node) -> Outcome<bool> {
        let [left, right] = sides;
        let (Datum::Int(left_count), Datum::Int(right_count)) =
            (self.count(left, at)?, self.count(right, at)?)
        else {
            return Err(at.trouble(Undecidable::Mistyped));
        };
        if left_count != right_count {
            return Ok(false);
        }
        let mut position = 0;
        let mut answer = Ok(true);
        self.each(left, at, &mut |frame, element| {
            let used = frame.used;
            let twin = frame.nth(right, position, at)?.unwrap_or(Datum::Absent);
            let equal = frame.equal(element, twin, at);
            frame.used = used;
            position += 1;
            match equal {
                Ok(true) => {}
                Ok(false) => answer = Ok(false),
                Err(trouble) => answer = answer.and(Err(trouble)),
            }
            Ok(Next::More)
        })?;
        answer
    }
}

impl Node {
    fn is_constant(&self) -> bool {
        matches!(self.op, Op::Constant(Constant::String(_) | Constant::Null))
    }
}

/// The strings of a list variable; none when absent.
fn strings(value: Value<'_>, offset: u32) -> Outcome<&[String]> {
    match value {
        Value::Strings(strings) => Ok(strings),
        Value::Absent => Ok(&[]),
        _ => Err(Trouble { cause: Undecidable::Mistyped, offset }),
    }
}
