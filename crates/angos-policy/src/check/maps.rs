//! Stage 3: maps, which are tables written into a rule: constant keys, constant values or lists of them.

use super::{Checked, Checker, Typed, TypedList, article, words};
use crate::error::{Fault, quote};
use crate::program::{Constant, List, Node, Op, Scalar};
use crate::suggest::nearest;
use crate::syntax::Expression;

/// A map that passed.
pub(super) struct TypedMap {
    entries: Vec<Entry>,
    /// None for the empty map.
    key: Option<Scalar>,
    /// None for the empty map.
    value: Option<ValueType>,
    offset: u32,
}

struct Entry {
    key: Node,
    value: Entered,
}

/// The value of an entry.
enum Entered {
    One(Node),
    Many(Vec<Node>),
}

#[derive(Clone, Copy, PartialEq)]
enum ValueType {
    One(Scalar),
    Many(Option<Scalar>),
}

impl TypedMap {
    pub(super) fn describe(&self) -> String {
        match self.key {
            Some(key) => format!("a map by {}", key.name()),
            None => "an empty map".to_owned(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn offset(&self) -> u32 {
        self.offset
    }

    /// What `in` and the macros walk.
    pub(super) fn keys(self) -> TypedList {
        let keys = self.entries.into_iter().map(|entry| entry.key).collect();
        TypedList { list: List::Literal(keys), element: self.key, words: None, offset: self.offset }
    }

    fn position(&self, field: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key.constant_text() == Some(field))
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.position(field).is_some()
    }

    /// `map.field`
    pub(super) fn field(mut self, offset: u32, field: &str) -> Result<Checked, Fault> {
        let Some(position) = self.position(field) else {
            let keys = self.entries.iter().filter_map(|entry| entry.key.constant_text());
            return Err(Fault::new(offset, format!("the map has no key {}", quote(field)))
                .meant(nearest(field, keys)));
        };
        Ok(match (self.entries.swap_remove(position).value, self.value) {
            (Entered::One(node), Some(ValueType::One(scalar))) => {
                Checked::Value(Typed { node, scalar, words: None })
            }
            (Entered::Many(nodes), Some(ValueType::Many(element))) => {
                Checked::List(TypedList { list: List::Literal(nodes), element, words: None, offset })
            }
            _ => return Err(Fault::new(offset, "the values of a map must be alike")),
        })
    }

    /// `map[key]`
    pub(super) fn lookup(self, offset: u32, key: Typed) -> Result<Checked, Fault> {
        let (Some(wanted), Some(value)) = (self.key, self.value) else {
            return Err(Fault::new(offset, "the empty map has no keys"));
        };
        if key.scalar != wanted && !(key.scalar.is_number() && wanted.is_number()) {
            let message = format!("the keys of this map are of type {}, this is ", wanted.name());
            return Err(Fault::new(key.node.offset, message + &article(key.scalar)));
        }
        self.entries.iter().try_for_each(|entry| words::one_of(key.words, &entry.key))?;
        let key = Box::new(key.node);
        Ok(match value {
            ValueType::One(scalar) => {
                let one = |entry: Entry| match entry {
                    Entry { key, value: Entered::One(value) } => Some((key, value)),
                    Entry { value: Entered::Many(_), .. } => None,
                };
                let table = self.entries.into_iter().filter_map(one).collect();
                Checked::Value(Typed::new(offset, scalar, Op::Lookup { key, table }))
            }
            ValueType::Many(element) => {
                let many = |entry: Entry| match entry {
                    Entry { key, value: Entered::Many(values) } => Some((key, values)),
                    Entry { value: Entered::One(_), .. } => None,
                };
                let table = self.entries.into_iter().filter_map(many).collect();
                Checked::List(TypedList { list: List::Lookup { key, table }, element, words: None, offset })
            }
        })
    }
}

impl Checker<'_> {
    /// `{key: value, …}`
    pub(super) fn table(
        &mut self,
        offset: u32,
        entries: &[(Expression, Expression)],
    ) -> Result<Checked, Fault> {
        let mut map = TypedMap { entries: Vec::with_capacity(entries.len()), key: None, value: None, offset };
        for (key, value) in entries {
            let node = self.key(key, &mut map)?;
            let (value_type, entered) = self.entered(value)?;
            map.value = Some(match (map.value, value_type) {
                (None, this) => this,
                (Some(ValueType::Many(None)), ValueType::Many(element)) => ValueType::Many(element),
                (Some(first), ValueType::Many(None)) if matches!(first, ValueType::Many(_)) => first,
                (Some(first), this) if first == this => first,
                _ => return Err(Fault::new(value.start(), "the values of a map must be of one type")),
            });
            map.entries.push(Entry { key: node, value: entered });
        }
        Ok(Checked::Map(map))
    }

    fn key(&mut self, key: &Expression, map: &mut TypedMap) -> Result<Node, Fault> {
        let Typed { node, scalar, .. } = self.value(key)?;
        let Op::Constant(constant) = &node.op else {
            return Err(Fault::new(key.start(), "the keys of a map must be written in the rule"));
        };
        if !matches!(scalar, Scalar::Bool | Scalar::Int | Scalar::Uint | Scalar::String) {
            let message =
                format!("a key must be a bool, an int, a uint or a string, this is {}", article(scalar));
            return Err(Fault::new(key.start(), message));
        }
        if map.key.is_some_and(|first| first != scalar) {
            return Err(Fault::new(key.start(), "the keys of a map must be of one type"));
        }
        let same = |entry: &Entry| matches!(&entry.key.op, Op::Constant(other) if twin(other, constant));
        if map.entries.iter().any(same) {
            return Err(Fault::new(key.start(), "this key is in the map already"));
        }
        map.key = Some(scalar);
        Ok(node)
    }

    fn entered(&mut self, value: &Expression) -> Result<(ValueType, Entered), Fault> {
        let constant = |node: &Node| matches!(node.op, Op::Constant(_));
        match self.expression(value)? {
            Checked::Value(Typed { node, scalar, .. }) if constant(&node) => {
                Ok((ValueType::One(scalar), Entered::One(node)))
            }
            Checked::List(TypedList { list: List::Literal(nodes), element, .. })
                if nodes.iter().all(constant) =>
            {
                Ok((ValueType::Many(element), Entered::Many(nodes)))
            }
            _ => Err(Fault::new(value.start(), "the values of a map must be written in the rule")
                .help("constants, or lists of constants")),
        }
    }
}

/// Whether two constants of one type that may be keys are the same.
fn twin(left: &Constant, right: &Constant) -> bool {
    match (left, right) {
        (Constant::Bool(left), Constant::Bool(right)) => left == right,
        (Constant::Int(left), Constant::Int(right)) => left == right,
        (Constant::Uint(left), Constant::Uint(right)) => left == right,
        (Constant::String(left), Constant::String(right)) => left == right,
        _ => false,
    }
}
