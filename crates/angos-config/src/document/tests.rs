//! The schema and the document name the same keys: neither has one the other lacks.

use std::collections::BTreeSet;

use figment::error::Kind;
use figment::value::{Dict, Tag, Value};

use super::*;
use crate::schema::SCHEMA;

/// The fields serde knows below `path`, learnt from what it says about a field it does not know.
fn fields(path: &[&str]) -> Option<&'static [&'static str]> {
    let unknown = Value::from("x");
    let mut document = Value::Dict(Tag::Default, Dict::from([("?".to_owned(), unknown)]));
    for name in path.iter().rev() {
        document = Value::Dict(Tag::Default, Dict::from([((*name).to_owned(), document)]));
    }
    match document.deserialize::<Document>() {
        Err(error) => match error.kind {
            Kind::UnknownField(_, known) => Some(known),
            _ => None,
        },
        Ok(_) => None,
    }
}

/// All paths below `path`, with chosen names in angle brackets.
fn paths(path: &[&'static str], found: &mut BTreeSet<String>) {
    // Sections whose entries the operator names are maps: serde knows no fields there.
    let chosen = match path {
        ["repository"] => Some("<name>"),
        ["auth", "identity"] => Some("<id>"),
        _ => None,
    };
    let names = match chosen {
        Some(name) => vec![name],
        None => fields(path).map(<[&str]>::to_vec).unwrap_or_default(),
    };
    if names.is_empty() {
        found.insert(path.join("."));
    }
    for name in names {
        let mut below = path.to_vec();
        below.push(name);
        paths(&below, found);
    }
}

#[test]
fn schema_and_document_have_the_same_keys() {
    let mut document = BTreeSet::new();
    paths(&[], &mut document);
    let schema: BTreeSet<String> = SCHEMA.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(document, schema);
}
