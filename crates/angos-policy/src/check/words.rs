//! Stage 3: closed sets: a comparison no word of the set could ever satisfy is a mistake.

use super::names::listed;
use super::{Typed, TypedList, Words};
use crate::error::{Fault, quote};
use crate::program::{List, Node, Search};
use crate::suggest::nearest;
use regex::Regex;

/// `a == b`, `a != b`: a constant compared with a closed set is in it, or `''` for absent.
pub(super) fn compared(left: &Typed, right: &Typed) -> Result<(), Fault> {
    one_of(left.words, &right.node)?;
    one_of(right.words, &left.node)
}

/// `needle in list`: so is each element a closed set is looked for among.
pub(super) fn looked_for(needle: &Typed, list: &TypedList) -> Result<(), Fault> {
    if let List::Literal(elements) = &list.list {
        elements.iter().try_for_each(|element| one_of(needle.words, element))?;
    }
    one_of(list.words, &needle.node)
}

/// A constant beside a closed set is in it, or `''`.
pub(super) fn one_of(words: Words, node: &Node) -> Result<(), Fault> {
    match (words, node.constant_text()) {
        (Some(words), Some(text)) if !text.is_empty() && !words.contains(&text) => {
            let fault = Fault::new(node.offset, format!("{} is not one of the possible values", shown(text)));
            Err(match nearest(text, words.iter().copied()) {
                Some(near) => fault.help(format!("did you mean '{near}'?")),
                None => fault.help(format!("possible are {}", listed(words.iter().copied()))),
            })
        }
        _ => Ok(()),
    }
}

/// `text.startsWith(part)` and its siblings: at least one word of the set satisfies it.
pub(super) fn searched(text: &Typed, search: Search, part: &Node) -> Result<(), Fault> {
    let (Some(words), Some(constant)) = (text.words, part.constant_text()) else { return Ok(()) };
    let (verb, hit): (_, fn(&str, &str) -> bool) = match search {
        Search::StartsWith => ("starts with", |word, part| word.starts_with(part)),
        Search::EndsWith => ("ends with", |word, part| word.ends_with(part)),
        Search::Contains => ("contains", |word, part| word.contains(part)),
    };
    satisfied(words, part, |word| hit(word, constant), || format!("{verb} {}", shown(constant)))
}

/// `text.matches(pattern)`: at least one word of the set does.
pub(super) fn matched(text: &Typed, pattern: &Regex, at: &Node) -> Result<(), Fault> {
    let Some(words) = text.words else { return Ok(()) };
    satisfied(words, at, |word| pattern.is_match(word), || "matches this pattern".to_owned())
}

fn satisfied(
    words: &'static [&'static str],
    at: &Node,
    hit: impl Fn(&str) -> bool,
    verb: impl Fn() -> String,
) -> Result<(), Fault> {
    if words.iter().any(|word| hit(word)) {
        return Ok(());
    }
    let fault = Fault::new(at.offset, format!("none of the possible values {}", verb()));
    Err(fault.help(format!("possible are {}", listed(words.iter().copied()))))
}

/// A string of the rule as a message shows it.
fn shown(text: &str) -> String {
    format!("'{}'", quote(text).trim_matches('`'))
}
