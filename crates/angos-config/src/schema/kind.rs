//! The kinds of values that keys take, and the check of one value.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use angos_oci::Name;
use angos_policy::nearest;
use figment::value::{Num, Value};
use ipnet::IpNet;

use crate::schema::quantity::{ByteSize, TimeSpan};

/// The kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// A string.
    String,
    /// A string that is never quoted anywhere.
    Secret,
    /// The path of a file or folder; a relative one starts at the folder of the file that names it, or, in
    /// an environment variable, at the working folder.
    Path,
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds.
    Integer {
        /// Smallest value accepted.
        min: u64,
        /// Largest value accepted.
        max: u64,
    },
    /// A number of bytes, or a string such as `"4MiB"`, within bounds.
    Size {
        /// Smallest number of bytes accepted.
        min: u64,
        /// Largest number of bytes accepted.
        max: u64,
    },
    /// A number of seconds, or a string such as `"30s"`, within bounds.
    Duration {
        /// Shortest time accepted.
        min: Duration,
        /// Longest time accepted.
        max: Duration,
    },
    /// An IP address.
    IpAddress,
    /// One of a closed set of words.
    OneOf(&'static [&'static str]),
    /// A list of words of a closed set, each at most once.
    SetOf(&'static [&'static str]),
    /// A list of strings.
    Strings,
    /// A list of paths, each as [`Path`](ValueKind::Path).
    Paths,
    /// A list of repository names.
    RepositoryNames,
    /// A list of IP addresses and networks.
    Networks,
    /// A list of regular expressions.
    Regexes,
    /// A list of rules: strings, or tables `{ name = "...", when = "..." }`.
    Rules,
}

/// Why a value does not suit its key. The message follows "expected".
pub(crate) struct Mismatch {
    pub(crate) expected: String,
    pub(crate) help: Option<String>,
}

impl ValueKind {
    /// Why `value`, a whole value of a key or one element of a list, has another kind; `None` if it fits.
    pub(crate) fn mismatch(self, value: &Value) -> Option<Mismatch> {
        let suits = match self {
            ValueKind::String | ValueKind::Secret => value.as_str().is_some(),
            ValueKind::Path => value.as_str().is_some_and(|text| !text.is_empty() && !text.contains('\0')),
            ValueKind::Boolean => value.to_bool().is_some(),
            ValueKind::Integer { min, max } => {
                natural(value).is_some_and(|number| (min..=max).contains(&number))
            }
            ValueKind::Size { min, max } => {
                let size = natural(value).or_else(|| ByteSize::parse(value.as_str()?).map(|size| size.0));
                size.is_some_and(|size| (min..=max).contains(&size))
            }
            ValueKind::Duration { min, max } => {
                let whole = || natural(value)?.checked_mul(1000).map(Duration::from_millis);
                let span = whole().or_else(|| TimeSpan::parse(value.as_str()?).map(|span| span.0));
                span.is_some_and(|span| (min..=max).contains(&span))
            }
            ValueKind::IpAddress => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            ValueKind::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            // A list; its elements are looked at one by one.
            _ => value.as_array().is_some(),
        };
        (!suits).then(|| Mismatch { expected: self.to_string(), help: self.help(value) })
    }

    /// Why an element does not fit into a list of this kind; `None` if it does.
    pub(crate) fn element_mismatch(self, element: &Value) -> Option<Mismatch> {
        let (suits, expected) = match self {
            ValueKind::SetOf(words) => return ValueKind::OneOf(words).mismatch(element),
            ValueKind::Strings => return ValueKind::String.mismatch(element),
            ValueKind::Paths => return ValueKind::Path.mismatch(element),
            ValueKind::RepositoryNames => (
                element.as_str().is_some_and(|text| text.parse::<Name>().is_ok()),
                "the name of a repository, or the first parts of one, such as \"team/app\"",
            ),
            ValueKind::Networks => (
                element.as_str().is_some_and(|text| network(text).is_some()),
                "an IP address or network such as \"10.0.0.0/8\"",
            ),
            ValueKind::Regexes => (element.as_str().is_some(), "a string with a regular expression"),
            ValueKind::Rules => (
                element.as_str().is_some() || element.as_dict().is_some(),
                "a rule: a string, or a table { name = \"...\", when = \"...\" }",
            ),
            _ => (true, ""),
        };
        (!suits).then(|| Mismatch { expected: expected.to_owned(), help: None })
    }

    /// Whether the value is a list whose elements are checked one by one.
    pub(crate) fn is_list(self) -> bool {
        matches!(
            self,
            ValueKind::SetOf(_)
                | ValueKind::Strings
                | ValueKind::Paths
                | ValueKind::RepositoryNames
                | ValueKind::Networks
                | ValueKind::Regexes
                | ValueKind::Rules
        )
    }

    fn help(self, value: &Value) -> Option<String> {
        match (self, value) {
            (ValueKind::OneOf(words), Value::String(_, text)) => {
                nearest(text, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"))
            }
            (ValueKind::Boolean, Value::String(_, text)) if text == "true" || text == "false" => {
                Some(format!("write {text} without quotes"))
            }
            (ValueKind::Integer { .. }, Value::String(_, text)) if text.parse::<u64>().is_ok() => {
                Some(format!("write {text} without quotes"))
            }
            (list, Value::String(..)) if list.is_list() => Some("put it into brackets: [\"...\"]".to_owned()),
            _ => None,
        }
    }
}

/// Reads a network, or a single address as the network of only that address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn natural(value: &Value) -> Option<u64> {
    match value {
        Value::Num(_, Num::F32(_) | Num::F64(_)) => None,
        Value::Num(_, number) => number
            .to_u128()
            .and_then(|n| u64::try_from(n).ok())
            .or_else(|| u64::try_from(number.to_i128()?).ok()),
        _ => None,
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueKind::String | ValueKind::Secret => out.write_str("a string"),
            ValueKind::Path => out.write_str("a path"),
            ValueKind::Boolean => out.write_str("true or false"),
            ValueKind::Integer { min, max } => write!(out, "a whole number from {min} to {max}"),
            ValueKind::Size { min, max } => {
                write!(
                    out,
                    "a number of bytes or a string such as \"4MiB\", from {} to {}",
                    ByteSize(*min),
                    ByteSize(*max)
                )
            }
            ValueKind::Duration { min, max } => {
                let (min, max) = (TimeSpan(*min), TimeSpan(*max));
                write!(out, "a number of seconds or a string such as \"30s\", from {min} to {max}")
            }
            ValueKind::IpAddress => out.write_str("an IP address such as \"0.0.0.0\" or \"::\""),
            ValueKind::OneOf(words) => {
                for (index, word) in words.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " or " };
                    write!(out, "{separator}\"{word}\"")?;
                }
                Ok(())
            }
            ValueKind::SetOf(words) => write!(out, "an array of {}", ValueKind::OneOf(words)),
            ValueKind::Strings => out.write_str("an array of strings"),
            ValueKind::Paths => out.write_str("an array of paths"),
            ValueKind::RepositoryNames => out.write_str("an array of repository names"),
            ValueKind::Networks => out.write_str("an array of IP addresses and networks"),
            ValueKind::Regexes => out.write_str("an array of regular expressions"),
            ValueKind::Rules => out.write_str("an array of rules"),
        }
    }
}
