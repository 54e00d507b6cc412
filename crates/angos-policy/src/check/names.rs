//! Stage 3: names: variables, loop variables, and suggestions for unknown names.

use super::literals::select;
use super::optionals::{optional_read, optional_select};
use super::type_names::type_named;
use super::{Bound, Checker, StaticType, Typed, ValueSet};
use crate::environment::Origin;
use crate::error::{Fault, quote};
use crate::program::{Constant, Node, Op, OptionalQuery};
use crate::suggest::nearest;
use crate::syntax::{Expression, Form};
use crate::value::Type;

/// A dotted name, each part with its place.
struct Path<'e> {
    parts: Vec<Named<'e>>,
    text: String,
    /// Written with a dot in front: neither a name of a loop nor in a container.
    absolute: bool,
}

/// One name of a path.
#[derive(Clone, Copy)]
struct Named<'e> {
    name: &'e str,
    offset: u32,
    /// Behind `.?`.
    optional: bool,
}

/// A value, and the fields asked of it.
type Resolved<'p, 'e> = (Typed, &'p [Named<'e>]);

/// Usual abbreviations of certificate fields, too short to be found by [`nearest`], and one older name.
const CERTIFICATE_FIELD_ALIASES: &[(&str, &str)] = &[
    ("cn", "common_names"),
    ("o", "organizations"),
    ("ou", "organizational_units"),
    ("dns", "dns_names"),
    ("san", "dns_names"),
    ("sans", "dns_names"),
    ("ip", "ip_addresses"),
    ("uri", "uris"),
    ("serial", "serial_number"),
    ("authority", "ca"),
];

impl<'e> Path<'e> {
    /// The dotted name an expression spells, if it is nothing else.
    fn of(expression: &'e Expression) -> Option<Self> {
        let mut parts = Vec::new();
        let mut current = expression;
        let absolute = loop {
            match &current.form {
                Form::Field { of, name, optional } => {
                    parts.push(Named { name, offset: current.offset, optional: *optional });
                    current = of;
                }
                Form::Name(name) => {
                    let plain = name.strip_prefix('.');
                    let name = plain.unwrap_or(name);
                    parts.push(Named { name, offset: current.offset, optional: false });
                    break plain.is_some();
                }
                _ => return None,
            }
        };
        parts.reverse();
        let text = parts.iter().map(|part| part.name).collect::<Vec<_>>().join(".");
        Some(Self { parts, text, absolute })
    }

    /// Where the whole name begins.
    fn offset(&self) -> u32 {
        self.parts.first().map_or(0, |part| part.offset)
    }
}

