//! Stage 5: `strings.quote(…)`: a string as it could be written in a rule, for messages.

/// Pushes `text` in double quotes, escaping invisible characters, quotes and backslashes.
pub(super) fn write_quoted(text: &str, push: &mut dyn FnMut(&str) -> Option<()>) -> Option<()> {
    push("\"")?;
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escaped = match c {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            _ => continue,
        };
        push(text.get(plain..at)?)?;
        push(escaped)?;
        plain = at + c.len_utf8();
    }
    push(text.get(plain..)?)?;
    push("\"")
}
