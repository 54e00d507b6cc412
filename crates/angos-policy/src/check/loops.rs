//! Stage 3: the macros `all`, `exists`, `exists_one`, `map`, `filter`, their forms with two names, `sortBy`
//! and `cel.bind`.

use super::operators::orderable;
use super::optionals::OPTIONAL_MACROS;
use super::{Bound, Checker, StaticType, Typed, ValueSet};
use crate::error::{Fault, quote};
use crate::limits::LOOP_DEPTH_MAX;
use crate::program::{Loop, Node, Op, Quantifier, Scalar};
use crate::syntax::{Expression, Form};

/// The macros, called on a list or a map.
pub(super) const MACROS: &[&str] =
    &["all", "exists", "exists_one", "existsOne", "filter", "map", "sortBy", "transformList", "transformMap"];

/// Whether a method gives a name to something for the expressions behind it.
pub(crate) fn is_binding(method: &str) -> bool {
    MACROS.contains(&method) || OPTIONAL_MACROS.contains(&method) || method == "bind"
}

/// The arguments of a macro: one name or two, and expressions.
struct Arguments<'e> {
    names: &'e [Expression],
    condition: Option<&'e Expression>,
    body: &'e Expression,
}

impl<'e> Arguments<'e> {
    fn of(function: &str, arguments: &'e [Expression]) -> Option<Self> {
        let (names, rest) = match (function, arguments) {
            ("map", [_, _] | [_, _, _]) | ("filter" | "sortBy", [_, _]) => arguments.split_at_checked(1)?,
            ("transformList" | "transformMap", [_, _, _] | [_, _, _, _]) => arguments.split_at_checked(2)?,
            ("map" | "filter" | "sortBy" | "transformList" | "transformMap", _) => return None,
            (_, [_, _]) => arguments.split_at_checked(1)?,
            (_, [_, _, _]) => arguments.split_at_checked(2)?,
            _ => return None,
        };
        match rest {
            [body] => Some(Self { names, condition: None, body }),
            [condition, body] => Some(Self { names, condition: Some(condition), body }),
            _ => None,
        }
    }
}

