//! Text from outside, made safe to show.

/// At most `max_chars` characters of `text`, then `…`. Control characters, and those that change the direction of text,
/// are escaped: the result is one line and cannot control a terminal.
pub fn escape(text: &str, max_chars: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max_chars) + 1);
    for (place, character) in text.chars().enumerate() {
        if place == max_chars {
            shown.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn the_result_is_one_short_line() {
        for (text, max_chars, expected) in [
            ("plain", 5, "plain"),
            ("plain", 4, "plai…"),
            ("two\nlines", usize::MAX, "two\\nlines"),
            ("\u{1b}[31mred\r", usize::MAX, "\\u{1b}[31mred\\r"),
            ("é ü 日本", usize::MAX, "é ü 日本"),
            ("a\u{202e}b", usize::MAX, "a\\u{202e}b"),
        ] {
            assert_eq!(escape(text, max_chars), expected);
        }
    }
}
