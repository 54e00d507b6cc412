//! Stage 5: `text.format(list)`, written into the frame's memory.
//!
//! The output is contiguous: an argument is evaluated behind it and then moved to its end.

use super::memory::Mark;
use super::string_methods::section;
use super::text::Cursor;
use super::{EvalResult, Frame, Range, RawValue};
use crate::format_spec::{Segment, Spec, segment};
use crate::limits::TEXT_MAX_BYTES;
use crate::program::{Arguments, Node};
use crate::value::Undecidable;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};

impl<'a> Frame<'a, '_> {
    pub(super) fn format(
        &mut self,
        text: &'a Node,
        arguments: &'a Arguments,
        at: &'a Node,
    ) -> EvalResult<RawValue<'a>> {
        let before = self.used;
        let format = self.charged_string(text, at)?;
        let (whole, count) = match arguments {
            Arguments::Written(nodes) => (RawValue::Absent, nodes.len()),
            Arguments::List(list) => {
                let whole = self.value(list)?;
                (whole, whole.count().filter(|_| whole.is_list()).ok_or(list.type_error(whole))?)
            }
        };
        let start = self.used.text;
        let (mut from, mut used) = (0, 0);
        let length = self.text(format).map_or(0, str::len);
        while let Some((segment, end)) = self.text(format).and_then(|text| segment(text, from)) {
            // A built string is validated as a whole each time.
            self.charge(if matches!(format, RawValue::Built(_)) { 2 + length / 32 } else { 2 }, at)?;
            match segment.map_err(|_| at.error(Undecidable::Format))? {
                Segment::Text(range) => {
                    let part = section(format, range, at)?;
                    self.place(part, self.used.text, at)?;
                }
                Segment::Spec(spec) if used < count => {
                    self.substitute(spec, (arguments, whole), used, at)?;
                    used += 1;
                }
                Segment::Spec(_) => return Err(at.error(Undecidable::Format)),
            }
            from = end;
        }
        if used < count {
            return Err(at.error(Undecidable::Format));
        }
        let end = self.used.text;
        self.text.copy_within(start..end, before.text);
        let range = Range::new(before.text, before.text + (end - start));
        self.release(Mark { text: range.end(), slots: before.slots });
        Ok(RawValue::Built(range))
    }

    /// Writes an argument behind the output so far.
    fn substitute(
        &mut self,
        spec: Spec,
        (arguments, whole): (&'a Arguments, RawValue<'a>),
        index: usize,
        at: &'a Node,
    ) -> EvalResult<()> {
        let end = self.used;
        let mistyped = at.error(Undecidable::Mistyped);
        let (argument, node) = match arguments {
            Arguments::Written(nodes) => {
                let node = nodes.get(index).ok_or(mistyped)?;
                (self.present(node)?, node)
            }
            Arguments::List(_) => (self.item(whole, index).ok_or(mistyped)?.value, at),
        };
        if let (Spec::Text, RawValue::String(_) | RawValue::Built(_)) = (spec, argument) {
            self.charge_text(argument, node)?;
            let text = self.place(argument, end.text, node)?;
            self.release(Mark { text, slots: end.slots });
            return Ok(());
        }
        let from = self.used.text;
        self.write_spec(spec, argument, node)?;
        let to = self.used.text;
        self.text.copy_within(from..to, end.text);
        self.release(Mark { text: end.text + (to - from), slots: end.slots });
        Ok(())
    }

    fn write_spec(&mut self, spec: Spec, argument: RawValue<'a>, at: &Node) -> EvalResult<()> {
        let shown: &dyn fmt::Display = match (spec, argument) {
            (Spec::Text, _) => return self.write_value(argument, 0, at),
            (Spec::Decimal, RawValue::Int(value)) => &{ value },
            (Spec::Decimal, RawValue::Uint(value)) => &{ value },
            (Spec::Decimal, RawValue::Double(value)) => &Plain(value),
            (Spec::Fixed(decimals), _) if let Some(value) = double(argument) => &Fixed { value, decimals },
            (Spec::Scientific(decimals), _) if let Some(value) = double(argument) => {
                &Scientific { value, decimals }
            }
            (Spec::Binary, RawValue::Bool(value)) => &u8::from(value),
            (Spec::Hexadecimal { upper }, _) if let Some(bytes) = self.string_or_bytes(argument) => {
                let length = bytes.len();
                return self.write_bytes(argument, length, upper, at);
            }
            (Spec::Binary | Spec::Octal | Spec::Hexadecimal { .. }, RawValue::Int(value)) => {
                &Digits { spec, negative: value < 0, magnitude: value.unsigned_abs() }
            }
            (Spec::Binary | Spec::Octal | Spec::Hexadecimal { .. }, RawValue::Uint(magnitude)) => {
                &Digits { spec, negative: false, magnitude }
            }
            _ => return Err(at.type_error(argument)),
        };
        self.build(shown, at).map(|_| ())
    }

    /// The bytes of a string or of bytes, in hexadecimal.
    fn write_bytes(
        &mut self,
        argument: RawValue<'a>,
        length: usize,
        upper: bool,
        at: &Node,
    ) -> EvalResult<()> {
        if length > TEXT_MAX_BYTES {
            return Err(at.error(Undecidable::TextTooLong));
        }
        self.charge(length / 64, at)?;
        for index in 0..length {
            let byte =
                self.string_or_bytes(argument).and_then(|bytes| bytes.get(index)).copied().unwrap_or(0);
            let shown: &dyn fmt::Display =
                if upper { &format_args!("{byte:02X}") } else { &format_args!("{byte:02x}") };
            self.build(shown, at)?;
        }
        Ok(())
    }

    /// `%s`
    fn write_value(&mut self, value: RawValue<'a>, depth: usize, at: &Node) -> EvalResult<()> {
        self.descend(depth, at)?;
        match value {
            RawValue::Null => self.put("null", at),
            RawValue::Double(value) => self.build(&Plain(value), at).map(|_| ()),
            _ if value.is_list() => {
                self.put("[", at)?;
                for index in 0..value.count().unwrap_or(0) {
                    self.put(if index > 0 { ", " } else { "" }, at)?;
                    let item = self.item(value, index).ok_or(at.error(Undecidable::Mistyped))?;
                    self.write_value(item.value, depth + 1, at)?;
                }
                self.put("]", at)
            }
            _ if value.is_map() => self.write_map(value, depth, at),
            _ => {
                let from = self.used.text;
                match self.write(value, at)? {
                    // It has been written where it belongs.
                    RawValue::Built(range) if range.start() == from => Ok(()),
                    text => {
                        self.charge_text(text, at)?;
                        self.place(text, from, at).map(|_| ())
                    }
                }
            }
        }
    }

    /// The entries of a map, in the order of their keys as text.
    fn write_map(&mut self, map: RawValue<'a>, depth: usize, at: &Node) -> EvalResult<()> {
        let count = map.count().unwrap_or(0);
        self.put("{", at)?;
        let mut last = None;
        for round in 0..count {
            // Each entry is the least of those that have not been written: there is no room for a sorted copy.
            self.charge(2 * count, at)?;
            let mut next = None;
            for index in 0..count {
                let item = self.item(map, index).ok_or(at.error(Undecidable::Mistyped))?;
                let key = (Key::of(item.place).ok_or(at.type_error(item.place))?, index);
                let behind = last.is_none_or(|last| self.order(key, last).is_gt());
                if behind && next.is_none_or(|(other, _)| self.order(key, other).is_lt()) {
                    next = Some((key, item));
                }
            }
            let Some((key, item)) = next else { break };
            last = Some(key);
            self.put(if round > 0 { ", " } else { "" }, at)?;
            self.write_value(item.place, depth + 1, at)?;
            self.put(": ", at)?;
            self.write_value(item.value, depth + 1, at)?;
        }
        self.put("}", at)
    }

    /// By the text of two keys, and then by their places: `1` and `'1'` read the same.
    fn order(&self, (left, place): (Key<'a>, usize), (right, other): (Key<'a>, usize)) -> Ordering {
        self.key_text(&left).cmp(self.key_text(&right)).then(place.cmp(&other))
    }

    fn key_text<'t>(&'t self, key: &'t Key<'a>) -> &'t [u8] {
        match key {
            Key::Text(text) => self.string_or_bytes(*text).unwrap_or_default(),
            Key::Bool(value) => (if *value { "true" } else { "false" }).as_bytes(),
            Key::Whole { digits, length } => digits.get(..*length).unwrap_or_default(),
        }
    }

    fn put(&mut self, text: &'static str, at: &Node) -> EvalResult<()> {
        self.place(RawValue::String(text), self.used.text, at).map(|_| ())
    }
}