impl Checker<'_> {
    pub(super) fn macro_call(
        &mut self,
        offset: u32,
        function: &str,
        target: &Expression,
        arguments: &[Expression],
    ) -> Result<Typed, Fault> {
        let source = self.expression(target)?;
        if let StaticType::One(_) | StaticType::Optional(_) = source.static_type {
            let this = source.static_type.describe();
            let message = format!("what `{function}` is called on must be a list, this is {this}");
            return Err(Fault::new(target.start(), message));
        }
        let Some(arguments) = Arguments::of(function, arguments) else {
            let message = format!("`{function}` takes a name and an expression");
            let names = if function.starts_with("transform") { "i, x" } else { "x" };
            return Err(Fault::new(offset, message).help(format!("write `list.{function}({names}, …)`")));
        };
        let known = self.scope.len();
        let (keys, static_type, value_set) =
            (item_shapes(&source.static_type), source.static_type, source.value_set);
        let entered = match arguments.names {
            [name] => {
                let keyed = matches!(static_type, StaticType::Map(_));
                let alone = if keyed { keys.0.clone() } else { keys.1.clone() };
                self.enter(name, alone, if keyed { None } else { value_set })
            }
            [first, second] => self
                .enter(first, keys.0.clone(), None)
                .and_then(|()| self.enter(second, keys.1.clone(), value_set)),
            _ => Ok(()),
        };
        let over = Loop { source: Box::new(source.node), slot: known, pair: arguments.names.len() == 2 };
        let result = entered.and_then(|()| {
            self.loop_body(offset, function, over, &arguments, (keys, static_type, value_set))
        });
        self.scope.truncate(known);
        result
    }

    /// Gives a name to something for the expressions that follow.
    pub(super) fn enter(
        &mut self,
        name: &Expression,
        static_type: StaticType,
        value_set: Option<ValueSet>,
    ) -> Result<(), Fault> {
        let Form::Name(text) = &name.form else {
            return Err(Fault::new(name.offset, "a name for the element must stand here"));
        };
        if self.scope.len() >= LOOP_DEPTH_MAX {
            return Err(Fault::new(
                name.offset,
                format!("more than {LOOP_DEPTH_MAX} names of loops at once"),
            ));
        }
        if text.starts_with('.') {
            return Err(Fault::new(name.offset, format!("{} cannot name an element", quote(text))));
        }
        self.scope.push(Bound { name: text.clone(), static_type, value_set });
        Ok(())
    }

    fn loop_body(
        &mut self,
        offset: u32,
        function: &str,
        over: Loop,
        arguments: &Arguments<'_>,
        ((key, element), static_type, value_set): ((StaticType, StaticType), StaticType, Option<ValueSet>),
    ) -> Result<Typed, Fault> {
        let what = format!("the condition of `{function}`");
        let quantifier = match function {
            "all" => Quantifier::All,
            "exists" => Quantifier::Exists,
            "exists_one" | "existsOne" => Quantifier::ExistsOne,
            "filter" => {
                let condition = Some(Box::new(self.typed(arguments.body, Scalar::Bool, &what)?));
                // The element itself, at the place of its name.
                let place = arguments.names.first().map_or(offset, |name| name.offset);
                let body = Box::new(Node::new(place, Op::Bound(over.slot)));
                let kept = if matches!(static_type, StaticType::Map(_)) {
                    (key, None)
                } else {
                    (element, value_set)
                };
                let op = Op::Transform { over, condition, body };
                return Ok(Typed::new(offset, StaticType::list(kept.0), op).among(kept.1));
            }
            "sortBy" => {
                return self.sort_by(offset, over, arguments.body, &static_type, (element, value_set));
            }
            _ => {
                let condition = match arguments.condition {
                    Some(condition) => Some(Box::new(self.typed(condition, Scalar::Bool, &what)?)),
                    None => None,
                };
                let body = self.expression(arguments.body)?;
                let (value, value_set) = (body.static_type, body.value_set);
                let body = Box::new(body.node);
                return Ok(if function == "transformMap" {
                    let op = Op::TransformMap { over, condition, body };
                    Typed::new(offset, StaticType::map(key, value), op)
                } else {
                    let op = Op::Transform { over, condition, body };
                    Typed::new(offset, StaticType::list(value), op).among(value_set)
                });
            }
        };
        let test = Box::new(self.typed(arguments.body, Scalar::Bool, &what)?);
        Ok(Typed::boolean(offset, Op::Quantified { quantifier, over, test }))
    }

    /// `list.sortBy(x, key)`
    fn sort_by(
        &mut self,
        offset: u32,
        over: Loop,
        key: &Expression,
        of: &StaticType,
        (element, value_set): (StaticType, Option<ValueSet>),
    ) -> Result<Typed, Fault> {
        if let StaticType::Map(_) = of {
            let message = format!("what `sortBy` is called on must be a list, this is {}", of.describe());
            return Err(Fault::new(over.source.offset, message));
        }
        let typed = self.expression(key)?;
        if !typed.static_type.may(|scalar| orderable(scalar, scalar)) {
            let message =
                format!("the key of `sortBy` must have an order, this is {}", typed.static_type.describe());
            return Err(Fault::new(key.start(), message));
        }
        let op = Op::SortBy { over, key: Box::new(typed.node) };
        Ok(Typed::new(offset, StaticType::list(element), op).among(value_set))
    }

    /// `cel.bind(name, value, body)`
    pub(super) fn bind(&mut self, offset: u32, arguments: &[Expression]) -> Result<Typed, Fault> {
        let [name, value, body] = arguments else {
            return Err(Fault::new(offset, "`cel.bind` takes a name, a value and an expression"));
        };
        let value = self.expression(value)?;
        let slot = self.scope.len();
        self.enter(name, value.static_type, value.value_set)?;
        let body = self.expression(body);
        self.scope.truncate(slot);
        let Typed { node, static_type, value_set, .. } = body?;
        let op = Op::Bind { slot, value: Box::new(value.node), body: Box::new(node) };
        Ok(Typed::new(offset, static_type, op).among(value_set))
    }
}

/// The types of index and element of a list, or of key and value of a map.
fn item_shapes(static_type: &StaticType) -> (StaticType, StaticType) {
    match static_type {
        StaticType::List(element) => (StaticType::INT, (**element).clone()),
        StaticType::Map(entry) => (entry.0.clone(), entry.1.clone()),
        _ => (StaticType::Dyn, StaticType::Dyn),
    }
}
