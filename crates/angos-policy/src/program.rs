//! Stage 4: a checked rule, every name resolved and every type known that can be.

mod operators;
mod origins;

use crate::environment::Origin;
use crate::function::Function;
use crate::timestamp::{TimeField, Timestamp, Zone};
use crate::value::Type;
use ipnet::IpNet;
pub(crate) use operators::{
    AddressProperty, Arithmetic, Bits, ListMethod, Math, NetworkProperty, Order, Quantifier, Search,
    StringMethod,
};
use regex::Regex;
use std::net::IpAddr;

/// One compiled rule.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) root: Node,
    pub(crate) needs: MemoryNeeds,
}

/// The memory an evaluation needs beyond its stack frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MemoryNeeds {
    /// It may build strings or bytes.
    pub(crate) text: bool,
    /// It may build lists or maps that are stored instead of iterated.
    pub(crate) slots: bool,
}

impl MemoryNeeds {
    pub(crate) fn or(self, other: Self) -> Self {
        Self { text: self.text || other.text, slots: self.slots || other.slots }
    }
}

/// An expression with one value.
#[derive(Debug)]
pub(crate) struct Node {
    /// Byte offset in the rule.
    pub(crate) offset: u32,
    pub(crate) op: Op,
}

/// The types of values that hold no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Ip,
    Cidr,
    Type,
}

/// A value known when the rule is loaded.
#[derive(Debug, Clone)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Timestamp(Timestamp),
    Duration(i64),
    Ip(IpAddr),
    Cidr(IpNet),
    /// A type, by its name.
    Type(&'static str),
    List(Box<[Constant]>),
    /// Each key once.
    Map(Box<[(Constant, Constant)]>),
}

/// The operation of a node. Operands can have unexpected types only behind `dyn`; the operation then fails.
#[derive(Debug)]
pub(crate) enum Op {
    Constant(Constant),
    /// A variable or declared function without arguments, of this type when present.
    Read(Origin, Type),
    /// A name of a surrounding loop or `cel.bind`.
    Bound(usize),
    /// `has(variable)`
    Has(Origin, Type),
    /// `has(map.key)`
    HasKey {
        map: Box<Node>,
        key: Box<str>,
    },
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    /// `==`, or `!=` when negated.
    Equal {
        negated: bool,
        sides: Box<[Node; 2]>,
    },
    Ordered {
        order: Order,
        sides: Box<[Node; 2]>,
    },
    Arithmetic {
        operation: Arithmetic,
        sides: Box<[Node; 2]>,
        /// The memory the result may need: for strings, or for lists behind `dyn`.
        builds: MemoryNeeds,
    },
    Negate(Box<Node>),
    /// An element of a list, or a key of a map.
    In(Box<[Node; 2]>),
    /// Of a string, bytes, a list or a map.
    Size(Box<Node>),
    /// `list[index]`, `map[key]`, `map.key`
    Index(Box<[Node; 2]>),
    /// `[a, b]`, not all constant.
    List(Box<[Node]>),
    /// `{key: value}`, not all constant.
    Map(Box<[(Node, Node)]>),
    /// An optional value.
    Optional(Optional),
    /// `?element` of a list, `?key: value` of a map.
    IfPresent(Box<Node>),
    /// A query of an optional.
    OptionalQuery(OptionalQuery),
    /// `optional.unwrap(list)`: the values of those optionals that have one.
    Present(Box<Node>),
    /// `list + list`
    Join(Box<[Node; 2]>),
    Quantified {
        quantifier: Quantifier,
        over: Loop,
        test: Box<Node>,
    },
    /// `map`, `filter` and their like: the body for each element the condition holds for.
    Transform {
        over: Loop,
        condition: Option<Box<Node>>,
        body: Box<Node>,
    },
    /// `transformMap`: the keys stay, each with the body as its value.
    TransformMap {
        over: Loop,
        condition: Option<Box<Node>>,
        body: Box<Node>,
    },
    /// `list.sortBy(x, key)`
    SortBy {
        over: Loop,
        key: Box<Node>,
    },
    /// `cel.bind(name, value, body)`
    Bind {
        slot: usize,
        value: Box<Node>,
        body: Box<Node>,
    },
    Search {
        search: Search,
        sides: Box<[Node; 2]>,
    },
    Matches {
        text: Box<Node>,
        pattern: Box<Regex>,
    },
    /// `lowerAscii()`, or `upperAscii()` when not lower.
    Case {
        lower: bool,
        text: Box<Node>,
    },
    Convert {
        to: Scalar,
        value: Box<Node>,
    },
    /// The type of a value that is there.
    TypeOf(Box<Node>),
    /// Whether text parses as an address or a network.
    Parses {
        to: Scalar,
        text: Box<Node>,
    },
    /// `ip.isCanonical(text)`
    IsCanonical(Box<Node>),
    /// A part of a timestamp as seen in a zone, or of a duration.
    TimeField {
        part: TimeField,
        zone: Zone,
        of: Box<Node>,
    },
    Address {
        property: AddressProperty,
        of: Box<Node>,
    },
    Network {
        property: NetworkProperty,
        of: Box<Node>,
    },
    /// A function of the math extension on one number.
    Math {
        math: Math,
        of: Box<Node>,
    },
    /// A function of the math extension on the bits of two numbers.
    Bits {
        bits: Bits,
        sides: Box<[Node; 2]>,
    },
    /// `math.greatest(list)`, or `math.least(list)` when not greatest.
    Extreme {
        greatest: bool,
        among: Box<Node>,
    },
    /// A method of the strings extension.
    StringMethod {
        method: StringMethod,
        text: Box<Node>,
        arguments: Box<[Node]>,
    },
    /// The parts of a string.
    Split {
        text: Box<Node>,
        separator: Box<Node>,
        limit: Option<Box<Node>>,
    },
    /// A list of strings as one, with a separator between them.
    JoinStrings {
        list: Box<Node>,
        separator: Option<Box<Node>>,
    },
    /// `text.format(list)`
    Format {
        text: Box<Node>,
        arguments: Arguments,
    },
    /// `base64.encode(bytes)`
    Encode(Box<Node>),
    /// `base64.decode(text)`
    Decode(Box<Node>),
    /// A method of the lists extension.
    ListMethod {
        method: ListMethod,
        list: Box<Node>,
        arguments: Box<[Node]>,
    },
    /// `lists.range(n)`
    Range(Box<Node>),
    /// A call of a declared function.
    Call {
        function: Box<Function>,
        arguments: Box<[Node]>,
    },
    /// `cidr.containsIP(ip or string)` and `cidr.containsCIDR(cidr or string)`
    Covers(Box<[Node; 2]>),
}

