//! Values that outlive their row: as a table writes them, as rules are handed them, and as results are kept.

use angos_policy::{Mapping, Sequence, Type, Value};
use serde_json::{Map, Value as Json};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OwnedValue {
    Absent(Type),
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// By its bits but for NaN, which is one value here.
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Timestamp(i64, u32),
    Duration(i64),
    Type(String),
    /// An address or a network, as text.
    Net(String),
    Strings(Vec<String>),
    List(Elements),
    Map(Entries),
    /// Declared as `dyn`.
    Dyn(Box<OwnedValue>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Elements(pub(crate) Vec<OwnedValue>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entries(pub(crate) Vec<(OwnedValue, OwnedValue)>);

impl Sequence for Elements {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn element(&self, index: usize) -> Value<'_> {
        self.0.get(index).map_or(Value::Absent, OwnedValue::value)
    }
}

impl Mapping for Entries {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn entry(&self, index: usize) -> (Value<'_>, Value<'_>) {
        self.0.get(index).map_or((Value::Absent, Value::Absent), |(key, value)| (key.value(), value.value()))
    }
}

impl OwnedValue {
    /// As a rule is handed it.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Absent(_) => Value::Absent,
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::Double(value) => Value::Double(*value),
            Self::String(value) => Value::String(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Timestamp(seconds, nanoseconds) => Value::Timestamp(*seconds, *nanoseconds),
            Self::Duration(value) => Value::Duration(*value),
            Self::Strings(values) => Value::Strings(values),
            Self::List(elements) => Value::List(angos_policy::List::new(elements)),
            Self::Map(entries) => Value::Map(angos_policy::Map::new(entries)),
            Self::Dyn(value) => value.value(),
            Self::Type(_) | Self::Net(_) => panic!("{self:?} cannot be bound"),
        }
    }

    /// The type it is declared with.
    pub(crate) fn ty(&self) -> Type {
        let leaked = |ty: Type| -> &'static Type { Box::leak(Box::new(ty)) };
        let common = |types: Vec<Type>| match types.split_first() {
            Some((first, rest)) if rest.iter().all(|ty| ty == first) => leaked(*first),
            _ => &Type::Dyn,
        };
        match self {
            Self::Absent(ty) => *ty,
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Timestamp(..) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::Type(_) => Type::Type,
            Self::Net(_) => Type::Ip,
            Self::Strings(_) => Type::StringList,
            Self::Dyn(_) => Type::Dyn,
            Self::List(Elements(values)) => Type::List(common(values.iter().map(Self::ty).collect())),
            Self::Map(Entries(entries)) => Type::Map(
                common(entries.iter().map(|(key, _)| key.ty()).collect()),
                common(entries.iter().map(|(_, value)| value.ty()).collect()),
            ),
        }
    }

    /// A result, kept.
    pub(crate) fn of(value: Value<'_>) -> Self {
        match value {
            Value::Absent => Self::Absent(Type::Dyn),
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Double(value) => Self::Double(value),
            Value::String(value) => Self::String(value.to_owned()),
            Value::Bytes(value) => Self::Bytes(value.to_vec()),
            Value::Timestamp(seconds, nanoseconds) => Self::Timestamp(seconds, nanoseconds),
            Value::Duration(value) => Self::Duration(value),
            Value::Type(name) => Self::Type(name.to_owned()),
            Value::Ip(address) => Self::Net(address.to_string()),
            Value::Cidr(address, length) => Self::Net(format!("{address}/{length}")),
            Value::Strings(values) => {
                Self::List(Elements(values.iter().cloned().map(Self::String).collect()))
            }
            Value::List(values) => Self::List(Elements(values.iter().map(Self::of).collect())),
            Value::Map(entries) => {
                let entry = |(key, value)| (Self::of(key), Self::of(value));
                Self::Map(Entries(entries.iter().map(entry).collect()))
            }
            other => panic!("{other:?} is new"),
        }
    }

    /// Whether a result is what a row expects: the same type and value, maps in any order.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(left), Self::Double(right)) => {
                left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
            }
            (Self::Dyn(left), right) | (right, Self::Dyn(left)) => left.same(right),
            (Self::Strings(left), right) | (right, Self::Strings(left)) => {
                Self::List(Elements(left.iter().cloned().map(Self::String).collect())).same(right)
            }
            (Self::List(Elements(left)), Self::List(Elements(right))) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.same(right))
            }
            (Self::Map(Entries(left)), Self::Map(Entries(right))) => {
                let twin = |(key, value): &(Self, Self)| {
                    right.iter().any(|(other, twin)| key.same(other) && value.same(twin))
                };
                left.len() == right.len() && left.iter().all(twin)
            }
            _ => self == other,
        }
    }
}

