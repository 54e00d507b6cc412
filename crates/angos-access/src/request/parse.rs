//! Request fields from text: of a test case, a command line or a line of the decision log.

use std::str::FromStr;
use std::time::SystemTime;

use angos_policy::nearest;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::AccessRequest;
use crate::action::Action;
use crate::method::RequestMethod;

/// The value cannot be parsed as this request field, or the action does not have the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRequestError {
    /// A request has no such field.
    #[error("a request has no such field{}", nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?")))]
    UnknownField {
        /// The field that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The text is not what the field holds.
    #[error("{0}")]
    Invalid(String),
    /// The action has no such field, or not together with the others.
    #[error("{}", foreign(*action, field))]
    Foreign {
        /// What is asked for.
        action: Action,
        /// What it does not have.
        field: &'static str,
    },
    /// The action requires the field.
    #[error("{} needs a `{field}`", action.as_str())]
    Missing {
        /// What is asked for.
        action: Action,
        /// What it lacks.
        field: &'static str,
    },
    /// A reference that is a digest, and another digest.
    #[error("the reference is another digest than the digest")]
    Contradiction,
}

fn foreign(action: Action, field: &str) -> String {
    let word = action.as_str();
    match (field, action.fields()) {
        ("method", _) => format!("{word} is not asked with this method"),
        (field, fields) if fields.contains(&field) => {
            format!("{word} has no `{field}` unless it names a digest")
        }
        (field, []) => format!("{word} has no `{field}`"),
        (field, fields) => format!("{word} has no `{field}`; it may have {}", fields.join(", ")),
    }
}

impl AccessRequest {
    /// The fields [`set`](Self::set) knows: those under `request` that rules can name, but for the action.
    pub const FIELDS: &'static [&'static str] = &[
        "namespace",
        "repository",
        "reference",
        "tag",
        "digest",
        "tags",
        "session_id",
        "from",
        "n",
        "last",
        "artifact_type",
        "digest_algorithm",
        "method",
        "time",
    ];

    /// Sets a field by the name rules use for it (without `request.`), from the text a client would send.
    ///
    /// `tags` adds one; every other field is replaced. `time` is RFC 3339 (`2026-01-31T08:00:00Z`). A manifest's
    /// `reference` may be left out where `tag` or `digest` says the same.
    ///
    /// ```
    /// use angos_access::{AccessRequest, Action};
    /// use std::time::SystemTime;
    ///
    /// let mut request = AccessRequest::new(Action::PutManifest, SystemTime::now());
    /// request.set("namespace", "prod/app")?;
    /// request.set("tag", "v1")?;
    /// assert!(request.set("tag", "no tag").is_err());
    /// assert_eq!(request.set("tagg", "v1").unwrap_err().to_string(), "a request has no such field; did you mean `tag`?");
    /// # Ok::<(), angos_access::AccessRequestError>(())
    /// ```
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), AccessRequestError> {
        let mut changed = self.clone();
        match field {
            "namespace" | "repository" => changed.namespace = Some(parsed(text)?),
            "reference" => changed.reference = Some(parsed(text)?),
            "tag" => changed.tag = Some(parsed(text)?),
            "digest" => changed.digest = Some(parsed(text)?),
            "tags" => changed.tags.push(parsed(text)?),
            "session_id" => changed.session = Some(parsed(text)?),
            "from" => changed.from = Some(parsed(text)?),
            "n" => changed.n = Some(count(text)?),
            "last" => changed.last = Some(plain(text)?),
            "artifact_type" => changed.artifact_type = Some(plain(text)?),
            "digest_algorithm" => changed.algorithm = Some(parsed(text)?),
            "method" => changed.method = parsed::<RequestMethod>(text)?,
            "time" => changed.time = parse_time(text)?,
            _ => {
                return Err(AccessRequestError::UnknownField {
                    nearest: nearest(field, Self::FIELDS.iter().copied()),
                });
            }
        }
        let referred = changed.reference.as_ref().and_then(|reference| reference.digest());
        if referred.zip(changed.digest.as_ref()).is_some_and(|(referred, digest)| referred != digest) {
            return Err(AccessRequestError::Contradiction);
        }
        // Cached texts may be those of the replaced values.
        changed.digest_text.take();
        changed.session_text.take();
        changed.tag_texts.take();
        *self = changed;
        Ok(())
    }
}

fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, AccessRequestError> {
    text.parse().map_err(|error: T::Err| AccessRequestError::Invalid(error.to_string()))
}

/// A page size; one too large to count is as good as the largest one.
fn count(text: &str) -> Result<usize, AccessRequestError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AccessRequestError::Invalid("not a number of entries".to_owned()));
    }
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// What a query may say.
fn plain(text: &str) -> Result<String, AccessRequestError> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(AccessRequestError::Invalid("empty, or with control characters".to_owned()));
    }
    Ok(text.to_owned())
}

/// Parses a time in RFC 3339, not before 1970: the form of the field `time`.
pub fn parse_time(text: &str) -> Result<SystemTime, AccessRequestError> {
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time = time.ok().filter(|time| *time >= OffsetDateTime::UNIX_EPOCH).map(SystemTime::from);
    time.ok_or_else(|| {
        AccessRequestError::Invalid("not a moment since 1970 like 2026-01-31T08:00:00Z".to_owned())
    })
}
