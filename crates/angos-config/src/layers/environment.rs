//! Layer 2: environment variables. `ANGOS_SERVER__PORT=8443` is `server.port = 8443`.

use std::sync::Arc;

use angos_policy::nearest;
use figment::value::{Dict, Num, Tag, Value};

use crate::key_path::{KeyPath, Segment};
use crate::layers::file::{SourceFile, parse_array};
use crate::limits::VARIABLE_MAX_BYTES;
use crate::problem::{Origin, Problem};
use crate::schema::kind::ValueKind;
use crate::schema::{self, ConfigKey, Found, LIST, SCHEMA, is_chosen};

const PREFIX: &str = "ANGOS_";
const SEPARATOR: &str = "__";

/// A variable that sets a key.
pub(crate) struct Variable {
    pub(crate) name: Arc<str>,
    pub(crate) path: KeyPath,
    value: Value,
}

/// The variables that are meant for us, in the order of their names. `files` supply the spelling of names
/// the operator chose (`[auth.identity.Build]`), since a variable's name carries no case.
pub(crate) fn read(
    variables: impl Iterator<Item = (String, String)>,
    files: &[SourceFile],
    problems: &mut Vec<Problem>,
) -> Vec<Variable> {
    let mut ours: Vec<(String, String)> =
        variables.filter(|(name, value)| has_prefix(name) && !is_service_link(name, value)).collect();
    ours.sort();
    let mut read: Vec<Variable> = Vec::new();
    for (name, value) in ours {
        match variable(&name, &value, files) {
            Ok(variable) => match read.iter().find(|other| other.path == variable.path) {
                Some(other) => problems.push(
                    Problem::error(
                        Origin::Variable(variable.name),
                        format!("{} sets the same key", other.name),
                    )
                    .with_key(variable.path.to_string()),
                ),
                None => read.push(variable),
            },
            Err(problem) => problems.push(*problem),
        }
    }
    read
}

/// All variables as one tree, for layering.
pub(crate) fn values(variables: &[Variable]) -> Dict {
    let mut top = Dict::new();
    for variable in variables {
        insert(&mut top, variable.path.segments(), &variable.value);
    }
    top
}

fn insert(table: &mut Dict, path: &[Segment], value: &Value) {
    let Some((Segment::Key(key), below)) = path.split_first() else { return };
    if below.is_empty() {
        table.insert(key.clone(), value.clone());
        return;
    }
    let next = table.entry(key.clone()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
    if let Value::Dict(_, next) = next {
        insert(next, below, value);
    }
}

fn has_prefix(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Whether the variable is one Kubernetes puts into every pod beside a service called `angos`:
/// `ANGOS_SERVICE_HOST`, `ANGOS_SERVICE_PORT_HTTPS`, `ANGOS_PORT=tcp://…`, `ANGOS_PORT_8000_TCP_ADDR` …
fn is_service_link(name: &str, value: &str) -> bool {
    if name.contains(SEPARATOR) {
        return false;
    }
    let is_protocol = |part: &str| matches!(part, "TCP" | "UDP" | "SCTP");
    let parts: Vec<&str> = name.split('_').collect();
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || parts.windows(3).any(|window| {
            matches!(window, ["PORT", number, protocol] if number.parse::<u16>().is_ok() && is_protocol(protocol))
        })
}

fn variable(name: &str, text: &str, files: &[SourceFile]) -> Result<Variable, Box<Problem>> {
    let shown: Arc<str> = crate::problem::escape(&name.chars().take(256).collect::<String>()).into();
    let error = |message: String| Box::new(Problem::error(Origin::Variable(shown.clone()), message));
    if text.len() > VARIABLE_MAX_BYTES {
        return Err(error(format!("the value is longer than {VARIABLE_MAX_BYTES} bytes")));
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(error("the value is not UTF-8".to_owned()));
    }
    let lower = name.get(PREFIX.len()..).unwrap_or_default().to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(SEPARATOR).collect();
    let Found::Key(key) = schema::find(&parts) else {
        let problem = error("sets no known key".to_owned());
        if let (Some(name), Some((_, above))) = (schema::renamed(&parts), parts.split_last()) {
            let path = [above, &[name]].concat().join(SEPARATOR).to_ascii_uppercase();
            return Err(Box::new(problem.with_help(format!("this key is now called {PREFIX}{path}"))));
        }
        let example = "levels are separated by two underscores, e.g. ANGOS_SERVER__PORT";
        return Err(Box::new(match suggestion(&lower) {
            Some(meant) => problem.with_help(format!("did you mean {meant}?")),
            None if parts.len() > 1 => problem.with_help(example),
            // One level and no similar key: it was not meant as a key. A variable of a script
            // or an image ANGOS_SOMETHING shall not keep the registry from starting.
            None => problem.with_help(example).into_warning(),
        }));
    };
    if let Some((list, _)) = key.path.split_once(LIST) {
        let help = format!("write [[{list}]] in a file");
        return Err(Box::new(
            error(format!("`{list}` is a list of sections, which no variable can set")).with_help(help),
        ));
    }
    let path = spelled(key, &parts, files);
    let value = value(key, text).map_err(|expected| {
        let message = format!("`{path}` takes {expected}, written as in a file");
        Box::new(error(message).with_key(path.to_string()))
    })?;
    Ok(Variable { name: shown, path, value })
}

/// The path of `key` with chosen names spelled as in the files, where the case differs.
fn spelled(key: &ConfigKey, parts: &[&str], files: &[SourceFile]) -> KeyPath {
    let mut path = KeyPath::default();
    for (pattern, part) in key.path.split('.').zip(parts) {
        let known = is_chosen(pattern)
            .then(|| {
                files.iter().flat_map(|file| file.names_below(&path)).find(|n| n.eq_ignore_ascii_case(part))
            })
            .flatten();
        path = path.key(known.unwrap_or(part));
    }
    path
}

/// The variable's text as a value of the kind the key takes. A text of another kind stays a string and
/// is refused with every other value of a wrong kind.
fn value(key: &ConfigKey, text: &str) -> Result<Value, String> {
    let string = || Value::String(Tag::Default, text.to_owned());
    let number = || text.parse().ok().map(|number| Value::Num(Tag::Default, Num::I64(number)));
    Ok(match key.kind {
        ValueKind::Boolean => text.parse().map_or_else(|_| string(), |flag| Value::Bool(Tag::Default, flag)),
        ValueKind::Integer { .. } | ValueKind::Size { .. } | ValueKind::Duration { .. } => {
            number().unwrap_or_else(string)
        }
        kind if kind.is_list() => parse_array(text).ok_or_else(|| kind.to_string())?,
        _ => string(),
    })
}

/// The variable that was meant: one whose letters are the same, or nearly.
fn suggestion(lower: &str) -> Option<String> {
    let joined = lower.replace(SEPARATOR, "_");
    let settable =
        || SCHEMA.iter().map(|key| key.path).filter(|path| !path.contains('<') && !path.contains(LIST));
    let same = settable().find(|path| path.replace('.', "_") == joined);
    let path = same.or_else(|| nearest(&lower.replace(SEPARATOR, "."), settable()))?;
    Some(format!("{PREFIX}{}", path.replace('.', SEPARATOR).to_ascii_uppercase()))
}
