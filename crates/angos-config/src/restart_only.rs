//! Settings that take effect only at start, so that a reload can name the changes that need a restart.

use std::collections::BTreeMap;

use figment::value::Value;

use crate::schema::kind::ValueKind;
use crate::schema::quantity::{ByteSize, TimeSpan};
use crate::schema::{ConfigKey, LIST, SCHEMA};

/// The values of all keys that take effect only at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartOnly(BTreeMap<&'static str, String>);

impl RestartOnly {
    pub(crate) fn of(checked: &Value) -> RestartOnly {
        let mut values = values(checked, |key| !key.reload);
        // Keys below may change; that there is TLS at all may not.
        values.insert(TLS, checked.find_ref(TLS).is_some().to_string());
        RestartOnly(values)
    }

    /// Whether the registry has TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.0.get(TLS).is_some_and(|value| value == "true")
    }

    /// The keys whose values differ between the two, in alphabetical order.
    pub fn differences(&self, other: &RestartOnly) -> Vec<&'static str> {
        let differs = |(key, value): &(&&'static str, &String)| other.0.get(**key) != Some(*value);
        self.0.iter().filter(differs).map(|(key, _)| *key).collect()
    }
}

const TLS: &str = "server.tls";

/// One spelling for the value of each key that is wanted. A list of sections is one value.
pub(crate) fn values(checked: &Value, wanted: impl Fn(&ConfigKey) -> bool) -> BTreeMap<&'static str, String> {
    let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
    for key in SCHEMA.iter().filter(|key| wanted(key)) {
        match key.path.split_once(LIST) {
            Some((list, below)) => {
                *values.entry(list).or_default() += &each(key, checked.find_ref(list), below);
            }
            None => drop(values.insert(key.path, canonical(key, checked.find_ref(key.path)))),
        }
    }
    values
}

/// The value of one key in each section of a list.
fn each(key: &ConfigKey, list: Option<&Value>, below: &str) -> String {
    let sections = list.and_then(Value::as_array).unwrap_or_default();
    let below = below.trim_start_matches('.');
    let values: Vec<_> = sections.iter().map(|section| canonical(key, section.find_ref(below))).collect();
    format!("{values:?}")
}

/// One spelling for each meaning: `30`, `"30s"` and the default of thirty seconds are the same.
fn canonical(key: &ConfigKey, value: Option<&Value>) -> String {
    let Some(value) = value else {
        let default = key.default.trim_matches('"');
        return from_text(key.kind, default);
    };
    match (key.kind, value) {
        (_, Value::String(_, text)) => from_text(key.kind, text),
        (ValueKind::Duration { .. }, Value::Num(_, number)) => {
            format!("{}ms", number.to_i128().unwrap_or_default() * 1000)
        }
        (_, Value::Num(_, number)) => number.to_i128().unwrap_or_default().to_string(),
        (_, Value::Bool(_, flag)) => flag.to_string(),
        (_, Value::Array(_, elements)) => {
            let elements: Vec<_> =
                elements.iter().map(|e| format!("{:?}", e.as_str().unwrap_or_default())).collect();
            format!("[{}]", elements.join(", "))
        }
        _ => String::new(),
    }
}

fn from_text(kind: ValueKind, text: &str) -> String {
    match kind {
        ValueKind::Duration { .. } => TimeSpan::parse(text).map(|span| format!("{}ms", span.0.as_millis())),
        ValueKind::Size { .. } => ByteSize::parse(text).map(|size| size.0.to_string()),
        _ => None,
    }
    .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use figment::value::Value;

    use super::RestartOnly;

    fn differences(one: &str, other: &str) -> Vec<&'static str> {
        let parse = |text: &str| {
            let table: toml::Table = text.parse().expect("TOML");
            RestartOnly::of(&Value::serialize(&table).expect("plain values"))
        };
        parse(one).differences(&parse(other))
    }

    #[test]
    fn only_meaning_counts() {
        for (one, other, expected) in [
            ("", "", vec![]),
            ("server.port = 8000", "", vec![]),
            ("server.port = 8001", "", vec!["server.port"]),
            ("server.idle_timeout = 75", "server.idle_timeout = '75s'", vec![]),
            ("server.idle_timeout = '75s'", "", vec![]),
            ("global.max_manifest_size = '1KiB'", "global.max_manifest_size = 1024", vec![]),
            ("global.trusted_proxies = ['::1']", "", vec!["global.trusted_proxies"]),
            ("global.trusted_proxies = []", "", vec![]),
            ("[server.tls]", "", vec!["server.tls"]),
            ("[[server.listener]]\nport = 1", "", vec!["server.listener"]),
            ("[[server.listener]]\nport = 1", "[[server.listener]]\nport = 2", vec!["server.listener"]),
            ("[[server.listener]]\nport = 1", "[[server.listener]]\nport = 1\ntls = true", vec![]),
            ("[server.tls]\nclient_auth = 'required'", "[server.tls]", vec![]),
            ("[global.access_policy]\nrules = ['true']", "", vec![]),
            ("blob_store.fs.root_dir = 'a'", "blob_store.fs.root_dir = 'b'", vec!["blob_store.fs.root_dir"]),
        ] {
            assert_eq!(differences(one, other), expected, "{one} / {other}");
        }
    }
}
