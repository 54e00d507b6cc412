//! Tables of expressions and what they are, walked through the public interface.
//!
//! Every `conformance/*.json` is a list of rows `{"expr", "bindings"?, "value" | "error"}`; a row with
//! another key is a mistake. `bindings` maps dotted names to values. A value is `true`, `null`, a string,
//! `{"int": 1}`, `{"uint": 1}`, `{"double": 1.5}` (or `"NaN"`, `"Infinity"`, `"-Infinity"`), `{"bytes": "hex"}`,
//! `{"timestamp": "RFC 3339"}`, `{"duration": "1h30m"}`, `{"absent": "string"}`, `{"cel": "[1, 2]"}` for
//! what no `Value` can show (lists, maps, addresses: the row then asks for equality), or, as a binding, a list
//! of strings. An error is a word of `Undecidable::as_str`, or `refused: ` and part of the message.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows functions marked as tests, not their help"
)]

use angos_identity::Identity;
use angos_policy::{Environment, EnvironmentBuilder, Expression, Facts, NoFacts, Type, Value};
use serde_json::{Map, Value as Json};
use std::path::Path;

/// A value that outlives the row.
#[derive(Debug, PartialEq)]
enum Held {
    Absent(Type),
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// By its bits but for NaN, which is one value here.
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Timestamp(i64, u32),
    Duration(i64),
    Strings(Vec<String>),
}

struct Bound(Vec<Held>);

impl Facts for Bound {
    fn fact(&self, index: usize) -> Value<'_> {
        match &self.0[index] {
            Held::Absent(_) => Value::Absent,
            Held::Bool(value) => Value::Bool(*value),
            Held::Int(value) => Value::Int(*value),
            Held::Uint(value) => Value::Uint(*value),
            Held::Double(value) => Value::Double(*value),
            Held::String(value) => Value::String(value),
            Held::Bytes(value) => Value::Bytes(value),
            Held::Timestamp(seconds, nanoseconds) => Value::Timestamp(*seconds, *nanoseconds),
            Held::Duration(value) => Value::Duration(*value),
            Held::Strings(values) => Value::Strings(values),
        }
    }
}

impl Held {
    fn ty(&self) -> Type {
        match self {
            Self::Absent(ty) => *ty,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Timestamp(..) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::Strings(_) => Type::StringList,
        }
    }

    fn of(value: Value<'_>, ty: Type) -> Self {
        match value {
            Value::Absent => Self::Absent(ty),
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Double(value) => Self::Double(value),
            Value::String(value) => Self::String(value.to_owned()),
            Value::Bytes(value) => Self::Bytes(value.to_vec()),
            Value::Timestamp(seconds, nanoseconds) => Self::Timestamp(seconds, nanoseconds),
            Value::Duration(value) => Self::Duration(value),
            other => panic!("{other:?} is not the value of an expression"),
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(left), Self::Double(right)) => {
                left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
            }
            _ => self == other,
        }
    }
}

fn held(json: &Json) -> Held {
    let text = |json: &Json| json.as_str().expect("text").to_owned();
    match json {
        Json::Bool(value) => Held::Bool(*value),
        Json::String(value) => Held::String(value.clone()),
        Json::Array(values) => Held::Strings(values.iter().map(text).collect()),
        Json::Object(object) => {
            let (kind, json) = object.iter().next().expect("a kind of value");
            match kind.as_str() {
                "int" => Held::Int(json.as_i64().expect("int")),
                "uint" => Held::Uint(json.as_u64().expect("uint")),
                "double" => {
                    Held::Double(json.as_f64().unwrap_or_else(|| text(json).parse().expect("double")))
                }
                "string" => Held::String(text(json)),
                "bytes" => Held::Bytes(unhex(&text(json))),
                "timestamp" | "duration" => constant(&format!("{kind}('{}')", text(json))),
                "absent" => Held::Absent(held(&Json::Object(sample(&text(json)))).ty()),
                other => panic!("unknown kind of value {other}"),
            }
        }
        other => panic!("{other} is not a value"),
    }
}

