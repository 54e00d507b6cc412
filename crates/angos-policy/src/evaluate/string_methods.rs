//! Stage 5: the string functions of CEL's strings extension. Positions count characters. Parts of a string
//! are ranges of it; `replace`, `reverse` and `quote` build new ones.

use super::iterate::Next;
use super::quote::write_quoted;
use super::{EvalResult, Frame, Range, RawValue, raw_value};
use crate::program::{Node, StringMethod};
use crate::value::Undecidable;

/// Sees the parts of a string.
type Visitor<'v, 'a, 'm> = dyn FnMut(&mut Frame<'a, 'm>, RawValue<'a>) -> EvalResult<Next> + 'v;

impl<'a, 'm> Frame<'a, 'm> {
    pub(super) fn string_method(
        &mut self,
        method: StringMethod,
        text_node: &'a Node,
        arguments: &'a [Node],
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let start = self.used.text;
        let text = self.charged_string(text_node, at)?;
        match (method, arguments) {
            (StringMethod::Trim, []) => {
                let whole = self.text(text).unwrap_or_default();
                let from = whole.len() - whole.trim_start().len();
                section(text, from..from + whole.trim().len(), at)
            }
            (StringMethod::CharAt, [index]) => {
                let index = self.character(index)?;
                let whole = self.text(text).unwrap_or_default();
                let from = byte_of(whole, index).ok_or(at.error(Undecidable::Index))?;
                let length = whole.get(from..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                section(text, from..from + length, at)
            }
            (StringMethod::Substring, [from, rest @ ..]) => {
                let from = self.character(from)?;
                let to = rest.first().map(|to| self.character(to)).transpose()?;
                let whole = self.text(text).unwrap_or_default();
                let range = byte_of(whole, from).zip(match to {
                    Some(to) => byte_of(whole, to),
                    None => Some(whole.len()),
                });
                let (from, to) = range.ok_or(at.error(Undecidable::Index))?;
                section(text, from..to, at)
            }
            (StringMethod::IndexOf | StringMethod::LastIndexOf, [part, rest @ ..]) => {
                let part = self.charged_string(part, at)?;
                let from = rest.first().map(|from| self.character(from)).transpose()?;
                let (text, part) = (self.text(text).unwrap_or_default(), self.text(part).unwrap_or_default());
                let found = if method == StringMethod::IndexOf {
                    index_of(text, part, from.unwrap_or(0))
                } else {
                    last_index_of(text, part, from)
                };
                // A start must be the place of a character, if there is anything to look for.
                let outside = from.is_some_and(|from| byte_of(text, from).is_none_or(|at| at == text.len()));
                if outside && !part.is_empty() {
                    return Err(at.error(Undecidable::Index));
                }
                Ok(RawValue::Int(found.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)))
            }
            (StringMethod::Replace, [old, new, rest @ ..]) => {
                let (old, new) = (self.charged_string(old, at)?, self.charged_string(new, at)?);
                let most = rest.first().map(|most| self.limit(most)).transpose()?.flatten();
                self.replace(text, [old, new], most.unwrap_or(usize::MAX), start, at)
            }
            (StringMethod::Reverse, []) => self.rewrite(text, start, at, |text, push| {
                text.char_indices().rev().try_for_each(|(from, c)| push(text.get(from..from + c.len_utf8())?))
            }),
            (StringMethod::Quote, []) => self.rewrite(text, start, at, write_quoted),
            _ => Err(at.error(Undecidable::Mistyped)),
        }
    }

    /// A string that will be read from end to end.
    pub(super) fn charged_string(&mut self, node: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        let raw = self.present(node)?;
        let length = self.text(raw).ok_or(node.type_error(raw))?.len();
        self.charge(length / 64, at)?;
        Ok(raw)
    }

    /// A position; a negative one is an error.
    fn character(&mut self, node: &'a Node) -> EvalResult<usize> {
        match self.value(node)? {
            RawValue::Int(index) => usize::try_from(index).map_err(|_| node.error(Undecidable::Index)),
            other => Err(node.type_error(other)),
        }
    }

    /// How often at most; a number below zero is no limit.
    fn limit(&mut self, node: &'a Node) -> EvalResult<Option<usize>> {
        match self.value(node)? {
            RawValue::Int(limit) => Ok(usize::try_from(limit).ok()),
            other => Err(node.type_error(other)),
        }
    }

    /// `text` with `new` in place of `old`, at most so often.
    fn replace(
        &mut self,
        text: RawValue<'a>,
        [old, new]: [RawValue<'a>; 2],
        most: usize,
        start: usize,
        at: &Node,
    ) -> EvalResult<RawValue<'a>> {
        self.rewrite_with([text, old, new], start, at, |[text, old, new], push| {
            let mut last = 0;
            for (found, _) in text.match_indices(old).take(most) {
                push(text.get(last..found)?)?;
                push(new)?;
                last = found + old.len();
            }
            push(text.get(last..)?)
        })
    }

