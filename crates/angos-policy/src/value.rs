//! Stage 1 and 5: the types rules know, the values a service hands to a decision, and why a rule may have none.

use crate::collection::{List, Map};
use std::fmt;
use std::net::IpAddr;

/// The type of a declared variable or function. Any value may be [`Value::Absent`] in a given request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `bool`, from [`Value::Bool`].
    Bool,
    /// `int`, from [`Value::Int`].
    Int,
    /// `uint`, from [`Value::Uint`].
    Uint,
    /// `double`, from [`Value::Double`].
    Double,
    /// `string`, from [`Value::String`].
    String,
    /// `bytes`, from [`Value::Bytes`].
    Bytes,
    /// `timestamp`, from [`Value::Timestamp`].
    Timestamp,
    /// `duration`, from [`Value::Duration`].
    Duration,
    /// `list(string)`, from [`Value::Strings`]; an absent one is empty.
    StringList,
    /// `string`, one of a closed set: comparing it with any other word is an error when the rule is loaded, and a value
    /// outside the set, `""` included, makes every rule that reads it undecidable
    /// ([`Undecidable::UnknownEnumValue`]). [`Value::Absent`] is outside no set.
    Enum(&'static [&'static str]),
    /// `list(T)`, from [`Value::List`]; an absent one is empty.
    List(&'static Type),
    /// `map(K, V)`, from [`Value::Map`]; an absent one is empty.
    Map(&'static Type, &'static Type),
    /// `null`, from [`Value::Null`].
    Null,
    /// An address, from [`Value::Ip`].
    Ip,
    /// A network, from [`Value::Cidr`].
    Cidr,
    /// A type, from [`Value::Type`].
    Type,
    /// An optional value of a type. Only results have it; nothing can be declared as one.
    Optional(&'static Type),
    /// `dyn`: any value. What is done with it is checked when it is done; a misfit makes the rule undecidable.
    Dyn,
}

/// One value of one request.
///
/// Values of two types are never equal here, nor are two NaN; rules compare numbers across types.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// This request has no such value. A string then equals `null` and `''` and nothing else, a list is
    /// empty, and any other use makes the rule undecidable.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// A string.
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Strings.
    Strings(&'a [String]),
    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds within the second.
    Timestamp(i64, u32),
    /// Nanoseconds.
    Duration(i64),
    /// `null`, a value that is there; see [`Absent`](Self::Absent) for one that is not.
    Null,
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
    /// An address.
    Ip(IpAddr),
    /// A network: an address and the length of its prefix in bits.
    Cidr(IpAddr, u8),
    /// A type, by its name in CEL.
    Type(&'static str),
    /// An optional value a rule made: a list of it, or of nothing.
    Optional(List<'a>),
}

/// What one request knows, by the index of declaration.
///
/// Asked at most once per mention of the variable in a rule; must answer without blocking.
pub trait Facts {
    /// The value of the `index`-th variable or function declared with
    /// [`EnvironmentBuilder`](crate::EnvironmentBuilder), counted from 0. A value of another type than
    /// declared, or one that holds such a value, makes each rule that reads it undecidable.
    fn fact(&self, index: usize) -> Value<'_>;
}

/// The facts of a service that declares none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn fact(&self, _index: usize) -> Value<'_> {
        Value::Absent
    }
}

/// Why a rule has no value in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undecidable {
    /// A value this request does not have was used; `has(…)` or a comparison with `null` guards it.
    Absent,
    /// Arithmetic left the range of its type.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// A list has no element, or a string no character, at this index.
    Index,
    /// A map has no such key.
    Key,
    /// An optional that holds nothing was asked for its value.
    Optional,
    /// A map was given a key twice, or one of a type that cannot be a key.
    BadKey,
    /// An operation on values of types it does not take, which `dyn` hid from the check.
    NoOverload,
    /// A conversion was given a value it cannot convert.
    Conversion,
    /// A format that is not written in the rule has an unknown clause, or not as many as there are arguments.
    Format,
    /// Strings built by the rule exceed [`limits::TEXT_MAX_BYTES`](crate::limits::TEXT_MAX_BYTES).
    TextTooLong,
    /// Lists and maps built by the rule exceed [`limits::SLOTS_MAX`](crate::limits::SLOTS_MAX).
    ListTooLong,
    /// The rule spent [`limits::RULE_COST_MAX`](crate::limits::RULE_COST_MAX).
    Cost,
    /// A function the service declared has no answer for these arguments.
    Function,
    /// The service answered with a value of another type than it declared.
    Mistyped,
    /// The service answered with a word outside the closed set it declared.
    UnknownEnumValue,
}

impl Undecidable {
    /// One stable word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division_by_zero",
            Self::Index => "index",
            Self::Key => "key",
            Self::Optional => "optional",
            Self::BadKey => "bad_key",
            Self::NoOverload => "no_overload",
            Self::Conversion => "conversion",
            Self::Format => "format",
            Self::TextTooLong => "text_too_long",
            Self::ListTooLong => "list_too_long",
            Self::Cost => "cost",
            Self::Function => "function",
            Self::Mistyped => "mistyped",
            Self::UnknownEnumValue => "unknown_enum_value",
        }
    }
}

impl fmt::Display for Undecidable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "a value this request does not have is used without a guard",
            Self::Overflow => "arithmetic overflow",
            Self::DivisionByZero => "division by zero",
            Self::Index => "index outside the list or string",
            Self::Key => "no such key in the map",
            Self::Optional => "an optional without a value",
            Self::BadKey => "a key that is in the map already, or cannot be one",
            Self::NoOverload => "an operation on values of types it does not take",
            Self::Conversion => "a value that cannot be converted",
            Self::Format => "a format with an unknown clause, or with other clauses than arguments",
            Self::TextTooLong => "a string too long to build",
            Self::ListTooLong => "a list too long to build",
            Self::Cost => "more work than one rule may cost",
            Self::Function => "a function without an answer for these arguments",
            Self::Mistyped => "the service gave a value of another type than it declared",
            Self::UnknownEnumValue => "the service gave a word outside the closed set it declared",
        })
    }
}
