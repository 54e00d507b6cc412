//! From the operator's files and variables to a [`Configuration`], or every problem at once.

pub(crate) mod loader;
pub(crate) mod stable;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use angos_access::AccessPolicies;
use angos_tls::Files;

use crate::configuration::Configuration;
use crate::context::Context;
use crate::document::Document;
use crate::key_path::KeyPath;
use crate::layers::environment;
use crate::layers::file::{FileRole, SourceFile};
use crate::layers::{Layers, Part};
use crate::limits::FILES_MAX;
use crate::problem::{Origin, Problem, Problems, Severity};
use crate::restart_only::{self, RestartOnly};
use crate::sections::{access, server, storage, tls};
use crate::summary::ConfigSummary;

/// Reads `files`, later ones over earlier ones (tables merge, everything else is replaced), then the
/// variables of `environment` that start with `ANGOS_`, and checks all of it: keys, kinds, ranges, policies,
/// credentials, certificates.
///
/// The error holds every problem that can be found in one pass. A file that is not TOML hides its other problems,
/// so its syntax errors come alone. Nothing is opened, bound or created. Blocking: reads each file once, as long as that
/// takes; a server loads with a [`Loader`](crate::Loader).
pub fn load(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    load_with(&Files::new(), files, environment)
}

/// Like [`load`], with a reader.
pub(crate) fn load_with(
    reader: &Files,
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    read(reader, files, environment, |_, _, _| {})
}

/// Like [`load`], and also lints the policies: the warnings then include valid rules that look wrong,
/// each with the name of one of [`LINTS`](crate::LINTS). Takes longer, some milliseconds per policy.
pub fn lint(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    lint_with(&Files::new(), files, environment)
}

/// Like [`lint`], with a reader.
pub(crate) fn lint_with(
    reader: &Files,
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    read(reader, files, environment, crate::lint::lint)
}

fn read(
    reader: &Files,
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
    lint: impl FnOnce(&Document, &AccessPolicies, &mut Context<'_>),
) -> Result<Configuration, Problems> {
    let read = read_files(reader, files).map_err(|problems| Problems::new(problems, reader.take()))?;
    let mut problems = Vec::new();
    let variables = environment::read(environment, &read, &mut problems);
    let layers = Layers::new(read, variables);
    if is_valid(&problems) {
        problems.extend(empty_configuration(&layers));
    }
    let (document, restart_only, reloadable) = document(&layers, &mut problems);

    let mut context = Context::new(&layers, reader, problems);
    let server = server::settings(&document, &mut context);
    let tls = tls::material(document.server.tls.as_ref(), &mut context);
    let access = access::access(&document, &mut context);
    let storage = storage::settings(&document, &mut context);
    let log = KeyPath::of(&["server", "decision_log"]);
    let decision_log = document.server.decision_log.as_ref().map(|path| layers.resolve(&log, path));

    if let Some(access) = access.as_ref().filter(|_| is_valid(&context.problems)) {
        lint(&document, &access.policies, &mut context);
    }
    let Context { mut problems, users, .. } = context;
    layers.sort(&mut problems);
    let (snapshot, warnings) = (reader.take(), problems);
    match (is_valid(&warnings), tls, access) {
        (true, Ok(tls), Some(access)) => {
            let summary = ConfigSummary::of(&document, users, tls.as_ref(), reloadable, &layers);
            Ok(Configuration {
                server,
                tls,
                access,
                storage,
                decision_log,
                warnings,
                snapshot,
                restart_only,
                summary,
            })
        }
        _ => Err(Problems::new(warnings, snapshot)),
    }
}

fn is_valid(problems: &[Problem]) -> bool {
    problems.iter().all(|it| it.severity() == Severity::Warning)
}

/// An empty file is one that is still being written, or a program's mistake; it is never intended.
fn empty_configuration(layers: &Layers) -> Option<Problem> {
    let (first, _) = layers.files().next().filter(|_| layers.is_empty())?;
    let problem = Problem::error(Origin::WholeFile(first.into()), "the configuration is empty");
    Some(problem.with_help("write at least one section, or set a variable"))
}

pub(crate) fn read_files(reader: &Files, files: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Problem>> {
    if files.len() > FILES_MAX {
        let message = format!("{} configuration files are named, at most {FILES_MAX} are taken", files.len());
        return Err(vec![Problem::error(Origin::Configuration, message)]);
    }
    let mut read = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match SourceFile::read(reader, path, FileRole::Configuration) {
            Ok(file) => read.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// Merges the layers. Returns the document, the settings that take effect only at start, and those below `server` that a
/// reload may change. Invalid values are reported and left out.
pub(crate) fn document(
    layers: &Layers,
    problems: &mut Vec<Problem>,
) -> (Document, RestartOnly, BTreeMap<&'static str, String>) {
    let read = layers.merged().and_then(|merged| {
        let checked = validate::validate(merged, layers, problems);
        let reloadable = restart_only::values(&checked, |key| key.reload && key.path.starts_with("server."));
        Ok((checked.deserialize().map_err(Box::new)?, RestartOnly::of(&checked), reloadable))
    });
    read.unwrap_or_else(|error| {
        // The validation above and the types of the document agree, so this is not expected to happen; if it
        // does it is an error like any other.
        for error in *error {
            let path = error.path.iter().fold(KeyPath::default(), |path, key| path.key(key));
            let message =
                if path.is_confidential() { "unusable value".to_owned() } else { error.kind.to_string() };
            problems.push(layers.error(&path, Part::Key, message));
        }
        Default::default()
    })
}

#[cfg(test)]
mod tests;