/// Some value of the type, as it stands in a table.
fn sample(ty: &str) -> Map<String, Json> {
    let value = match ty {
        "bytes" | "string" => Json::from(""),
        "timestamp" => Json::from("2000-01-01T00:00:00Z"),
        "duration" => Json::from("0s"),
        _ => Json::from(0),
    };
    Map::from_iter([(ty.to_owned(), value)])
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: char| u8::try_from(c.to_digit(16).expect("hex")).expect("digit");
    let digits: Vec<u8> = text.chars().map(digit).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect()
}

fn constant(expr: &str) -> Held {
    evaluate(Environment::builder(), expr, &NoFacts).expect(expr)
}

/// The value, or the error in the words of the tables.
fn evaluate(environment: EnvironmentBuilder, expr: &str, facts: &dyn Facts) -> Result<Held, String> {
    let environment = environment.build().expect("bindings");
    let expression = Expression::compile(&environment, expr)
        .map_err(|error| format!("refused: {} {}", error.message(), error.suggestion().unwrap_or("")))?;
    let ty = expression.value_type();
    let identity = Identity::new([192, 0, 2, 1].into(), None, None);
    expression.evaluate(&identity, facts, |value| match value {
        Ok(value) => Ok(Held::of(value, ty)),
        Err(cause) => Err(cause.as_str().to_owned()),
    })
}

/// What is wrong with a row, if anything.
fn check(row: &Map<String, Json>) -> Result<(), String> {
    if let Some(key) = row.keys().find(|key| !["expr", "bindings", "value", "error"].contains(&key.as_str()))
    {
        return Err(format!("unknown key {key}"));
    }
    let mut environment = Environment::builder();
    let mut facts = Bound(Vec::new());
    for (path, json) in row.get("bindings").and_then(Json::as_object).into_iter().flatten() {
        let value = held(json);
        environment = environment.variable(path, value.ty());
        facts.0.push(value);
    }
    let expr = row.get("expr").and_then(Json::as_str).ok_or("no expr")?;
    let (expr, expected) = match (row.get("value"), row.get("error").and_then(Json::as_str)) {
        (None, Some(error)) => (expr.to_owned(), Err(error)),
        (Some(Json::Null), None) => (format!("({expr}) == null"), Ok(Held::Bool(true))),
        (Some(value), None) => match value.get("cel").and_then(Json::as_str) {
            Some(cel) => (format!("({expr}) == {cel}"), Ok(Held::Bool(true))),
            None => (expr.to_owned(), Ok(held(value))),
        },
        _ => return Err("exactly one of value and error".to_owned()),
    };
    let actual = evaluate(environment, &expr, &facts);
    let passed = match (&actual, &expected) {
        (Ok(actual), Ok(expected)) => actual.same(expected),
        (Err(actual), Err(expected)) if expected.starts_with("refused: ") => actual.starts_with(expected),
        (Err(actual), Err(expected)) => actual == expected,
        _ => false,
    };
    if passed { Ok(()) } else { Err(format!("expected {expected:?}, got {actual:?}")) }
}

#[test]
fn every_row_of_every_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut failures = Vec::new();
    let mut rows = 0;
    for entry in folder.read_dir().expect("tables") {
        let path = entry.expect("table").path();
        let text = std::fs::read_to_string(&path).expect("table");
        let table: Vec<Map<String, Json>> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for row in &table {
            rows += 1;
            if let Err(failure) = check(row) {
                failures.push(format!("{}: {}: {failure}", path.display(), Json::Object(row.clone())));
            }
        }
    }
    assert!(rows >= 200, "only {rows} rows were found");
    assert!(failures.is_empty(), "{} of {rows} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_wrong_row_fails() {
    for (row, complaint) in [
        (r#"{"expr": "1 + 1", "value": {"int": 3}}"#, "expected"),
        (r#"{"expr": "1 + 1", "value": {"uint": 2}}"#, "expected"),
        (r#"{"expr": "1 / 0", "error": "overflow"}"#, "expected"),
        (r#"{"expr": "-0.0", "value": {"double": 0.0}}"#, "expected"),
        (r#"{"expr": "[1]", "value": {"cel": "[2]"}}"#, "expected"),
        (r#"{"expr": "1", "value": {"int": 1}, "error": "overflow"}"#, "exactly one"),
        (r#"{"expr": "1", "valu": {"int": 1}}"#, "unknown key"),
    ] {
        let failure = check(&serde_json::from_str(row).expect(row)).expect_err(row);
        assert!(failure.contains(complaint), "{row}: {failure}");
    }
}
