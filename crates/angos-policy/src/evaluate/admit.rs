//! Stage 5: values from outside are of the type the service declared, or the rule has no value.

use super::{Datum, Frame, Outcome, is_there};
use crate::environment::Origin;
use crate::program::Node;
use crate::value::{Type, Undecidable};
use std::ptr;

impl<'a> Frame<'a, '_> {
    /// The value of a variable.
    pub(super) fn read(&mut self, origin: Origin, ty: Type, at: &Node) -> Outcome<Datum<'a>> {
        let value = self.source(origin);
        let datum = Datum::admitted(value, ty).ok_or(at.trouble(Undecidable::Mistyped))?;
        self.conforms(datum, ty, at)?;
        Ok(datum)
    }

    /// What `has(variable)` says. A value that is not of its type is neither there nor absent.
    pub(super) fn has(&mut self, origin: Origin, ty: Type, at: &Node) -> Outcome<bool> {
        if !is_there(self.source(origin)) {
            return Ok(false);
        }
        self.read(origin, ty, at).map(|_| true)
    }

    /// Fails unless a value is of a declared type, with everything it holds.
    pub(super) fn conforms(&mut self, datum: Datum<'a>, ty: Type, at: &Node) -> Outcome<()> {
        self.conforms_within(datum, ty, 0, at)
    }

    fn conforms_within(&mut self, datum: Datum<'a>, ty: Type, depth: usize, at: &Node) -> Outcome<()> {
        if !datum.fits(ty) {
            return Err(at.trouble(Undecidable::Mistyped));
        }
        match (ty, datum) {
            (Type::Word(words), Datum::String(text)) => self.word(text, words, at),
            (Type::Word(words), built) => match self.text(built) {
                Some(text) if !words.contains(&text) => Err(at.trouble(Undecidable::UnknownWord)),
                _ => Ok(()),
            },
            (Type::List(Type::Dyn), _) | (Type::StringList, Datum::Strings(_)) => Ok(()),
            (Type::StringList, list) => self.all_conform(list, (None, &Type::String), depth, at),
            (Type::List(element), list) => self.all_conform(list, (None, element), depth, at),
            (Type::Map(key, value), map) => self.all_conform(map, (Some(key), value), depth, at),
            _ => Ok(()),
        }
    }

    /// Fails unless all a list or a map holds is of its type.
    fn all_conform(
        &mut self,
        whole: Datum<'a>,
        (key, value): (Option<&'static Type>, &'static Type),
        depth: usize,
        at: &Node,
    ) -> Outcome<()> {
        for index in 0..whole.count().unwrap_or(0) {
            self.descend(depth, at)?;
            let item = self.item(whole, index).ok_or(at.trouble(Undecidable::Mistyped))?;
            if let Some(key) = key {
                self.conforms_within(item.place, *key, depth + 1, at)?;
            }
            self.conforms_within(item.value, *value, depth + 1, at)?;
        }
        Ok(())
    }

    /// Fails unless a word is in its closed set. Rules ask about the same word again and again: the one that was found
    /// last is not searched for a second time.
    pub(super) fn word(&mut self, text: &'a str, words: &'static [&'static str], at: &Node) -> Outcome<()> {
        if self.word.is_some_and(|(word, set)| ptr::eq(word, text) && ptr::eq(set, words)) {
            return Ok(());
        }
        if !words.contains(&text) {
            return Err(at.trouble(Undecidable::UnknownWord));
        }
        self.word = Some((text, words));
        Ok(())
    }
}
