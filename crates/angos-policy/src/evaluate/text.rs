//! Stage 5: strings: searching them, and building them in the frame's memory.

use super::{Datum, Frame, Outcome, built};
use crate::program::{Node, Search};
use crate::value::Undecidable;
use regex::Regex;
use std::fmt;

impl<'a> Frame<'a, '_> {
    /// The text of a string, borrowed or built.
    pub(super) fn text<'t>(&'t self, datum: Datum<'t>) -> Option<&'t str> {
        match datum {
            Datum::String(text) => Some(text),
            Datum::Built { start, end } => built(self.memory, start, end),
            _ => None,
        }
    }

    /// One unit of work per 64 bytes that will be looked at.
    fn spend_on_text(&mut self, datum: Datum<'a>, at: &Node) -> Outcome<()> {
        let length = self.text(datum).ok_or(at.unfit(datum))?.len();
        self.spend(length / 64, at)
    }

    pub(super) fn length(&mut self, operand: &'a Node) -> Outcome<Datum<'a>> {
        let datum = self.value(operand)?;
        let length = if let Datum::Bytes(bytes) = datum {
            bytes.len()
        } else {
            self.spend_on_text(datum, operand)?;
            self.text(datum).map_or(0, |text| text.chars().count())
        };
        Ok(Datum::Int(i64::try_from(length).unwrap_or(i64::MAX)))
    }

    pub(super) fn search(&mut self, search: Search, sides: &'a [Node; 2]) -> Outcome<bool> {
        let [text_node, part_node] = sides;
        let text = self.value(text_node)?;
        let part = self.value(part_node)?;
        if search == Search::Contains {
            self.spend_on_text(text, text_node)?;
        }
        let text = self.text(text).ok_or(text_node.unfit(text))?;
        let part = self.text(part).ok_or(part_node.unfit(part))?;
        Ok(match search {
            Search::StartsWith => text.starts_with(part),
            Search::EndsWith => text.ends_with(part),
            Search::Contains => text.contains(part),
        })
    }

    pub(super) fn matches(&mut self, operand: &'a Node, pattern: &Regex, at: &Node) -> Outcome<bool> {
        let datum = self.value(operand)?;
        self.spend_on_text(datum, operand)?;
        let text = self.text(datum).ok_or(at.unfit(datum))?;
        Ok(pattern.is_match(text))
    }

    pub(super) fn change_case(&mut self, lower: bool, operand: &'a Node) -> Outcome<Datum<'a>> {
        let datum = self.value(operand)?;
        self.spend_on_text(datum, operand)?;
        // Always a copy: what was built may be the element of a surrounding loop.
        let start = self.used;
        let end = self.place(datum, start, operand)?;
        if let Some(built) = self.memory.get_mut(start..end) {
            if lower { built.make_ascii_lowercase() } else { built.make_ascii_uppercase() }
        }
        Ok(Datum::Built { start, end })
    }

    /// `left + right` where both are strings; `left` has been evaluated.
    pub(super) fn concatenate(
        &mut self,
        left: Datum<'a>,
        right_node: &'a Node,
        at: &'a Node,
    ) -> Outcome<Datum<'a>> {
        let (start, middle) = match left {
            // Nothing is behind it, so it can grow where it stands.
            Datum::Built { start, end } if end == self.used => (start, end),
            _ => (self.used, self.place(left, self.used, at)?),
        };
        let right = self.value(right_node)?;
        self.spend_on_text(right, right_node)?;
        let end = self.place(right, middle, right_node)?;
        Ok(Datum::Built { start, end })
    }

    /// Puts a string at `start` of the memory, where nothing else is needed but maybe the string itself;
    /// its end, behind which memory is free.
    fn place(&mut self, datum: Datum<'a>, start: usize, at: &Node) -> Outcome<usize> {
        let length = self.text(datum).ok_or(at.unfit(datum))?.len();
        let end = start + length;
        let room = self.memory.get_mut(start..end).ok_or(at.trouble(Undecidable::TextTooLong))?;
        match datum {
            Datum::String(text) => room.copy_from_slice(text.as_bytes()),
            Datum::Built { start: from, end: to } if from != start => {
                self.memory.copy_within(from..to, start);
            }
            _ => {}
        }
        self.used = end;
        Ok(end)
    }

    /// Writes a value as text into the memory.
    pub(super) fn build(&mut self, value: &dyn fmt::Display, at: &Node) -> Outcome<Datum<'a>> {
        let start = self.used;
        let mut cursor = Cursor { memory: self.memory, end: start };
        match fmt::write(&mut cursor, format_args!("{value}")) {
            Ok(()) => {
                let end = cursor.end;
                self.used = end;
                Ok(Datum::Built { start, end })
            }
            Err(fmt::Error) => Err(at.trouble(Undecidable::TextTooLong)),
        }
    }
}

/// Writes into memory that does not grow.
struct Cursor<'m> {
    memory: &'m mut [u8],
    end: usize,
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.end + text.len();
        self.memory.get_mut(self.end..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.end = end;
        Ok(())
    }
}
