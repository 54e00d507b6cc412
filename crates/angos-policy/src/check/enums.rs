//! Stage 3: enums: a comparison that no value of the enum satisfies is an error.

use super::names::listed;
use super::{EnumValues, Typed};
use crate::error::{Fault, quote};
use crate::program::{Constant, Node, Op, Search};
use crate::suggest::nearest;
use regex::Regex;

/// `a == b`, `a != b`: a constant compared with an enum is one of its values, or `''` for absent.
pub(super) fn compared(left: &Typed, right: &Typed) -> Result<(), Fault> {
    one_of(left.enum_values, &right.node)?;
    one_of(right.enum_values, &left.node)?;
    each_of(left.enum_values, right)?;
    each_of(right.enum_values, left)
}

/// `needle in container`: each constant element or key is a value of the enum of `needle`, and the other way
/// round.
pub(super) fn looked_for(needle: &Typed, container: &Typed) -> Result<(), Fault> {
    each_of(needle.enum_values, container)?;
    one_of(container.enum_values, &needle.node)
}

/// Checks each constant element of a list literal, or key of a map literal, against an enum.
fn each_of(enum_values: EnumValues, container: &Typed) -> Result<(), Fault> {
    let strings: Vec<Option<&str>> = match &container.node.op {
        Op::Constant(Constant::List(elements)) => elements.iter().map(text).collect(),
        Op::Constant(Constant::Map(entries)) => entries.iter().map(|(key, _)| text(key)).collect(),
        Op::List(elements) => elements.iter().map(Node::constant_text).collect(),
        Op::Map(entries) => entries.iter().map(|(key, _)| key.constant_text()).collect(),
        _ => return Ok(()),
    };
    let placed = strings.into_iter().zip(&container.places);
    placed
        .filter_map(|(text, place)| Some((text?, *place)))
        .try_for_each(|(text, at)| check(enum_values, text, at))
}

fn text(constant: &Constant) -> Option<&str> {
    match constant {
        Constant::String(text) => Some(text),
        _ => None,
    }
}

/// Checks that a constant is a value of the enum, or `''`.
pub(super) fn one_of(enum_values: EnumValues, node: &Node) -> Result<(), Fault> {
    node.constant_text().map_or(Ok(()), |text| check(enum_values, text, node.offset))
}

fn check(enum_values: EnumValues, text: &str, at: u32) -> Result<(), Fault> {
    match enum_values {
        Some(enum_values) if !text.is_empty() && !enum_values.contains(&text) => {
            let fault = Fault::new(at, format!("{} is not one of the possible values", shown(text)));
            Err(match nearest(text, enum_values.iter().copied()) {
                Some(near) => fault.help(format!("did you mean '{near}'?")),
                None => fault.help(format!("possible are {}", listed(enum_values.iter().copied()))),
            })
        }
        _ => Ok(()),
    }
}

/// `text.startsWith(part)` and similar methods: at least one value of the enum satisfies it.
pub(super) fn searched(text: &Typed, search: Search, part: &Node) -> Result<(), Fault> {
    let (Some(enum_values), Some(constant)) = (text.enum_values, part.constant_text()) else { return Ok(()) };
    let (verb, hit): (_, fn(&str, &str) -> bool) = match search {
        Search::StartsWith => ("starts with", |word, part| word.starts_with(part)),
        Search::EndsWith => ("ends with", |word, part| word.ends_with(part)),
        Search::Contains => ("contains", |word, part| word.contains(part)),
    };
    satisfied(enum_values, part, |word| hit(word, constant), || format!("{verb} {}", shown(constant)))
}

/// `text.matches(pattern)`: at least one word of the set does.
pub(super) fn matched(text: &Typed, pattern: &Regex, at: &Node) -> Result<(), Fault> {
    let Some(enum_values) = text.enum_values else { return Ok(()) };
    satisfied(enum_values, at, |word| pattern.is_match(word), || "matches this pattern".to_owned())
}

fn satisfied(
    enum_values: &'static [&'static str],
    at: &Node,
    hit: impl Fn(&str) -> bool,
    verb: impl Fn() -> String,
) -> Result<(), Fault> {
    if enum_values.iter().any(|word| hit(word)) {
        return Ok(());
    }
    let fault = Fault::new(at.offset, format!("none of the possible values {}", verb()));
    Err(fault.help(format!("possible are {}", listed(enum_values.iter().copied()))))
}

/// A string of the rule as a message shows it.
fn shown(text: &str) -> String {
    format!("'{}'", quote(text).trim_matches('`'))
}
