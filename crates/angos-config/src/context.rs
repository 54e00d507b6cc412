//! What the sections share while they turn documents into settings: the layers, the file reader, and the problems so far.

use angos_tls::Files;

use crate::key_path::KeyPath;
use crate::layers::{Layers, Part};
use crate::problem::Problem;

/// Shared state of the sections.
pub(crate) struct Context<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) problems: Vec<Problem>,
    /// Reads every file that the sections name.
    pub(crate) files: &'a Files,
    /// The id of each user, and a fingerprint of its credential.
    pub(crate) users: Vec<(String, u64)>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(layers: &'a Layers, files: &'a Files, problems: Vec<Problem>) -> Context<'a> {
        Context { layers, problems, files, users: Vec::new() }
    }

    pub(crate) fn error(&mut self, path: &KeyPath, part: Part, message: impl Into<String>) {
        self.problems.push(self.layers.error(path, part, message));
    }

    pub(crate) fn error_with_help(
        &mut self,
        path: &KeyPath,
        part: Part,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(self.layers.error(path, part, message).with_help(help));
    }

    pub(crate) fn warning(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(self.layers.error(path, Part::Key, message).with_help(help).into_warning());
    }
}
