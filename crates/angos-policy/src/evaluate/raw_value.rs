//! Stage 5: values while a rule is evaluated, and how they come in and go out.

use crate::collection::{Elements, Entries, List, Map, Mapping, Sequence};
use crate::program::Constant;
use crate::timestamp::Timestamp;
use crate::value::{Type, Value};
use ipnet::IpNet;
use std::net::IpAddr;

/// The value of an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RawValue<'a> {
    Absent,
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    /// A string the rule built: this range of [`Memory::text`].
    Built(Range),
    /// Bytes the rule built.
    BuiltBytes(Range),
    Timestamp(Timestamp),
    Duration(i64),
    Ip(IpAddr),
    Cidr(IpNet),
    Type(&'static str),
    Strings(&'a [String]),
    Constants(&'a [Constant]),
    ConstantMap(&'a [(Constant, Constant)]),
    Foreign(&'a dyn Sequence),
    ForeignMap(&'a dyn Mapping),
    /// A list the rule built: this range of [`Memory::slots`].
    List(Range),
    /// A map the rule built: keys and values by turns.
    Map(Range),
    /// An optional the rule built: a slot with its value, or none.
    Optional(Range),
}

/// A range of a frame's memory, of text or of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Range {
    /// Frames are far smaller than `u32` can count.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    pub(super) fn len(self) -> usize {
        self.end().saturating_sub(self.start())
    }
}

/// Read access to values built by a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory<'s> {
    pub(super) text: &'s [u8],
    pub(super) slots: &'s [RawValue<'s>],
}

impl<'s> Memory<'s> {
    /// An element of a built list or map.
    pub(crate) fn shown(&'s self, start: u32, end: u32, index: usize) -> Option<Value<'s>> {
        let range = self.slots.get(start as usize..end as usize)?;
        range.get(index).and_then(|raw| raw.shown(self))
    }
}

impl<'a> RawValue<'a> {
    /// Whether it lives in a frame's memory, wholly or in part.
    pub(super) fn is_built(self) -> bool {
        matches!(
            self,
            Self::Built(_) | Self::BuiltBytes(_) | Self::List(_) | Self::Map(_) | Self::Optional(_)
        )
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Strings(_) | Self::Constants(_) | Self::Foreign(_) | Self::List(_))
    }

    pub(super) fn is_map(self) -> bool {
        matches!(self, Self::ConstantMap(_) | Self::ForeignMap(_) | Self::Map(_))
    }

    /// How many elements or entries there are, if it is a list or a map.
    pub(super) fn count(self) -> Option<usize> {
        Some(match self {
            Self::Strings(values) => values.len(),
            Self::Constants(values) => values.len(),
            Self::Foreign(values) => values.len(),
            Self::List(range) => range.len(),
            Self::ConstantMap(entries) => entries.len(),
            Self::ForeignMap(entries) => entries.len(),
            Self::Map(range) => range.len() / 2,
            _ => return None,
        })
    }

    /// The name CEL gives its type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) | Self::Built(_) => "string",
            Self::Bytes(_) | Self::BuiltBytes(_) => "bytes",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Type(_) => "type",
            Self::Strings(_) | Self::Constants(_) | Self::Foreign(_) | Self::List(_) => "list",
            Self::ConstantMap(_) | Self::ForeignMap(_) | Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
        }
    }

    /// As the outside sees it; none only if it was not built in this memory.
    pub(crate) fn shown(self, memory: &'a Memory<'a>) -> Option<Value<'a>> {
        Some(match self {
            Self::Absent => Value::Absent,
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Uint(value) => Value::Uint(value),
            Self::Double(value) => Value::Double(value),
            Self::String(text) => Value::String(text),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Built(range) => Value::String(text(memory.text, range)?),
            Self::BuiltBytes(range) => Value::Bytes(memory.text.get(range.start()..range.end())?),
            Self::Timestamp(timestamp) => Value::Timestamp(timestamp.seconds, timestamp.nanoseconds),
            Self::Duration(value) => Value::Duration(value),
            Self::Ip(address) => Value::Ip(address),
            Self::Cidr(network) => Value::Cidr(network.addr(), network.prefix_len()),
            Self::Type(name) => Value::Type(name),
            Self::Strings(strings) => Value::Strings(strings),
            Self::Constants(values) => Value::List(List(Elements::Constant(values))),
            Self::Foreign(values) => Value::List(List(Elements::Foreign(values))),
            Self::List(Range { start, end }) => Value::List(List(Elements::Built { memory, start, end })),
            Self::Optional(Range { start, end }) => {
                Value::Optional(List(Elements::Built { memory, start, end }))
            }
            Self::ConstantMap(entries) => Value::Map(Map(Entries::Constant(entries))),
            Self::ForeignMap(entries) => Value::Map(Map(Entries::Foreign(entries))),
            Self::Map(Range { start, end }) => Value::Map(Map(Entries::Built { memory, start, end })),
        })
    }

    /// A value from outside as one of the declared type: an absent list is an empty one. Whether it is of that type is
    /// for [`Frame::conforms`](super::Frame::conforms).
    pub(super) fn of_declared(value: Value<'a>, declared: Type) -> Option<Self> {
        match (Self::of(value)?, declared) {
            (Self::Absent, Type::StringList | Type::List(_)) => Some(Self::Constants(&[])),
            (Self::Absent, Type::Map(..)) => Some(Self::ConstantMap(&[])),
            (raw, Type::StringList) => matches!(raw, Self::Strings(_)).then_some(raw),
            (raw, _) => Some(raw),
        }
    }

    /// Whether it has a type. Does not check the elements of a list or map, nor whether a string is in its
    /// enum.
    pub(super) fn fits(self, ty: Type) -> bool {
        match (self, ty) {
            (Self::Absent, _)
            | (_, Type::Dyn)
            | (Self::String(_) | Self::Built(_), Type::String | Type::Enum(_))
            | (Self::Bool(_), Type::Bool)
            | (Self::Int(_), Type::Int)
            | (Self::Uint(_), Type::Uint)
            | (Self::Double(_), Type::Double)
            | (Self::Bytes(_) | Self::BuiltBytes(_), Type::Bytes)
            | (Self::Timestamp(_), Type::Timestamp)
            | (Self::Duration(_), Type::Duration)
            | (Self::Null, Type::Null)
            | (Self::Ip(_), Type::Ip)
            | (Self::Cidr(_), Type::Cidr)
            | (Self::Type(_), Type::Type) => true,
            (raw, Type::StringList | Type::List(_)) => raw.is_list(),
            (raw, Type::Map(..)) => raw.is_map(),
            _ => false,
        }
    }

    /// A value from outside; none if it is out of CEL's range, or was built by another rule.
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        Some(match value {
            Value::Absent => Self::Absent,
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Double(value) => Self::Double(value),
            Value::String(value) => Self::String(value),
            Value::Bytes(value) => Self::Bytes(value),
            Value::Strings(values) => Self::Strings(values),
            Value::Timestamp(seconds, nanoseconds) => Self::Timestamp(Timestamp::new(seconds, nanoseconds)?),
            Value::Duration(value) => Self::Duration(value),
            Value::Ip(address) => Self::Ip(address),
            Value::Cidr(address, length) => Self::Cidr(IpNet::new(address, length).ok()?),
            Value::Type(name) => Self::Type(name),
            Value::Optional(_) => return None,
            Value::List(List(elements)) => match elements {
                Elements::Strings(values) => Self::Strings(values),
                Elements::Constant(values) => Self::Constants(values),
                Elements::Foreign(values) => Self::Foreign(values),
                Elements::Built { .. } => return None,
            },
            Value::Map(Map(entries)) => match entries {
                Entries::Constant(entries) => Self::ConstantMap(entries),
                Entries::Foreign(entries) => Self::ForeignMap(entries),
                Entries::Built { .. } => return None,
            },
        })
    }
}

impl<'a> From<&'a Constant> for RawValue<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Uint(value) => Self::Uint(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::String(value) => Self::String(value),
            Constant::Bytes(value) => Self::Bytes(value),
            Constant::Timestamp(value) => Self::Timestamp(*value),
            Constant::Duration(value) => Self::Duration(*value),
            Constant::Ip(value) => Self::Ip(*value),
            Constant::Cidr(value) => Self::Cidr(*value),
            Constant::Type(name) => Self::Type(name),
            Constant::List(values) => Self::Constants(values),
            Constant::Map(entries) => Self::ConstantMap(entries),
        }
    }
}

/// A string the rule built.
pub(super) fn text(memory: &[u8], range: Range) -> Option<&str> {
    std::str::from_utf8(memory.get(range.start()..range.end())?).ok()
}
