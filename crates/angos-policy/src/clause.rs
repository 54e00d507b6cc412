//! Stages 3 and 5: the string `format` is called on: text, and clauses that stand for its arguments.

use crate::limits::FORMAT_PRECISION_MAX;
use crate::program::Scalar;
use std::ops::Range;

/// How a clause writes its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clause {
    /// `%s`
    Text,
    /// `%d`
    Decimal,
    /// `%f`, with so many decimals.
    Fixed(usize),
    /// `%e`, with so many decimals.
    Scientific(usize),
    /// `%b`
    Binary,
    /// `%o`
    Octal,
    /// `%x`, or `%X` if upper.
    Hexadecimal { upper: bool },
}

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What stands in this range of it.
    Text(Range<usize>),
    Clause(Clause),
}

/// What is wrong with a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Unknown(char),
    /// It ends before its letter.
    Unfinished,
    /// A point without digits behind it.
    NoPrecision,
    /// More decimals than are written.
    TooPrecise,
    /// Decimals for a clause that has none.
    NeedlessPrecision(char),
}

/// The piece of a format that begins at `from`, and where it ends; none at the end.
pub(crate) fn piece(format: &str, from: usize) -> Option<(Result<Piece, Flaw>, usize)> {
    let rest = format.get(from..).filter(|rest| !rest.is_empty())?;
    let Some(clause) = rest.strip_prefix('%') else {
        let end = from + rest.find('%').unwrap_or(rest.len());
        return Some((Ok(Piece::Text(from..end)), end));
    };
    if clause.starts_with('%') {
        return Some((Ok(Piece::Text(from + 1..from + 2)), from + 2));
    }
    let (precision, behind) = match clause.strip_prefix('.') {
        Some(digits) => {
            let behind = digits.trim_start_matches(|c: char| c.is_ascii_digit());
            (digits.strip_suffix(behind), behind)
        }
        None => (None, clause),
    };
    let mut letters = behind.chars();
    let letter = letters.next();
    let found = letter.ok_or(Flaw::Unfinished).and_then(|letter| clause_of(letter, precision));
    Some((found.map(Piece::Clause), format.len() - letters.as_str().len()))
}

fn clause_of(letter: char, precision: Option<&str>) -> Result<Clause, Flaw> {
    let clause = match letter {
        's' => Clause::Text,
        'd' => Clause::Decimal,
        'f' => return decimals(precision).map(Clause::Fixed),
        'e' => return decimals(precision).map(Clause::Scientific),
        'b' => Clause::Binary,
        'o' => Clause::Octal,
        'x' | 'X' => Clause::Hexadecimal { upper: letter == 'X' },
        _ => return Err(Flaw::Unknown(letter)),
    };
    if precision.is_some() { Err(Flaw::NeedlessPrecision(letter)) } else { Ok(clause) }
}

/// How many are written: six when nothing is said.
fn decimals(precision: Option<&str>) -> Result<usize, Flaw> {
    match precision {
        None => Ok(6),
        Some("") => Err(Flaw::NoPrecision),
        Some(digits) => {
            let decimals = digits.parse().ok().filter(|decimals| *decimals <= FORMAT_PRECISION_MAX);
            decimals.ok_or(Flaw::TooPrecise)
        }
    }
}

impl Clause {
    /// Whether it writes values of this type. `%s` also writes lists and maps.
    pub(crate) fn takes(self, scalar: Scalar) -> bool {
        match self {
            Self::Text => true,
            Self::Decimal | Self::Fixed(_) | Self::Scientific(_) => scalar.is_number(),
            Self::Binary => matches!(scalar, Scalar::Bool | Scalar::Int | Scalar::Uint),
            Self::Octal => matches!(scalar, Scalar::Int | Scalar::Uint),
            Self::Hexadecimal { .. } => {
                matches!(scalar, Scalar::Int | Scalar::Uint | Scalar::String | Scalar::Bytes)
            }
        }
    }

    /// The clause without its precision, and what it takes, for messages.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        const NUMBER: &str = "an int, a uint or a double";
        const HEXADECIMAL: &str = "an int, a uint, a string or bytes";
        match self {
            Self::Text => ("%s", "a value that is not optional"),
            Self::Decimal => ("%d", NUMBER),
            Self::Fixed(_) => ("%f", NUMBER),
            Self::Scientific(_) => ("%e", NUMBER),
            Self::Binary => ("%b", "an int, a uint or a bool"),
            Self::Octal => ("%o", "an int or a uint"),
            Self::Hexadecimal { upper: false } => ("%x", HEXADECIMAL),
            Self::Hexadecimal { upper: true } => ("%X", HEXADECIMAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clause, Flaw, Piece, piece};

    fn pieces(format: &str) -> Vec<Result<Piece, Flaw>> {
        let mut from = 0;
        let next = || {
            let (piece, end) = piece(format, from)?;
            assert!(end > from, "{format}: no progress");
            from = end;
            Some(piece)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_format_is_text_and_clauses() {
        let text = |range| Ok(Piece::Text(range));
        let clause = |clause| Ok(Piece::Clause(clause));
        for (format, expected) in [
            ("", vec![]),
            ("é", vec![text(0..2)]),
            ("a%sb", vec![text(0..1), clause(Clause::Text), text(3..4)]),
            ("%%%d%%", vec![text(1..2), clause(Clause::Decimal), text(5..6)]),
            (
                "%f%.0f%.100e",
                vec![clause(Clause::Fixed(6)), clause(Clause::Fixed(0)), clause(Clause::Scientific(100))],
            ),
            ("%b%o", vec![clause(Clause::Binary), clause(Clause::Octal)]),
            (
                "%x%X",
                vec![
                    clause(Clause::Hexadecimal { upper: false }),
                    clause(Clause::Hexadecimal { upper: true }),
                ],
            ),
            ("%", vec![Err(Flaw::Unfinished)]),
            ("%.", vec![Err(Flaw::Unfinished)]),
            ("%.12", vec![Err(Flaw::Unfinished)]),
            ("%é%s", vec![Err(Flaw::Unknown('é')), clause(Clause::Text)]),
            ("%.f", vec![Err(Flaw::NoPrecision)]),
            ("%.101f", vec![Err(Flaw::TooPrecise)]),
            ("%.99999999999999999999e", vec![Err(Flaw::TooPrecise)]),
            ("%.2s", vec![Err(Flaw::NeedlessPrecision('s'))]),
            ("%.%", vec![Err(Flaw::Unknown('%'))]),
        ] {
            assert_eq!(pieces(format), expected, "{format}");
        }
    }
}