/// As many as the integers of CEL have, with a sign.
type Places = [u8; 20];

/// A key of a map.
#[derive(Clone, Copy)]
enum Key<'a> {
    Bool(bool),
    /// Written out once, since it is compared with many.
    Whole {
        digits: Places,
        length: usize,
    },
    Text(RawValue<'a>),
}

impl<'a> Key<'a> {
    fn of(raw: RawValue<'a>) -> Option<Self> {
        Some(match raw {
            RawValue::Bool(value) => Self::Bool(value),
            RawValue::Int(value) => Self::whole(&value),
            RawValue::Uint(value) => Self::whole(&value),
            RawValue::String(_) | RawValue::Built(_) => Self::Text(raw),
            _ => return None,
        })
    }

    fn whole(value: &dyn fmt::Display) -> Self {
        let mut digits = Places::default();
        let mut cursor = Cursor::new(&mut digits);
        let length = write!(cursor, "{value}").map_or(0, |()| cursor.end());
        Self::Whole { digits, length }
    }
}

/// A number as a double.
#[allow(clippy::cast_precision_loss, reason = "as `double(…)` does")]
fn double(raw: RawValue<'_>) -> Option<f64> {
    match raw {
        RawValue::Int(value) => Some(value as f64),
        RawValue::Uint(value) => Some(value as f64),
        RawValue::Double(value) => Some(value),
        _ => None,
    }
}

