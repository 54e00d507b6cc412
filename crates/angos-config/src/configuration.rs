//! From the operator's files and variables to everything the server needs, or every problem at once.

use std::path::PathBuf;

use angos_server::Access;
use angos_tls::Material;

use crate::document::Document;
use crate::environment;
use crate::file::{ConfigFile, Role};
use crate::fixed::Fixed;
use crate::layers::{At, Layers};
use crate::limits::FILES_MAX;
use crate::path::KeyPath;
use crate::problem::{Origin, Problem, Problems, Severity};
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
    /// Every file that took part: configuration, certificates, keys, password files. Watch these.
    pub files: Vec<PathBuf>,
    /// What takes effect only at start.
    pub fixed: Fixed,
}

/// What the sections share while they turn what is written into what is meant.
pub(crate) struct Context<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) problems: Vec<Problem>,
    pub(crate) files: Vec<PathBuf>,
}

impl Context<'_> {
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
/// so its syntax errors come alone. Nothing is opened, bound or created. Blocking: reads files.
pub fn load(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    read(files, environment, |_, _, _| {})
}

/// Like [`load`], and judges the policies besides: what is sound and yet looks wrong is among the warnings,
/// each with the name of one of [`LINTS`](crate::LINTS). Takes longer, some milliseconds per policy.
pub fn lint(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Problems> {
    read(files, environment, crate::lint::lint)
}

fn read(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
    judge: impl FnOnce(&Document, &Access, &mut Context<'_>),
) -> Result<Configuration, Problems> {
    let read = read_files(files).map_err(|problems| Problems::new(problems, files.to_vec()))?;
    let mut problems = Vec::new();
    let variables = environment::read(environment, &read, &mut problems);
    let layers = Layers::new(read, variables);
    let (document, fixed) = document(&layers, &mut problems);

    let mut context = Context { layers: &layers, problems, files: files.to_vec() };
    let server = server::settings(&document, &mut context);
    let tls = tls::material(document.server.tls.as_ref(), &mut context);
    let access = access::access(&document, &mut context);
    let storage = storage::settings(&document, &mut context);
    let log = KeyPath::of(&["server", "decision_log"]);
    let decision_log = document.server.decision_log.as_ref().map(|path| layers.resolve(&log, path));

    let is_sound = |problems: &[Problem]| problems.iter().all(|it| it.severity() == Severity::Warning);
    if let Some(access) = access.as_ref().filter(|_| is_sound(&context.problems)) {
        judge(&document, access, &mut context);
    }
    let Context { mut problems, files, .. } = context;
    layers.sort(&mut problems);
    match (is_sound(&problems), tls, access) {
        (true, Ok(tls), Some(access)) => {
            Ok(Configuration { server, tls, access, storage, decision_log, warnings: problems, files, fixed })
        }
        _ => Err(Problems::new(problems, files)),
    }
}

pub(crate) fn read_files(files: &[PathBuf]) -> Result<Vec<ConfigFile>, Vec<Problem>> {
    if files.len() > FILES_MAX {
        let message = format!("{} configuration files are named, at most {FILES_MAX} are taken", files.len());
        return Err(vec![Problem::error(Origin::Nowhere, message)]);
    }
    let mut read = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match ConfigFile::read(path, Role::Configuration) {
            Ok(file) => read.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// What the layers say together; what is wrong in them is reported and left out.
pub(crate) fn document(layers: &Layers, problems: &mut Vec<Problem>) -> (Document, Fixed) {
    let read = layers.merged().and_then(|merged| {
        let checked = check::check(merged, layers, problems);
        Ok((checked.deserialize().map_err(Box::new)?, Fixed::of(&checked)))
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
