//! Beside stage 5: values as rules write them, for people to read.

use crate::collection::{List, Map};
use crate::limits::{EXPLAINED_ELEMENTS_MAX, EXPLAINED_LENGTH_MAX_CHARS, EXPLAINED_VALUE_MAX_CHARS};
use crate::timestamp::{Seconds, Timestamp};
use crate::value::Value;
use std::fmt::{self, Write};

impl Value<'_> {
    /// The value as CEL writes it: `'text'`, `7u`, `['a', 'b']`, `timestamp('2026-01-31T08:00:00Z')`;
    /// `absent` for an absent value.
    ///
    /// Strings are escaped, so the text is one line and safe for a terminal. Long values are truncated and
    /// state their length: the text has at most a few hundred characters.
    ///
    /// ```
    /// use angos_policy::Value;
    ///
    /// assert_eq!(Value::String("it's").to_cel(), r"'it\'s'");
    /// ```
    pub fn to_cel(&self) -> String {
        let mut text = Text { out: String::new(), left: EXPLAINED_VALUE_MAX_CHARS };
        // Its only error is that there is no more room, and the text says so.
        let _ = text.value(*self);
        text.out
    }
}

/// Text with a bound on further characters.
struct Text {
    out: String,
    left: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.write_char(c)?;
        }
        Ok(())
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        let Some(left) = self.left.checked_sub(1) else {
            self.out.push('…');
            return Err(fmt::Error);
        };
        self.left = left;
        self.out.push(c);
        Ok(())
    }
}

impl Text {
    fn value(&mut self, value: Value<'_>) -> fmt::Result {
        match value {
            Value::Absent => self.write_str("absent"),
            Value::Bool(value) => write!(self, "{value}"),
            Value::Int(value) => write!(self, "{value}"),
            Value::Uint(value) => write!(self, "{value}u"),
            Value::Double(value) => self.double(value),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Strings(strings) => {
                let elements = strings.iter().map(|text| Value::String(text));
                self.list(elements, strings.len())
            }
            Value::Timestamp(seconds, nanoseconds) => match Timestamp::new(seconds, nanoseconds) {
                Some(timestamp) => write!(self, "timestamp('{timestamp}')"),
                None => self.write_str("a time outside the years 1 to 9999"),
            },
            Value::Duration(nanoseconds) => write!(self, "duration('{}')", Seconds(nanoseconds)),
            Value::Null => self.write_str("null"),
            Value::Ip(address) => write!(self, "ip('{address}')"),
            Value::Cidr(address, length) => write!(self, "cidr('{address}/{length}')"),
            Value::Type(name) => self.write_str(name),
            Value::List(list) => self.list(list.iter(), list.len()),
            Value::Map(map) => self.map(map),
            Value::Optional(value) => self.optional(value),
        }
    }

    fn double(&mut self, value: f64) -> fmt::Result {
        if value.is_finite() { write!(self, "{value:?}") } else { write!(self, "double('{value}')") }
    }

    fn string(&mut self, text: &str) -> fmt::Result {
        self.write_char('\'')?;
        for c in text.chars() {
            if self.left <= EXPLAINED_LENGTH_MAX_CHARS {
                return write!(self, "…' ({} bytes)", text.len());
            }
            match c {
                '\'' | '\\' => write!(self, "\\{c}")?,
                '\n' => self.write_str("\\n")?,
                '\r' => self.write_str("\\r")?,
                '\t' => self.write_str("\\t")?,
                c if is_misleading(c) => write!(self, "\\u{:04x}", u32::from(c))?,
                c => self.write_char(c)?,
            }
        }
        self.write_char('\'')
    }

    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.write_str("b'")?;
        for byte in bytes {
            if self.left <= EXPLAINED_LENGTH_MAX_CHARS {
                return write!(self, "…' ({} bytes)", bytes.len());
            }
            match byte {
                b'\'' | b'\\' => write!(self, "\\{}", char::from(*byte))?,
                b' '..=b'~' => self.write_char(char::from(*byte))?,
                _ => write!(self, "\\x{byte:02x}")?,
            }
        }
        self.write_char('\'')
    }

    fn optional(&mut self, value: List<'_>) -> fmt::Result {
        let Some(value) = value.element(0) else { return self.write_str("optional.none()") };
        self.write_str("optional.of(")?;
        self.value(value)?;
        self.write_char(')')
    }

    fn map(&mut self, map: Map<'_>) -> fmt::Result {
        self.write_char('{')?;
        for (index, (key, value)) in map.iter().enumerate() {
            if index == EXPLAINED_ELEMENTS_MAX || self.left <= EXPLAINED_LENGTH_MAX_CHARS {
                return write!(self, ", …}} ({} entries)", map.len());
            }
            if index > 0 {
                self.write_str(", ")?;
            }
            self.value(key)?;
            self.write_str(": ")?;
            self.value(value)?;
        }
        self.write_char('}')
    }

    fn list<'v>(&mut self, elements: impl Iterator<Item = Value<'v>>, count: usize) -> fmt::Result {
        self.write_char('[')?;
        for (index, element) in elements.enumerate() {
            if index == EXPLAINED_ELEMENTS_MAX || self.left <= EXPLAINED_LENGTH_MAX_CHARS {
                return write!(self, ", …] ({count} elements)");
            }
            if index > 0 {
                self.write_str(", ")?;
            }
            self.value(element)?;
        }
        self.write_char(']')
    }
}

/// Control characters, and those that change the direction or the look of the following text.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_rules_write_them() {
        let check = |value: Value<'_>, expected: &str| assert_eq!(value.to_cel(), expected);
        check(Value::Absent, "absent");
        check(Value::Bool(true), "true");
        check(Value::Int(-7), "-7");
        check(Value::Uint(7), "7u");
        check(Value::Double(1.0), "1.0");
        check(Value::Double(f64::NAN), "double('NaN')");
        check(Value::String("a'b\\c\n\u{1b}[31m\u{202e}ü"), "'a\\'b\\\\c\\n\\u001b[31m\\u202eü'");
        check(Value::Bytes(b"a'\xff"), "b'a\\'\\xff'");
        check(Value::Strings(&[]), "[]");
        check(Value::Strings(&["a".into(), "b".into()]), "['a', 'b']");
        check(Value::Timestamp(1_700_000_000, 5_000_000), "timestamp('2023-11-14T22:13:20.005Z')");
        check(Value::Timestamp(i64::MAX, 0), "a time outside the years 1 to 9999");
        check(Value::Duration(90_000_000_000), "duration('90s')");
    }

    #[test]
    fn long_values_are_truncated_and_state_their_length() {
        let long = "ü".repeat(100_000);
        for (value, end) in [
            (Value::String(&long), "ü…' (200000 bytes)"),
            (Value::Bytes(long.as_bytes()), "…' (200000 bytes)"),
            (Value::Strings(&vec!["a".to_owned(); 5000]), "'a', …] (5000 elements)"),
            (Value::Strings(&vec![long.clone(); 5000]), ""),
        ] {
            let text = value.to_cel();
            assert!(text.chars().count() <= EXPLAINED_VALUE_MAX_CHARS + 1, "{text}");
            assert!(text.ends_with(end), "{text}");
        }
    }
}
