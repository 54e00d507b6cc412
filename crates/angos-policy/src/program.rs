//! Stage 4: a checked rule, every name resolved and every type known.

mod origins;

use crate::environment::Origin;
use crate::function::Body;
use crate::moment::{Moment, Part};
use ipnet::IpNet;
use regex::Regex;
use std::net::IpAddr;

/// One compiled rule.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) root: Node,
    /// Whether evaluation may build strings and so needs memory for them.
    pub(crate) builds_text: bool,
}

/// An expression with one value.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it stands in the rule.
    pub(crate) offset: u32,
    pub(crate) op: Op,
}

/// The types of values that are not lists.
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
    Timestamp(Moment),
    Duration(i64),
    Ip(IpAddr),
    Cidr(IpNet),
    /// A type, by its name.
    Type(&'static str),
}

#[derive(Debug)]
pub(crate) enum Op {
    Constant(Constant),
    /// A variable or declared function, of this type when present.
    Read(Origin, Scalar),
    /// The element a surrounding loop is at.
    Bound(usize),
    /// `has(variable)`
    Has(Origin),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    /// `==`, or `!=` when negated.
    Equal {
        negated: bool,
        sides: Box<[Node; 2]>,
    },
    EqualLists {
        negated: bool,
        sides: Box<[List; 2]>,
    },
    Ordered {
        order: Order,
        sides: Box<[Node; 2]>,
    },
    Arithmetic {
        operation: Arithmetic,
        sides: Box<[Node; 2]>,
    },
    Negate(Box<Node>),
    In {
        needle: Box<Node>,
        list: Box<List>,
    },
    /// Size of a string or bytes.
    Length(Box<Node>),
    /// Size of a list.
    Count(Box<List>),
    Element {
        list: Box<List>,
        index: Box<Node>,
    },
    /// `map[key]`
    Lookup {
        key: Box<Node>,
        table: Box<[(Node, Node)]>,
    },
    Quantified {
        quantifier: Quantifier,
        list: Box<List>,
        slot: usize,
        test: Box<Node>,
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
    /// The type of a value that is there, by its name.
    TypeOf(Box<Node>, &'static str),
    /// Whether text parses as an address or a network.
    Parses {
        to: Scalar,
        text: Box<Node>,
    },
    /// A part of a timestamp at an offset from UTC in seconds, or of a duration.
    Part {
        part: Part,
        east: i64,
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
    /// `math.greatest(…)`, or `math.least(…)` when not greatest.
    Extreme {
        greatest: bool,
        among: Box<List>,
    },
    /// A method of the strings extension.
    Edit {
        edit: Edit,
        text: Box<Node>,
        arguments: Box<[Node]>,
    },
    /// A declared function and the type of its result.
    Call {
        body: Body,
        result: Scalar,
        arguments: Box<[Node]>,
    },
    /// `cidr.containsIP(ip or string)` and `cidr.containsCIDR(cidr or string)`
    Covers(Box<[Node; 2]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    StartsWith,
    EndsWith,
    Contains,
}

/// What a function of the math extension does to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Math {
    Abs,
    Ceil,
    Floor,
    IsFinite,
    IsInf,
    IsNaN,
    Round,
    Sign,
    Trunc,
}

/// What a method of the strings extension does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    CharAt,
    IndexOf,
    LastIndexOf,
    Replace,
    Substring,
    Trim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressProperty {
    Family,
    Unspecified,
    Loopback,
    LinkLocalMulticast,
    LinkLocalUnicast,
    GlobalUnicast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkProperty {
    Address,
    Masked,
    PrefixLength,
}

/// An expression that is a list. Lists are never stored: each is walked where it is used.
#[derive(Debug)]
pub(crate) enum List {
    /// A variable of strings; empty when absent.
    Read(Origin, u32),
    Literal(Vec<Node>),
    Join(Box<[List; 2]>),
    /// The parts of a string.
    Split {
        text: Box<Node>,
        separator: Box<Node>,
        limit: Option<Box<Node>>,
    },
    /// `map[key]` where the values are lists of constants.
    Lookup {
        key: Box<Node>,
        table: Box<[(Node, Vec<Node>)]>,
    },
    If(Box<Node>, Box<[List; 2]>),
    Map {
        source: Box<List>,
        slot: usize,
        condition: Option<Box<Node>>,
        body: Box<Node>,
    },
    Filter {
        source: Box<List>,
        slot: usize,
        condition: Box<Node>,
    },
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
