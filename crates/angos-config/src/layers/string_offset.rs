//! From a place inside a TOML string's value back to the place in the file where it is written.

/// The offset in `raw` (a TOML string with its delimiters) at which byte `offset` of `value` is written.
///
/// `value` is what `raw` decodes to. Where the two cannot be brought together the answer is the first
/// character after the opening delimiter, which is still the right line of a one-line string.
pub(crate) fn source_offset(raw: &str, value: &str, offset: usize) -> usize {
    let (delimiter, escapes) = delimiter(raw);
    let start = delimiter.len();
    let Some(body) = raw.get(start..raw.len().saturating_sub(start)) else { return 0 };
    let skipped = if start == 3 { newline(body) } else { 0 };
    let mut written = body.get(skipped..).unwrap_or_default();
    let mut position = start + skipped;
    let mut decoded = 0;
    while decoded < offset {
        let Some((taken, character)) = next(written, escapes) else { break };
        if let Some(character) = character {
            if value.get(decoded..).is_none_or(|rest| !rest.starts_with(character)) {
                return start;
            }
            decoded += character.len_utf8();
        }
        position += taken;
        written = written.get(taken..).unwrap_or_default();
    }
    position
}

/// The delimiter `raw` opens with, and whether escapes mean anything inside.
fn delimiter(raw: &str) -> (&str, bool) {
    for (delimiter, escapes) in [("\"\"\"", true), ("'''", false), ("\"", true), ("'", false)] {
        if raw.starts_with(delimiter) && raw.len() >= 2 * delimiter.len() {
            return (delimiter, escapes);
        }
    }
    ("", false)
}

/// Length of the line break `text` starts with, if it starts with one.
fn newline(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with('\n')) }
}

/// Bytes the next character takes in the file, and the character itself unless it means nothing (a
/// backslash at the end of a line, with the white space after it).
fn next(written: &str, escapes: bool) -> Option<(usize, Option<char>)> {
    let first = written.chars().next()?;
    if first != '\\' || !escapes {
        return Some((first.len_utf8(), Some(first)));
    }
    let kind = written.chars().nth(1)?;
    let hexadecimal = |digits: usize| {
        let code = u32::from_str_radix(written.get(2..2 + digits)?, 16).ok()?;
        Some((2 + digits, Some(char::from_u32(code)?)))
    };
    match kind {
        'b' => Some((2, Some('\u{8}'))),
        't' => Some((2, Some('\t'))),
        'n' => Some((2, Some('\n'))),
        'f' => Some((2, Some('\u{c}'))),
        'r' => Some((2, Some('\r'))),
        'e' => Some((2, Some('\u{1b}'))),
        '"' | '\\' => Some((2, Some(kind))),
        'x' => hexadecimal(2),
        'u' => hexadecimal(4),
        'U' => hexadecimal(8),
        _ => {
            let rest = written.get(1..)?;
            Some((written.len() - rest.trim_start().len(), None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::source_offset;

    /// The character `?` of the value is found where it is written.
    fn check(raw: &str) {
        let document = format!("key = {raw}");
        let table: toml::Table = document.parse().expect("the row is TOML");
        let value = table["key"].as_str().expect("a string");
        let offset = value.find('?').expect("a marked character");
        assert_eq!(source_offset(raw, value, offset), raw.rfind('?').expect("the same mark"), "{raw}");
    }

    #[test]
    fn every_spelling_of_a_string() {
        for raw in [
            "'a?b'",
            "\"a?b\"",
            r#""\"quoted\" ?""#,
            r#""tab\t slash\\ \u00e9\U0001F600 \x41 \e?""#,
            "'''\nfirst\nsecond ?'''",
            "'''\r\nfirst\r\n?'''",
            "\"\"\"one \\\n     two ?\"\"\"",
            "\"\"\"\n\\n?\"\"\"",
            "'éü?'",
            "'?'",
        ] {
            check(raw);
        }
    }

    #[test]
    fn what_does_not_fit_together_points_at_the_start() {
        for (raw, value, offset) in [("\"abc\"", "xyz", 2), ("'", "a", 1), ("", "a", 1), ("abc", "abc", 0)] {
            assert!(source_offset(raw, value, offset) <= 1, "{raw}");
        }
        assert_eq!(source_offset("'ab'", "ab", 999), 3);
    }
}
