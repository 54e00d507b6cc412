//! Stage 1 and 5: types of rules, values passed to a decision, and causes of an undecidable rule.

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
    /// `string` from a fixed set of values: comparing it with any other string is an error when the rule is
    /// loaded.
    /// A value outside the set, including `""`, makes every rule that reads it undecidable
    /// ([`Undecidable::UnknownEnumValue`]). [`Value::Absent`] is always accepted.
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
    /// An optional value of a type. Only results have this type; a variable cannot be declared with it.
    Optional(&'static Type),
    /// `dyn`: any value. Operations on it are checked at evaluation; a type mismatch makes the rule
    /// undecidable.
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
    /// `null`, a present value; see [`Absent`](Self::Absent) for a missing one.
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
    /// An optional value built by a rule: a list with one element, or an empty list.
    Optional(List<'a>),
}

/// The facts of one request, by index of declaration.
///
/// Read at most once per use of the variable in a rule. Must not block.
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

/// The cause of an undecidable rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undecidable {
    /// The rule uses an absent value; guard it with `has(…)` or a comparison with `null`.
    Absent,
    /// Arithmetic left the range of its type.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// A list has no element, or a string no character, at this index.
    Index,
    /// A map has no such key.
    Key,
    /// The rule reads the value of an empty optional.
    Optional,
    /// A map was given a key twice, or one of a type that cannot be a key.
    BadKey,
    /// An operation on values of types it does not take, which `dyn` hid from the check.
    NoOverload,
    /// A conversion was given a value it cannot convert.
    Conversion,
    /// A format string computed by the rule has an unknown specifier, or the number of specifiers and
    /// arguments differ.
    Format,
    /// Strings built by the rule exceed [`limits::TEXT_MAX_BYTES`](crate::limits::TEXT_MAX_BYTES).
    TextTooLong,
    /// Lists and maps built by the rule exceed [`limits::SLOTS_MAX`](crate::limits::SLOTS_MAX).
    ListTooLong,
    /// The rule spent [`limits::RULE_COST_MAX`](crate::limits::RULE_COST_MAX).
    Cost,
    /// A function declared by the service failed for these arguments.
    Function,
    /// The service returned a value of another type than it declared.
    Mistyped,
    /// The service returned a string outside the enum it declared.
    UnknownEnumValue,
}

impl Undecidable {
    /// A stable identifier for metrics and logs.
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
            Self::Absent => "an absent value is used without a guard",
            Self::Overflow => "arithmetic overflow",
            Self::DivisionByZero => "division by zero",
            Self::Index => "index outside the list or string",
            Self::Key => "no such key in the map",
            Self::Optional => "the optional is empty",
            Self::BadKey => "duplicate map key, or a type that cannot be a key",
            Self::NoOverload => "an operation does not take values of these types",
            Self::Conversion => "the value cannot be converted",
            Self::Format => "the format has an unknown specifier, or too few or too many arguments",
            Self::TextTooLong => "the rule builds a string that is too long",
            Self::ListTooLong => "the rule builds a list that is too long",
            Self::Cost => "the rule exceeds its cost limit",
            Self::Function => "the function failed for these arguments",
            Self::Mistyped => "the service returned a value of another type than it declared",
            Self::UnknownEnumValue => "the service returned a string outside the enum it declared",
        })
    }
}