/// A double with as many decimals as it has.
struct Plain(f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("Infinity"),
            f64::NEG_INFINITY => f.write_str("-Infinity"),
            value => write!(f, "{value}"),
        }
    }
}

/// A double with `decimals` decimals; half is rounded to even.
struct Fixed {
    value: f64,
    decimals: usize,
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, decimals } = *self;
        if value.is_finite() { write!(f, "{value:.decimals$}") } else { Plain(value).fmt(f) }
    }
}

/// A double with one digit, `decimals` decimals, and an exponent of at least two digits.
struct Scientific {
    value: f64,
    decimals: usize,
}

impl fmt::Display for Scientific {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, decimals } = *self;
        if !value.is_finite() {
            return Plain(value).fmt(f);
        }
        // A sign, a digit, a point, the decimals and `e-308`.
        let mut memory = [0; 9 + crate::limits::FORMAT_PRECISION_MAX];
        let mut cursor = Cursor::new(&mut memory);
        write!(cursor, "{value:.decimals$e}")?;
        let end = cursor.end();
        let text = memory.get(..end).and_then(|text| std::str::from_utf8(text).ok()).ok_or(fmt::Error)?;
        let (mantissa, exponent) = text.split_once('e').ok_or(fmt::Error)?;
        let exponent: i16 = exponent.parse().map_err(|_| fmt::Error)?;
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// An integer in binary, octal or hexadecimal: a sign and its magnitude.
struct Digits {
    spec: Spec,
    negative: bool,
    magnitude: u64,
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spec, negative, magnitude } = *self;
        f.write_str(if negative { "-" } else { "" })?;
        match spec {
            Spec::Binary => write!(f, "{magnitude:b}"),
            Spec::Octal => write!(f, "{magnitude:o}"),
            Spec::Hexadecimal { upper: true } => write!(f, "{magnitude:X}"),
            _ => write!(f, "{magnitude:x}"),
        }
    }
}
