//! Beside stage 2: the byte range of an expression in the rule. The parser reports only where its token
//! begins.

use crate::syntax::{Expression, Form};
use std::ops::Range;

/// The tokens of a rule that parses.
pub(super) struct Tokens<'s> {
    source: &'s str,
    ranges: Vec<Range<usize>>,
}

impl<'s> Tokens<'s> {
    pub(super) fn of(source: &'s str) -> Self {
        let mut ranges = Vec::new();
        let mut at = 0;
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            let length = token_length(rest).max(1);
            let is_blank = rest.starts_with(char::is_whitespace) || rest.starts_with("//");
            if !is_blank {
                ranges.push(at..at + length);
            }
            at += length;
        }
        Self { source, ranges }
    }

    /// The bytes of an expression, brackets closed.
    pub(super) fn span_of(&self, expression: &Expression) -> Range<usize> {
        let (mut first, mut last) = (usize::MAX, 0);
        self.cover(expression, &mut first, &mut last);
        let (first, last) = self.balanced(first, last);
        let start = self.ranges.get(first).map_or(0, |token| token.start);
        let end = self.ranges.get(last).map_or(start, |token| token.end);
        start..end.max(start)
    }

    /// Widens to every token that the expression and its parts begin with.
    fn cover(&self, expression: &Expression, first: &mut usize, last: &mut usize) {
        let own = self.index(expression.offset as usize);
        // The sign of a number and the parenthesis of a call are tokens of their own.
        let is_negative = match &expression.form {
            Form::Int(value) => *value < 0,
            Form::Double(value) => value.is_sign_negative(),
            _ => false,
        };
        let has_sign = is_negative && own > 0 && self.text(own - 1) == "-";
        let is_call = matches!(expression.form, Form::Call { .. });
        *first = (own - usize::from(has_sign)).min(*first);
        *last = (own + usize::from(is_call)).max(*last);
        expression.parts().for_each(|part| self.cover(part, first, last));
    }

    /// Widens until every bracket that opens closes, and the other way round.
    fn balanced(&self, mut first: usize, mut last: usize) -> (usize, usize) {
        let (mut unopened, mut open) = (0_usize, 0_usize);
        for token in first..=last {
            match self.text(token) {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" if open == 0 => unopened += 1,
                ")" | "]" | "}" => open -= 1,
                _ => {}
            }
        }
        while unopened > 0 && first > 0 {
            first -= 1;
            match self.text(first) {
                "(" | "[" | "{" => unopened -= 1,
                ")" | "]" | "}" => unopened += 1,
                _ => {}
            }
        }
        while open > 0 && last + 1 < self.ranges.len() {
            last += 1;
            match self.text(last) {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" => open -= 1,
                _ => {}
            }
        }
        (first, last)
    }

    /// The token at or before an offset.
    fn index(&self, offset: usize) -> usize {
        self.ranges.partition_point(|token| token.start <= offset).saturating_sub(1)
    }

    fn text(&self, index: usize) -> &'s str {
        self.ranges.get(index).and_then(|token| self.source.get(token.clone())).unwrap_or_default()
    }
}

/// How long the token, the blank or the comment at the start of `text` is.
fn token_length(text: &str) -> usize {
    let while_all = |allowed: fn(char) -> bool| text.find(|c| !allowed(c)).unwrap_or(text.len());
    let Some(first) = text.chars().next() else { return 0 };
    if first.is_whitespace() {
        while_all(char::is_whitespace)
    } else if text.starts_with("//") {
        while_all(|c| c != '\n')
    } else if first == '`' {
        // A name in quotes of its own.
        text.chars().skip(1).take_while(|c| *c != '`').map(char::len_utf8).sum::<usize>() + 2
    } else if let Some(length) = string_length(text) {
        length
    } else if first.is_ascii_digit()
        || (first == '.' && text.chars().nth(1).is_some_and(|c| c.is_ascii_digit()))
    {
        number_length(text)
    } else if first.is_alphabetic() || first == '_' {
        while_all(|c| c.is_alphanumeric() || c == '_')
    } else {
        first.len_utf8()
    }
}

/// Digits, letters and dots; a sign after the `e` of an exponent.
fn number_length(text: &str) -> usize {
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let is_exponent = !is_hexadecimal && matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
        if !(c.is_ascii_alphanumeric() || c == '.' || is_exponent) {
            return at;
        }
        before = c;
    }
    text.len()
}

/// How long the string or bytes literal at the start of `text` is, if there is one.
fn string_length(text: &str) -> Option<usize> {
    let prefix = text.find(['\'', '"']).filter(|prefix| *prefix <= 2)?;
    let (letters, rest) = text.split_at_checked(prefix)?;
    if !letters.chars().all(|c| matches!(c, 'r' | 'R' | 'b' | 'B')) {
        return None;
    }
    let is_raw = letters.contains(['r', 'R']);
    let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| rest.starts_with(quote))?;
    let mut at = quote.len();
    loop {
        let inner = rest.get(at..)?;
        if inner.starts_with(quote) {
            return Some(prefix + at + quote.len());
        }
        let mut characters = inner.chars();
        at += characters.next()?.len_utf8();
        if inner.starts_with('\\') && !is_raw {
            at += characters.next()?.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::on_compiler_thread;
    use crate::syntax::parse;

    /// The extents of the whole rule and of all its parts, outermost first.
    fn extents(source: &str) -> Vec<&str> {
        fn collect<'s>(
            source: &'s str,
            tokens: &Tokens<'s>,
            expression: &Expression,
            all: &mut Vec<&'s str>,
        ) {
            all.push(&source[tokens.span_of(expression)]);
            expression.parts().for_each(|part| collect(source, tokens, part, all));
        }
        let expression = on_compiler_thread(|| parse(source)).unwrap().unwrap();
        let mut all = Vec::new();
        collect(source, &Tokens::of(source), &expression, &mut all);
        all
    }

    #[test]
    fn every_expression_has_its_span() {
        let check = |source: &str, parts: &[&str]| {
            assert_eq!(extents(source), [&[source], parts].concat(), "{source}");
        };
        check("a == b", &["a", "b"]);
        check("(a || b) && !c", &["a || b", "a", "b", "!c", "c"]);
        check("((a) ? b : c) == d", &["(a) ? b : c", "a", "b", "c", "d"]);
        check("a.b.c", &["a.b", "a"]);
        check("f()", &[]);
        check("a.f(b, g( c ) )", &["a", "b", "g( c )", "c"]);
        check("a.f()", &["a"]);
        check("[1, -2, [3]].size()", &["[1, -2, [3]]", "1", "-2", "[3]", "3"]);
        check(
            "{'a': [1], 'b': 2u}['a'][0]",
            &["{'a': [1], 'b': 2u}['a']", "{'a': [1], 'b': 2u}", "'a'", "[1]", "1", "'b'", "2u", "'a'", "0"],
        );
        check("a.exists(x, x.f('('))", &["a", "x", "x.f('(')", "x", "'('"]);
        check("-1.5e-3 < .5 + 0x1F", &["-1.5e-3", ".5 + 0x1F", ".5", "0x1F"]);
        check(
            r#"r'\' + "\")" + b'''x'y''' + """a"b""" "#.trim(),
            &[
                r#"r'\' + "\")" + b'''x'y'''"#,
                r#"r'\' + "\")""#,
                r"r'\'",
                r#""\")""#,
                "b'''x'y'''",
                r#""""a"b""""#,
            ],
        );
        check("a // (comment\n && b", &["a", "b"]);
        check("'ü(' == a", &["'ü('", "a"]);
    }
}
