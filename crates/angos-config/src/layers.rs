//! Files and environment in the order they were given: merged by figment, and asked where a value is from.

pub(crate) mod environment;
pub(crate) mod file;
mod string_offset;

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use crate::key_path::KeyPath;
use crate::layers::environment::Variable;
use crate::layers::file::{SourceFile, SourceSpan};
use crate::problem::{Origin, Problem};

/// Everything the operator wrote, lowest layer first.
pub(crate) struct Layers {
    files: Vec<SourceFile>,
    variables: Vec<Variable>,
}

/// Which part of a setting is at fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its key; nothing of its value is quoted.
    Key,
    /// Its value.
    Value,
}

/// A layer for figment.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layers {
    pub(crate) fn new(files: Vec<SourceFile>, variables: Vec<Variable>) -> Layers {
        Layers { files, variables }
    }

    /// The layers as one: tables merge, everything else is replaced by the later layer.
    pub(crate) fn merged(&self) -> Result<Value, Box<figment::Error>> {
        let files = self
            .files
            .iter()
            .map(|file| Layer { name: file.path().display().to_string(), values: file.values() });
        let environment =
            Layer { name: "environment".to_owned(), values: environment::values(&self.variables) };
        files.chain([environment]).fold(Figment::new(), Figment::merge).find_value("").map_err(Box::new)
    }

    /// Whether any layer has something at `path`, sound or not.
    pub(crate) fn has(&self, path: &KeyPath) -> bool {
        self.variables.iter().any(|variable| variable.path.starts_with(path))
            || self.files_of(path).any(|file| file.find(path).is_some())
    }

    /// `path` as the operator meant it: relative to the folder of the file that has the value at `key`, or to
    /// the working folder if that is a variable.
    pub(crate) fn resolve(&self, key: &KeyPath, path: &Path) -> PathBuf {
        match self.source(key) {
            Some(Source::File(file, _)) => file.folder().join(path),
            _ => path.to_path_buf(),
        }
    }

    /// Each file, and whether it sets nothing.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.files.iter().map(|file| (&**file.path(), file.is_empty()))
    }

    /// Whether no file and no variable sets anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.files.iter().all(SourceFile::is_empty)
    }

    /// The folder that relative defaults start from: that of the first file.
    pub(crate) fn folder(&self) -> PathBuf {
        self.files.first().map(SourceFile::folder).unwrap_or_default()
    }

    /// An error about the setting at `path`, or, when it is absent, about the nearest table above it.
    pub(crate) fn error(&self, path: &KeyPath, part: Part, message: impl Into<String>) -> Problem {
        let mut place = Some(path.clone());
        while let Some(here) = place {
            match self.source(&here) {
                Some(Source::Variable(variable)) => {
                    return Problem::error(Origin::Variable(variable.name.clone()), message)
                        .with_key(path.to_string());
                }
                Some(Source::File(file, written)) => {
                    let part = if here == *path { part } else { Part::Key };
                    return in_file(file, &written, path, part, message.into());
                }
                None => place = here.parent(),
            }
        }
        Problem::error(Origin::Configuration, message).with_key(path.to_string())
    }

    /// An error inside the string at `path`, at byte `offset` of its value `text`.
    pub(crate) fn error_within(
        &self,
        path: &KeyPath,
        text: &str,
        offset: usize,
        message: impl Into<String>,
    ) -> Problem {
        let Some(Source::File(file, written)) = self.source(path) else {
            let before = text.get(..offset).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
            return self.error(
                path,
                Part::Value,
                format!("`{path}`, line {line}, column {column}: {}", message.into()),
            );
        };
        let raw = file.text().get(written.value.clone()).unwrap_or_default();
        let start = written.value.start + string_offset::source_offset(raw, text, offset);
        let excerpt = file.excerpt(&(start..start));
        Problem::error(file.origin(start), message)
            .with_key(path.to_string())
            .with_text(Some(crate::problem::escape(text)))
            .with_excerpt(excerpt)
    }

    /// Problems in the order a reader meets their places: files as they were named, then variables.
    pub(crate) fn sort(&self, problems: &mut [Problem]) {
        problems.sort_by_key(|problem| {
            let file =
                problem.file().and_then(|path| self.files.iter().position(|file| **file.path() == *path));
            (file.unwrap_or(usize::MAX), problem.line(), problem.column())
        });
    }

    /// The last layer that has something at `path`: the one whose value holds.
    fn source(&self, path: &KeyPath) -> Option<Source<'_>> {
        let variable = self.variables.iter().rev().find(|variable| {
            // A list comes from a variable as a whole, its elements with it.
            path.starts_with(&variable.path)
        });
        variable
            .map(Source::Variable)
            .or_else(|| self.files_of(path).find_map(|file| Some(Source::File(file, file.find(path)?))))
    }

    /// The files that may have the value at `path`, the one that holds first. A list is replaced as a whole, so an element
    /// of one, and what is below it, can only be in the last file that has the list.
    fn files_of(&self, path: &KeyPath) -> impl Iterator<Item = &SourceFile> {
        let list = path.list();
        let has_list = move |file: &&SourceFile| list.as_ref().is_none_or(|list| file.find(list).is_some());
        let only = if path.list().is_some() { 1 } else { usize::MAX };
        self.files.iter().rev().filter(has_list).take(only)
    }
}

enum Source<'a> {
    File(&'a SourceFile, SourceSpan),
    Variable(&'a Variable),
}

fn in_file(file: &SourceFile, written: &SourceSpan, path: &KeyPath, part: Part, message: String) -> Problem {
    let span = if part == Part::Key { &written.key } else { &written.value };
    let problem = Problem::error(file.origin(span.start), message).with_key(path.to_string());
    let quoted = |span: &std::ops::Range<usize>| file.text().get(span.clone()).map(crate::problem::escape);
    if part == Part::Key || path.is_confidential() {
        // The rest of the line is the value, or other keys of an inline table.
        return problem
            .with_text(quoted(&written.key).filter(|_| written.key != written.value || part == Part::Key));
    }
    problem.with_text(quoted(span)).with_excerpt(file.excerpt(span))
}
