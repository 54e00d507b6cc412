//! Stages 1 and 5: lists and maps, as a service passes them in and as an expression returns them.

use crate::evaluate::Memory;
use crate::program::Constant;
use crate::value::Value;
use std::fmt;

/// A list in a representation of the service, such as the claims of a token.
///
/// Asked while a decision is made, so it must not block and should not allocate. Each element a rule looks
/// at is charged to the rule.
pub trait Sequence: fmt::Debug + Sync {
    /// The number of elements.
    fn len(&self) -> usize;

    /// The element at an index from 0; [`Value::Absent`] if out of range.
    fn element(&self, index: usize) -> Value<'_>;

    /// Whether it is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A map in a representation of the service. Keys must be unique.
///
/// Asked while a decision is made, so it must not block and should not allocate. Each entry a rule looks at
/// is charged to the rule.
pub trait Mapping: fmt::Debug + Sync {
    /// The number of entries.
    fn len(&self) -> usize;

    /// The entry at an index from 0, in a stable order: key and value, [`Value::Absent`] if out of range.
    /// Keys are booleans, numbers or strings.
    fn entry(&self, index: usize) -> (Value<'_>, Value<'_>);

    /// The value of a string key. The default searches all entries; override it if the map has a faster
    /// lookup.
    fn value(&self, key: &str) -> Option<Value<'_>> {
        let mut entries = (0..self.len()).map(|index| self.entry(index));
        entries.find(|(found, _)| *found == Value::String(key)).map(|(_, value)| value)
    }

    /// Whether it is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A list. Copying it copies a reference.
#[derive(Clone, Copy)]
pub struct List<'a>(pub(crate) Elements<'a>);

/// A map. Copying it copies a reference.
#[derive(Clone, Copy)]
pub struct Map<'a>(pub(crate) Entries<'a>);

/// Where the elements of a list are.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    Strings(&'a [String]),
    Constant(&'a [Constant]),
    Foreign(&'a dyn Sequence),
    /// Built by the rule, in this range of slots.
    Built {
        memory: &'a Memory<'a>,
        start: u32,
        end: u32,
    },
}

/// Where the entries of a map are.
#[derive(Clone, Copy)]
pub(crate) enum Entries<'a> {
    Constant(&'a [(Constant, Constant)]),
    Foreign(&'a dyn Mapping),
    /// Built by the rule: keys and values by turns in this range of slots.
    Built {
        memory: &'a Memory<'a>,
        start: u32,
        end: u32,
    },
}

impl<'a> List<'a> {
    /// A list in a form of the service's own.
    pub fn new(elements: &'a dyn Sequence) -> Self {
        Self(Elements::Foreign(elements))
    }

    /// The number of elements.
    pub fn len(self) -> usize {
        match self.0 {
            Elements::Strings(strings) => strings.len(),
            Elements::Constant(constants) => constants.len(),
            Elements::Foreign(elements) => elements.len(),
            Elements::Built { start, end, .. } => (end - start) as usize,
        }
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element at a position from 0.
    pub fn element(self, index: usize) -> Option<Value<'a>> {
        match self.0 {
            Elements::Strings(strings) => strings.get(index).map(|text| Value::String(text)),
            Elements::Constant(constants) => constants.get(index).map(Value::from),
            Elements::Foreign(elements) => (index < elements.len()).then(|| elements.element(index)),
            Elements::Built { memory, start, end } => memory.shown(start, end, index),
        }
    }

    /// The elements, first to last.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).map_while(move |index| self.element(index))
    }
}

impl<'a> Map<'a> {
    /// A map in a form of the service's own.
    pub fn new(entries: &'a dyn Mapping) -> Self {
        Self(Entries::Foreign(entries))
    }

    /// The number of entries.
    pub fn len(self) -> usize {
        match self.0 {
            Entries::Constant(entries) => entries.len(),
            Entries::Foreign(entries) => entries.len(),
            Entries::Built { start, end, .. } => (end - start) as usize / 2,
        }
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The entry at a position from 0: key and value.
    pub fn entry(self, index: usize) -> Option<(Value<'a>, Value<'a>)> {
        match self.0 {
            Entries::Constant(entries) => {
                entries.get(index).map(|(key, value)| (Value::from(key), Value::from(value)))
            }
            Entries::Foreign(entries) => (index < entries.len()).then(|| entries.entry(index)),
            Entries::Built { memory, start, end } => {
                Some((memory.shown(start, end, 2 * index)?, memory.shown(start, end, 2 * index + 1)?))
            }
        }
    }

    /// The entries, in an order that stays.
    pub fn iter(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        (0..self.len()).map_while(move |index| self.entry(index))
    }
}

impl<'a> From<&'a [String]> for List<'a> {
    fn from(strings: &'a [String]) -> Self {
        Self(Elements::Strings(strings))
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl PartialEq for Map<'_> {
    /// The order of entries does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|entry| other.iter().any(|twin| twin == entry))
    }
}

impl<'a> From<&'a Constant> for Value<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Uint(value) => Self::Uint(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::String(value) => Self::String(value),
            Constant::Bytes(value) => Self::Bytes(value),
            Constant::Timestamp(value) => Self::Timestamp(value.seconds, value.nanoseconds),
            Constant::Duration(value) => Self::Duration(*value),
            Constant::Ip(value) => Self::Ip(*value),
            Constant::Cidr(value) => Self::Cidr(value.addr(), value.prefix_len()),
            Constant::Type(name) => Self::Type(name),
            Constant::List(values) => Self::List(List(Elements::Constant(values))),
            Constant::Map(entries) => Self::Map(Map(Entries::Constant(entries))),
        }
    }
}
