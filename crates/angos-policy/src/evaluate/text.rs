//! Stage 5: strings: searching them, and building them in the frame's memory.

use super::{EvalResult, Frame, Range, RawValue, raw_value};
use crate::program::{Node, Search};
use crate::value::Undecidable;
use regex::Regex;
use std::fmt;

impl<'a> Frame<'a, '_> {
    /// The text of a string, borrowed or built.
    pub(super) fn text<'t>(&'t self, raw: RawValue<'t>) -> Option<&'t str> {
        match raw {
            RawValue::String(text) => Some(text),
            RawValue::Built(range) => raw_value::text(self.text, range),
            _ => None,
        }
    }

    /// Bytes, borrowed or built.
    pub(super) fn bytes<'t>(&'t self, raw: RawValue<'t>) -> Option<&'t [u8]> {
        match raw {
            RawValue::Bytes(bytes) => Some(bytes),
            RawValue::BuiltBytes(range) => self.text.get(range.start()..range.end()),
            _ => None,
        }
    }

    /// The bytes of a string or of bytes.
    pub(super) fn string_or_bytes<'t>(&'t self, raw: RawValue<'t>) -> Option<&'t [u8]> {
        match raw {
            RawValue::String(text) => Some(text.as_bytes()),
            RawValue::Built(range) => self.text.get(range.start()..range.end()),
            _ => self.bytes(raw),
        }
    }

    /// Charges one unit of cost per 64 bytes that will be read.
    pub(super) fn charge_text(&mut self, raw: RawValue<'a>, at: &Node) -> EvalResult<()> {
        let length = self.string_or_bytes(raw).ok_or(at.type_error(raw))?.len();
        self.charge(length / 64, at)
    }

    /// The characters of a string, or how many bytes.
    pub(super) fn length(&mut self, raw: RawValue<'a>, at: &Node) -> EvalResult<usize> {
        if let Some(bytes) = self.bytes(raw) {
            return Ok(bytes.len());
        }
        self.charge_text(raw, at)?;
        Ok(self.text(raw).map_or(0, |text| text.chars().count()))
    }

    pub(super) fn search(&mut self, search: Search, sides: &'a [Node; 2]) -> EvalResult<bool> {
        let [text_node, part_node] = sides;
        let text = self.value(text_node)?;
        let part = self.value(part_node)?;
        if search == Search::Contains {
            self.charge_text(text, text_node)?;
        }
        let text = self.text(text).ok_or(text_node.type_error(text))?;
        let part = self.text(part).ok_or(part_node.type_error(part))?;
        Ok(match search {
            Search::StartsWith => text.starts_with(part),
            Search::EndsWith => text.ends_with(part),
            Search::Contains => text.contains(part),
        })
    }

    pub(super) fn matches(&mut self, operand: &'a Node, pattern: &Regex) -> EvalResult<bool> {
        let raw = self.value(operand)?;
        self.charge_text(raw, operand)?;
        let text = self.text(raw).ok_or(operand.type_error(raw))?;
        Ok(pattern.is_match(text))
    }

    pub(super) fn change_case(&mut self, lower: bool, operand: &'a Node) -> EvalResult<RawValue<'a>> {
        let raw = self.value(operand)?;
        self.text(raw).ok_or(operand.type_error(raw))?;
        self.charge_text(raw, operand)?;
        // Always a copy: the built string may be the element of a surrounding loop.
        let start = self.used.text;
        let end = self.place(raw, start, operand)?;
        if let Some(built) = self.text.get_mut(start..end) {
            if lower { built.make_ascii_lowercase() } else { built.make_ascii_uppercase() }
        }
        Ok(RawValue::Built(Range::new(start, end)))
    }

    /// `left + right` where both are strings or both are bytes; `left` has been evaluated.
    pub(super) fn concatenate(
        &mut self,
        left: RawValue<'a>,
        right_node: &'a Node,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let is_text = matches!(left, RawValue::String(_) | RawValue::Built(_));
        self.charge_text(left, at)?;
        let (start, middle) = match left {
            // It is the last value in memory, so it can grow in place.
            RawValue::Built(range) | RawValue::BuiltBytes(range) if range.end() == self.used.text => {
                (range.start(), range.end())
            }
            _ => (self.used.text, self.place(left, self.used.text, at)?),
        };
        let right = self.present(right_node)?;
        if self.text(right).is_some() != is_text {
            return Err(at.error(Undecidable::NoOverload));
        }
        self.charge_text(right, right_node)?;
        let range = Range::new(start, self.place(right, middle, right_node)?);
        Ok(if is_text { RawValue::Built(range) } else { RawValue::BuiltBytes(range) })
    }

    /// Puts a string or bytes at `start` of the memory, where nothing else is needed but maybe the string
    /// itself; its end, behind which memory is free.
    pub(super) fn place(&mut self, raw: RawValue<'a>, start: usize, at: &Node) -> EvalResult<usize> {
        let length = self.string_or_bytes(raw).ok_or(at.type_error(raw))?.len();
        let end = start + length;
        let room = self.text.get_mut(start..end).ok_or(at.error(Undecidable::TextTooLong))?;
        match raw {
            RawValue::String(text) => room.copy_from_slice(text.as_bytes()),
            RawValue::Bytes(bytes) => room.copy_from_slice(bytes),
            RawValue::Built(range) | RawValue::BuiltBytes(range) if range.start() != start => {
                self.text.copy_within(range.start()..range.end(), start);
            }
            _ => {}
        }
        self.used.text = end;
        Ok(end)
    }

    /// Writes a value as text into the memory.
    pub(super) fn build(&mut self, value: &dyn fmt::Display, at: &Node) -> EvalResult<RawValue<'a>> {
        let start = self.used.text;
        let mut cursor = Cursor { memory: self.text, end: start };
        match fmt::write(&mut cursor, format_args!("{value}")) {
            Ok(()) => {
                let end = cursor.end();
                self.used.text = end;
                Ok(RawValue::Built(Range::new(start, end)))
            }
            Err(fmt::Error) => Err(at.error(Undecidable::TextTooLong)),
        }
    }

    /// `list.join(separator)`: the strings of a list as one.
    pub(super) fn join_strings(
        &mut self,
        list: &'a Node,
        separator: Option<&'a Node>,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let whole = self.value(list)?;
        let separator_value = match separator {
            Some(separator) => self.present(separator)?,
            None => RawValue::String(""),
        };
        self.text(separator_value).ok_or(at.type_error(separator_value))?;
        if !whole.is_list() {
            return Err(list.type_error(whole));
        }
        let start = self.used.text;
        for index in 0..whole.count().unwrap_or(0) {
            self.charge(1, at)?;
            if index > 0 {
                self.place(separator_value, self.used.text, at)?;
            }
            let part = self.item(whole, index).map_or(RawValue::Absent, |item| item.value);
            self.text(part).ok_or(list.type_error(part))?;
            self.charge_text(part, list)?;
            self.place(part, self.used.text, at)?;
        }
        Ok(RawValue::Built(Range::new(start, self.used.text)))
    }
}

/// Writes into memory that does not grow.
pub(super) struct Cursor<'m> {
    memory: &'m mut [u8],
    end: usize,
}

impl<'m> Cursor<'m> {
    /// At the beginning of some memory.
    pub(super) fn new(memory: &'m mut [u8]) -> Self {
        Self { memory, end: 0 }
    }

    /// The end of the written text.
    pub(super) fn end(&self) -> usize {
        self.end
    }
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.end + text.len();
        self.memory.get_mut(self.end..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.end = end;
        Ok(())
    }
}