    fn rewrite(
        &mut self,
        text: RawValue<'a>,
        start: usize,
        at: &Node,
        write: impl Fn(&str, &mut dyn FnMut(&str) -> Option<()>) -> Option<()>,
    ) -> EvalResult<RawValue<'a>> {
        self.rewrite_with([text; 1], start, at, |[text], push| write(text, push))
    }

    /// Lets `write` push the result behind the operands, and then moves it over them, to `start`.
    fn rewrite_with<const N: usize>(
        &mut self,
        operands: [RawValue<'a>; N],
        start: usize,
        at: &Node,
        write: impl Fn([&str; N], &mut dyn FnMut(&str) -> Option<()>) -> Option<()>,
    ) -> EvalResult<RawValue<'a>> {
        let used = self.used.text;
        let too_long = at.error(Undecidable::TextTooLong);
        let (below, free) = self.text.split_at_mut_checked(used).ok_or(too_long)?;
        let strings = operands.map(|operand| match operand {
            RawValue::String(text) => text,
            RawValue::Built(range) => raw_value::text(below, range).unwrap_or_default(),
            _ => "",
        });
        let mut length = 0;
        write(strings, &mut |piece| {
            let room = free.get_mut(length..length + piece.len())?;
            room.copy_from_slice(piece.as_bytes());
            length += piece.len();
            Some(())
        })
        .ok_or(too_long)?;
        self.charge(length / 64, at)?;
        self.text.copy_within(used..used + length, start);
        self.used.text = start + length;
        Ok(RawValue::Built(Range::new(start, self.used.text)))
    }

    /// Shows `visit` the parts of a string between separators, or its characters if the separator is empty.
    pub(super) fn each_part(
        &mut self,
        [text_node, separator_node]: [&'a Node; 2],
        limit: Option<&'a Node>,
        at: &'a Node,
        visit: &mut Visitor<'_, 'a, 'm>,
    ) -> EvalResult<()> {
        let before = self.used;
        let text = self.charged_string(text_node, at)?;
        let separator = self.charged_string(separator_node, at)?;
        let mut left = limit.map(|limit| self.limit(limit)).transpose()?.flatten().unwrap_or(usize::MAX);
        let length = self.text(text).map_or(0, str::len);
        let kept = self.used;
        let mut from = 0;
        let mut ended = false;
        while left > 0 && !ended {
            // A built string is validated as a whole each time.
            self.charge(if matches!(text, RawValue::Built(_)) { 1 + length / 64 } else { 1 }, at)?;
            let rest = self.text(text).and_then(|text| text.get(from..)).unwrap_or_default();
            let by = self.text(separator).unwrap_or_default();
            let (to, next) = match split_at(rest, by) {
                Some((to, next)) if left > 1 => (from + to, from + next),
                _ => {
                    ended = true;
                    (length, length)
                }
            };
            if ended && by.is_empty() && from == length {
                break;
            }
            left -= 1;
            let part = section(text, from..to, at)?;
            if visit(self, part)? == Next::Enough {
                return Ok(());
            }
            self.release(kept);
            from = next;
        }
        self.release(before);
        Ok(())
    }
}

/// A range of a string, in bytes.
pub(super) fn section<'a>(
    text: RawValue<'a>,
    range: std::ops::Range<usize>,
    at: &Node,
) -> EvalResult<RawValue<'a>> {
    let part = match text {
        RawValue::String(text) => text.get(range).map(RawValue::String),
        RawValue::Built(whole) if range.start <= range.end => {
            let start = whole.start();
            Some(RawValue::Built(Range::new(start + range.start, start + range.end)))
        }
        _ => None,
    };
    part.ok_or(at.error(Undecidable::Index))
}

/// Where the first part ends and the next begins.
fn split_at(text: &str, separator: &str) -> Option<(usize, usize)> {
    if separator.is_empty() {
        let first = text.chars().next()?.len_utf8();
        return Some((first, first));
    }
    text.find(separator).map(|found| (found, found + separator.len()))
}

/// Where a character begins, the one behind the last included.
fn byte_of(text: &str, index: usize) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index)
}

fn index_of(text: &str, part: &str, from: usize) -> Option<usize> {
    if part.is_empty() {
        return Some(from.min(text.chars().count()));
    }
    let start = byte_of(text, from)?;
    let found = text.get(start..)?.find(part)?;
    Some(from + text.get(start..start + found)?.chars().count())
}

fn last_index_of(text: &str, part: &str, from: Option<usize>) -> Option<usize> {
    let count = text.chars().count();
    if part.is_empty() {
        return Some(from.unwrap_or(count).min(count));
    }
    let mut end = match from {
        Some(from) => byte_of(text, from)?.saturating_add(part.len()).min(text.len()),
        None => text.len(),
    };
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = text.get(..end)?.rfind(part)?;
    Some(text.get(..found)?.chars().count())
}
