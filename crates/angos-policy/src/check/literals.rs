//! Stage 3: lists and maps written into a rule. Those of constants become constants.

use super::optionals::optional_select;
use super::{Checker, StaticType, Typed};
use crate::error::{Fault, quote};
use crate::program::{Constant, Node, Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::Expression;

impl Checker<'_> {
    /// `[a, b, …]`: elements of one type, `null` beside others allowed.
    pub(super) fn list_literal(&mut self, offset: u32, elements: &[Expression]) -> Result<Typed, Fault> {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut common = StaticType::Never;
        for element in elements {
            let typed = self.item(element)?;
            common = self.common(&common, &typed.static_type, element.start(), |this, first| {
                format!("this element is {this}, the ones before it are of type {first}")
            })?;
            nodes.push(typed.node);
        }
        let places = nodes.iter().map(|node| node.offset).collect();
        let op = match folded(nodes) {
            Ok(constants) => Op::Constant(Constant::List(constants)),
            Err(nodes) => Op::List(nodes.into()),
        };
        let mut typed = Typed::new(offset, StaticType::list(common), op);
        typed.places = places;
        Ok(typed)
    }

    /// `{key: value, …}`
    pub(super) fn map_literal(
        &mut self,
        offset: u32,
        entries: &[(Expression, Expression)],
    ) -> Result<Typed, Fault> {
        let mut nodes: Vec<(Node, Node)> = Vec::with_capacity(entries.len());
        let (mut key_shape, mut value_shape) = (StaticType::Never, StaticType::Never);
        for (key, value) in entries {
            let typed = self.expression(key)?;
            check_key(&typed, key.start(), &nodes)?;
            key_shape = self.common(&key_shape, &typed.static_type, key.start(), |this, first| {
                format!("this key is {this}, the ones before it are of type {first}")
            })?;
            let held = self.item(value)?;
            value_shape = self.common(&value_shape, &held.static_type, value.start(), |this, first| {
                format!("this value is {this}, the ones before it are of type {first}")
            })?;
            nodes.push((typed.node, held.node));
        }
        let places = nodes.iter().map(|(key, _)| key.offset).collect();
        let op = if nodes.iter().all(|(key, value)| key.constant().and(value.constant()).is_some()) {
            let constants = nodes.into_iter().filter_map(|(key, value)| constant(key).zip(constant(value)));
            Op::Constant(Constant::Map(constants.collect()))
        } else {
            Op::Map(nodes.into())
        };
        let mut typed = Typed::new(offset, StaticType::map(key_shape, value_shape), op);
        typed.places = places;
        Ok(typed)
    }

    /// The common type of the elements of a list or map; `null` is compatible with every type.
    fn common(
        &self,
        first: &StaticType,
        this: &StaticType,
        at: u32,
        message: impl Fn(String, String) -> String,
    ) -> Result<StaticType, Fault> {
        if *first == StaticType::NULL {
            return Ok(this.clone());
        }
        if *this == StaticType::NULL && *first != StaticType::Never {
            return Ok(first.clone());
        }
        match first.join(this) {
            Some(common) => Ok(common),
            None if self.environment.mixes_types() => Ok(StaticType::Dyn),
            None => Err(Fault::new(at, message(this.describe(), first.name(3)))
                .help("wrap one of them in `dyn(…)` if that is meant")),
        }
    }
}

/// `map.name`, or the error; `map.?name` if the key may be missing.
pub(super) fn select(of: Typed, offset: u32, name: &str, lenient: bool) -> Result<Typed, Fault> {
    let optional = lenient || matches!(of.static_type, StaticType::Optional(_));
    let value = match of.static_type.unwrapped() {
        StaticType::Map(entry) if entry.0.may(|key| key == Scalar::String) => entry.1.clone(),
        StaticType::Dyn | StaticType::Never => StaticType::Dyn,
        other => {
            return Err(Fault::new(offset, format!("{} has no field {}", other.describe(), quote(name))));
        }
    };
    let key = Node::new(offset, Op::Constant(Constant::String(name.into())));
    if optional {
        return Ok(optional_select(of, offset, key, value));
    }
    if let Some(keys) = known_keys(&of.node)
        && !keys.contains(&name)
    {
        let fault = Fault::new(offset, format!("the map has no key {}", quote(name)));
        return Err(fault.did_you_mean(nearest(name, keys)));
    }
    Ok(Typed::new(offset, value, Op::Index(Box::new([of.node, key]))))
}

/// A key has a type that can be one, and is not there yet.
fn check_key(key: &Typed, at: u32, before: &[(Node, Node)]) -> Result<(), Fault> {
    let fits = |scalar| matches!(scalar, Scalar::Bool | Scalar::Int | Scalar::Uint | Scalar::String);
    let written = key.node.constant().is_none_or(|constant| {
        matches!(constant, Constant::Bool(_) | Constant::Int(_) | Constant::Uint(_) | Constant::String(_))
    });
    if !written || !key.static_type.may(fits) {
        let message = format!(
            "a key must be a bool, an int, a uint or a string, this is {}",
            key.static_type.describe()
        );
        return Err(Fault::new(at, message));
    }
    let Some(constant) = key.node.constant() else { return Ok(()) };
    if before.iter().filter_map(|(key, _)| key.constant()).any(|other| twin(other, constant)) {
        return Err(Fault::new(at, "this key is in the map already"));
    }
    Ok(())
}

/// The keys of a map that is written into the rule, if all are strings.
fn known_keys(map: &Node) -> Option<Vec<&str>> {
    match &map.op {
        Op::Constant(Constant::Map(entries)) => entries
            .iter()
            .map(|(key, _)| match key {
                Constant::String(text) => Some(&**text),
                _ => None,
            })
            .collect(),
        Op::Map(entries) => entries.iter().map(|(key, _)| key.constant_text()).collect(),
        _ => None,
    }
}

/// The constants, if all are.
fn folded(nodes: Vec<Node>) -> Result<Box<[Constant]>, Vec<Node>> {
    if nodes.iter().any(|node| node.constant().is_none()) {
        return Err(nodes);
    }
    Ok(nodes.into_iter().filter_map(constant).collect())
}

fn constant(node: Node) -> Option<Constant> {
    match node.op {
        Op::Constant(constant) => Some(constant),
        _ => None,
    }
}

/// Whether two constants are the same key; numbers are, across types.
fn twin(left: &Constant, right: &Constant) -> bool {
    match (left, right) {
        (Constant::Bool(left), Constant::Bool(right)) => left == right,
        (Constant::Int(left), Constant::Int(right)) => left == right,
        (Constant::Uint(left), Constant::Uint(right)) => left == right,
        (Constant::Int(int), Constant::Uint(uint)) | (Constant::Uint(uint), Constant::Int(int)) => {
            u64::try_from(*int) == Ok(*uint)
        }
        (Constant::String(left), Constant::String(right)) => left == right,
        _ => false,
    }
}
