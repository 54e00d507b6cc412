//! Stage 3: optional values: `optional.of(…)`, `.?name`, `[?key]`, `?element`, and their methods.
//!
//! Source: the proposal "Optional Types" beside CEL's specification, and its conformance cases.

use super::functions::called_on;
use super::{Checker, StaticType, Typed};
use crate::environment::Origin;
use crate::error::Fault;
use crate::program::{Node, Op, Optional, OptionalQuery};
use crate::syntax::{Expression, Form};
use crate::value::Type;

/// Methods of optional values that bind their value to a name for an expression.
pub(super) const OPTIONAL_MACROS: &[&str] = &["optFlatMap", "optMap"];

/// Candidates for the suggestion for an unknown method.
pub(super) const METHODS: &[&str] =
    &["hasValue", "optFlatMap", "optMap", "or", "orValue", "unwrapOpt", "value"];

pub(super) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

impl Checker<'_> {
    /// `optional.none()`, `optional.of(value)`, `optional.ofNonZeroValue(value)`, `optional.unwrap(list)`
    pub(super) fn optional_of(
        &mut self,
        offset: u32,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let make = |static_type, optional| {
            Ok(Typed::new(offset, StaticType::optional(static_type), Op::Optional(optional)))
        };
        match (function, arguments) {
            ("none", []) => make(StaticType::Never, Optional::None),
            ("of", [value]) => {
                let value = self.expression(value)?;
                make(value.static_type, Optional::Of(Box::new(value.node)))
            }
            ("ofNonZeroValue", [value]) => {
                let value = self.expression(value)?;
                make(value.static_type, Optional::OfNonZero(Box::new(value.node)))
            }
            ("unwrap", [list]) => self.unwrap_all(offset, list, "the argument of `optional.unwrap`"),
            _ => {
                let message = format!("unknown function `optional.{function}` of these arguments");
                Err(Fault::new(offset, message).help(
                    "known are `optional.none()`, `optional.of(x)`, `optional.ofNonZeroValue(x)`, `optional.unwrap(list)`",
                ))
            }
        }
    }

    /// A method of an optional value.
    pub(super) fn optional_method(
        &mut self,
        offset: u32,
        method: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        if let ("unwrapOpt", []) = (method, arguments) {
            return self.unwrap_all(offset, target, &called_on(method));
        }
        let of = self.expression(target)?;
        let Some(held) = of.static_type.held() else {
            let message =
                format!("`{method}` is called on an optional, this is {}", of.static_type.describe());
            return Err(Fault::new(target.start(), message)
                .help("`a.?b` and `a[?b]` are optional, and `optional.of(…)` makes one"));
        };
        let node = Box::new(of.node);
        match (method, arguments) {
            ("hasValue", []) => Ok(Typed::boolean(offset, Op::OptionalQuery(OptionalQuery::HasValue(node)))),
            ("value", []) => Ok(Typed::new(offset, held, Op::OptionalQuery(OptionalQuery::Value(node)))),
            ("orValue", [other]) => {
                let other = self.expression(other)?;
                let static_type = self.alternative(offset, &held, &other.static_type)?;
                Ok(Typed::new(
                    offset,
                    static_type,
                    Op::OptionalQuery(OptionalQuery::OrValue(Box::new([*node, other.node]))),
                ))
            }
            ("or", [other]) => {
                let place = other.start();
                let other = self.expression(other)?;
                let Some(other_held) = other.static_type.held() else {
                    let message = format!("`or` takes an optional, this is {}", other.static_type.describe());
                    return Err(Fault::new(place, message).help("a value itself goes into `orValue(…)`"));
                };
                let static_type = StaticType::optional(self.alternative(offset, &held, &other_held)?);
                let op = Op::Optional(Optional::Either(Box::new([*node, other.node])));
                Ok(Typed::new(offset, static_type, op))
            }
            (_, [name, body]) if OPTIONAL_MACROS.contains(&method) => {
                self.optional_map(offset, method == "optFlatMap", (held, node), name, body)
            }
            _ => Err(Fault::new(offset, format!("wrong number of arguments for `{method}`"))),
        }
    }

    /// The common type of an optional's value and its replacement.
    fn alternative(&self, offset: u32, held: &StaticType, other: &StaticType) -> Result<StaticType, Fault> {
        match held.join(other) {
            Some(static_type) => Ok(static_type),
            None if self.environment.mixes_types() => Ok(StaticType::Dyn),
            None => {
                let (held, other) = (held.describe(), other.describe());
                Err(Fault::new(offset, format!("both values must be alike; these are {held} and {other}")))
            }
        }
    }

    fn optional_map(
        &mut self,
        offset: u32,
        flat: bool,
        (held, of): (StaticType, Box<Node>),
        name: &Expression,
        body: &Expression,
    ) -> Result<Typed, Fault> {
        let slot = self.scope.len();
        self.enter(name, held, None)?;
        let typed = self.expression(body);
        self.scope.truncate(slot);
        let typed = typed?;
        let static_type = match (flat, typed.static_type.held()) {
            (false, _) => StaticType::optional(typed.static_type),
            (true, Some(held)) => StaticType::optional(held),
            (true, None) => {
                let message =
                    format!("`optFlatMap` needs an optional, this is {}", typed.static_type.describe());
                return Err(Fault::new(body.start(), message).help("a value itself goes into `optMap(…)`"));
            }
        };
        let op = Optional::Map { slot, flat, of, body: Box::new(typed.node) };
        Ok(Typed::new(offset, static_type, Op::Optional(op)))
    }

    fn unwrap_all(&mut self, offset: u32, list: &Expression, what: &str) -> Result<Typed, Fault> {
        let (typed, element) = self.list(list, what)?;
        let Some(held) = element.held() else {
            let message =
                format!("{what} must be a list of optionals, this is {}", typed.static_type.describe());
            return Err(Fault::new(list.start(), message));
        };
        Ok(Typed::new(offset, StaticType::list(held), Op::Present(Box::new(typed.node))))
    }

    /// An element or an entry's value, which is left out when it is `?…` and has none.
    pub(super) fn item(&mut self, item: &Expression) -> Result<Typed, Fault> {
        let Form::IfPresent(optional) = &item.form else { return self.expression(item) };
        let typed = self.expression(optional)?;
        let Some(held) = typed.static_type.held() else {
            let message =
                format!("what follows `?` must be optional, this is {}", typed.static_type.describe());
            return Err(Fault::new(optional.start(), message));
        };
        Ok(Typed::new(item.offset, held, Op::IfPresent(Box::new(typed.node))))
    }
}

impl StaticType {
    /// The type of an optional's value, if the expression is or may be an optional.
    pub(super) fn held(&self) -> Option<Self> {
        match self {
            Self::Optional(held) => Some((**held).clone()),
            Self::Dyn | Self::Never => Some(Self::Dyn),
            Self::One(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The type of an optional's value; any other type itself.
    pub(super) fn unwrapped(&self) -> &Self {
        match self {
            Self::Optional(held) => held,
            other => other,
        }
    }
}

/// `of[key]` of an optional, or `of[?key]`; the result has type `value`.
pub(super) fn optional_select(of: Typed, offset: u32, key: Node, value: StaticType) -> Typed {
    let chained = matches!(of.static_type, StaticType::Optional(_));
    let op = Optional::Select { chained, sides: Box::new([of.node, key]) };
    Typed::new(offset, StaticType::optional(value), Op::Optional(op))
}

/// `group.?variable`
pub(super) fn optional_read(offset: u32, origin: Origin, ty: Type) -> Typed {
    Typed::new(offset, StaticType::optional(StaticType::of(ty)), Op::Optional(Optional::Read(origin, ty)))
}
