//! From the operator's files and variables to everything the server needs, or every problem at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use angos_access::AccessPolicies;
use angos_server::Access;
use angos_tls::{Files, Material, Snapshot};

use crate::document::Document;
use crate::environment;
use crate::file::{ConfigFile, Role};
use crate::fixed::{self, Fixed};
use crate::layers::{At, Layers};
use crate::limits::FILES_MAX;
use crate::path::KeyPath;
use crate::problem::{Origin, Problem, Problems, Severity};
use crate::summary::{Changes, Summary};
use crate::{access, check, server, storage, tls};

/// A configuration in which everything was checked: each rule compiled, each certificate read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// Address, limits, and what the registry allows.
    pub server: angos_server::Settings,
    /// Certificates and keys, read and verified; absent when `[server.tls]` is.
    pub tls: Option<Material>,
    /// Policies and credentials.
    pub access: Access,
    /// Where blobs and metadata are kept.
    pub storage: angos_storage::Settings,
    /// The file every decision is written to.
    pub decision_log: Option<PathBuf>,
    /// What was accepted but should be looked at.
    pub warnings: Vec<Problem>,
    /// What was read: configuration, certificates, keys, lists, password files. Watch these.
    pub snapshot: Snapshot,
    /// What takes effect only at start.
    pub fixed: Fixed,
    /// What it consists of, to be compared with another.
    pub summary: Summary,
}

impl Configuration {
    /// What changes when this set replaces the one of `before`, in a server that was started with `fixed`.
    ///
    /// The error is what it lost that a running server does not give up: `[server.tls]`, the global access policy, every
    /// access policy, everything in a file. A file that lost its end looks like this.
    pub fn replaces(&self, before: &Summary, fixed: &Fixed) -> Result<Changes, Problems> {
        let lost = self.summary.lost(before, fixed.has_tls() && !self.fixed.has_tls());
        if lost.is_empty() {
            Ok(self.summary.changes(before))
        } else {
            Err(Problems::new(lost, self.snapshot.clone()))
        }
    }
}

/// What the sections share while they turn what is written into what is meant.
pub(crate) struct Context<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) problems: Vec<Problem>,
    /// Reads every file that the sections name.
    pub(crate) files: &'a Files,
    /// The id of each user, and what tells its credential from another one.
    pub(crate) users: Vec<(String, u64)>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(layers: &'a Layers, files: &'a Files, problems: Vec<Problem>) -> Context<'a> {
        Context { layers, problems, files, users: Vec::new() }
    }

    pub(crate) fn error(&mut self, path: &KeyPath, at: At, message: impl Into<String>) {
        self.problems.push(self.layers.error(path, at, message));
    }

    pub(crate) fn error_with_help(
        &mut self,
        path: &KeyPath,
        at: At,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(self.layers.error(path, at, message).with_help(help));
    }

    pub(crate) fn warning(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(self.layers.error(path, At::Key, message).with_help(help).into_warning());
    }
}

/// Reads `files`, later ones over earlier ones (tables merge, everything else is replaced), then the
/// variables of `environment` that start with `ANGOS_`, and checks all of it: keys, kinds, ranges, policies,
/// credentials, certificates.
///
/// The error holds every problem that can be told at once. A file that is not TOML hides what else is wrong,
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

/// Like [`load`], and judges the policies besides: what is sound and yet looks wrong is among the warnings,
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
    judge: impl FnOnce(&Document, &AccessPolicies, &mut Context<'_>),
) -> Result<Configuration, Problems> {
    let read = read_files(reader, files).map_err(|problems| Problems::new(problems, reader.take()))?;
    let mut problems = Vec::new();
    let variables = environment::read(environment, &read, &mut problems);
    let layers = Layers::new(read, variables);
    if is_sound(&problems) {
        problems.extend(nothing(&layers));
    }
    let (document, fixed, live) = document(&layers, &mut problems);

    let mut context = Context::new(&layers, reader, problems);
    let server = server::settings(&document, &mut context);
    let tls = tls::material(document.server.tls.as_ref(), &mut context);
    let access = access::access(&document, &mut context);
    let storage = storage::settings(&document, &mut context);
    let log = KeyPath::of(&["server", "decision_log"]);
    let decision_log = document.server.decision_log.as_ref().map(|path| layers.resolve(&log, path));

    if let Some(access) = access.as_ref().filter(|_| is_sound(&context.problems)) {
        judge(&document, &access.policies, &mut context);
    }
    let Context { mut problems, users, .. } = context;
    layers.sort(&mut problems);
    let (snapshot, warnings) = (reader.take(), problems);
    match (is_sound(&warnings), tls, access) {
        (true, Ok(tls), Some(access)) => {
            let summary = Summary::of(&document, users, tls.as_ref(), live, &layers);
            Ok(Configuration {
                server,
                tls,
                access,
                storage,
                decision_log,
                warnings,
                snapshot,
                fixed,
                summary,
            })
        }
        _ => Err(Problems::new(warnings, snapshot)),
    }
}

fn is_sound(problems: &[Problem]) -> bool {
    problems.iter().all(|it| it.severity() == Severity::Warning)
}

/// An empty file is the beginning of one that is being written, or the mistake of a program; nobody means it.
fn nothing(layers: &Layers) -> Option<Problem> {
    let (first, _) = layers.files().next().filter(|_| layers.is_empty())?;
    let problem = Problem::error(Origin::WholeFile(first.into()), "the configuration is empty");
    Some(problem.with_help("write at least one section, or set a variable"))
}

pub(crate) fn read_files(reader: &Files, files: &[PathBuf]) -> Result<Vec<ConfigFile>, Vec<Problem>> {
    if files.len() > FILES_MAX {
        let message = format!("{} configuration files are named, at most {FILES_MAX} are taken", files.len());
        return Err(vec![Problem::error(Origin::Nowhere, message)]);
    }
    let mut read = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match ConfigFile::read(reader, path, Role::Configuration) {
            Ok(file) => read.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// What the layers say together, what of it takes effect only at start, and what of TLS may change while the server runs.
/// What is wrong in them is reported and left out.
pub(crate) fn document(
    layers: &Layers,
    problems: &mut Vec<Problem>,
) -> (Document, Fixed, BTreeMap<&'static str, String>) {
    let read = layers.merged().and_then(|merged| {
        let checked = check::check(merged, layers, problems);
        let live = fixed::values(&checked, |key| key.reload && key.path.starts_with("server."));
        Ok((checked.deserialize().map_err(Box::new)?, Fixed::of(&checked), live))
    });
    read.unwrap_or_else(|error| {
        // The check above and the document's types say the same, so this is not expected to happen; if it
        // does it is an error like any other.
        for error in *error {
            let path = error.path.iter().fold(KeyPath::default(), |path, key| path.key(key));
            let message =
                if path.is_confidential() { "unusable value".to_owned() } else { error.kind.to_string() };
            problems.push(layers.error(&path, At::Key, message));
        }
        Default::default()
    })
}

#[cfg(test)]
mod tests;
