//! Tables of expressions and their values, evaluated through the public interface; `README.md` describes the
//! format of a table and the expressions not covered.
//!
//! `ANGOS_POLICY_TABLES=folder cargo test -p angos-policy --test conformance` runs the `*.json` of a
//! folder of your own as well.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy knows functions marked as tests, not their help; the tally is for who walks a folder"
)]

mod owned_value;

use angos_identity::Identity;
use angos_policy::{Environment, EnvironmentBuilder, Expression, Facts, NoFacts, Value};
use owned_value::{OwnedValue, from_json};
use serde_json::{Map, Value as Json};
use std::path::Path;

struct Bound(Vec<OwnedValue>);

impl Facts for Bound {
    fn fact(&self, index: usize) -> Value<'_> {
        self.0[index].value()
    }
}

fn compiled(environment: EnvironmentBuilder, expr: &str) -> Result<Expression, String> {
    let environment = environment.build().map_err(|error| format!("refused: {error}"))?;
    Expression::compile(&environment, expr)
        .map_err(|error| format!("refused: {} {}", error.message(), error.suggestion().unwrap_or("")))
}

/// The value, or the error in the words of the tables.
fn evaluate(environment: EnvironmentBuilder, expr: &str, facts: &dyn Facts) -> Result<OwnedValue, String> {
    let expression = compiled(environment, expr)?;
    let identity = Identity::new([192, 0, 2, 1].into(), None, None);
    expression.evaluate(&identity, facts, |value| match value {
        Ok(value) => Ok(OwnedValue::of(value)),
        Err(cause) => Err(cause.as_str().to_owned()),
    })
}

fn constant(expr: &str) -> OwnedValue {
    evaluate(Environment::builder(), expr, &NoFacts).expect(expr)
}

const KEYS: &[&str] = &["expr", "bindings", "container", "value", "type", "error", "mixed", "name"];

/// The failure of a row, if any.
fn check(row: &Map<String, Json>, mixed: bool) -> Result<(), String> {
    if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key {key}"));
    }
    let mixed = row.get("mixed").and_then(Json::as_bool).unwrap_or(mixed);
    let builder = || {
        let builder = if mixed { Environment::builder().mixed_types() } else { Environment::builder() };
        match row.get("container").and_then(Json::as_str) {
            Some(container) => builder.container(container),
            None => builder,
        }
    };
    let mut environment = builder();
    let mut facts = Bound(Vec::new());
    for (path, json) in row.get("bindings").and_then(Json::as_object).into_iter().flatten() {
        let value = from_json(json, &constant);
        environment = environment.variable(path, value.ty());
        facts.0.push(value);
    }
    let expr = row.get("expr").and_then(Json::as_str).ok_or("no expr")?;
    if let Some(ty) = row.get("type").and_then(Json::as_str) {
        let compiled = compiled(environment.clone(), expr)?;
        if compiled.type_name() != ty {
            return Err(format!("expected a {ty}, got a {}", compiled.type_name()));
        }
        if !row.contains_key("value") && !row.contains_key("error") {
            return Ok(());
        }
    }
    let expected = match (row.get("value"), row.get("error").and_then(Json::as_str)) {
        (None, Some(error)) => Err(error),
        (Some(value), None) => Ok(match value.get("cel").and_then(Json::as_str) {
            Some(cel) => evaluate(builder(), cel, &NoFacts).map_err(|error| format!("{cel}: {error}"))?,
            None => from_json(value, &constant),
        }),
        _ => return Err("exactly one of value and error".to_owned()),
    };
    let actual = evaluate(environment, expr, &facts);
    let passed = match (&actual, &expected) {
        (Ok(actual), Ok(expected)) => actual.same(expected),
        (Err(_), Err("any")) => true,
        (Err(actual), Err(expected)) if expected.starts_with("refused: ") => actual.starts_with(expected),
        (Err(actual), Err(expected)) => actual == expected,
        _ => false,
    };
    if passed { Ok(()) } else { Err(format!("expected {expected:?}, got {actual:?}")) }
}

/// Rows that do not hold, and why that is right: a line each of `explained.txt`, `name: reason`. A name that ends
/// with `/` covers all names with this prefix.
struct Explained(Vec<String>);

impl Explained {
    fn of(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("explained.txt")).unwrap_or_default();
        let name = |line: &str| line.split_once(": ").map(|(name, _)| name.to_owned());
        Self(text.lines().filter(|line| !line.is_empty()).map(|line| name(line).expect(line)).collect())
    }

    fn covers(&self, row: &str) -> bool {
        self.0.iter().any(|name| name == row || (name.ends_with('/') && row.starts_with(name)))
    }
}

/// Runs the tables of a folder: the number of rows that pass, of rows with an explained failure, and the
/// other failures.
fn run_tables(folder: &Path, mixed: bool) -> (usize, usize, Vec<String>) {
    let explained = Explained::of(folder);
    let mut failures = Vec::new();
    let (mut held, mut excused) = (0, 0);
    for entry in folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("table").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("table");
        let table: Vec<Map<String, Json>> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for row in &table {
            let name = row.get("name").and_then(Json::as_str).unwrap_or_default();
            let failure = match (check(row, mixed), explained.covers(name)) {
                (Ok(()), false) => {
                    held += 1;
                    continue;
                }
                (Err(_), true) => {
                    excused += 1;
                    continue;
                }
                (Ok(()), true) => "it holds, and explained.txt says it does not".to_owned(),
                (Err(failure), false) => failure,
            };
            failures.push(format!("{}: {}: {failure}", path.display(), Json::Object(row.clone())));
        }
    }
    (held, excused, failures)
}

#[test]
fn every_row_of_every_table_holds() {
    let (rows, _, failures) =
        run_tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"), false);
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(rows >= 200, "only {rows} rows were found");
}

#[test]
fn every_row_of_a_folder_of_your_own_holds() {
    let Some(folder) = std::env::var_os("ANGOS_POLICY_TABLES") else { return };
    let (rows, excused, failures) = run_tables(Path::new(&folder), true);
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(rows > 0, "no rows in {}", Path::new(&folder).display());
    println!("{rows} rows hold, {excused} do not and are explained");
}

#[test]
fn a_wrong_row_fails() {
    for (row, complaint) in [
        (r#"{"expr": "1 + 1", "value": {"int": 3}}"#, "expected"),
        (r#"{"expr": "1 + 1", "value": {"uint": 2}}"#, "expected"),
        (r#"{"expr": "1 + 1", "error": "any"}"#, "expected"),
        (r#"{"expr": "1 / 0", "error": "overflow"}"#, "expected"),
        (r#"{"expr": "-0.0", "value": {"double": 0.0}}"#, "expected"),
        (r#"{"expr": "[1]", "value": {"cel": "[2]"}}"#, "expected"),
        (r#"{"expr": "[1]", "value": [{"uint": 1}]}"#, "expected"),
        (r#"{"expr": "{1: 2}", "value": {"map": [[{"int": 1}, {"int": 3}]]}}"#, "expected"),
        (r#"{"expr": "1", "value": {"int": 1}, "error": "overflow"}"#, "exactly one"),
        (r#"{"expr": "1", "valu": {"int": 1}}"#, "unknown key"),
    ] {
        let failure = check(&serde_json::from_str(row).expect(row), false).expect_err(row);
        assert!(failure.contains(complaint), "{row}: {failure}");
    }
}
