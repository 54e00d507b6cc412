//! Stages 3 and 5: format strings: text and format specifiers, one per argument.

use crate::limits::FORMAT_PRECISION_MAX;
use crate::program::Scalar;
use std::ops::Range;

/// A format specifier: how an argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spec {
    /// `%s`
    Text,
    /// `%d`
    Decimal,
    /// `%f`, with this number of decimals.
    Fixed(usize),
    /// `%e`, with this number of decimals.
    Scientific(usize),
    /// `%b`
    Binary,
    /// `%o`
    Octal,
    /// `%x`, or `%X` if upper.
    Hexadecimal { upper: bool },
}

/// A segment of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// The text in this range of the format string.
    Text(Range<usize>),
    Spec(Spec),
}

/// The error in a format specifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecError {
    Unknown(char),
    /// It ends before its letter.
    Unfinished,
    /// A point without digits behind it.
    NoPrecision,
    /// More decimals than are written.
    TooPrecise,
    /// A precision for a specifier that takes none.
    NeedlessPrecision(char),
}

/// The segment of a format string at `from`, and its end; `None` at the end of the string.
pub(crate) fn segment(format: &str, from: usize) -> Option<(Result<Segment, SpecError>, usize)> {
    let rest = format.get(from..).filter(|rest| !rest.is_empty())?;
    let Some(spec) = rest.strip_prefix('%') else {
        let end = from + rest.find('%').unwrap_or(rest.len());
        return Some((Ok(Segment::Text(from..end)), end));
    };
    if spec.starts_with('%') {
        return Some((Ok(Segment::Text(from + 1..from + 2)), from + 2));
    }
    let (precision, behind) = match spec.strip_prefix('.') {
        Some(digits) => {
            let behind = digits.trim_start_matches(|c: char| c.is_ascii_digit());
            (digits.strip_suffix(behind), behind)
        }
        None => (None, spec),
    };
    let mut letters = behind.chars();
    let letter = letters.next();
    let found = letter.ok_or(SpecError::Unfinished).and_then(|letter| spec_of(letter, precision));
    Some((found.map(Segment::Spec), format.len() - letters.as_str().len()))
}

fn spec_of(letter: char, precision: Option<&str>) -> Result<Spec, SpecError> {
    let spec = match letter {
        's' => Spec::Text,
        'd' => Spec::Decimal,
        'f' => return decimals(precision).map(Spec::Fixed),
        'e' => return decimals(precision).map(Spec::Scientific),
        'b' => Spec::Binary,
        'o' => Spec::Octal,
        'x' | 'X' => Spec::Hexadecimal { upper: letter == 'X' },
        _ => return Err(SpecError::Unknown(letter)),
    };
    if precision.is_some() { Err(SpecError::NeedlessPrecision(letter)) } else { Ok(spec) }
}

/// The number of decimals; six if not specified.
fn decimals(precision: Option<&str>) -> Result<usize, SpecError> {
    match precision {
        None => Ok(6),
        Some("") => Err(SpecError::NoPrecision),
        Some(digits) => {
            let decimals = digits.parse().ok().filter(|decimals| *decimals <= FORMAT_PRECISION_MAX);
            decimals.ok_or(SpecError::TooPrecise)
        }
    }
}

impl Spec {
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

    /// The specifier without its precision and the types it takes, for messages.
    pub(crate) fn describe(self) -> (&'static str, &'static str) {
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
    use super::{Segment, Spec, SpecError, segment};

    fn segments(format: &str) -> Vec<Result<Segment, SpecError>> {
        let mut from = 0;
        let next = || {
            let (segment, end) = segment(format, from)?;
            assert!(end > from, "{format}: no progress");
            from = end;
            Some(segment)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_format_is_text_and_specs() {
        let text = |range| Ok(Segment::Text(range));
        let spec = |spec| Ok(Segment::Spec(spec));
        for (format, expected) in [
            ("", vec![]),
            ("é", vec![text(0..2)]),
            ("a%sb", vec![text(0..1), spec(Spec::Text), text(3..4)]),
            ("%%%d%%", vec![text(1..2), spec(Spec::Decimal), text(5..6)]),
            ("%f%.0f%.100e", vec![spec(Spec::Fixed(6)), spec(Spec::Fixed(0)), spec(Spec::Scientific(100))]),
            ("%b%o", vec![spec(Spec::Binary), spec(Spec::Octal)]),
            ("%x%X", vec![spec(Spec::Hexadecimal { upper: false }), spec(Spec::Hexadecimal { upper: true })]),
            ("%", vec![Err(SpecError::Unfinished)]),
            ("%.", vec![Err(SpecError::Unfinished)]),
            ("%.12", vec![Err(SpecError::Unfinished)]),
            ("%é%s", vec![Err(SpecError::Unknown('é')), spec(Spec::Text)]),
            ("%.f", vec![Err(SpecError::NoPrecision)]),
            ("%.101f", vec![Err(SpecError::TooPrecise)]),
            ("%.99999999999999999999e", vec![Err(SpecError::TooPrecise)]),
            ("%.2s", vec![Err(SpecError::NeedlessPrecision('s'))]),
            ("%.%", vec![Err(SpecError::Unknown('%'))]),
        ] {
            assert_eq!(segments(format), expected, "{format}");
        }
    }
}
