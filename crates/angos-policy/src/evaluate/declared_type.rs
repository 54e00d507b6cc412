//! Stage 5: checks that facts have the type the service declared; otherwise the rule is undecidable.

use super::{EvalResult, Frame, RawValue, is_there};
use crate::environment::Origin;
use crate::program::Node;
use crate::value::{Type, Undecidable};
use std::ptr;

impl<'a> Frame<'a, '_> {
    /// The value of a variable.
    pub(super) fn read(&mut self, origin: Origin, ty: Type, at: &Node) -> EvalResult<RawValue<'a>> {
        let value = self.source(origin);
        let raw = RawValue::of_declared(value, ty).ok_or(at.error(Undecidable::Mistyped))?;
        self.conforms(raw, ty, at)?;
        Ok(raw)
    }

    /// The result of `has(variable)`. A value of the wrong type is an error, neither present nor absent.
    pub(super) fn has(&mut self, origin: Origin, ty: Type, at: &Node) -> EvalResult<bool> {
        if !is_there(self.source(origin)) {
            return Ok(false);
        }
        self.read(origin, ty, at).map(|_| true)
    }

    /// Fails unless a value and all its elements have the declared type.
    pub(super) fn conforms(&mut self, raw: RawValue<'a>, ty: Type, at: &Node) -> EvalResult<()> {
        self.conforms_within(raw, ty, 0, at)
    }

    fn conforms_within(&mut self, raw: RawValue<'a>, ty: Type, depth: usize, at: &Node) -> EvalResult<()> {
        if !raw.fits(ty) {
            return Err(at.error(Undecidable::Mistyped));
        }
        match (ty, raw) {
            (Type::Enum(enum_values), RawValue::String(text)) => self.check_enum_value(text, enum_values, at),
            (Type::Enum(enum_values), built) => match self.text(built) {
                Some(text) if !enum_values.contains(&text) => Err(at.error(Undecidable::UnknownEnumValue)),
                _ => Ok(()),
            },
            (Type::List(Type::Dyn), _) | (Type::StringList, RawValue::Strings(_)) => Ok(()),
            (Type::StringList, list) => self.all_conform(list, (None, &Type::String), depth, at),
            (Type::List(element), list) => self.all_conform(list, (None, element), depth, at),
            (Type::Map(key, value), map) => self.all_conform(map, (Some(key), value), depth, at),
            _ => Ok(()),
        }
    }

    /// Fails unless all elements of a list or map have the declared type.
    fn all_conform(
        &mut self,
        whole: RawValue<'a>,
        (key, value): (Option<&'static Type>, &'static Type),
        depth: usize,
        at: &Node,
    ) -> EvalResult<()> {
        for index in 0..whole.count().unwrap_or(0) {
            self.descend(depth, at)?;
            let item = self.item(whole, index).ok_or(at.error(Undecidable::Mistyped))?;
            if let Some(key) = key {
                self.conforms_within(item.place, *key, depth + 1, at)?;
            }
            self.conforms_within(item.value, *value, depth + 1, at)?;
        }
        Ok(())
    }

    /// Fails unless a string is in its enum. Rules read the same variable repeatedly, so the last string
    /// found is cached.
    pub(super) fn check_enum_value(
        &mut self,
        text: &'a str,
        enum_values: &'static [&'static str],
        at: &Node,
    ) -> EvalResult<()> {
        if self.last_enum_value.is_some_and(|(check_enum_value, set)| {
            ptr::eq(check_enum_value, text) && ptr::eq(set, enum_values)
        }) {
            return Ok(());
        }
        if !enum_values.contains(&text) {
            return Err(at.error(Undecidable::UnknownEnumValue));
        }
        self.last_enum_value = Some((text, enum_values));
        Ok(())
    }
}
