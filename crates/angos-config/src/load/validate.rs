//! Checks every value against the schema: unknown keys, wrong kinds, values out of range. Invalid values are removed, so
//! that the rest can be checked too.

use angos_policy::nearest;
use figment::value::{Dict, Empty, Tag, Value};

use crate::key_path::KeyPath;
use crate::layers::{Layers, Part};
use crate::limits::{RULES_MAX, SECTIONS_MAX};
use crate::problem::Problem;
use crate::schema::kind::{Mismatch, ValueKind};
use crate::schema::{self, ConfigKey, Found, SCHEMA};

/// The values without those that are wrong; each of these adds to `problems`. An element of a list is not
/// taken out but emptied, so that the others keep their places.
pub(crate) fn validate(merged: Value, layers: &Layers, problems: &mut Vec<Problem>) -> Value {
    let mut validator = Validator { layers, problems };
    let top = merged.into_dict().unwrap_or_default();
    Value::Dict(Tag::Default, validator.table(top, &KeyPath::default(), &[]))
}

struct Validator<'a> {
    layers: &'a Layers,
    problems: &'a mut Vec<Problem>,
}

impl Validator<'_> {
    fn table(&mut self, table: Dict, path: &KeyPath, names: &[&str]) -> Dict {
        let mut valid = Dict::new();
        for (name, value) in table {
            let path = path.key(&name);
            let mut names = names.to_vec();
            names.push(&name);
            let kept = match schema::find(&names) {
                Found::Unknown => {
                    self.unknown(&path, &names);
                    None
                }
                Found::Key(key) => self.value(key, value, &path),
                Found::Table => self.below(value, &path, &names),
                Found::Tables => self.each_below(value, &path, &names),
            };
            if let Some(kept) = kept {
                valid.insert(name, kept);
            }
        }
        valid
    }

    fn below(&mut self, value: Value, path: &KeyPath, names: &[&str]) -> Option<Value> {
        let found = found(&value, path);
        let Value::Dict(tag, table) = value else {
            let message = format!("`{path}` is a section: expected a table, found {found}");
            self.problems.push(self.layers.error(path, Part::Value, message));
            return None;
        };
        Some(Value::Dict(tag, self.table(table, path, names)))
    }

    /// A list of tables. One that is wrong is emptied.
    fn each_below(&mut self, value: Value, path: &KeyPath, names: &[&str]) -> Option<Value> {
        let found = found(&value, path);
        let Value::Array(tag, mut elements) = value else {
            let message =
                format!("`{path}` is a list of sections: expected an array of tables, found {found}");
            let problem = self.layers.error(path, Part::Value, message);
            self.problems.push(problem.with_help(format!("write [[{path}]], once for each")));
            return None;
        };
        if elements.len() > SECTIONS_MAX {
            let message =
                format!("`{path}` has {} sections, at most {SECTIONS_MAX} are taken", elements.len());
            self.problems.push(self.layers.error(path, Part::Key, message));
            elements.truncate(SECTIONS_MAX);
        }
        for (index, element) in elements.iter_mut().enumerate() {
            let whole = std::mem::replace(element, Value::Empty(Tag::Default, Empty::None));
            if let Some(valid) = self.below(whole, &path.index(index), names) {
                *element = valid;
            }
        }
        Some(Value::Array(tag, elements))
    }

    fn unknown(&mut self, path: &KeyPath, names: &[&str]) {
        let Some((name, above)) = names.split_last() else { return };
        let known = schema::names_below(above);
        let help = if let Some(renamed) = schema::renamed(names) {
            format!("this key is now called `{}`", path.parent().unwrap_or_default().key(renamed))
        } else if let Some(meant) = nearest(name, known.iter().copied()) {
            let meant = path.parent().unwrap_or_default().key(meant);
            format!("did you mean `{meant}`?")
        } else if let ["repository", first, second] = names {
            format!("a name with several parts is quoted: [repository.\"{first}/{second}\".access_policy]")
        } else if let Some(elsewhere) = elsewhere(name) {
            format!("did you mean `{elsewhere}`?")
        } else {
            format!("known here: {}", known.join(", "))
        };
        let problem = self.layers.error(path, Part::Key, format!("unknown key `{path}`"));
        self.problems.push(problem.with_help(help));
    }

    fn value(&mut self, key: &ConfigKey, value: Value, path: &KeyPath) -> Option<Value> {
        if let Some(mismatch) = key.kind.mismatch(&value) {
            self.mismatch(path, &value, mismatch);
            return None;
        }
        match value {
            Value::Array(tag, elements) if key.kind.is_list() => {
                Some(Value::Array(tag, self.elements(key.kind, elements, path)))
            }
            value => Some(value),
        }
    }

    fn elements(&mut self, kind: ValueKind, mut elements: Vec<Value>, path: &KeyPath) -> Vec<Value> {
        if elements.len() > RULES_MAX {
            let message = format!("`{path}` has {} elements, at most {RULES_MAX} are taken", elements.len());
            self.problems.push(self.layers.error(path, Part::Key, message));
            elements.truncate(RULES_MAX);
        }
        for (index, element) in elements.iter_mut().enumerate() {
            let path = path.index(index);
            let mismatch = kind.element_mismatch(element);
            let is_valid = match mismatch {
                Some(mismatch) => {
                    self.mismatch(&path, element, mismatch);
                    false
                }
                None => element.as_dict().is_none_or(|rule| self.rule(rule, &path)),
            };
            if !is_valid {
                *element = Value::Empty(Tag::Default, Empty::None);
            }
        }
        elements
    }

    /// A rule written as a table: `when`, and perhaps `name`, and nothing else.
    fn rule(&mut self, rule: &Dict, path: &KeyPath) -> bool {
        let before = self.problems.len();
        for (name, value) in rule {
            let path = path.key(name);
            if !matches!(name.as_str(), "name" | "when") {
                let help = match nearest(name, ["name", "when"]) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "a rule has `when` and, if you like, `name`".to_owned(),
                };
                let problem = self.layers.error(&path, Part::Key, format!("unknown key `{path}`"));
                self.problems.push(problem.with_help(help));
            } else if let Some(mismatch) = ValueKind::String.mismatch(value) {
                self.mismatch(&path, value, mismatch);
            }
        }
        if self.problems.len() == before && !rule.contains_key("when") {
            let problem = self.layers.error(path, Part::Value, format!("`{path}` has no `when`"));
            self.problems.push(problem.with_help("write { name = \"...\", when = \"a CEL expression\" }"));
        }
        self.problems.len() == before
    }

    fn mismatch(&mut self, path: &KeyPath, value: &Value, mismatch: Mismatch) {
        let message = format!("`{path}`: expected {}, found {}", mismatch.expected, found(value, path));
        let problem = self.layers.error(path, Part::Value, message);
        self.problems.push(match mismatch.help {
            Some(help) => problem.with_help(help),
            None => problem,
        });
    }
}

/// The full path of the one key that ends in `name`, wherever it is.
fn elsewhere(name: &str) -> Option<&'static str> {
    SCHEMA.iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(name))
}

/// A few words about what was found instead; nothing of its content where that may be secret.
fn found(value: &Value, path: &KeyPath) -> String {
    match value {
        Value::String(_, text) if !path.is_confidential() => {
            let short: String = text.chars().take(64).collect();
            format!("the string {short:?}")
        }
        Value::Num(_, number) if !path.is_confidential() => match number.to_i128() {
            Some(number) => format!("the number {number}"),
            None => "a number with a fraction".to_owned(),
        },
        Value::Bool(_, flag) if !path.is_confidential() => format!("{flag}"),
        Value::String(..) | Value::Char(..) => "a string".to_owned(),
        Value::Num(..) => "a number".to_owned(),
        Value::Bool(..) => "true or false".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "an array".to_owned(),
        Value::Empty(..) => "a date, or a number beyond 64 bits".to_owned(),
    }
}
