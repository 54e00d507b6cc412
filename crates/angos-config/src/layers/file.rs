//! One configuration file: its text, its values, and where each of them is written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use angos_tls::Files;
use figment::value::{Dict, Empty, Num, Tag, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key_path::{KeyPath, Segment};
use crate::limits::{EXCERPT_MAX_CHARS, FILE_MAX_BYTES, PROBLEMS_MAX};
use crate::problem::{Excerpt, Origin, Problem};

/// The purpose of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileRole {
    Configuration,
    /// Cases of a policy test.
    Cases,
}

impl FileRole {
    fn noun(self) -> &'static str {
        match self {
            FileRole::Configuration => "configuration file",
            FileRole::Cases => "cases file",
        }
    }
}

/// A file that was read and is TOML.
pub(crate) struct SourceFile {
    path: Arc<Path>,
    text: String,
    table: Table,
}

/// The keys of a table with where each key is written, and its value.
type Table = BTreeMap<String, (Range<usize>, Node)>;

/// A value and where it is written.
struct Node {
    span: Range<usize>,
    content: Content,
}

enum Content {
    Plain(Value),
    Array(Vec<Node>),
    Table(Table),
}

/// Where a value is written: byte ranges in the file's text.
#[derive(Clone, Debug)]
pub(crate) struct SourceSpan {
    /// The last part of its key; for an element of an array, the element.
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl SourceFile {
    /// Reads and parses one file; the error is every syntax error in it.
    pub(crate) fn read(files: &Files, path: &Path, role: FileRole) -> Result<SourceFile, Vec<Problem>> {
        let path: Arc<Path> = Arc::from(path);
        let text = read_text(files, &path, role.noun()).map_err(|message| {
            let problem = Problem::error(Origin::WholeFile(path.clone()), message);
            let is_missing = role == FileRole::Configuration && !path.exists();
            vec![if is_missing { problem.with_help(NO_FILE) } else { problem }]
        })?;
        let (table, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            return Err(syntax_problems(&path, &text, &errors));
        }
        let table = table_of(table.get_ref());
        Ok(SourceFile { path, text, table })
    }

    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it sets nothing and opens no section.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The folder its relative paths start from.
    pub(crate) fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// All values, for layering.
    pub(crate) fn values(&self) -> Dict {
        dict(&self.table)
    }

    /// Where `path` is written in this file, if it is.
    pub(crate) fn find(&self, path: &KeyPath) -> Option<SourceSpan> {
        let mut segments = path.segments().iter();
        let Some(Segment::Key(first)) = segments.next() else { return None };
        let (mut key, mut node) = self.table.get(first).map(|(key, node)| (key, node))?;
        for segment in segments {
            (key, node) = match (segment, &node.content) {
                (Segment::Key(name), Content::Table(table)) => {
                    table.get(name).map(|(key, node)| (key, node))?
                }
                (Segment::Index(index), Content::Array(array)) => {
                    array.get(*index).map(|node| (&node.span, node))?
                }
                _ => return None,
            };
        }
        // The span of a table is that of its header, or nothing; its key says where it is.
        let is_table = matches!(node.content, Content::Table(_));
        let value = if is_table { key.clone() } else { node.span.clone() };
        Some(SourceSpan { key: key.clone(), value })
    }

    /// The keys of the table at `path`, if there is one.
    pub(crate) fn names_below(&self, path: &KeyPath) -> impl Iterator<Item = &str> {
        let mut table = Some(&self.table);
        for segment in path.segments() {
            table = match (segment, table) {
                (Segment::Key(name), Some(above)) => match above.get(name) {
                    Some((_, Node { content: Content::Table(below), .. })) => Some(below),
                    _ => None,
                },
                _ => None,
            };
        }
        table.into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    pub(crate) fn origin(&self, offset: usize) -> Origin {
        origin(&self.path, &self.text, offset)
    }

    pub(crate) fn excerpt(&self, span: &Range<usize>) -> Option<Excerpt> {
        excerpt(&self.text, span)
    }
}

const NO_FILE: &str = "name a file with -c, or let `angos quickstart` make one with everything it needs";

fn read_text(files: &Files, path: &Path, noun: &str) -> Result<String, String> {
    let bytes =
        files.read(path, FILE_MAX_BYTES).map_err(|error| format!("cannot read the {noun}: {error}"))?;
    // Windows PowerShell writes it when output is redirected to a file.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("the {noun} is UTF-16; save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to())
            .filter(|b| **b == b'\n')
            .count();
        format!("the {noun} is not UTF-8 (line {line})")
    })
}

fn origin(path: &Arc<Path>, text: &str, offset: usize) -> Origin {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Origin::File {
        path: path.clone(),
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before.get(start..).map_or(0, |line| line.chars().count()) + 1,
    }
}