impl Checker<'_> {
    pub(super) fn name(&mut self, expression: &Expression) -> Result<Typed, Fault> {
        let Some(path) = Path::of(expression) else {
            let Form::Field { of, name, optional } = &expression.form else {
                return Err(Fault::new(expression.offset, "not a name"));
            };
            let of = self.expression(of)?;
            return select(of, expression.offset, name, *optional);
        };
        match self.resolve(&path)? {
            Some((typed, rest)) => rest.iter().try_fold(typed, selected),
            None => match type_named(path.offset(), &path.text) {
                Some(named) => Ok(named),
                None => Err(self.unknown(&path)),
            },
        }
    }

    /// Resolves the longest prefix of a path that is a name; returns it and the remaining fields.
    fn resolve<'p, 'e>(&self, path: &'p Path<'e>) -> Result<Option<Resolved<'p, 'e>>, Fault> {
        if let Some((slot, bound)) = self.bound(path) {
            let rest = path.parts.get(1..).unwrap_or_default();
            if let (Some(field), StaticType::One(_) | StaticType::List(_)) =
                (rest.first(), &bound.static_type)
            {
                let (name, this) = (&bound.name, bound.static_type.describe());
                let message = format!("`{name}` is {this} and has no field {}", quote(field.name));
                return Err(Fault::new(field.offset, message));
            }
            let typed =
                Typed::new(path.offset(), bound.static_type.clone(), Op::Bound(slot)).among(bound.value_set);
            return Ok(Some((typed, rest)));
        }
        if let Some((origin, ty)) = self.environment.lookup(&path.text, path.absolute) {
            return Ok(Some((self.variable(&path.parts, origin, ty), &[])));
        }
        // Fields may be asked of a map: `claims.roles`.
        for count in (1..path.parts.len()).rev() {
            let (first, rest) = path.parts.split_at_checked(count).unwrap_or((&path.parts, &[]));
            let name = first.iter().map(|part| part.name).collect::<Vec<_>>().join(".");
            let found = self.environment.lookup(&name, path.absolute);
            if let Some((origin, ty @ (Type::Map(..) | Type::Dyn))) = found {
                return Ok(Some((self.variable(first, origin, ty), rest)));
            }
        }
        Ok(None)
    }

    /// Reads the variable these names spell; optionally, if one of them is behind `.?`.
    fn variable(&self, parts: &[Named<'_>], origin: Origin, ty: Type) -> Typed {
        let offset = parts.first().map_or(0, |part| part.offset);
        if parts.iter().any(|part| part.optional) {
            return optional_read(offset, origin, ty);
        }
        let typed = read(offset, origin, ty);
        match self.environment.form(origin) {
            Some(form) => typed.among(Some(ValueSet::Form(form))),
            None => typed,
        }
    }

    /// `has(path)`, `has(map.field)`
    pub(super) fn presence(&mut self, argument: &Expression) -> Result<Typed, Fault> {
        let wrong = || {
            Fault::new(argument.start(), "`has` asks about a field").help("write `has(identity.username)`")
        };
        let Form::Field { of, name, .. } = &argument.form else { return Err(wrong()) };
        let Some(path) = Path::of(argument) else {
            let of = self.expression(of)?;
            return has_key(of, argument.offset, name);
        };
        if self.bound(&path).is_none() {
            if let Some((origin, ty)) = self.environment.lookup(&path.text, path.absolute) {
                return Ok(Typed::boolean(path.offset(), Op::Has(origin, ty)));
            }
            // A group is there when it says so itself: `has(identity.certificate)`.
            let present = format!("{}.present", path.text);
            if let Some((origin, ty @ Type::Bool)) = self.environment.lookup(&present, path.absolute) {
                return Ok(read(path.offset(), origin, ty));
            }
        }
        match self.resolve(&path)? {
            Some((typed, [rest @ .., last])) => {
                let of = rest.iter().try_fold(typed, selected)?;
                has_key(of, last.offset, last.name)
            }
            Some(_) => Err(wrong()),
            None => Err(self.unknown(&path)),
        }
    }

    /// The loop variable a name begins with, if one does.
    fn bound(&self, path: &Path<'_>) -> Option<(usize, &Bound)> {
        let root = path.parts.first().filter(|_| !path.absolute)?.name;
        self.scope.iter().enumerate().rev().find(|(_, bound)| bound.name == root)
    }

    /// The error for an unknown name.
    fn unknown(&self, path: &Path<'_>) -> Fault {
        let mut known = String::new();
        for Named { name, offset, .. } in &path.parts {
            let full = if known.is_empty() { (*name).to_owned() } else { format!("{known}.{name}") };
            if self.environment.is_group(&full) {
                known = full;
                continue;
            }
            if self.environment.variable(&full).is_some() {
                let next = path.parts.iter().find(|part| part.offset > *offset);
                let (field, at) = next.map_or((*name, *offset), |part| (part.name, part.offset));
                let message = format!("`{full}` is not a group and has no field {}", quote(field));
                return Fault::new(at, message);
            }
            let members = self.environment.members(&known);
            if known.is_empty() {
                return self.unknown_root(name, *offset);
            }
            let fault = Fault::new(*offset, format!("`{known}` has no field {}", quote(name)));
            let abbreviated = CERTIFICATE_FIELD_ALIASES.iter().find(|(alias, _)| alias == name);
            let meant = abbreviated.map(|(_, field)| *field).filter(|field| members.contains(field));
            return match meant.or_else(|| nearest(name, members.iter().copied())) {
                None => fault.help(format!("its fields are {}", listed(members))),
                near => fault.did_you_mean(near),
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
            near => fault.did_you_mean(near),
        }
    }
}

/// `has(of.name)`
fn has_key(of: Typed, offset: u32, name: &str) -> Result<Typed, Fault> {
    match of.static_type.unwrapped() {
        StaticType::One(_) | StaticType::List(_) | StaticType::Optional(_) => {
            let message = format!("{} has no field {}", of.static_type.describe(), quote(name));
            Err(Fault::new(offset, message))
        }
        static_type if matches!(of.static_type, StaticType::Optional(_)) => {
            let (key, value) =
                (Node::new(offset, Op::Constant(Constant::String(name.into()))), static_type.clone());
            let found = optional_select(of, offset, key, value);
            Ok(Typed::boolean(offset, Op::OptionalQuery(OptionalQuery::HasValue(Box::new(found.node)))))
        }
        _ => Ok(Typed::boolean(offset, Op::HasKey { map: Box::new(of.node), key: name.into() })),
    }
}

/// A field of a value.
fn selected(of: Typed, field: &Named<'_>) -> Result<Typed, Fault> {
    select(of, field.offset, field.name, field.optional)
}

/// Reads a declared variable.
pub(super) fn read(offset: u32, origin: Origin, ty: Type) -> Typed {
    let value_set = match ty {
        Type::Enum(values) => Some(ValueSet::Enum(values)),
        Type::List(Type::Enum(values)) => Some(ValueSet::Enum(values)),
        _ => None,
    };
    Typed::new(offset, StaticType::of(ty), Op::Read(origin, ty)).among(value_set)
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
