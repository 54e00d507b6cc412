//! Problems of a configuration and their places. This crate reports every error and warning as a [`Problem`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use angos_tls::Snapshot;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::limits::PROBLEMS_MAX;

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A place in a configuration file; line and column count characters from 1.
    File {
        /// The file as the operator named it.
        path: Arc<Path>,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// A file as a whole: it cannot be read, or is too big.
    WholeFile(Arc<Path>),
    /// An environment variable.
    Variable(Arc<str>),
    /// The configuration as a whole: no place in a file or variable is at fault.
    Configuration,
}

/// Whether a problem prevents loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is accepted.
    Warning,
}

/// The line a problem is on, with the offending part marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The line, already escaped and cut to a terminal's width.
    pub(crate) line: String,
    /// Characters before the mark.
    pub(crate) indent: usize,
    /// Characters marked, at least one.
    pub(crate) width: usize,
}

/// An error or warning. It never contains a secret: below `[auth]` only keys are quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    lint: Option<&'static str>,
    origin: Origin,
    key: String,
    text: Option<String>,
    excerpt: Option<Excerpt>,
    message: String,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn error(origin: Origin, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            lint: None,
            origin,
            key: String::new(),
            text: None,
            excerpt: None,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn into_warning(self) -> Problem {
        Problem { severity: Severity::Warning, ..self }
    }

    pub(crate) fn into_lint(self, lint: &'static str) -> Problem {
        Problem { lint: Some(lint), ..self.into_warning() }
    }

    /// The same about a file as a whole, if it is about no place in particular.
    pub(crate) fn or_in(self, file: &Arc<Path>) -> Problem {
        match self.origin {
            Origin::Configuration => Problem { origin: Origin::WholeFile(file.clone()), ..self },
            _ => self,
        }
    }

    pub(crate) fn with_key(self, key: impl Into<String>) -> Problem {
        Problem { key: key.into(), ..self }
    }

    pub(crate) fn with_text(self, text: Option<String>) -> Problem {
        Problem { text, ..self }
    }

    pub(crate) fn with_excerpt(self, excerpt: Option<Excerpt>) -> Problem {
        Problem { excerpt, ..self }
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The lint that found it, if one did: a name of [`LINTS`](crate::LINTS).
    pub fn lint(&self) -> Option<&'static str> {
        self.lint
    }

    /// Where it is.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The file it is in, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File { path, .. } | Origin::WholeFile(path) => Some(path),
            _ => None,
        }
    }

    /// The line in that file, from 1.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::File { line, .. } => Some(line),
            _ => None,
        }
    }

    /// The column in that line, in characters from 1.
    pub fn column(&self) -> Option<usize> {
        match self.origin {
            Origin::File { column, .. } => Some(column),
            _ => None,
        }
    }

    /// The configuration key concerned, dotted; empty where no key is concerned.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The offending text; absent where it is, or may hold, a secret.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The message, one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to fix it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl Problem {
    /// The problem in one line, for a log: place, message and help, without severity and excerpt.
    pub fn summary(&self) -> String {
        let (origin, message) = (&self.origin, &self.message);
        match &self.help {
            Some(help) => format!("{origin}{message}; {help}"),
            None => format!("{origin}{message}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.origin)?;
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        match self.lint {
            Some(lint) => write!(out, "{word}[{lint}]: {}", self.message)?,
            None => write!(out, "{word}: {}", self.message)?,
        }
        if let (Some(excerpt), Some(line)) = (&self.excerpt, self.line()) {
            let number = line.to_string();
            let gutter = number.len();
            write!(out, "\n  {number} | {}", excerpt.line)?;
            write!(
                out,
                "\n  {:gutter$} | {:indent$}{}",
                "",
                "",
                "^".repeat(excerpt.width),
                indent = excerpt.indent
            )?;
        }
        if let Some(help) = &self.help {
            write!(out, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// `severity`, `lint`, `file`, `line`, `column`, `variable`, `key`, `text`, `message` and `help`; what does not apply is
/// null. No secret, like the problem itself.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let variable = match &self.origin {
            Origin::Variable(name) => Some(&**name),
            _ => None,
        };
        let mut fields = serializer.serialize_struct("Problem", 10)?;
        fields.serialize_field(
            "severity",
            if self.severity == Severity::Error { "error" } else { "warning" },
        )?;
        fields.serialize_field("lint", &self.lint)?;
        fields.serialize_field("file", &self.file().map(shown))?;
        fields.serialize_field("line", &self.line())?;
        fields.serialize_field("column", &self.column())?;
        fields.serialize_field("variable", &variable)?;
        fields.serialize_field("key", &Some(&self.key).filter(|key| !key.is_empty()))?;
        fields.serialize_field("text", &self.text)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("help", &self.help)?;
        fields.end()
    }
}

/// The place as a prefix of a message, with a colon and a space; empty for the configuration as a whole.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line, column } => write!(out, "{}:{line}:{column}: ", shown(path)),
            Origin::WholeFile(path) => write!(out, "{}: ", shown(path)),
            Origin::Variable(name) => write!(out, "environment variable {name}: "),
            Origin::Configuration => Ok(()),
        }
    }
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// `text` with control characters escaped, so that no file can control the terminal of the reader.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_reordering(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Characters that reorder or hide their neighbours on a terminal.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// All problems of one configuration, in the order of the files; `Display` prints all of them.
#[derive(Clone, Debug)]
pub struct Problems {
    list: Vec<Problem>,
    snapshot: Snapshot,
}

impl Problems {
    /// `snapshot` is what was read, so that a repair of it can be noticed.
    pub(crate) fn new(list: Vec<Problem>, snapshot: Snapshot) -> Problems {
        Problems { list, snapshot }
    }

    /// Each problem, warnings among them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// How many of them are warnings.
    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }

    /// The files that were read: a change of one may repair the configuration. Empty when the load timed out.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().take(PROBLEMS_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(out, "{separator}{problem}")?;
        }
        let beyond = self.list.len().saturating_sub(PROBLEMS_MAX);
        if beyond > 0 {
            write!(out, "\n… and {beyond} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
