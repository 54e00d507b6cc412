//! Reads values of the expected kind; for any other value it reports a problem that names the expected kind.

use std::path::Path;
use std::sync::Arc;

use angos_policy::nearest;
use figment::value::{Dict, Num, Value};

use crate::key_path::KeyPath;
use crate::layers::{Layers, Part};
use crate::policies::Policies;
use crate::problem::{Problem, escape};

/// Reads one file of policy tests and collects what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) layers: &'a Layers,
    pub(super) file: &'a Arc<Path>,
    pub(super) policies: &'a Policies,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn error(
        &mut self,
        path: &KeyPath,
        part: Part,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = help.into();
        let problem = self.layers.error(path, part, message).or_in(self.file);
        self.problems.push(if help.is_empty() { problem } else { problem.with_help(help) });
    }

    /// Something that is named and is not there.
    pub(super) fn unknown<'k>(
        &mut self,
        path: &KeyPath,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'k str>,
        otherwise: &str,
    ) {
        let help = nearest(name, known).map(|meant| format!("did you mean `{meant}`?"));
        let message = format!("no {what} is called `{}`", escape(name));
        self.error(path, Part::Value, message, help.unwrap_or_else(|| otherwise.to_owned()));
    }

    pub(super) fn refuse_unknown(&mut self, table: &Dict, path: &KeyPath, known: &[&str]) {
        for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
            let help = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let path = path.key(name);
            self.error(&path, Part::Key, format!("unknown key `{path}`"), help);
        }
    }

    pub(super) fn table<'v>(&mut self, value: &'v Value, path: &KeyPath) -> Option<&'v Dict> {
        let table = value.as_dict();
        if table.is_none() {
            self.error(path, Part::Value, format!("`{path}`: expected a table"), "");
        }
        table
    }

    /// A value that must be there, and its path.
    pub(super) fn needed<'v>(
        &mut self,
        table: &'v Dict,
        path: &KeyPath,
        key: &str,
    ) -> Option<(&'v Value, KeyPath)> {
        let value = table.get(key);
        if value.is_none() {
            self.error(path, Part::Key, format!("`{path}` has no `{key}`"), "");
        }
        value.map(|value| (value, path.key(key)))
    }

    /// One of a few words.
    pub(super) fn word(&mut self, table: &Dict, path: &KeyPath, key: &str, words: &[&str]) -> Option<String> {
        let (value, path) = self.needed(table, path, key)?;
        let word = self.text(value, &path)?;
        if !words.contains(&word.as_str()) {
            let message = format!("`{path}` is one of \"{}\"", words.join("\", \""));
            self.error(&path, Part::Value, message, "");
            return None;
        }
        Some(word)
    }

    /// A string. A number is read as its digits.
    pub(super) fn text(&mut self, value: &Value, path: &KeyPath) -> Option<String> {
        match value {
            Value::String(_, text) => Some(text.clone()),
            Value::Num(_, Num::I64(number)) => Some(number.to_string()),
            _ => {
                self.error(path, Part::Value, format!("`{path}`: expected a string"), "put it into quotes");
                None
            }
        }
    }

    /// A string, or a list of at least one, each with its path.
    pub(super) fn texts(&mut self, value: &Value, path: &KeyPath) -> Vec<(KeyPath, String)> {
        let Value::Array(_, elements) = value else {
            return self.text(value, path).map(|text| (path.clone(), text)).into_iter().collect();
        };
        if elements.is_empty() {
            self.error(path, Part::Value, format!("`{path}` is empty, so nothing would be asked"), "");
        }
        let mut texts = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let path = path.index(index);
            texts.extend(self.text(element, &path).map(|text| (path, text)));
        }
        texts
    }
}