/// The arguments of a format.
#[derive(Debug)]
pub(crate) enum Arguments {
    /// Written in the rule, and evaluated one by one.
    Written(Box<[Node]>),
    /// A list of unknown length.
    List(Box<Node>),
}

/// The source of an optional value. It is built only if it is stored.
#[derive(Debug)]
pub(crate) enum Optional {
    /// `optional.none()`
    None,
    /// `optional.of(value)`
    Of(Box<Node>),
    /// `optional.ofNonZeroValue(value)`
    OfNonZero(Box<Node>),
    /// `group.?variable`
    Read(Origin, Type),
    /// `of.?key`, `of[?key]`; and `of.key`, `of[key]` of an optional.
    Select {
        /// Whether the container is optional itself.
        chained: bool,
        sides: Box<[Node; 2]>,
    },
    /// `optional.or(optional)`
    Either(Box<[Node; 2]>),
    /// `optional.optMap(name, body)`; `optFlatMap` when the body is optional itself.
    Map { slot: usize, flat: bool, of: Box<Node>, body: Box<Node> },
}

/// A query of an optional.
#[derive(Debug)]
pub(crate) enum OptionalQuery {
    /// `optional.hasValue()`
    HasValue(Box<Node>),
    /// `optional.value()`
    Value(Box<Node>),
    /// `optional.orValue(other)`
    OrValue(Box<[Node; 2]>),
}

/// The source of a loop, and the slots of its names.
#[derive(Debug)]
pub(crate) struct Loop {
    /// A list, or a map.
    pub(crate) source: Box<Node>,
    /// Of the element, or of the key of a map; of the index or key if there are two names.
    pub(crate) slot: usize,
    /// Whether the next slot holds the element, or the value of a map.
    pub(crate) pair: bool,
}

impl Scalar {
    /// As CEL calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::Type => "type",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

impl Node {
    pub(crate) fn new(offset: u32, op: Op) -> Self {
        Self { offset, op }
    }

    /// Whether its value is a list that is iterated element by element instead of being built.
    pub(crate) fn streams(&self) -> bool {
        match &self.op {
            Op::List(_)
            | Op::Join(_)
            | Op::Transform { .. }
            | Op::Split { .. }
            | Op::Range(_)
            | Op::Present(_) => true,
            Op::If(parts) => parts.iter().skip(1).any(Self::streams),
            _ => false,
        }
    }

    /// Whether its value is an optional that is queried instead of being built.
    pub(crate) fn is_optional(&self) -> bool {
        match &self.op {
            Op::Optional(_) => true,
            Op::If(parts) => parts.iter().skip(1).any(Self::is_optional),
            _ => false,
        }
    }

    /// The constant, if the expression is one.
    pub(crate) fn constant(&self) -> Option<&Constant> {
        match &self.op {
            Op::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// The string, if the expression is a constant one.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        match &self.op {
            Op::Constant(Constant::String(text)) => Some(text),
            _ => None,
        }
    }
}