/// The line `span` starts on, cut to [`EXCERPT_MAX_CHARS`] around its start.
fn excerpt(text: &str, span: &Range<usize>) -> Option<Excerpt> {
    let before = text.get(..span.start)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let indent = before.get(start..)?.chars().count();
    let marked = text.get(span.clone()).unwrap_or_default();
    let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
    let skipped = indent.saturating_sub(EXCERPT_MAX_CHARS / 2);
    let mut shown: String = line.chars().skip(skipped).take(EXCERPT_MAX_CHARS).map(visible).collect();
    let truncated = line.chars().count() > skipped + EXCERPT_MAX_CHARS;
    let room = shown.chars().count().saturating_sub(indent - skipped).max(1);
    if truncated {
        shown.push('…');
    }
    let lead = if skipped > 0 { "…" } else { "" };
    Some(Excerpt {
        line: format!("{lead}{shown}").trim_end().to_owned(),
        indent: indent - skipped + lead.chars().count(),
        width: width.min(room),
    })
}

/// Keeps one character one column wide and harmless.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        character
            if crate::problem::escape(character.encode_utf8(&mut [0; 4])).len() > character.len_utf8() =>
        {
            '\u{fffd}'
        }
        character => character,
    }
}

/// One problem for each place; the parser may find several faults in one.
fn syntax_problems(path: &Arc<Path>, text: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut places = BTreeSet::new();
    errors
        .iter()
        .filter(|error| places.insert(error.span().map(|span| span.start)))
        .take(PROBLEMS_MAX)
        .map(|error| syntax_problem(path, text, error))
        .collect()
}

fn syntax_problem(path: &Arc<Path>, text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let problem = Problem::error(origin(path, text, span.start), format!("not TOML: {}", error.message()));
    let problem = match quoted_header(text, span.start) {
        Some(header) => problem.with_help(format!("quote the name: {header}")),
        None => problem,
    };
    if may_hold_secret(text, span.start) {
        return problem;
    }
    problem.with_excerpt(excerpt(text, &span))
}

/// The header of a table around `offset` with its name in quotes, if that was forgotten.
fn quoted_header(text: &str, offset: usize) -> Option<String> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?.trim();
    let path = line.strip_prefix('[')?.split_once(']')?.0.trim();
    let (section, suffix) = if path.starts_with("repository.") {
        ("repository", ".access_policy")
    } else {
        ("auth.identity", "")
    };
    let rest = path.strip_prefix(section)?.strip_prefix('.')?;
    let name = rest.strip_suffix(suffix).unwrap_or(rest);
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let is_name = |letter: char| is_bare(letter) || "/@:+ ".contains(letter);
    (!name.chars().all(is_bare) && name.chars().all(is_name))
        .then(|| format!("[{section}.\"{name}\"{suffix}]"))
}

/// Whether the statement around `offset` may hold a secret: nothing of it is shown then.
fn may_hold_secret(text: &str, offset: usize) -> bool {
    let before = text.get(..offset).unwrap_or(text);
    let header = before.rfind("\n[").unwrap_or(0);
    let line_end = text.get(offset..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| offset + end);
    let section = text.get(header..line_end).unwrap_or(text).to_ascii_lowercase();
    section.contains("password") || section.contains("auth") && !section.contains("access_policy")
}

fn table_of(table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), (key.span(), node_of(value)))
    };
    table.iter().map(entry).collect()
}

fn node_of(value: &Spanned<DeValue<'_>>) -> Node {
    let content = match value.get_ref() {
        DeValue::Array(array) => Content::Array(array.iter().map(node_of).collect()),
        DeValue::Table(table) => Content::Table(table_of(table)),
        plain => Content::Plain(plain_value(plain)),
    };
    Node { span: value.span(), content }
}

/// The value for figment. A value that no key accepts (a date, a number beyond 64 bits) becomes `Empty`,
/// which no key accepts either.
fn plain_value(value: &DeValue<'_>) -> Value {
    let tag = Tag::Default;
    let accepted = match value {
        DeValue::String(text) => Some(Value::String(tag, text.to_string())),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .map(|number| Value::Num(tag, Num::I64(number))),
        DeValue::Float(float) => float.as_str().parse().ok().map(|float| Value::Num(tag, Num::F64(float))),
        DeValue::Boolean(flag) => Some(Value::Bool(tag, *flag)),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    accepted.unwrap_or(Value::Empty(tag, Empty::Unit))
}

fn dict(table: &Table) -> Dict {
    table.iter().map(|(key, (_, node))| (key.clone(), value(node))).collect()
}

fn value(node: &Node) -> Value {
    match &node.content {
        Content::Plain(value) => value.clone(),
        Content::Array(array) => Value::Array(Tag::Default, array.iter().map(value).collect()),
        Content::Table(table) => Value::Dict(Tag::Default, dict(table)),
    }
}

/// An array as it is written in a file, for environment variables.
pub(crate) fn parse_array(text: &str) -> Option<Value> {
    let parsed = DeValue::parse(text).ok()?;
    matches!(parsed.get_ref(), DeValue::Array(_)).then(|| value(&node_of(&parsed)))
}