/// A value as a table writes it; `constant` evaluates what only CEL can write.
pub(crate) fn from_json(json: &Json, constant: &dyn Fn(&str) -> OwnedValue) -> OwnedValue {
    let text = |json: &Json| json.as_str().expect("text").to_owned();
    let all = |values: &[Json]| values.iter().map(|value| from_json(value, constant)).collect::<Vec<_>>();
    match json {
        Json::Null => OwnedValue::Null,
        Json::Bool(value) => OwnedValue::Bool(*value),
        Json::String(value) => OwnedValue::String(value.clone()),
        Json::Array(values) if !values.is_empty() && values.iter().all(Json::is_string) => {
            OwnedValue::Strings(values.iter().map(text).collect())
        }
        Json::Array(values) => OwnedValue::List(Elements(all(values))),
        Json::Number(_) => panic!("{json} may be an int, a uint or a double: write {{\"int\": {json}}}"),
        Json::Object(object) => {
            let (kind, json) = object.iter().next().expect("a kind of value");
            match kind.as_str() {
                "int" => OwnedValue::Int(json.as_i64().or_else(|| text(json).parse().ok()).expect("int")),
                "uint" => OwnedValue::Uint(json.as_u64().or_else(|| text(json).parse().ok()).expect("uint")),
                "double" => {
                    OwnedValue::Double(json.as_f64().unwrap_or_else(|| text(json).parse().expect("double")))
                }
                "string" => OwnedValue::String(text(json)),
                "bytes" => OwnedValue::Bytes(unhex(&text(json))),
                "type" => OwnedValue::Type(text(json)),
                "net" => OwnedValue::Net(text(json)),
                "dyn" => OwnedValue::Dyn(Box::new(from_json(json, constant))),
                "map" => OwnedValue::Map(Entries(
                    json.as_array().expect("entries").iter().map(|entry| entry_of(&all, entry)).collect(),
                )),
                "timestamp" | "duration" => constant(&format!("{kind}('{}')", text(json))),
                "absent" => OwnedValue::Absent(from_json(&Json::Object(sample(&text(json))), constant).ty()),
                other => panic!("unknown kind of value {other}"),
            }
        }
    }
}

fn entry_of(all: &dyn Fn(&[Json]) -> Vec<OwnedValue>, entry: &Json) -> (OwnedValue, OwnedValue) {
    let mut pair = all(entry.as_array().expect("[key, value]")).into_iter();
    (pair.next().expect("key"), pair.next().expect("value"))
}

/// Some value of the type, as it stands in a table.
fn sample(ty: &str) -> Map<String, Json> {
    let value = match ty {
        "bytes" | "string" => Json::from(""),
        "timestamp" => Json::from("2000-01-01T00:00:00Z"),
        "duration" => Json::from("0s"),
        "map" => Json::Array(Vec::new()),
        _ => Json::from(0),
    };
    Map::from_iter([(ty.to_owned(), value)])
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: char| u8::try_from(c.to_digit(16).expect("hex")).expect("digit");
    let digits: Vec<u8> = text.chars().map(digit).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect()
}
