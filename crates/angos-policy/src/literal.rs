//! Stage 3: the position in a rule of a character of a string literal.

const QUOTES: [&str; 4] = ["\"\"\"", "'''", "\"", "'"];

/// Where the byte at `position` of a string is written, in bytes of the rule, if the literal begins at `literal`.
pub(crate) fn place(source: &str, literal: usize, position: usize) -> usize {
    let rest = source.get(literal..).unwrap_or("");
    let bare = rest.trim_start_matches(['r', 'R']);
    let raw = bare.len() < rest.len();
    let Some(quote) = QUOTES.iter().find(|quote| bare.starts_with(**quote)) else { return literal };
    let mut written = bare.get(quote.len()..).unwrap_or("");
    let mut passed = 0;
    while passed < position {
        let Some(c) = written.chars().next() else { break };
        let (length, means) = if c == '\\' && !raw { escape(written) } else { (c.len_utf8(), c.len_utf8()) };
        written = written.get(length..).unwrap_or("");
        passed += means;
    }
    source.len() - written.len()
}

/// The length of the escape at the start of a text, and of its value, in bytes.
fn escape(text: &str) -> (usize, usize) {
    let number = |from: usize, to: usize, radix| {
        let digits = text.get(from..to).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        (to, digits.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match text.as_bytes().get(1) {
        Some(b'x' | b'X') => number(2, 4, 16),
        Some(b'u') => number(2, 6, 16),
        Some(b'U') => number(2, 10, 16),
        Some(b'0'..=b'3') => number(1, 4, 8),
        _ => (2, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_place_of_a_character_is_found_behind_every_kind_of_escape() {
        for literal in [
            "'ab%d'",
            "\"ab%d\"",
            "'''ab%d'''",
            "r'ab%d'",
            "R\"\"\"ab%d\"\"\"",
            r"'a\n%d'",
            r"'a\'%d'",
            r"'a\x62%d'",
            r"'a\142%d'",
            r"'a\u0062%d'",
            r"'a\U00000062%d'",
            r"r'a\%d'",
        ] {
            let source = format!("x + {literal}");
            assert_eq!(place(&source, 4, 2), source.find('%').expect("place"), "{literal}");
        }
        assert_eq!(place(r"'\u00e9é%'", 0, 4), r"'\u00e9é".len());
    }

    #[test]
    fn any_input_gives_an_offset() {
        for (source, literal, position) in
            [("", 0, 9), ("'", 0, 9), ("x", 5, 1), (r"'\", 0, 9), (r"'\u", 0, 9), ("'é", 1, 9), ("abc", 1, 9)]
        {
            assert!(place(source, literal, position) <= source.len().max(literal), "{source}");
        }
    }
}
