//! Stage 3: names: variables, loop variables, and what an unknown one was meant to be.

use super::types::type_named;
use super::{Checked, Checker, Typed, TypedList, Words};
use crate::environment::Origin;
use crate::error::{Fault, quote};
use crate::program::{Constant, List, Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::{Expression, Form};
use crate::value::Type;

/// A dotted name, each part with its place.
struct Path<'e> {
    parts: Vec<(&'e str, u32)>,
    text: String,
}

impl<'e> Path<'e> {
    /// The dotted name an expression spells, if it is nothing else.
    fn of(expression: &'e Expression) -> Option<Self> {
        let mut parts = Vec::new();
        let mut current = expression;
        loop {
            match &current.form {
                Form::Field { of, name } => {
                    parts.push((name.as_str(), current.offset));
                    current = of;
                }
                Form::Name(name) => {
                    parts.push((name.trim_start_matches('.'), current.offset));
                    break;
                }
                _ => return None,
            }
        }
        parts.reverse();
        let text = parts.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(".");
        Some(Self { parts, text })
    }

    /// Where the whole name begins.
    fn offset(&self) -> u32 {
        self.parts.first().map_or(0, |(_, offset)| *offset)
    }
}

impl Checker<'_> {
    pub(super) fn name(&mut self, expression: &Expression) -> Result<Checked, Fault> {
        let Some(path) = Path::of(expression) else {
            if let Form::Field { of, name } = &expression.form {
                let of = match self.expression(of)? {
                    Checked::Map(map) => return map.field(expression.offset, name),
                    other => other.describe(),
                };
                let message = format!("{of} has no field {}", quote(name));
                return Err(Fault::new(expression.offset, message));
            }
            return Err(Fault::new(expression.offset, "not a name"));
        };
        if let Some(bound) = self.bound(&path)? {
            return Ok(bound);
        }
        match self.environment.variable(&path.text) {
            Some((origin, ty)) => Ok(read(path.offset(), origin, ty)),
            None if let Some(named) = type_named(path.offset(), &path.text) => Ok(named),
            None => Err(self.unknown(&path)),
        }
    }

    /// `has(path)`
    pub(super) fn presence(&mut self, argument: &Expression) -> Result<Checked, Fault> {
        let wrong = || {
            Fault::new(argument.start(), "`has` asks about a field").help("write `has(identity.username)`")
        };
        let Some(path) = Path::of(argument) else {
            let Form::Field { of, name } = &argument.form else { return Err(wrong()) };
            let Checked::Map(map) = self.expression(of)? else { return Err(wrong()) };
            let op = Op::Constant(Constant::Bool(map.has(name)));
            return Ok(Checked::Value(Typed::new(argument.offset, Scalar::Bool, op)));
        };
        if path.parts.len() < 2 || self.bound(&path)?.is_some() {
            return Err(wrong());
        }
        if let Some((origin, _)) = self.environment.variable(&path.text) {
            return Ok(Checked::Value(Typed::new(path.offset(), Scalar::Bool, Op::Has(origin))));
        }
        // A group is there when it says so itself: `has(identity.certificate)`.
        match self.environment.variable(&format!("{}.present", path.text)) {
            Some((origin, Type::Bool)) => Ok(read(path.offset(), origin, Type::Bool)),
            _ => Err(self.unknown(&path)),
        }
    }

    /// The loop variable a name begins with, if one does.
    fn bound(&self, path: &Path<'_>) -> Result<Option<Checked>, Fault> {
        let Some((root, offset)) = path.parts.first().copied() else { return Ok(None) };
        let found = self.scope.iter().enumerate().rev().find(|(_, bound)| bound.name == root);
        let Some((slot, bound)) = found else { return Ok(None) };
        if let Some((field, at)) = path.parts.get(1) {
            let message =
                format!("`{root}` is {} and has no field {}", super::article(bound.scalar), quote(field));
            return Err(Fault::new(*at, message));
        }
        let mut value = Typed::new(offset, bound.scalar, Op::Bound(slot));
        value.words = bound.words;
        Ok(Some(Checked::Value(value)))
    }

    /// Why a name means nothing.
    fn unknown(&self, path: &Path<'_>) -> Fault {
        let mut known = String::new();
        for (name, offset) in &path.parts {
            let full = if known.is_empty() { (*name).to_owned() } else { format!("{known}.{name}") };
            if self.environment.is_group(&full) {
                known = full;
                continue;
            }
            if self.environment.variable(&full).is_some() {
                let next = path.parts.iter().find(|part| part.1 > *offset);
                let (field, at) = next.copied().unwrap_or((name, *offset));
                let message = format!("`{full}` is not a group and has no field {}", quote(field));
                return Fault::new(at, message);
            }
            let members = self.environment.members(&known);
            if known.is_empty() {
                return self.unknown_root(name, *offset);
            }
            let fault = Fault::new(*offset, format!("`{known}` has no field {}", quote(name)));
            return match nearest(name, members.iter().copied()) {
                None => fault.help(format!("its fields are {}", listed(members))),
                near => fault.meant(near),
            };
        }
        Fault::new(path.offset(), format!("`{known}` is a group of fields, not a value"))
            .help(format!("its fields are {}", listed(self.environment.members(&known))))
    }

    fn unknown_root(&self, name: &str, offset: u32) -> Fault {
        let fault = Fault::new(offset, format!("unknown name {}", quote(name)));
        let declared = self.environment.functions().any(|function| function == name);
        if declared || super::is_builtin(name) {
            return fault.help(format!("`{name}` is a function: write `{name}(…)`"));
        }
        let mut known = self.environment.members("");
        known.extend(self.scope.iter().map(|bound| bound.name.as_str()));
        match nearest(name, known.iter().copied()) {
            None => {
                fault.help(format!("known are {}; strings are written in quotes, as 'name'", listed(known)))
            }
            near => fault.meant(near),
        }
    }
}

/// Reads a declared variable.
pub(super) fn read(offset: u32, origin: Origin, ty: Type) -> Checked {
    let Some((scalar, words)) = scalar_of(ty) else {
        let list = List::Read(origin, offset);
        return Checked::List(TypedList { list, element: Some(Scalar::String), words: None, offset });
    };
    let mut value = Typed::new(offset, scalar, Op::Read(origin, scalar));
    value.words = words;
    Checked::Value(value)
}

/// What a declared type is called here; none for a list.
pub(super) fn scalar_of(ty: Type) -> Option<(Scalar, Words)> {
    Some(match ty {
        Type::Bool => (Scalar::Bool, None),
        Type::Int => (Scalar::Int, None),
        Type::Uint => (Scalar::Uint, None),
        Type::Double => (Scalar::Double, None),
        Type::String => (Scalar::String, None),
        Type::Bytes => (Scalar::Bytes, None),
        Type::Timestamp => (Scalar::Timestamp, None),
        Type::Duration => (Scalar::Duration, None),
        Type::Word(words) => (Scalar::String, Some(words)),
        Type::StringList => return None,
    })
}

/// Names for a message, at most thirty.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(30).collect::<Vec<_>>().join(", ");
    if names.next().is_some() {
        text.push_str(", …");
    }
    text
}
