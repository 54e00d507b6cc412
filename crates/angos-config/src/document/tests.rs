//! The schema and the document name the same keys: neither has one the other lacks.

use std::collections::BTreeSet;

use figment::error::Kind;
use figment::value::{Dict, Tag, Value};

use super::*;
use crate::schema::{LIST, SCHEMA};

/// The fields serde knows below `path`, learnt from what it says about a field it does not know.
fn fields(path: &[String]) -> Option<&'static [&'static str]> {
    let unknown = Value::from("x");
    let mut document = Value::Dict(Tag::Default, Dict::from([("?".to_owned(), unknown)]));
    for name in path.iter().rev() {
        if name.ends_with(LIST) {
            document = Value::Array(Tag::Default, vec![document]);
        }
        let name = name.trim_end_matches(LIST).to_owned();
        document = Value::Dict(Tag::Default, Dict::from([(name, document)]));
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
fn paths(path: &[String], found: &mut BTreeSet<String>) {
    // Sections whose entries the operator names are maps: serde knows no fields there.
    let chosen = match path.join(".").as_str() {
        "repository" => Some("<name>"),
        "auth.identity" => Some("<id>"),
        _ => None,
    };
    let names = match chosen {
        Some(name) => vec![name],
        None => fields(path).map(<[&str]>::to_vec).unwrap_or_default(),
    };
    if names.is_empty() {
        // Either a key or a list of sections.
        let list = path.split_last().map(|(last, above)| [above, &[format!("{last}{LIST}")]].concat());
        match list
            .filter(|list| !list.last().is_some_and(|it| it.ends_with("[][]")) && fields(list).is_some())
        {
            Some(list) => paths(&list, found),
            None => drop(found.insert(path.join("."))),
        }
    }
    for name in names {
        paths(&[path, &[name.to_owned()]].concat(), found);
    }
}

#[test]
fn schema_and_document_have_the_same_keys() {
    let mut document = BTreeSet::new();
    paths(&[], &mut document);
    let schema: BTreeSet<String> = SCHEMA.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(document, schema);
}
