//! Stage 3: enums and string forms: a comparison that no value of the variable satisfies is an error.

use super::names::listed;
use super::{Typed, ValueSet};
use crate::error::{Fault, quote, show};
use crate::program::{Constant, Node, Op, Search};
use crate::string_form::StringForm;
use crate::suggest::nearest;
use regex::Regex;

/// `a == b`, `a != b`: a constant compared with an enum is one of its values, or `''` for absent.
pub(super) fn compared(left: &Typed, right: &Typed) -> Result<(), Fault> {
    one_of(left.value_set, &right.node)?;
    one_of(right.value_set, &left.node)?;
    each_of(left.value_set, right)?;
    each_of(right.value_set, left)
}

/// `needle in container`: each constant element or key is a value of the enum of `needle`, and the other way
/// round.
pub(super) fn looked_for(needle: &Typed, container: &Typed) -> Result<(), Fault> {
    each_of(needle.value_set, container)?;
    one_of(container.value_set, &needle.node)
}

/// Checks each constant element of a list literal, or key of a map literal, against an enum.
fn each_of(value_set: Option<ValueSet>, container: &Typed) -> Result<(), Fault> {
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
        .try_for_each(|(text, at)| check(value_set, text, at))
}

fn text(constant: &Constant) -> Option<&str> {
    match constant {
        Constant::String(text) => Some(text),
        _ => None,
    }
}

/// Checks that a constant is a value of the enum, or `''`.
pub(super) fn one_of(value_set: Option<ValueSet>, node: &Node) -> Result<(), Fault> {
    node.constant_text().map_or(Ok(()), |text| check(value_set, text, node.offset))
}

fn check(value_set: Option<ValueSet>, text: &str, at: u32) -> Result<(), Fault> {
    match value_set {
        Some(ValueSet::Enum(values)) if !text.is_empty() && !values.contains(&text) => {
            let fault = Fault::new(at, format!("{} is not one of the possible values", shown(text)));
            Err(match nearest(text, values.iter().copied()) {
                Some(near) => fault.help(format!("did you mean '{near}'?")),
                None => fault.help(format!("possible are {}", listed(values.iter().copied()))),
            })
        }
        Some(ValueSet::Form(form)) if !text.is_empty() && !(form.is_value)(text) => {
            let fault = Fault::new(at, format!("{} is never the value: {}", shown(text), form.description));
            Err(match (form.respell)(text).filter(|respelled| (form.is_value)(respelled)) {
                Some(respelled) => fault.help(format!("did you mean '{}'?", in_quotes(&respelled))),
                None => fault,
            })
        }
        _ => Ok(()),
    }
}

/// The text between the quotes of a string literal, in its whole length: to be copied into the rule.
fn in_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '\'') {
            out.push('\\');
        }
        show(&mut out, c);
    }
    out
}

/// `text.startsWith(part)` and similar methods: at least one value satisfies it.
pub(super) fn searched(text: &Typed, search: Search, part: &Node) -> Result<(), Fault> {
    let Some(constant) = part.constant_text() else { return Ok(()) };
    let values = match text.value_set {
        Some(ValueSet::Enum(values)) => values,
        Some(ValueSet::Form(form)) => return form_searched(form, search, constant, part.offset),
        None => return Ok(()),
    };
    let (verb, hit): (_, fn(&str, &str) -> bool) = match search {
        Search::StartsWith => ("starts with", |word, part| word.starts_with(part)),
        Search::EndsWith => ("ends with", |word, part| word.ends_with(part)),
        Search::Contains => ("contains", |word, part| word.contains(part)),
    };
    satisfied(values, part, |word| hit(word, constant), || format!("{verb} {}", shown(constant)))
}

fn form_searched(form: &StringForm, search: Search, part: &str, at: u32) -> Result<(), Fault> {
    let (verb, possible) = match search {
        Search::StartsWith => ("starts with", form.is_prefix),
        Search::EndsWith => ("ends with", form.is_part),
        Search::Contains => ("contains", form.is_part),
    };
    if part.is_empty() || possible(part) {
        return Ok(());
    }
    Err(Fault::new(at, format!("no value {verb} {}: {}", shown(part), form.description)))
}

/// `text.matches(pattern)`: at least one value of the enum does. Patterns on a string form are not checked.
pub(super) fn matched(text: &Typed, pattern: &Regex, at: &Node) -> Result<(), Fault> {
    let Some(ValueSet::Enum(values)) = text.value_set else { return Ok(()) };
    satisfied(values, at, |word| pattern.is_match(word), || "matches this pattern".to_owned())
}

fn satisfied(
    values: &'static [&'static str],
    at: &Node,
    hit: impl Fn(&str) -> bool,
    verb: impl Fn() -> String,
) -> Result<(), Fault> {
    if values.iter().any(|word| hit(word)) {
        return Ok(());
    }
    let fault = Fault::new(at.offset, format!("none of the possible values {}", verb()));
    Err(fault.help(format!("possible are {}", listed(values.iter().copied()))))
}

/// A string of the rule as a message shows it.
fn shown(text: &str) -> String {
    format!("'{}'", quote(text).trim_matches('`'))
}
